//! What the experiment file of a comparison of image classifiers says.

use crate::config::arms::{self, Named, check_other};
use crate::config::file::{Heading, ProfileName, Statistic};
use crate::config::limits::check_fraction;
use crate::config::text;
use crate::data::{augment::Augment, source::Dataset};
use crate::model::image::{ImageModelConfig, MixerConfig};
use crate::train::{OptimizerConfig, ScheduleConfig};
use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The whole file. Unknown keys are errors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageFile {
    /// Independent repetitions: initial values, batches, augmentation.
    pub seeds: usize,
    /// Seed of the first repetition; the others follow.
    #[serde(default)]
    pub first_seed: u64,
    /// What is shown, and where the paper shows it.
    pub experiment: Heading,
    /// The images.
    pub data: DataFile,
    /// How every network is trained.
    pub train: TrainFile,
    /// The networks.
    pub arm: Vec<ArmFile>,
    /// What ought to come out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<Requirement>,
    /// Named changes of the above.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub profile: BTreeMap<ProfileName, ProfileFile>,
}

/// `[data]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataFile {
    /// The data set.
    pub dataset: Dataset,
    /// Training images that are kept for validation; 0 for none.
    #[serde(default)]
    pub validation_images: usize,
    /// Most training images, validation included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_limit: Option<usize>,
    /// Most test images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_limit: Option<usize>,
}

/// `[train]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainFile {
    /// Passes over the training images.
    pub epochs: usize,
    /// Images a step.
    pub batch_size: usize,
    /// Base learning rate.
    pub learning_rate: f64,
    /// What is done to every image before it is shown.
    pub augment: Augment,
    /// Update rule.
    pub optimizer: OptimizerConfig,
    /// Learning rate over time.
    pub schedule: ScheduleConfig,
}

/// `[[arm]]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArmFile {
    /// Key in files and flags.
    pub name: String,
    /// The network that it is compared to, seed by seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared_to: Option<String>,
    /// Fewer repetitions than the others, for a costly network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeds: Option<usize>,
    /// The paper's test accuracy, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paper: Option<f64>,
    /// The network.
    pub model: ImageModelConfig,
}

impl ArmFile {
    /// Its sizes, if it is a mixer.
    pub(super) fn mixer_mut(&mut self) -> Option<&mut MixerConfig> {
        match &mut self.model {
            ImageModelConfig::Mixer(config) => Some(config),
            ImageModelConfig::Resnet32 => None,
        }
    }
}

impl Named for ArmFile {
    fn name(&self) -> &str {
        &self.name
    }
}

/// `[[expect]]`: a test accuracy that the seeds should reach, or a network that another should stay above in every seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// The profile whose runs it judges: what is true after 600 epochs need not be after 10.
    pub profile: ProfileName,
    /// Which network.
    pub arm: String,
    /// Over the seeds.
    pub statistic: Statistic,
    /// The least value, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// The network that has to stay below, by the same statistic and in every single seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<String>,
}

/// `[profile.<name>]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileFile {
    seeds: Option<usize>,
    /// Networks to keep.
    arms: Option<Vec<String>>,
    /// Repetitions of single arms.
    #[serde(default)]
    arm_seeds: BTreeMap<String, usize>,
    /// Of every mixer.
    channels: Option<usize>,
    epochs: Option<usize>,
    batch_size: Option<usize>,
    learning_rate: Option<f64>,
    augment: Option<Augment>,
    schedule: Option<ScheduleConfig>,
    validation_images: Option<usize>,
    train_limit: Option<usize>,
    test_limit: Option<usize>,
}

impl ImageFile {
    /// Parses a file; `origin` names it in messages.
    ///
    /// # Errors
    /// With the line of what is unknown or missing.
    pub fn parse(text: &str, origin: &str) -> Result<Self> {
        let file: Self = text::parse(text, origin)?;
        file.check_figures(origin)?;
        // Here, where no arm has been dropped yet: an expectation that names nothing would never be missed.
        let known = |name: &String| file.arm.iter().any(|arm| &arm.name == name);
        for expect in &file.expect {
            let names = [Some(&expect.arm), expect.above.as_ref()];
            if let Some(unknown) = names.into_iter().flatten().find(|name| !known(name)) {
                bail!("{origin}: expect names the unknown arm {unknown:?}");
            }
            if expect.at_least.is_none() && expect.above.is_none() {
                bail!("{origin}: an expectation of {} lacks at_least and above", expect.arm);
            }
        }
        for arm in &file.arm {
            if let Some(unknown) = arm.compared_to.as_ref().filter(|name| !known(name)) {
                bail!("{origin}: arm {} is compared to the unknown arm {unknown:?}", arm.name);
            }
        }
        Ok(file)
    }

