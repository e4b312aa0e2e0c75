//! The walk through the stages of an experiment. A command makes the runs that a stage asks for; `report` and `plan` look for
//! them. So what is planned, made and redrawn is one list.

use super::desk;
use super::exit::Exit;
use super::manifest::{Look, Manifest};
use super::part::Part;
use super::record::FinishedRun;
use super::scheduler::{Runner, Way};
use super::spec::{Details, Spec, key};
use super::stop::Stop;
use super::store::Store;
use super::workplace::{Running, Workplace};
use crate::console::answer;
use crate::engine::settings::refuse;
use crate::engine::source::Source;
use crate::files;
use anyhow::{Context, Result, ensure};
use std::any::type_name;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// See the top of this file.
pub struct Walk<'w> {
    pub store: &'w Store,
    workplace: Option<&'w Workplace<'w>>,
    /// Kind of the device, cpu or cuda.
    pub device: &'w str,
    /// Every run that the stages have asked for.
    pub entries: Vec<Entry>,
    /// Runs whose specification depends on what is missing.
    pub pending: usize,
    /// Stages until now.
    pub stages: usize,
    /// Runs that fell to this command and were not made: they failed, wait for others, or were stopped.
    pub unmade: usize,
    /// Those of them that `--force` was to make again, and that are there as they were before; by name.
    pub old: Vec<String>,
    /// Finished runs that every command makes again, see [`Way::force`].
    pub repeated: usize,
}

/// A run that a stage has asked for.
pub struct Entry {
    /// From 1.
    pub stage: usize,
    pub arm: String,
    /// What tells it from the arm's others.
    pub point: String,
    pub seed: u64,
    pub details: Details,
    /// Until it is done, in the unit in which it tells how far it is.
    pub steps: usize,
    /// Below the results directory.
    pub directory: PathBuf,
    /// The column `run` of its CSV files.
    pub key: String,
    /// Its kind, [`Spec::cost`] and [`Spec::SECONDS`].
    pub(super) cost: (&'static str, f64, f64),
    pub state: Look,
    /// Whether it builds on runs that are not there.
    pub waits: bool,
    /// Why it could not be made, if it was tried.
    pub failure: Option<String>,
}

impl Entry {
    /// The manifest, if the run is finished.
    pub fn manifest(&self) -> Option<&Manifest> {
        match &self.state {
            Look::Whole(manifest) => Some(manifest),
            Look::Missing | Look::Damaged(_) => None,
        }
    }
}

impl<'w> Walk<'w> {
    /// Makes what is missing.
    pub fn making(workplace: &'w Workplace<'w>) -> Self {
        Self { workplace: Some(workplace), ..Self::looking(&workplace.store, workplace.device.kind) }
    }

    /// Looks for runs that were made on a kind of device.
    pub fn looking(store: &'w Store, device: &'w str) -> Self {
        let (entries, old) = (Vec::new(), Vec::new());
        Self { store, workplace: None, device, entries, pending: 0, stages: 0, unmade: 0, old, repeated: 0 }
    }

    /// The runs of a stage that exist, in the order of their specifications. A walk that makes runs needs the runner.
    pub fn stage<R: Runner>(
        &mut self,
        specs: &[R::Spec],
        runner: Option<R>,
        way: Way,
    ) -> Result<Vec<FinishedRun<R::Spec>>> {
        self.stages += 1;
        let hashes = specs.iter().map(Spec::hash).collect::<Result<Vec<_>>>()?;
        let mut made: Vec<Option<FinishedRun<R::Spec>>> = vec![None; specs.len()];
        let (workplace, stage) = (self.workplace, self.stages);
        let falls = |hash: &str| workplace.is_some_and(|workplace| workplace.running.part.has(stage, key(hash)));
        if let Some(workplace) = workplace.filter(|workplace| !workplace.stopped()) {
            let runner = runner.context("nobody can make the runs of a stage")?;
            let own: Vec<usize> = (0..specs.len()).filter(|place| falls(&hashes[*place])).collect();
            let wanted: Vec<R::Spec> = own.iter().map(|place| specs[*place].clone()).collect();
            let results = workplace.make(way, &runner, &wanted)?;
            for (place, run) in own.into_iter().zip(results) {
                made[place] = run;
            }
        }
        let forced = workplace.is_some_and(|workplace| workplace.running.force);
        let mut found = Vec::with_capacity(specs.len());
        for ((spec, hash), made) in specs.iter().zip(&hashes).zip(made) {
            let is_left = made.is_none() && falls(hash);
            let look = match made {
                Some(run) => Look::Whole(Box::new(run)),
                None => self.store.find_as(spec, hash)?,
            };
            let is_whole = matches!(look, Look::Whole(_));
            self.repeated += usize::from(is_whole && way.force);
            self.unmade += usize::from(is_left && (!is_whole || way.force || forced));
            if is_left && is_whole && forced && !way.force {
                self.old.push(key(hash).into());
            }
            let directory = spec.place(hash);
            let failure = match look {
                Look::Whole(_) => None,
                Look::Missing | Look::Damaged(_) => desk::failure(&self.store.root.join(&directory)),
            };
            self.entries.push(Entry {
                stage: self.stages,
                arm: spec.arm().into(),
                point: spec.point(),
                seed: spec.seed().0,
                details: spec.details(),
                steps: spec.steps(),
                directory,
                key: key(hash).into(),
                waits: !is_whole && self.store.inputs(&spec.inputs()?)?.is_none(),
                cost: (type_name::<R::Spec>(), spec.cost() as f64, R::Spec::SECONDS),
                state: look.clone().map(|run| run.manifest),
                failure,
            });
            found.extend(look.finished());
        }
        Ok(found)
    }

