//! One training of a classifier of colour images.

use crate::config::Spec;
use crate::config::arms::names_problem;
use crate::config::run::fit_problem;
use crate::data::{augment::Augment, source::Dataset};
use crate::model::image::ImageModelConfig;
use crate::rng::Seed;
use crate::train::FitConfig;
use serde::{Deserialize, Serialize};

/// Which images, and how they are cut.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageSet {
    /// The data set.
    pub dataset: Dataset,
    /// Whether it is the small sample inside the program instead of the whole data set.
    pub sample: bool,
    /// Training images that are kept for validation; 0 for none.
    pub validation_images: usize,
    /// Most training images, validation included, drawn at random for each seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_limit: Option<usize>,
    /// Most test images, the same ones for every network and seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_limit: Option<usize>,
    /// SHA-256 of pixels and labels, in hexadecimal: not every data set is pinned, and two directories may differ.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sha256: String,
}

impl ImageSet {
    /// What was computed on, for every table: the data set's name, or `sample`.
    pub fn name(&self) -> &'static str {
        if self.sample { "sample" } else { self.dataset.name() }
    }

    /// Images to train on and images for validation, out of as many.
    pub fn cut(&self, train_images: usize) -> (usize, usize) {
        let all = self.train_limit.unwrap_or(train_images).min(train_images);
        let validation = self.validation_images.min(all);
        (all - validation, validation)
    }
}

/// The resolved configuration of a training; `config.toml` in its directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageSpec {
    /// The experiment's name.
    pub experiment: String,
    /// Which network.
    pub arm: String,
    /// The root of its randomness.
    pub seed: Seed,
    /// Kind of device, cpu or cuda.
    pub device: String,
    /// What is done to every image before it is shown.
    pub augment: Augment,
    /// The images.
    pub data: ImageSet,
    /// The network.
    pub model: ImageModelConfig,
    /// Its training.
    pub fit: FitConfig,
}

impl ImageSpec {
    /// Why the run cannot be made, if so; a plan's runs can.
    pub fn problem(&self) -> Option<String> {
        let names = names_problem("experiment and arm", &[&self.experiment, &self.arm]);
        names.or_else(|| self.model.problem()).or_else(|| fit_problem(&self.fit))
    }
}

impl Spec for ImageSpec {
    fn experiment(&self) -> &str {
        &self.experiment
    }

    fn arm(&self) -> &str {
        &self.arm
    }

    fn point(&self) -> String {
        "training".into()
    }

    fn seed(&self) -> Seed {
        self.seed
    }

    fn steps(&self) -> usize {
        self.fit.iterations
    }

    fn cost(&self) -> usize {
        self.model.cost().saturating_mul(self.fit.batch_size).saturating_mul(self.fit.iterations)
    }
}
