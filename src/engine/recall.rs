//! What a results directory remembers of the last command of an experiment.

use super::experiment::Experiment;
use super::invocation::Invocation;
use super::runs::{Look, Store, Walk};
use super::settings::from_table;
use anyhow::{Context, Error, Result, ensure};
use serde::{Deserialize, Serialize};

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

/// Looks for the runs of the last command, and makes something of what they found.
pub(super) fn recall<E: Experiment, T>(
    store: &Store,
    remembered: toml::Table,
    make: impl FnOnce(&E, (&E::Facts, &E::Findings), &Walk<'_>, Option<&Invocation>) -> Result<T>,
) -> Result<Recalled<T>> {
    let read = from_table(&remembered).map_err(Error::msg);
    let Remembered { device, invocation, facts, experiment, .. }: Remembered<E::File, E::Facts> =
        read.context("experiment.toml is not what this version writes; run the command again")?;
    let experiment = E::check(experiment).context("experiment.toml")?;
    let mut walk = Walk::looking(store, &device);
    let findings = experiment.stages(&facts, None, &mut walk)?;
    let made = make(&experiment, (&facts, &findings), &walk, invocation.as_ref())?;
    let absent = walk.entries.iter().filter_map(|entry| match (&entry.state, &entry.failure) {
        (Look::Whole(_), _) => None,
        (Look::Damaged(what), _) => Some(what.clone()),
        (Look::Missing, failure) => {
            let place = store.root.join(&entry.directory);
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
    let (root, damaged) = (walk.store.root.display(), damaged.unwrap_or_default());
    ensure!(walk.finished() > 0, "{root} has no finished run of {name} with the settings of its last command{damaged}");
    Ok(())
}
