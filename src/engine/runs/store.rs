//! A results directory: finished runs are found, new ones saved, whole or not at all.
//!
//! A run is made in `.running-<name>` beside its place, synced, and renamed. One that is there already steps aside to
//! `.replaced-<name>` first and is removed last, so that at every moment the old or the new run is whole on the disk;
//! [`Store::clean`] settles what a kill has left in between.

use super::checkpoint::{self, Checkpoint, Identity};
use super::desk::{self, Desk};
use super::directory::{entries, remove};
use super::inventory::{self, damage};
use super::lock::{self, RunLock};
use super::manifest::{Environment, Look, Manifest};
use super::record::{FinishedRun, Record};
use super::spec::Spec;
use super::unwritable::Unwritable;
use crate::console::note;
use crate::files;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

const REPLACED: &str = ".replaced-";
const LOCK: &str = ".lock";
const EXPERIMENT: &str = "experiment.toml";
/// Pages that others may have under the same name, and words that ours begin with.
const SIGNED: [(&str, &str); 2] =
    [(Store::README, "\nWritten by `han-exp`"), (Store::REPORT, "Results of han-exp</title>")];
/// Bytes of a page in which these words stand.
const BEGINNING: u64 = 4096;

/// A results directory.
#[derive(Debug, Clone)]
pub struct Store {
    pub root: PathBuf,
    /// Whether charts are wanted as SVG as well.
    pub svg: bool,
    /// Whether a file passes for the one that was saved by its size alone: reading every file of ten thousand runs takes
    /// minutes from a cold disk.
    pub by_sizes: bool,
}

/// A run that somebody has begun.
#[derive(Debug)]
pub struct Attempt {
    /// Who is making it now.
    pub holder: Option<String>,
    /// How far it is; of one that nobody is making, how far its newest checkpoint.
    pub step: Option<usize>,
    /// How long that took.
    pub seconds: Option<f64>,
}

/// Refuses a results directory where a file has its name, or with a page that han-exp did not write.
pub(super) fn check_directory(root: &Path) -> Result<()> {
    check_no_file(root)?;
    Store::new(root).check_pages()
}

fn check_no_file(root: &Path) -> Result<()> {
    ensure!(!root.is_file(), "{}: it is a file, not a results directory; see --out", root.display());
    Ok(())
}

