//! What the experiment file of a comparison of image classifiers says, and the flags over it.

use crate::data::{augment::Augment, source::Dataset};
use crate::engine::settings::{
    Change, File, Flag, Heading, Several, Takes, check_fraction, check_other, choices, usual_arm, usual_fields,
};
use crate::model::image::{ImageModelConfig, MixerConfig};
use crate::train::{OptimizerConfig, ScheduleConfig};
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

/// The whole file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImagesFile {
    /// Independent repetitions: initial values, batches, augmentation.
    pub seeds: usize,
    #[serde(default)]
    pub first_seed: u64,
    /// Fewer repetitions of the long trainings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fewer_seeds: Option<FewerSeeds>,
    /// Whether runs leave the weights of their last iterate: most of what they take on the disk.
    #[serde(default = "kept", skip_serializing_if = "is_kept")]
    pub keep_weights: bool,
    pub experiment: Heading,
    pub data: DataFile,
    pub train: TrainFile,
    pub arm: Vec<ArmFile>,
}

/// Weights are kept where nothing is said.
pub(super) fn kept() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
pub(super) fn is_kept(keep: &bool) -> bool {
    *keep
}

/// `[data]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataFile {
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
    /// Passes over the training images. Several, here or of `augment`, make an arm of each network and each training.
    pub epochs: Several<usize>,
    pub batch_size: usize,
    /// Base learning rate.
    pub learning_rate: f64,
    pub augment: Several<Augment>,
    /// Whether names tell the training even where there is one, so that a part of a curve has the names of the whole.
    #[serde(default, skip_serializing_if = "crate::files::is_default")]
    pub curve: bool,
    pub optimizer: OptimizerConfig,
    pub schedule: ScheduleConfig,
}

/// `fewer_seeds`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FewerSeeds {
    /// The shortest training that it is about.
    pub from_epochs: usize,
    pub seeds: usize,
}

/// `[[arm]]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArmFile {
    pub name: String,
    /// Name on charts; what the network is made of where nothing is said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// The network that it is compared to, seed by seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared_to: Option<String>,
    /// Fewer repetitions than the others, for a costly network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeds: Option<usize>,
    /// The paper's test accuracy, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paper: Option<f64>,
    pub model: ImageModelConfig,
}

impl ArmFile {
    pub(super) fn mixer(&mut self) -> Option<&mut MixerConfig> {
        match &mut self.model {
            ImageModelConfig::Mixer(config) => Some(config),
            ImageModelConfig::Resnet32 => None,
        }
    }

    fn blocks(&mut self) -> Result<&mut MixerConfig> {
        let cure = format!("{} is not a mixer; name one, MODEL=N", self.name);
        self.mixer().context(cure)
    }

    pub(super) fn set_channels(&mut self, channels: usize) -> Result<()> {
        self.blocks()?.channels = channels;
        Ok(())
    }

    pub(super) fn set_mixer_blocks(&mut self, count: usize) -> Result<()> {
        self.blocks()?.mixer_blocks = count;
        Ok(())
    }

    pub(super) fn set_han_blocks(&mut self, count: usize) -> Result<()> {
        self.blocks()?.han_blocks = count;
        Ok(())
    }
}

usual_arm!(ArmFile, |self, addition| {
    // What a network is made of says its sizes itself.
    if !self.label.is_empty() {
        self.label += &format!(", {addition}");
    }
});

/// The colour images.
const DATASETS: [Dataset; 4] = [Dataset::Cifar10, Dataset::Cifar100, Dataset::Stl10, Dataset::Imagenet32];

/// The data set of that name; of colour images alone.
pub(super) fn dataset(name: &str) -> Result<Dataset, String> {
    let found = DATASETS.into_iter().find(|dataset| dataset.name() == name);
    found.ok_or_else(|| format!("use {}", DATASETS.map(Dataset::name).join(", ")))
}

