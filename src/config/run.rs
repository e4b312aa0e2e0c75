//! One run of the checkerboard.

use super::arms::names_problem;
use super::limits::{number, rate_cure};
use super::spec::Spec;
use crate::data::checkerboard::{Board, SplitSource};
use crate::model::ModelConfig;
use crate::rng::Seed;
use crate::train::FitConfig;
use serde::{Deserialize, Serialize};

/// What a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Trains on a part of the training points and scores the rest, to choose a learning rate. Never sees the test set.
    Selection,
    /// Trains on all training points and scores the test set.
    Full,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Selection => "selection",
            Self::Full => "full",
        })
    }
}

/// The resolved configuration of a run; `config.toml` in its directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSpec {
    /// The experiment's name.
    pub experiment: String,
    /// Which network.
    pub arm: String,
    /// How trained.
    pub recipe: String,
    /// What for.
    pub phase: Phase,
    /// The root of its randomness.
    pub seed: Seed,
    /// Kind of device, cpu or cuda.
    pub device: String,
    /// Part of the training points that a selection run keeps for validation.
    pub validation_fraction: f64,
    /// The data.
    pub board: Board,
    /// How they are split.
    pub split: SplitSource,
    /// The network.
    pub model: ModelConfig,
    /// Its training.
    pub fit: FitConfig,
}

impl RunSpec {
    /// Why the run cannot be made, if so; a plan's runs can.
    pub fn problem(&self) -> Option<String> {
        let names = names_problem("experiment, arm and recipe", &[&self.experiment, &self.arm, &self.recipe]);
        if names.is_some() {
            return names;
        }
        if !(self.validation_fraction > 0.0 && self.validation_fraction < 1.0) {
            return Some(format!("validation_fraction is {}; use a fraction", self.validation_fraction));
        }
        self.board.problem().or_else(|| self.model.problem()).or_else(|| fit_problem(&self.fit))
    }
}

/// Why nothing can be trained so, if so; the bounds of learning rates are those of experiment files.
pub(super) fn fit_problem(fit: &FitConfig) -> Option<String> {
    let rate = fit.learning_rate;
    let of_rate = || Some(format!("fit.learning_rate is {}; {}", number(rate), rate_cure(rate)?));
    fit.problem().or_else(of_rate)
}

impl Spec for RunSpec {
    fn experiment(&self) -> &str {
        &self.experiment
    }

    fn arm(&self) -> &str {
        &self.arm
    }

    fn point(&self) -> String {
        format!("{}-lr{}-{}", self.recipe, number(self.fit.learning_rate), self.phase)
    }

    fn seed(&self) -> Seed {
        self.seed
    }

    fn steps(&self) -> usize {
        self.fit.iterations
    }

    fn cost(&self) -> usize {
        self.model.cost().saturating_mul(self.fit.iterations)
    }

    fn essence(&self) -> Self {
        let mut place_free = self.clone();
        if let SplitSource::File { path, .. } = &mut place_free.split {
            path.clear();
        }
        place_free
    }
}