    /// Checks what results are compared with. A profile may drop it, so a file is checked before as well.
    pub(super) fn check_figures(&self, origin: &str) -> Result<()> {
        for arm in &self.arm {
            check_fraction(origin, &format!("arm {}: paper", arm.name), arm.paper)?;
            check_other(origin, &arm.name, "compared_to", arm.compared_to.as_deref())?;
        }
        for Requirement { arm, at_least, above, .. } in &self.expect {
            check_fraction(origin, &format!("expect of {arm}: at_least"), *at_least)?;
            check_other(origin, arm, "above", above.as_deref())?;
        }
        Ok(())
    }

    /// Applies a profile and drops the others. The profile's choice of networks counts unless others are named.
    ///
    /// # Errors
    /// When there is no such profile or network.
    pub fn with_profile(mut self, name: ProfileName, arms: Option<&[String]>) -> Result<Self> {
        let mut profiles = std::mem::take(&mut self.profile);
        let Some(profile) = profiles.remove(&name) else {
            bail!("{}: there is no [profile.{name}]", self.experiment.name);
        };
        self.seeds = profile.seeds.unwrap_or(self.seeds);
        for (arm, seeds) in &profile.arm_seeds {
            let Some(arm) = self.arm.iter_mut().find(|a| &a.name == arm) else {
                bail!("profile.{name}.arm_seeds names the unknown arm {arm:?}");
            };
            arm.seeds = Some(*seeds);
        }
        match (arms, &profile.arms) {
            (Some(arms), _) => self.keep_arms(arms, "--arms")?,
            (None, Some(arms)) => self.keep_arms(arms, &format!("profile.{name}.arms"))?,
            (None, None) => {}
        }
        let own = self.clone();
        if let Some(channels) = profile.channels {
            self.set_channels(channels);
        }
        let train = &mut self.train;
        train.epochs = profile.epochs.unwrap_or(train.epochs);
        train.batch_size = profile.batch_size.unwrap_or(train.batch_size);
        train.learning_rate = profile.learning_rate.unwrap_or(train.learning_rate);
        train.augment = profile.augment.unwrap_or(train.augment);
        train.schedule = profile.schedule.unwrap_or_else(|| train.schedule.clone());
        let data = &mut self.data;
        data.validation_images = profile.validation_images.unwrap_or(data.validation_images);
        data.train_limit = profile.train_limit.or(data.train_limit);
        data.test_limit = profile.test_limit.or(data.test_limit);
        self.expect.retain(|expect| expect.profile == name);
        self.drop_papers_figures(&own);
        Ok(self)
    }

    /// The paper's figures hold for the file's own data, networks and training, which `own` has.
    pub(super) fn drop_papers_figures(&mut self, own: &Self) {
        let as_in_the_paper = self.trains_the_same_as(own);
        for (arm, own) in self.arm.iter_mut().zip(&own.arm) {
            arm.paper = arm.paper.filter(|_| as_in_the_paper && arm.model == own.model);
        }
    }

    /// Whether data and training are those of another file.
    pub(super) fn trains_the_same_as(&self, other: &Self) -> bool {
        self.data == other.data && self.train == other.train
    }

    /// The width of every mixer.
    pub(super) fn set_channels(&mut self, channels: usize) {
        for arm in &mut self.arm {
            if let Some(mixer) = arm.mixer_mut() {
                mixer.channels = channels;
            }
        }
    }

    fn keep_arms(&mut self, names: &[String], origin: &str) -> Result<()> {
        arms::keep(&mut self.arm, names, origin)?;
        self.expect.retain(|e| names.contains(&e.arm) && e.above.as_ref().is_none_or(|above| names.contains(above)));
        Ok(())
    }
}