/// Flags of the command.
pub(super) const FLAGS: &[Flag<ImagesFile>] = &[
    Flag::key(
        "dataset",
        "NAME",
        Takes::Checked(|name| dataset(name).map(drop)),
        &["data.dataset"],
        "cifar10, cifar100, stl10 or imagenet32; the verb mixer has an experiment file for each, with the paper's settings",
    ),
    Flag::size_of_all(
        "channels",
        ArmFile::set_channels,
        "Channels of every mixer, a multiple of 8; several values make one arm each",
    ),
    Flag::size(
        "mixer-blocks",
        Takes::Counts,
        ArmFile::set_mixer_blocks,
        "Number of mixer blocks: N for the first of the models, MODEL=N for another; several values make one arm each",
    ),
    Flag::size("han-blocks", Takes::Counts, ArmFile::set_han_blocks, "Number of Han blocks, likewise"),
    Flag::key(
        "epochs",
        "N,..",
        Takes::Count,
        &["train.epochs"],
        "Passes over the training images; several values make one arm each",
    )
    .many(),
    Flag::key("batch-size", "N", Takes::Count, &["train.batch_size"], "Images a step"),
    Flag::key(
        "learning-rate",
        "RATE",
        Takes::Number,
        &["train.learning_rate"],
        "Base learning rate; the schedule is the profile's",
    ),
    Flag::key(
        "augment",
        "AUGMENT,..",
        Takes::Word(choices::<Augment>),
        &["train.augment"],
        "How training images are changed: not at all; a shifted crop and a flip; those, AutoAugment's policy and Cutout; \
         several values make one arm each",
    )
    .many(),
    Flag::key("train-limit", "N", Takes::Count, &["data.train_limit"], "Largest number of training images, drawn at random"),
    Flag::key(
        "seeds",
        "N",
        Takes::Count,
        // Those of long trainings among them, where the file has fewer.
        &["seeds", "arm.*.seeds", "*.seeds"],
        Flag::<ImagesFile>::SEEDS.help,
    ),
    Flag::FIRST_SEED,
];

impl File for ImagesFile {
    const LISTS: &'static [&'static str] = &["train.epochs", "train.augment"];

    usual_fields!(ArmFile);

    fn check_references(&self, origin: &str) -> Result<()> {
        let unknown = |name: &&String| self.arm(name).is_none();
        for ArmFile { name, compared_to, paper, .. } in &self.arm {
            check_fraction(origin, &format!("arm {name}: paper"), *paper)?;
            check_other(origin, name, "compared_to", compared_to.as_deref())?;
            if let Some(unknown) = compared_to.iter().find(unknown) {
                bail!("{origin}: arm {name} is compared to the unknown arm {unknown:?}");
            }
        }
        Ok(())
    }

    fn forget_dropped(&mut self) {
        let names: Vec<String> = self.arm.iter().map(|arm| arm.name.clone()).collect();
        for arm in &mut self.arm {
            arm.compared_to.take_if(|other| !names.contains(other));
        }
    }

    fn knows(&self, column: &str, name: &str) -> bool {
        // Several trainings make several networks of one.
        let is_of = |arm: &ArmFile| {
            name.strip_prefix(&*arm.name).is_some_and(|rest| rest.is_empty() || rest.starts_with("-epochs"))
        };
        match column {
            "arm" => self.arm.iter().any(is_of),
            "data" => name == "sample" || Dataset::ALL.iter().any(|dataset| dataset.name() == name),
            _ => true,
        }
    }

    /// Repetitions may be more, fewer, or of other seeds.
    fn void(&mut self, own: &Self, _change: Change) {
        let same_training = self.data == own.data && self.train == own.train;
        let names: Vec<String> = self.arm.iter().map(|arm| arm.name.clone()).collect();
        for arm in &mut self.arm {
            let same = own.arm.iter().any(|own| own.name == arm.name && own.model == arm.model);
            arm.paper = arm.paper.filter(|_| same_training && same);
            // With an arm that became several nobody is compared.
            arm.compared_to.take_if(|other| !names.contains(other) && own.arm.iter().any(|arm| arm.name == *other));
        }
    }

    /// Of two networks that were swept alike, those of the same size are compared.
    fn inherit(&mut self, origin: &str, copies: &[String]) {
        let names: Vec<String> = self.arm.iter().map(|arm| arm.name.clone()).collect();
        let endings: Vec<&str> = copies.iter().filter_map(|copy| copy.strip_prefix(origin)).collect();
        for arm in &mut self.arm {
            let (Some(other), Some(ending)) = (&arm.compared_to, endings.iter().find(|end| arm.name.ends_with(**end)))
            else {
                continue;
            };
            arm.compared_to =
                Some(format!("{other}{ending}")).filter(|twin| names.contains(twin)).or(arm.compared_to.take());
        }
    }
}