/// The first bytes of a file as text.
fn beginning(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    files::open(path)?.take(BEGINNING).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

impl Store {
    /// What the root holds of all experiments together.
    pub const README: &'static str = "README.md";
    pub const REPORT: &'static str = "report.html";
    pub const PROVENANCE: &'static str = "provenance.json";

    /// The store at `root`; nothing is made until something is written.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), svg: false, by_sizes: false }
    }

    /// Locks a run for this process; None while another makes it.
    pub fn lock<S: Spec>(&self, spec: &S) -> Result<Option<RunLock>> {
        lock::try_take(&lock::place(&self.root, &spec.directory()?))
    }

    /// Refuses a directory with a page that han-exp did not write, as somebody's project has: ours would overwrite it.
    ///
    /// # Errors
    /// When there is such a page, or a page cannot be read.
    pub fn check_pages(&self) -> Result<()> {
        for (name, words) in SIGNED {
            let path = self.root.join(name);
            let text = files::if_there(beginning(&path)).with_context(|| format!("cannot read {}", path.display()))?;
            let is_own = text.is_none_or(|text| text.contains(words));
            ensure!(
                is_own,
                "{} was not written by han-exp and would be overwritten; use another --out",
                path.display()
            );
        }
        Ok(())
    }

    /// Waits until nobody else writes tables, charts and pages, and locks them. Whoever writes any of them begins here.
    ///
    /// # Errors
    /// As [`Store::check_pages`], and when the lock's file cannot be opened.
    pub fn lock_pages(&self) -> Result<RunLock> {
        self.check_pages()?;
        lock::take(&self.root.join(LOCK))
    }

    /// Looks for the run of a specification. It is finished if its manifest is whole and of this schema, what it has read is
    /// what is there now, and every file holds what was saved.
    ///
    /// # Errors
    /// When something is there that cannot be read.
    pub fn find<S: Spec>(&self, spec: &S) -> Result<Look<FinishedRun<S>>> {
        self.find_as(spec, &spec.hash()?)
    }

    /// The same where its hash is known.
    pub(super) fn find_as<S: Spec>(&self, spec: &S, hash: &str) -> Result<Look<FinishedRun<S>>> {
        let directory = self.root.join(spec.place(hash));
        let wanted = |manifest: &Manifest| manifest.schema_version == S::SCHEMA && manifest.config_hash == hash;
        let look = self.look(&directory, wanted)?;
        Ok(look.map(|manifest| FinishedRun { spec: spec.clone(), directory, manifest }))
    }

    /// What is in a run's directory: nothing, if the manifest is not the one that is wanted.
    ///
    /// # Errors
    /// When something is there that cannot be read.
    pub fn look(&self, directory: &Path, wanted: impl Fn(&Manifest) -> bool) -> Result<Look> {
        let manifest = match Manifest::read(directory)? {
            Look::Whole(manifest) => manifest,
            other => return Ok(other),
        };
        if !wanted(&manifest) || self.inputs(manifest.inputs.keys())?.as_ref() != Some(&manifest.inputs) {
            return Ok(Look::Missing);
        }
        match damage(directory, &manifest.files, self.by_sizes)? {
            Some(what) => Ok(Look::Damaged(format!("{}: {what}", directory.display()))),
            None => Ok(Look::Whole(manifest)),
        }
    }

    /// SHA-256 of files of other runs, as their manifests have them; None where one is not there.
    pub(super) fn inputs<'p>(
        &self,
        paths: impl IntoIterator<Item = &'p PathBuf>,
    ) -> Result<Option<BTreeMap<PathBuf, String>>> {
        let mut inputs = BTreeMap::new();
        for path in paths {
            let Look::Whole(manifest) = Manifest::read(&self.root.join(files::parent(path)))? else {
                return Ok(None);
            };
            let recorded = path.file_name().and_then(OsStr::to_str).and_then(|name| manifest.files.get(name));
            let Some(recorded) = recorded else { return Ok(None) };
            inputs.insert(path.clone(), recorded.sha256.clone());
        }
        Ok(Some(inputs))
    }

    /// Opens the place where a run is made, and finds what there is of it. Call with its lock held.
    ///
    /// # Errors
    /// When what is there is of another run, or something cannot be read or written.
    pub(super) fn desk<S: Spec>(
        &self,
        spec: &S,
        data_hash: String,
        simd: &str,
        force: bool,
    ) -> Result<(Desk, Identity, Option<Checkpoint>)> {
        let directory = self.root.join(spec.directory()?);
        let inputs = self.inputs(&spec.inputs()?)?.context("the run that it builds on has gone")?;
        let identity = Identity::of(spec, data_hash, inputs, simd)?;
        let (desk, found) = Desk::open(&directory, spec.key()?, &spec.to_toml()?, &identity, force)?;
        Ok((desk, identity, found))
    }

    /// Puts a run that is made into its place, whole or not at all. Call with its lock held.
    ///
    /// # Errors
    /// When it cannot be written; what was there before is still there then.
    pub(super) fn save<S: Spec>(
        &self,
        (spec, record): (&S, &Record),
        (mut desk, start, seconds, identity): (Desk, String, f64, Identity),
        environment: &Environment,
    ) -> Result<FinishedRun<S>> {
        let logged = desk.contents()?;
        desk.close()?;
        let (directory, made) = (self.root.join(spec.directory()?), &desk.directory);
        let unwritable = || Unwritable(made.clone());
        record.write(made, &spec.key()?).with_context(unwritable)?;
        let files = inventory::take(made).with_context(unwritable)?;
        for (name, own) in &logged {
            ensure!(files.get(name) == Some(own), "another program has changed {}", made.join(name).display());
        }
        let ending = &record.ending;
        let manifest = Manifest {
            schema_version: S::SCHEMA,
            config_hash: spec.hash()?,
            data_hash: identity.data,
            inputs: identity.inputs,
            parameters: ending.parameters,
            outcome: ending.outcome(),
            diverged_at_step: ending.diverged_at_step,
            start,
            end: jiff::Timestamp::now().to_string(),
            epoch_seconds: ending.epoch_seconds,
            seconds,
            environment: environment.clone(),
            files,
            seal: String::new(),
        };
        // Last: a directory with a manifest is complete.
        manifest.write(made).with_context(unwritable)?;
        files::sync_directory(made).with_context(unwritable)?;
        replace(made, &directory).with_context(|| Unwritable(directory.clone()))?;
        desk.checkpoints.remove()?;
        Ok(FinishedRun { spec: spec.clone(), directory, manifest })
    }

    /// What there is of a run that is not finished, by its directory below this one; None of one that nobody has begun.
    ///
    /// # Errors
    /// When something is there that cannot be read.
    pub fn attempt(&self, directory: &Path) -> Result<Option<Attempt>> {
        let run = self.root.join(directory);
        if !desk::running(&run).exists() {
            return Ok(None);
        }
        let holder = lock::holder(&lock::place(&self.root, directory));
        let progress =
            if holder.is_some() { desk::progress(&run) } else { checkpoint::progress(&desk::checkpoints(&run)) };
        let (step, seconds) = progress.unzip();
        Ok(Some(Attempt { holder, step, seconds }))
    }

    /// Removes what an interrupted attempt to make a finished run again has left, unless somebody is at it.
    pub(super) fn forget_attempt<S: Spec>(&self, spec: &S) -> Result<()> {
        let run = self.root.join(spec.directory()?);
        let left = [desk::running(&run), desk::checkpoints(&run)];
        if left.iter().any(|left| left.exists())
            && let Some(_lock) = self.lock(spec)?
        {
            for left in &left {
                files::if_there(remove(left)).with_context(|| Unwritable(left.clone()))?;
            }
        }
        Ok(())
    }

    /// Settles what a killed process left of an experiment: half-written runs, tables and charts go, and a run that was being
    /// replaced is there again. What another process is writing stays.
    pub fn clean(&self, experiment: &str) -> Result<()> {
        for arm in entries(&self.root.join("runs").join(experiment))?.into_iter().filter(|arm| arm.is_dir()) {
            for left in entries(&arm)? {
                let Some(run) = run_of(&left) else { continue };
                let below = run.strip_prefix(&self.root).unwrap_or(&run);
                lock::if_free(&lock::place(&self.root, below), || settle(&left, &run))?;
            }
        }
        if self.root.is_dir() {
            lock::if_free(&self.root.join(LOCK), || self.clean_pages(experiment))?;
        }
        Ok(())
    }

    /// The same for tables, charts and pages alone. Call with their lock held.
    pub fn clean_pages(&self, experiment: &str) -> Result<()> {
        // In the root others write as well, such as an export, and without this lock.
        let pages = [Self::README, Self::REPORT, Self::PROVENANCE].map(|page| files::partial(Path::new(page)));
        remove_beginning(&self.root, &pages)?;
        let own = self.root.join("runs").join(experiment);
        for shared in [self.root.join("tables"), self.root.join("figures"), own] {
            remove_beginning(&shared, &[files::PARTIAL.to_string()])?;
        }
        Ok(())
    }

    /// Names of the experiments that the store remembers.
    pub fn experiments(&self) -> Result<Vec<String>> {
        self.experiments_with(EXPERIMENT)
    }

    /// Names of the experiments that have a file of that name beside their runs.
    pub fn experiments_with(&self, file: &str) -> Result<Vec<String>> {
        check_no_file(&self.root)?;
        let mut directories = entries(&self.root.join("runs"))?;
        directories.retain(|directory| directory.join(file).exists());
        let mut names: Vec<String> = directories.iter().map(|directory| name_of(directory)).collect();
        names.sort();
        Ok(names)
    }

    /// Where a command notes what it was, for `han-exp report`.
    pub fn remembers(&self, experiment: &str) -> PathBuf {
        self.root.join("runs").join(experiment).join(EXPERIMENT)
    }
}

