//! Robustness of image classifiers: trainings, and attacks on what they trained, one norm at a time.

mod attack;
mod check;
mod checklist;
mod compare;
mod comparison;
mod export;
mod figures;
mod file;
mod flags;
mod ledger;
mod page;
mod pictures;
mod plan;
mod rows;
mod spec;
mod stages;
mod summary;
mod tables;
#[cfg(test)]
mod tests;
mod train;
mod weights;

pub use check::Robustness;
pub use spec::{AttackSpec, TrainingSpec};

use crate::data::images::{self, ImageData};
use crate::engine::Experiment;
use crate::engine::compare::Contender;
use crate::engine::foreign::Foreign;
use crate::engine::page::Page;
use crate::engine::runs::{Exit, FinishedRun, Rerun, Walk, Way};
use crate::engine::settings::{Flag, refuse};
use crate::engine::source::Source;
use crate::evaluate::attack::{ROWS, Stop};
use anyhow::{Result, ensure};
use attack::Attacker;
use clap::Args;
use export::Export;
use file::RobustnessFile;
use plan::Facts;
use spec::ImageSet;
use std::ffi::OsString;
use std::path::PathBuf;
use summary::measure;
use train::Trainer;
use weights::Given;

/// The experiment file.
pub const TEXT: &str = include_str!("../../../experiments/mnist-attack.toml");
/// Classes of the data sets.
const CLASSES: usize = 10;

/// Number of training images that are kept for validation.
fn validation_images(train_images: usize, fraction: f64) -> usize {
    (train_images as f64 * fraction).round() as usize
}

/// Why so many training images cannot be cut with a fraction for validation, if so.
fn validation_problem(train_images: usize, fraction: f64) -> Option<String> {
    let validation = validation_images(train_images, fraction);
    let enough = fraction < 1.0 && validation >= 1 && train_images >= validation.saturating_add(2);
    (!enough).then(|| format!("validation_fraction is {fraction}: {validation} of {train_images} images; leave at least 1 for validation and 2 for training"))
}

/// Flags that are no settings.
#[derive(Debug, Clone, Args)]
pub struct Extra {
    /// Attack these weights (.safetensors, or a PyTorch state dict) instead of training: FILE for the only model,
    /// MODEL=FILE for one of several. The name of an existing FILE may contain commas and equals signs
    #[arg(long, value_name = "[MODEL=]FILE,..")]
    weights: Vec<OsString>,
    #[command(flatten)]
    foreign: Foreign,
    /// Images attacked at a time on each thread; no result depends on it
    #[arg(long, default_value_t = ROWS, value_name = "N")]
    batch: usize,
    /// Write images, adversarial examples, weights and radii to this .npz or .safetensors file (3 KB for each image, attack
    /// and size); finished attacks are repeated for it
    #[arg(long, value_name = "FILE")]
    export_adversarial: Option<PathBuf>,
}

/// What the runs are made with.
#[derive(Debug)]
pub struct Data {
    /// The data set, or the sample that stands in for it; the runs' configuration says which.
    images: ImageData,
    hash: String,
    /// Images attacked at a time on each thread; changes no result.
    batch: usize,
    /// Gets images and weights, if somebody wants them.
    export: Option<Export>,
}

/// The runs that are finished.
#[derive(Debug)]
pub struct Findings {
    trainings: Vec<FinishedRun<TrainingSpec>>,
    attacks: Vec<FinishedRun<AttackSpec>>,
}

impl Experiment for Robustness {
    type File = RobustnessFile;
    type Extra = Extra;
    type Data = Data;
    type Facts = Facts;
    type Findings = Findings;

    const FLAGS: &'static [Flag<RobustnessFile>] = flags::FLAGS;
    const READS_DATA: bool = true;

    fn check(file: RobustnessFile) -> Result<Self> {
        Self::of(file)
    }

    fn file(&self) -> &RobustnessFile {
        &self.file
    }

    fn warnings(&self) -> Vec<String> {
        self.too_large().into_iter().collect()
    }

    fn gather(&self, extra: &Extra, source: &Source) -> Result<(Data, Facts)> {
        let export = extra.export_adversarial.as_deref().map(Export::new).transpose()?;
        let images = images::load(self.file.data.dataset, &source.options())?;
        let (train_images, test_images) = (images.train.len(), images.test.len());
        let given = Given::all(self, extra, &images)?;
        let mut counts = self.file.arm.iter().map(|arm| self.file.images(arm).min(test_images));
        let first = counts.next();
        let same = export.is_none() || counts.all(|count| Some(count) == first);
        ensure!(
            same,
            "--export-adversarial: networks are attacked on different numbers of images; set one number with --n"
        );
        let stop = if export.is_some() { Stop::Never } else { Stop::AtSuccess };
        let (hash, validation_fraction) = (images.hash(), self.file.data.validation_fraction);
        let (dataset, sample, sha256) = (images.dataset, images.is_sample(), hash.clone());
        let set = ImageSet { dataset, sample, validation_fraction, sha256 };
        let facts = Facts { train_images, test_images, stop, images: set, given };
        Ok((Data { images, hash, batch: extra.batch, export }, facts))
    }

    fn stages(&self, facts: &Facts, data: Option<&Data>, walk: &mut Walk<'_>) -> Result<Findings> {
        let trainings = self.trainings(facts, walk.device)?;
        let attacks = self.attacks(facts, &trainings, walk.device);
        let trainings = walk.stage(&trainings, data.map(|data| Trainer { data }), Way::default())?;
        let store = walk.store.clone();
        // What a finished run has left lacks the images that an export wants.
        let way = Way { force: facts.stop == Stop::Never, ..Way::default() };
        let attacks = walk.stage(&attacks, data.map(|data| Attacker { data, store }), way)?;
        Ok(Findings { trainings, attacks })
    }

    fn page(&self, facts: &Facts, findings: &Findings, _walk: &Walk<'_>) -> Result<Page> {
        page::of(self, facts, findings)
    }

    fn contenders(&self, facts: &Facts, findings: &Self::Findings) -> Result<Vec<Contender>> {
        compare::contenders(&measure(self, facts, findings)?, findings)
    }

    fn needs_all(extra: &Extra) -> Option<&'static str> {
        extra.export_adversarial.as_ref().map(|_| "--export-adversarial")
    }

    fn finish(&self, data: &Data) -> Result<()> {
        data.export.as_ref().map_or(Ok(()), Export::write)
    }

    fn rerun(call: &Rerun<'_>) -> Result<Option<Exit>> {
        let data = |set: &ImageSet| -> Result<Data> {
            let (images, hash) = call.source.images_of_run(set.dataset, set.name(), &set.sha256)?;
            Ok(Data { images, hash, batch: ROWS, export: None })
        };
        if let Some(spec) = call.spec::<TrainingSpec>()? {
            let data = data(&spec.data)?;
            let problem = validation_problem(data.images.train.len(), spec.data.validation_fraction);
            refuse(&format!("{}: data.", call.name), problem)?;
            return call.make(&spec, |_| Trainer { data: &data }).map(Some);
        }
        let Some(spec) = call.spec::<AttackSpec>()? else { return Ok(None) };
        let data = data(&spec.data)?;
        call.make(&spec, |store| Attacker { data: &data, store: store.clone() }).map(Some)
    }
}