    /// Leaves what a command would make that makes a part of the runs, or makes finished ones again.
    pub fn keep(&mut self, part: &Part, force: bool) {
        self.entries.retain(|entry| part.has(entry.stage, &entry.key));
        if force {
            // What builds on a run that is made again waits for it.
            let first = self.entries.iter().map(|entry| entry.stage).min();
            for entry in &mut self.entries {
                (entry.state, entry.failure) = (Look::Missing, None);
                entry.waits |= Some(entry.stage) != first;
            }
        }
        let others = part.stage.is_some_and(|stage| usize::from(stage) != self.stages) || !part.run.is_empty();
        self.pending = if others { 0 } else { self.pending };
    }

    /// Networks with a planned run that is not there; None where it is not known yet which runs there will be.
    pub fn unfinished(&self) -> Option<BTreeSet<&str>> {
        let unfinished = self.entries.iter().filter(|entry| entry.manifest().is_none());
        (self.pending == 0).then(|| unfinished.map(|entry| entry.arm.as_str()).collect())
    }

    /// How many runs there have to be.
    pub fn planned(&self) -> usize {
        self.entries.len() + self.pending
    }

    /// How many of them are finished.
    pub fn finished(&self) -> usize {
        self.manifests().count()
    }

    /// How many could not be made.
    pub fn failed(&self) -> usize {
        self.entries.iter().filter(|entry| entry.failure.is_some()).count()
    }

    /// The manifests of all that are finished.
    pub fn manifests(&self) -> impl Iterator<Item = &Manifest> {
        self.entries.iter().filter_map(Entry::manifest)
    }

    /// Writes a file of the experiment's own beside its runs, if runs are made.
    pub fn leave(&self, path: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        if self.workplace.is_none() {
            return Ok(());
        }
        // Another process may be tidying up, and what is half-written looks like a leftover.
        let _lock = self.store.lock_pages()?;
        let parent = files::parent(path);
        std::fs::create_dir_all(parent).with_context(|| format!("--out: cannot make {}", parent.display()))?;
        files::write_with(path, write).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// `han-exp rerun`: one run, made again from its `config.toml`.
pub struct Rerun<'r> {
    pub name: String,
    /// What it says.
    pub text: String,
    /// The same as a table.
    pub table: toml::Table,
    pub source: &'r Source,
    pub running: &'r Running,
    /// Results directory.
    pub out: &'r Path,
    pub stop: &'r Stop,
}

impl Rerun<'_> {
    /// The specification, if the file is about a run of that kind.
    ///
    /// # Errors
    /// When it is damaged, cannot be run, or was run on another device.
    pub fn spec<S: Spec>(&self) -> Result<Option<S>> {
        if !self.table.contains_key(S::KEY) {
            return Ok(None);
        }
        let name = &self.name;
        let spec: S = toml::from_str(&self.text).with_context(|| name.clone())?;
        refuse(&format!("{name}: "), spec.problem())?;
        let kind = self.running.device.open()?.kind;
        ensure!(spec.device() == kind, "{name}: the run was made on {}, this is {kind}; see --device", spec.device());
        Ok(Some(spec))
    }

    /// Makes the run with what `runner` gives, which gets the results directory.
    pub fn make<R: Runner>(&self, spec: &R::Spec, runner: impl FnOnce(&Store) -> R) -> Result<Exit> {
        let device = self.running.open_device()?;
        let workplace = Workplace::open(self.running, self.out, device, spec.experiment(), self.stop)?;
        let way = Way { alone: true, force: true };
        let made = workplace.make(way, &runner(&workplace.store), std::slice::from_ref(spec))?;
        let Some(run) = made.into_iter().flatten().next() else {
            ensure!(
                self.stop.is_wanted(),
                "the run was not made; if the run that it builds on is missing, its experiment's command makes that one"
            );
            return Ok(self.stop.exit());
        };
        answer(&format!("{}\n", run.directory.display()));
        Ok(Exit::Success)
    }
}
