//! Comparison of classifiers of colour images: MLP-Mixers with and without Han blocks, and a ResNet, each trained from several
//! seeds and compared seed by seed.

mod check;
mod compare;
mod contact;
mod evaluate;
mod figures;
mod file;
mod likeness;
mod page;
mod parts;
mod rows;
mod spec;
mod summary;
#[cfg(test)]
mod tests;
mod train;

pub use check::Comparison;
pub use evaluate::Arguments;
pub use spec::ImageSpec;

use crate::data::images::{self, ImageData};
use crate::engine::compare::Contender;
use crate::engine::page::Page;
use crate::engine::runs::{Exit, FinishedRun, Rerun, Walk, Way};
use crate::engine::settings::Flag;
use crate::engine::source::Source;
use crate::engine::{Experiment, Variant};
use anyhow::{Result, ensure};
use contact::{contact_file, write_contact};
use file::ImagesFile;
use spec::ImageFacts;
use summary::Results;
use train::Trainer;

/// The experiment file.
pub const TEXT: &str = include_str!("../../../experiments/mixer.toml");

/// The file of what Han blocks change after more and fewer epochs.
pub const BUDGET: &str = include_str!("../../../experiments/mixer-budget.toml");

/// What another data set than CIFAR-10 changes in it.
pub const VARIANTS: &[Variant] = &[
    of("mixer-cifar100", "cifar100", include_str!("../../../experiments/mixer-cifar100.toml")),
    of("mixer-stl10", "stl10", include_str!("../../../experiments/mixer-stl10.toml")),
    of("mixer-imagenet32", "imagenet32", include_str!("../../../experiments/mixer-imagenet32.toml")),
];

const fn of(name: &'static str, dataset: &'static str, text: &'static str) -> Variant {
    Variant { name, chosen_by: ("data.dataset", dataset), text }
}

impl Experiment for Comparison {
    type File = ImagesFile;
    type Extra = ();
    type Data = ImageData;
    type Facts = ImageFacts;
    type Findings = Vec<FinishedRun<ImageSpec>>;

    const FLAGS: &'static [Flag<ImagesFile>] = file::FLAGS;
    const READS_DATA: bool = true;

    fn check(file: ImagesFile) -> Result<Self> {
        Self::of(file)
    }

    fn file(&self) -> &ImagesFile {
        &self.file
    }

    fn gather(&self, _extra: &(), source: &Source) -> Result<(ImageData, ImageFacts)> {
        let data = images::load(self.file.data.dataset, &source.options())?;
        let facts = ImageFacts { sample: data.is_sample(), sha256: data.hash(), train_images: data.train.len() };
        Ok((data, facts))
    }

    fn stages(&self, facts: &ImageFacts, data: Option<&ImageData>, walk: &mut Walk<'_>) -> Result<Self::Findings> {
        if let Some(data) = data {
            let contact = contact_file(walk.store, &self.file.experiment.name);
            walk.leave(&contact, |path| write_contact(data, self.shown_augment(), path))?;
        }
        let trainer = data.map(|data| Trainer { data, data_hash: &facts.sha256 });
        walk.stage(&self.runs(facts, walk.device)?, trainer, Way::default())
    }

    fn page(&self, facts: &ImageFacts, runs: &Self::Findings, walk: &Walk<'_>) -> Result<Page> {
        page::of(self, facts, runs, walk.store)
    }

    fn contenders(&self, facts: &ImageFacts, runs: &Self::Findings) -> Result<Vec<Contender>> {
        compare::contenders(&Results::of(self, facts, runs)?)
    }

    fn rerun(call: &Rerun<'_>) -> Result<Option<Exit>> {
        let Some(spec) = call.spec::<ImageSpec>()? else { return Ok(None) };
        let set = &spec.data;
        let (data, data_hash) = call.source.images_of_run(set.dataset, set.name(), &set.sha256)?;
        let (all, wanted) = (data.train.len(), set.validation_images);
        let (train, validation) = set.cut(all);
        let cut = format!("data.validation_images is {wanted}: {validation} of {all} images, {train} to train on");
        ensure!(validation == wanted && train >= spec.fit.batch_size, "{}: {cut}", call.name);
        call.make(&spec, |_| Trainer { data: &data, data_hash: &data_hash }).map(Some)
    }
}
