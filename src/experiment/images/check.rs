//! A checked comparison, and the runs that follow from it.

use super::file::{ArmFile, ImageFile, Requirement};
use super::run::{ImageSet, ImageSpec};
use crate::config::arms::{check_names, check_seeds};
use crate::config::limits::{MOST, MOST_EPOCHS, check_count, number, rate_cure};
use crate::data::source::Dataset;
use crate::model::image::ImageModelConfig;
use crate::rng::Seed;
use crate::train::{FitConfig, LossConfig, Sampling};
use anyhow::{Result, bail, ensure};

/// More repetitions than anybody waits for.
const MOST_SEEDS: usize = 1000;

/// Can run.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// The command's name.
    pub name: String,
    /// For charts and reports.
    pub title: String,
    /// The paper's claim in a sentence.
    pub claim: String,
    /// The data set.
    pub dataset: Dataset,
    /// Networks.
    pub arms: Vec<Arm>,
    /// What ought to come out.
    pub expectations: Vec<Requirement>,
    file: ImageFile,
}

/// A network in the comparison.
#[derive(Debug, Clone)]
pub struct Arm {
    /// Key in files and flags.
    pub name: String,
    /// Name on charts.
    pub label: String,
    /// Repetitions.
    pub seeds: usize,
    /// The network that it is compared to, seed by seed.
    pub compared_to: Option<String>,
    /// The paper's test accuracy.
    pub paper: Option<f64>,
    /// The network.
    pub model: ImageModelConfig,
}

impl Comparison {
    /// The network of an arm by name.
    pub fn arm(&self, name: &str) -> Option<&Arm> {
        self.arms.iter().find(|arm| arm.name == name)
    }

    /// The file that it was made from, profile and flags applied.
    pub fn file(&self) -> &ImageFile {
        &self.file
    }

    /// Whether the sample inside the program stands in for the data set.
    pub fn image_set(&self, sample: bool, sha256: String) -> ImageSet {
        let data = &self.file.data;
        ImageSet {
            dataset: self.dataset,
            sample,
            sha256,
            validation_images: data.validation_images,
            train_limit: data.train_limit,
            test_limit: data.test_limit,
        }
    }

    /// Every training, in the order of arms and seeds. `train_images` is their number before any is left out.
    ///
    /// # Errors
    /// When there are too few of them.
    pub fn runs(&self, data: &ImageSet, train_images: usize, device: &str) -> Result<Vec<ImageSpec>> {
        let (name, wanted) = (&self.name, data.validation_images);
        let (train, validation) = data.cut(train_images);
        ensure!(
            train > 0 && validation == wanted,
            "{name}: data.validation_images is {wanted}; keep some of the {} training images",
            train + validation
        );
        let batch_size = self.file.train.batch_size;
        ensure!(
            batch_size <= train,
            "{name}: train.batch_size is {batch_size}; use at most {train}, the images to train on"
        );
        let first = self.file.first_seed;
        let of_arm = |arm: &Arm| -> Vec<ImageSpec> {
            (first..first + arm.seeds as u64).map(|seed| self.run(arm, Seed(seed), data, train, device)).collect()
        };
        Ok(self.arms.iter().flat_map(of_arm).collect())
    }

    fn run(&self, arm: &Arm, seed: Seed, data: &ImageSet, train_images: usize, device: &str) -> ImageSpec {
        let train = &self.file.train;
        // What fills no batch at the end of an epoch waits for the next.
        let steps = train_images / train.batch_size;
        ImageSpec {
            experiment: self.name.clone(),
            arm: arm.name.clone(),
            seed,
            device: device.into(),
            augment: train.augment,
            data: data.clone(),
            model: arm.model.clone(),
            fit: FitConfig {
                iterations: train.epochs * steps,
                batch_size: train.batch_size,
                report_every: steps,
                learning_rate: train.learning_rate,
                optimizer: train.optimizer.clone(),
                schedule: train.schedule.clone(),
                input_noise: 0.0,
                sampling: Sampling::Epochs,
                loss: LossConfig::CrossEntropy,
            },
        }
    }
}

impl ImageFile {
    /// Checks everything that can be checked before any work.
    ///
    /// # Errors
    /// With the key, its value and the cure.
    pub fn check(self) -> Result<Comparison> {
        let (name, train) = (&self.experiment.name, &self.train);
        check_names(name, &self.arm)?;
        self.experiment.check()?;
        self.check_figures(name)?;
        check_seeds(name, self.seeds, self.first_seed, MOST_SEEDS)?;
        check_count(name, "train.epochs", train.epochs, MOST_EPOCHS)?;
        let (batch_size, rate) = (train.batch_size, train.learning_rate);
        ensure!(batch_size >= 2, "{name}: train.batch_size is {batch_size}; use at least 2, batch norm needs a spread");
        if let Some(cure) = rate_cure(rate) {
            bail!("{name}: train.learning_rate is {}; {cure}", number(rate));
        }
        if let Some(problem) = train.optimizer.problem().or_else(|| train.schedule.problem()) {
            bail!("{name}: train.{problem}");
        }
        for (key, limit) in [("train_limit", self.data.train_limit), ("test_limit", self.data.test_limit)] {
            check_count(name, &format!("data.{key}"), limit.unwrap_or(1), MOST)?;
        }
        ensure!(!self.arm.is_empty(), "{name}: there is no [[arm]]; name at least one model");
        let arms = self.arm.iter().map(|arm| self.checked_arm(arm)).collect::<Result<_>>()?;
        Ok(Comparison {
            name: self.experiment.name.clone(),
            title: self.experiment.title.clone(),
            claim: self.experiment.claim.clone(),
            dataset: self.data.dataset,
            arms,
            expectations: self.expect.clone(),
            file: self,
        })
    }

    fn checked_arm(&self, arm: &ArmFile) -> Result<Arm> {
        let key = format!("{}: arm {}", self.experiment.name, arm.name);
        if let Some(problem) = arm.model.problem() {
            bail!("{key}: {problem}");
        }
        let seeds = arm.seeds.unwrap_or(self.seeds).min(self.seeds);
        ensure!(seeds >= 1, "{key}: seeds is 0; use at least 1");
        Ok(Arm {
            name: arm.name.clone(),
            label: label(&arm.model),
            seeds,
            compared_to: arm.compared_to.clone(),
            paper: arm.paper,
            model: arm.model.clone(),
        })
    }
}

/// What a network is called on charts: what it is made of.
fn label(model: &ImageModelConfig) -> String {
    match model {
        ImageModelConfig::Mixer(config) => match (config.mixer_blocks, config.han_blocks) {
            (mixer, 0) => format!("{mixer} mixer"),
            (0, han) => format!("{han} Han"),
            (mixer, han) => format!("{mixer} mixer + {han} Han"),
        },
        ImageModelConfig::Resnet32 => "ResNet-32".into(),
    }
}