/// The run that something is left of; None of what is no leftover.
fn run_of(left: &Path) -> Option<PathBuf> {
    let name = name_of(left);
    let run = match name.strip_prefix(REPLACED) {
        Some(run) => run,
        // What follows the last hyphen is random.
        None => name.strip_prefix(files::PARTIAL).map(|name| name.rsplit_once('-').map_or(name, |(run, _)| run))?,
    };
    Some(left.with_file_name(run))
}

/// Removes a half-written run, or what a run has replaced; if the kill came before the new run was in its place, the old
/// one goes back. Another process may have done so since it was listed. Call with the run's lock held.
fn settle(left: &Path, run: &Path) -> Result<()> {
    if name_of(left).starts_with(REPLACED) && !run.exists() {
        let back = files::if_there(fs::rename(left, run));
        back.with_context(|| format!("cannot tidy up {}", left.display()))?;
    } else {
        discard(left);
    }
    Ok(())
}

/// Removes what nothing depends on any more. What cannot be removed stays: on NFS another program may have a file of it open.
fn discard(left: &Path) {
    if let Err(error) = files::if_there(remove(left)) {
        note(&format!("warning: cannot remove {}, which is no longer needed: {error}", left.display()));
    }
}

/// Removes everything in a directory whose name begins in one of these ways; another process may have removed it since it was
/// listed.
fn remove_beginning(directory: &Path, beginnings: &[String]) -> Result<()> {
    let is_left = |path: &PathBuf| beginnings.iter().any(|beginning| name_of(path).starts_with(beginning.as_str()));
    for left in entries(directory)?.into_iter().filter(is_left) {
        files::if_there(remove(&left)).with_context(|| format!("cannot tidy up {}", left.display()))?;
    }
    Ok(())
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Puts a finished directory in its place.
fn replace(made: &Path, directory: &Path) -> io::Result<()> {
    let parent = files::parent(directory);
    let aside = directory.with_file_name(format!("{REPLACED}{}", name_of(directory)));
    let replaces = directory.exists();
    if replaces {
        if aside.exists() {
            fs::remove_dir_all(&aside)?;
        }
        fs::rename(directory, &aside)?;
    }
    if let Err(error) = fs::rename(made, directory) {
        if replaces {
            // The first error is the one to report.
            let _ = fs::rename(&aside, directory);
        }
        return Err(error);
    }
    files::sync_directory(parent)?;
    if replaces {
        // The new run is in its place, whatever becomes of the old one.
        discard(&aside);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_process_is_writing_is_no_leftover() -> Result<()> {
        let directory = tempfile::tempdir()?;
        let store = Store::new(directory.path());
        let half_written = store.remembers("board").with_file_name(".partial-note.toml");
        fs::create_dir_all(files::parent(&half_written))?;
        fs::write(&half_written, "half")?;
        let held = store.lock_pages()?;
        store.clean("board")?;
        assert!(half_written.exists(), "it was taken from under its writer");
        drop(held);
        store.clean("board")?;
        assert!(!half_written.exists(), "its writer is gone");
        Ok(())
    }

    #[test]
    fn in_the_root_only_pages_are_leftovers() -> Result<()> {
        let directory = tempfile::tempdir()?;
        let store = Store::new(directory.path());
        let pages = [Store::README, Store::REPORT, Store::PROVENANCE];
        for name in [&pages[..], &["images.npz", "notes.md", "report.npz"]].concat() {
            let left = directory.path().join(format!("{}x7Yz12", files::partial(Path::new(name))));
            fs::write(&left, "half")?;
            store.clean("board")?;
            assert_eq!(left.exists(), !pages.contains(&name), "{name}");
        }
        Ok(())
    }

    #[test]
    fn what_is_left_of_a_run_may_be_gone_or_stay() -> Result<()> {
        let directory = tempfile::tempdir()?;
        let run = directory.path().join("run");
        let gone = directory.path().join(format!("{REPLACED}run"));
        settle(&gone, &run)?;
        fs::create_dir(&run)?;
        settle(&gone, &run)?;
        // No file system has such a name: it cannot be removed, for another reason than that it is gone.
        let stays = directory.path().join(format!("{REPLACED}{}", "x".repeat(300)));
        settle(&stays, &run)
    }

    #[test]
    fn a_directory_with_a_page_of_others_is_refused_before_anything_is_written() -> Result<()> {
        let directory = tempfile::tempdir()?;
        let store = Store::new(directory.path());
        for name in [Store::README, Store::REPORT] {
            let path = directory.path().join(name);
            fs::write(&path, "# Mine\n\nIt is not written by `han-exp`.\n")?;
            for told in [check_directory(directory.path()).err(), store.lock_pages().err()] {
                let told = told.map_or_else(String::new, |error| error.to_string());
                assert!(told.contains(name) && told.contains("--out"), "{told}");
            }
            assert_eq!(fs::read_dir(directory.path())?.count(), 1);
            fs::remove_file(path)?;
        }
        check_directory(directory.path())
    }
}
