//! One run, fully determined: the same specification gives the same bytes.

use crate::data::checkerboard::{Board, SplitSource};
use crate::model::ModelConfig;
use crate::rng::Seed;
use crate::train::FitConfig;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::PathBuf;

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
        let plain = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        let FitConfig { iterations, batch_size, report_every, learning_rate, input_noise, .. } = self.fit;
        if ![&self.experiment, &self.arm, &self.recipe].into_iter().all(|name| plain(name)) {
            return Some("experiment, arm and recipe are names of letters, digits, - and _".into());
        }
        if iterations == 0 || batch_size < 2 || report_every == 0 || learning_rate.is_nan() || learning_rate <= 0.0 {
            return Some(
                "fit needs iterations, report_every, a batch_size of 2 or more and a positive learning_rate".into(),
            );
        }
        if !(input_noise >= 0.0 && input_noise.is_finite()) {
            return Some(format!("fit.input_noise is {input_noise}; use 0 or a small number"));
        }
        if !(self.validation_fraction > 0.0 && self.validation_fraction < 1.0) {
            return Some(format!("validation_fraction is {}; use a fraction", self.validation_fraction));
        }
        self.board
            .problem()
            .or_else(|| self.model.problem())
            .or_else(|| self.fit.optimizer.problem())
            .or_else(|| self.fit.schedule.problem())
    }

    /// The grid point: everything but arm and seed that tells this run from its neighbours.
    pub fn point(&self) -> String {
        format!("{}-lr{}-{}", self.recipe, self.fit.learning_rate, self.phase)
    }

    /// Where the run is kept, below the results directory. The hash keeps other widths, lengths and splits apart.
    pub fn directory(&self) -> Result<PathBuf> {
        let name = format!("{}-seed{}-{}", self.point(), self.seed.0, &self.hash()?[..8]);
        Ok(PathBuf::from("runs").join(&self.experiment).join(&self.arm).join(name))
    }

    /// SHA-256 of everything that the result depends on, the version of this program included.
    pub fn hash(&self) -> Result<String> {
        let mut place_free = self.clone();
        if let SplitSource::File { path, .. } = &mut place_free.split {
            path.clear();
        }
        let digest =
            Sha256::new().chain_update(env!("CARGO_PKG_VERSION")).chain_update(place_free.to_toml()?).finalize();
        Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// As text.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).context("cannot write the run as TOML")
    }
}
