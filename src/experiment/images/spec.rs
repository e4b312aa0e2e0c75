//! One training of a classifier of colour images.

use super::file::{is_kept, kept};
use crate::data::{augment::Augment, source::Dataset};
use crate::engine::page::counted;
use crate::engine::runs::{Details, Spec, common_fields, fit_problem};
use crate::engine::settings::names_problem;
use crate::model::image::ImageModelConfig;
use crate::rng::Seed;
use crate::train::FitConfig;
use serde::{Deserialize, Serialize};

/// What the data say about the runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageFacts {
    /// Whether the sample inside the program stands in for the data set.
    pub sample: bool,
    /// Of pixels and labels, in hexadecimal.
    pub sha256: String,
    /// Before any is left out.
    pub train_images: usize,
}

/// Which images, and how they are cut.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageSet {
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
    pub experiment: String,
    pub arm: String,
    pub seed: Seed,
    pub device: String,
    /// What is done to every image before it is shown.
    pub augment: Augment,
    pub data: ImageSet,
    pub model: ImageModelConfig,
    /// Whether the weights of the last iterate are kept.
    #[serde(default = "kept", skip_serializing_if = "is_kept")]
    pub keep_weights: bool,
    pub fit: FitConfig,
}

/// Most points of a curve. A chart shows no more, and scoring is not free: STL-10 has 8,000 test images and 5,000 training images.
const CURVE_POINTS: usize = 100;

impl ImageSpec {
    /// How often the training images are seen.
    pub fn epochs(&self) -> usize {
        self.epoch_after(self.fit.iterations)
    }

    /// Epochs that are over after so many steps.
    pub fn epoch_after(&self, step: usize) -> usize {
        step / self.fit.report_every.max(1)
    }

    /// Whether the test images are scored after a step that ends an epoch: after every one, or, in a long training, after every
    /// second one, every third one and so on, and after the last.
    pub fn has_point(&self, step: usize) -> bool {
        let every = self.epochs().div_ceil(CURVE_POINTS).max(1);
        self.epoch_after(step).is_multiple_of(every) || step >= self.fit.iterations
    }
}

impl Spec for ImageSpec {
    const REVISION: &'static str = "0.10.0";
    const SCHEMA: u32 = 3;
    const KEY: &'static str = "augment";
    const SECONDS: f64 = 1e-8;

    common_fields!();

    fn point(&self) -> String {
        "training".into()
    }

    fn details(&self) -> Details {
        let (width, depth) = match &self.model {
            ImageModelConfig::Mixer(mixer) => (Some(mixer.channels), Some(mixer.mixer_blocks + mixer.han_blocks)),
            ImageModelConfig::Resnet32 => (None, None),
        };
        let (learning_rate, work) = (Some(self.fit.learning_rate), counted(self.epochs(), "epoch"));
        Details { learning_rate, width, depth, work, ..Details::default() }
    }

    fn problem(&self) -> Option<String> {
        let names = names_problem("experiment and arm", &[&self.experiment, &self.arm]);
        names.or_else(|| self.model.problem()).or_else(|| fit_problem(&self.fit))
    }

    fn steps(&self) -> usize {
        self.fit.iterations
    }

    fn cost(&self) -> usize {
        self.model.cost().saturating_mul(self.fit.batch_size).saturating_mul(self.fit.iterations)
    }
}
