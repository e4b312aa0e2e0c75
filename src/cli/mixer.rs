//! `han-exp mixer`

use super::data::ImageSource;
use super::{Arguments, Chosen, Exit, Running, Workplace, answer, ending, stop_on_interrupt};
use crate::config::image::{Blocks, Comparison, Flags, ImageFile, ImageSpec};
use crate::data::images::{self, ImageData};
use crate::data::{augment::Augment, source::Dataset};
use crate::experiment::image::{Trainer, write_contact};
use crate::experiment::progress::Progress;
use crate::report::{self, Remembered};
use anyhow::Result;
use clap::Args;
use std::sync::atomic::AtomicBool;

/// Compiled in, so that the binary works anywhere.
pub(super) const EXPERIMENT: &str = include_str!("../../experiments/mixer.toml");

/// What to run: the experiment file, a profile, and flags over both.
#[derive(Debug, Clone, Args)]
pub(super) struct Setting {
    #[command(flatten)]
    pub(super) chosen: Chosen,
    /// Networks to compare: mixer-4, mixer-4-han-12, mixer-8, resnet32
    #[arg(long, value_delimiter = ',', value_name = "ARM,..")]
    arms: Option<Vec<String>>,
    /// cifar10, cifar100, stl10 or imagenet32
    #[arg(long, value_parser = dataset, value_name = "NAME")]
    dataset: Option<Dataset>,
    /// Channels of every mixer, a multiple of 8
    #[arg(long, value_name = "N")]
    channels: Option<usize>,
    /// Number of mixer blocks: N for the first of the arms, ARM=N for another
    #[arg(long, value_delimiter = ',', value_name = "[ARM=]N,..")]
    mixer_blocks: Vec<Blocks>,
    /// Number of Han blocks behind them: N for the first of the arms, ARM=N for another
    #[arg(long, value_delimiter = ',', value_name = "[ARM=]N,..")]
    han_blocks: Vec<Blocks>,
    /// Passes over the training images
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Images a step
    #[arg(long, value_name = "N")]
    batch_size: Option<usize>,
    /// Base learning rate; the schedule is the profile's
    #[arg(long, value_name = "RATE", allow_negative_numbers = true)]
    learning_rate: Option<f64>,
    /// What is done to every image before it is shown: nothing; a shifted crop and a flip; these, AutoAugment's policy and
    /// Cutout
    #[arg(long, value_enum)]
    augment: Option<Augment>,
    /// Most training images, drawn at random
    #[arg(long, value_name = "N")]
    train_limit: Option<usize>,
    /// Independent repetitions
    #[arg(long, value_name = "N")]
    seeds: Option<usize>,
    /// Seed of the first repetition; the others follow
    #[arg(long, value_name = "N")]
    first_seed: Option<u64>,
    #[command(flatten)]
    source: ImageSource,
}

/// The colour images.
const DATASETS: [Dataset; 4] = [Dataset::Cifar10, Dataset::Cifar100, Dataset::Stl10, Dataset::Imagenet32];

pub(super) fn dataset(name: &str) -> Result<Dataset, String> {
    let found = DATASETS.into_iter().find(|dataset| dataset.name() == name);
    found.ok_or_else(|| format!("use {}", DATASETS.map(Dataset::name).join(", ")))
}

/// The runs of a command.
pub(super) struct Plan {
    pub experiment: Comparison,
    pub data: ImageData,
    /// SHA-256 of pixels and labels.
    pub data_hash: String,
    pub runs: Vec<ImageSpec>,
}

impl Setting {
    /// The same with images from elsewhere.
    pub(super) fn with_source(self, source: ImageSource) -> Self {
        Self { source, ..self }
    }

    /// The file with profile and flags applied.
    fn resolve(&self) -> Result<ImageFile> {
        let (text, origin) = self.chosen.text(EXPERIMENT, "mixer")?;
        let flags = Flags {
            dataset: self.dataset,
            channels: self.channels,
            mixer_blocks: self.mixer_blocks.clone(),
            han_blocks: self.han_blocks.clone(),
            epochs: self.epochs,
            batch_size: self.batch_size,
            learning_rate: self.learning_rate,
            augment: self.augment,
            train_limit: self.train_limit,
            seeds: self.seeds,
            first_seed: self.first_seed,
        };
        ImageFile::parse(&text, &origin)?.with_profile(self.chosen.profile, self.arms.as_deref())?.with_flags(&flags)
    }

    /// Checks everything, finds the images, and lists the runs.
    pub(super) fn plan(&self, device: &str) -> Result<Plan> {
        let experiment = self.resolve()?.check()?;
        let data = images::load(experiment.dataset, &self.source.options())?;
        let data_hash = data.hash();
        let set = experiment.image_set(data.is_sample(), data_hash.clone());
        let runs = experiment.runs(&set, data.train.len(), device)?;
        Ok(Plan { experiment, data, data_hash, runs })
    }
}

pub(super) fn run(arguments: &Arguments<Setting>) -> Result<Exit> {
    let stop = stop_on_interrupt()?;
    execute(&arguments.setting, &arguments.running, arguments.strict, &stop)
}

/// The stages in order: check, plan, train, write, draw, tell.
pub(super) fn execute(setting: &Setting, running: &Running, strict: bool, stop: &AtomicBool) -> Result<Exit> {
    let device = running.open_device()?;
    let Plan { experiment, data, data_hash, runs } = setting.plan(device.kind)?;
    let workplace = Workplace::take(running, device, &experiment.name)?;
    let store = &workplace.store;
    Remembered::Image { experiment: Box::new(experiment.file().clone()), runs: runs.clone() }.save(store)?;
    write_contact(&data, experiment.file().train.augment, &report::image::contact_file(store, &experiment.name))?;
    let trainer = Trainer { data: &data, data_hash: &data_hash };
    let batch = workplace.scheduler(stop).run(&trainer, &runs, &Progress::new(running.quiet))?;
    let report = report::image::write(store, &experiment, runs.len(), &batch.finished)?;
    answer(&report.text);
    Ok(ending(batch.finished.len(), runs.len(), &report, strict))
}
