//! What a results directory remembers of the last command of an experiment, and what is made of it: pages, comparisons, how
//! things stand.

use super::compare::Contender;
use super::experiment::Experiment;
use super::invocation::Invocation;
use super::kind::{Kind, Verb};
use super::page::Report;
use super::runs::{Look, SMOKE_RESULTS, Store, Walk};
use crate::files;
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What was made of the runs of an earlier command.
pub struct Recalled<T> {
    pub made: T,
    /// Runs that the experiment asks for.
    pub planned: usize,
    /// Those of them that are not there, by directory, with what is wrong of one that is damaged.
    pub absent: Vec<String>,
}

/// What `han-exp report` needs to know of the last command of an experiment.
#[derive(Serialize, Deserialize)]
pub(super) struct Remembered<F, A> {
    pub kind: String,
    pub device: String,
    /// None where a version before this note wrote the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invocation: Option<Invocation>,
    pub facts: A,
    pub experiment: F,
}

/// The name of the kind, before anything else is known.
#[derive(Deserialize)]
struct KindOf {
    kind: String,
}

/// Looks for the runs of the last command, and makes something of what they found.
pub(super) fn recall<E: Experiment, T>(
    store: &Store,
    remembered: toml::Table,
    make: impl FnOnce(&E, (&E::Facts, &E::Findings), &Walk<'_>, Option<&Invocation>) -> Result<T>,
) -> Result<Recalled<T>> {
    let Remembered { device, invocation, facts, experiment, .. }: Remembered<E::File, E::Facts> =
        remembered.try_into().context("experiment.toml is not what this version writes; run the command again")?;
    let experiment = E::check(experiment).context("experiment.toml")?;
    let mut walk = Walk::looking(store, &device);
    let findings = experiment.stages(&facts, None, &mut walk)?;
    let made = make(&experiment, (&facts, &findings), &walk, invocation.as_ref())?;
    let absent = walk.entries.iter().filter_map(|entry| match (&entry.state, &entry.failure) {
        (Look::Whole(_), _) => None,
        (Look::Damaged(what), _) => Some(what.clone()),
        (Look::Missing, failure) => {
            let place = store.root().join(&entry.directory);
            let why = failure.as_ref().map_or("is missing".into(), |why| format!("could not be made: {why}"));
            Some(format!("{} {why}", place.display()))
        }
    });
    Ok(Recalled { made, planned: walk.planned(), absent: absent.collect() })
}

/// Refuses to make something of nothing.
pub(super) fn ensure_finished(walk: &Walk<'_>, name: &str) -> Result<()> {
    let damaged = walk.entries.iter().find_map(|entry| match &entry.state {
        Look::Damaged(what) => Some(format!(": {what}")),
        Look::Whole(_) | Look::Missing => None,
    });
    let (root, damaged) = (walk.store.root().display(), damaged.unwrap_or_default());
    ensure!(walk.finished() > 0, "{root} has no run of {name} as it was set up last{damaged}");
    Ok(())
}

/// Names of the experiments that a results directory holds.
pub fn remembered(store: &Store) -> Result<Vec<String>> {
    let names = store.experiments()?;
    let root = store.root().display();
    let smoke = Path::new(SMOKE_RESULTS);
    let elsewhere =
        if smoke.join("runs").is_dir() { format!(" (smoke runs are in {SMOKE_RESULTS})") } else { String::new() };
    ensure!(!names.is_empty(), "{root} holds no runs; run `han-exp reproduce` first, or see --out{elsewhere}");
    Ok(names)
}

/// Writes tables, figures and report of an experiment as it was run last anew.
///
/// # Errors
/// When it has no finished run, or a file is damaged.
pub fn redraw(verbs: &[Verb], store: &Store, name: &str) -> Result<Recalled<Report>> {
    let (kind, remembered) = memory(verbs, store, name)?;
    // What a kill has left is settled first.
    store.clean(name)?;
    kind.redraw(store, remembered)
}

/// What can be compared of an experiment as it was run last.
///
/// # Errors
/// As [`redraw`].
pub fn contenders(verbs: &[Verb], store: &Store, name: &str) -> Result<Recalled<Vec<Contender>>> {
    let (kind, remembered) = memory(verbs, store, name)?;
    kind.contenders(store, remembered)
}

/// How the runs of an experiment stand, in words.
///
/// # Errors
/// When a file is damaged.
pub fn standing(verbs: &[Verb], store: &Store, name: &str) -> Result<String> {
    let (kind, remembered) = memory(verbs, store, name)?;
    kind.standing(store, remembered)
}

/// What the last command of an experiment noted down.
fn memory<'v>(verbs: &'v [Verb], store: &Store, name: &str) -> Result<(&'v dyn Kind, toml::Table)> {
    let path = store.remembers(name);
    let text = files::read_text(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let shown = path.display();
    let KindOf { kind } =
        toml::from_str(&text).with_context(|| format!("{shown} is of another version; run the command"))?;
    let verb = verbs.iter().find(|verb| verb.kind.name() == kind);
    let verb = verb.with_context(|| format!("{shown}: there is no kind {kind:?}"))?;
    Ok((verb.kind, toml::from_str(&text)?))
}
