//! `tables/<experiment>-runs.csv`: every run that is on disk, to be joined with its rows by `run`, and every one that could
//! not be made.

use crate::engine::runs::{Entry, RunOutcome};
use serde::{Deserialize, Serialize};

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRow {
    pub experiment: String,
    /// The beginning of its hash, as in every row of its files.
    pub run: String,
    pub arm: String,
    /// How trained, where there are several ways.
    pub recipe: Option<String>,
    pub phase: Option<String>,
    /// What tells it from the arm's others.
    pub point: String,
    pub seed: u64,
    /// Base learning rate.
    pub learning_rate: Option<f64>,
    /// Width of the hidden layers, or channels.
    pub width: Option<usize>,
    /// Hidden layers, or blocks.
    pub depth: Option<usize>,
    /// Trained scalars.
    pub parameters: Option<usize>,
    /// finished, diverged or failed.
    pub outcome: String,
    /// Why it could not be made.
    pub error: Option<String>,
    pub seconds: Option<f64>,
    pub version: String,
    /// The processor in its maker's words.
    pub processor: String,
    /// Below the results directory.
    pub directory: String,
}

impl RunRow {
    /// The row of a run, if it is finished or has failed.
    pub fn of(experiment: &str, entry: &Entry) -> Option<Self> {
        let (manifest, details) = (entry.manifest(), &entry.details);
        let outcome = match manifest.map(|manifest| manifest.outcome) {
            Some(RunOutcome::Finished) => "finished",
            Some(RunOutcome::Diverged) => "diverged",
            None => entry.failure.as_ref().map(|_| "failed")?,
        };
        Some(Self {
            experiment: experiment.into(),
            run: entry.key.clone(),
            arm: entry.arm.clone(),
            recipe: details.recipe.clone(),
            phase: details.phase.clone(),
            point: entry.point.clone(),
            seed: entry.seed,
            learning_rate: details.learning_rate,
            width: details.width,
            depth: details.depth,
            parameters: manifest.map(|manifest| manifest.parameters).filter(|count| *count > 0),
            outcome: outcome.into(),
            error: entry.failure.clone(),
            seconds: manifest.map(|manifest| manifest.seconds),
            version: manifest.map(|manifest| manifest.environment.version.clone()).unwrap_or_default(),
            processor: manifest.map(|manifest| manifest.environment.processor.clone()).unwrap_or_default(),
            directory: entry.directory.display().to_string(),
        })
    }
}
