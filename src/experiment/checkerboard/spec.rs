//! One run of the checkerboard.

use crate::data::checkerboard::Board;
use crate::data::split::SplitSource;
use crate::engine::runs::{Details, Spec, common_fields, fit_problem};
use crate::engine::settings::{decimal, names_problem};
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
        self.serialize(f)
    }
}

/// The resolved configuration of a run; `config.toml` in its directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingSpec {
    pub experiment: String,
    pub arm: String,
    pub recipe: String,
    pub phase: Phase,
    pub seed: Seed,
    pub device: String,
    /// Part of the training points that a selection run keeps for validation.
    pub validation_fraction: f64,
    pub board: Board,
    pub split: SplitSource,
    pub model: ModelConfig,
    pub fit: FitConfig,
}

/// What a step and its part of the scores cost beside the model's own cost, in its unit; as measured on HanNet 20 x 30.
const STEP: usize = 9_000;

impl Spec for TrainingSpec {
    const REVISION: &'static str = "0.10.0";
    const SCHEMA: u32 = 3;
    const KEY: &'static str = "board";
    const SECONDS: f64 = 2e-8;

    common_fields!();

    fn point(&self) -> String {
        format!("{}-lr{}-{}", self.recipe, decimal(self.fit.learning_rate), self.phase)
    }

    fn details(&self) -> Details {
        let size = self.model.size();
        Details {
            recipe: Some(self.recipe.clone()),
            phase: Some(self.phase.to_string()),
            learning_rate: Some(self.fit.learning_rate),
            width: Some(size.width),
            depth: Some(size.depth),
            work: format!("{} iterations", self.fit.iterations),
        }
    }

    fn problem(&self) -> Option<String> {
        let names = names_problem("experiment, arm and recipe", &[&self.experiment, &self.arm, &self.recipe]);
        if names.is_some() {
            return names;
        }
        if !(self.validation_fraction > 0.0 && self.validation_fraction < 1.0) {
            return Some(format!(
                "validation_fraction is {}; use a fraction between 0 and 1",
                self.validation_fraction
            ));
        }
        self.board.problem().or_else(|| self.model.problem()).or_else(|| fit_problem(&self.fit))
    }

    fn steps(&self) -> usize {
        self.fit.iterations
    }

    fn cost(&self) -> usize {
        self.model.cost().saturating_add(STEP).saturating_mul(self.fit.iterations)
    }

    fn essence(&self) -> Self {
        let mut place_free = self.clone();
        if let SplitSource::File { path, .. } = &mut place_free.split {
            path.clear();
        }
        place_free
    }
}
