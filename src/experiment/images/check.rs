//! A checked comparison, and the runs that follow from it.

use super::file::{ArmFile, ImagesFile, dataset};
use super::spec::{ImageFacts, ImageSet, ImageSpec};
use crate::data::augment::Augment;
use crate::engine::page::counted;
use crate::engine::settings::{
    Arm, File, MOST, MOST_EPOCHS, MOST_SEEDS, check_count, check_once, check_runs, rate_problem, refuse,
};
use crate::model::image::{HanPlace, ImageModelConfig};
use crate::rng::Seed;
use crate::train::{FitConfig, LossConfig, Sampling};
use anyhow::{Result, anyhow, ensure};
use std::collections::BTreeSet;

/// Can run.
#[derive(Debug, Clone)]
pub struct Comparison {
    pub(super) file: ImagesFile,
    pub(super) entrants: Vec<Entrant>,
}

/// A network under one of the trainings of the experiment.
#[derive(Debug, Clone)]
pub struct Entrant {
    /// As in the file; where there are several trainings, or could be, name and label tell which this is.
    pub arm: ArmFile,
    /// Name and label in the file.
    pub network: [String; 2],
    pub training: Training,
}

/// What tells a training of an experiment from its others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Training {
    pub epochs: usize,
    pub augment: Augment,
}

impl std::fmt::Display for Training {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {}", counted(self.epochs, "epoch"), self.augment.name())
    }
}

impl Comparison {
    /// The images of the experiment.
    pub fn image_set(&self, facts: &ImageFacts) -> ImageSet {
        let data = &self.file.data;
        ImageSet {
            dataset: data.dataset,
            sample: facts.sample,
            sha256: facts.sha256.clone(),
            validation_images: data.validation_images,
            train_limit: data.train_limit,
            test_limit: data.test_limit,
        }
    }

    /// Steps of an epoch. What fills no batch at its end waits for the next.
    pub fn steps(&self, facts: &ImageFacts) -> usize {
        self.image_set(facts).cut(facts.train_images).0 / self.file.train.batch_size
    }

    /// The trainings that every network gets, the shortest first where the file says so.
    pub fn trainings(&self) -> Vec<Training> {
        trainings(&self.file).collect()
    }

    /// The augmentation that is shown: the last, where there are several.
    pub fn shown_augment(&self) -> Augment {
        self.file.train.augment.last().copied().unwrap_or_default()
    }

    /// Every run, in the order of trainings, arms and seeds.
    ///
    /// # Errors
    /// When there are too few images.
    pub fn runs(&self, facts: &ImageFacts, device: &str) -> Result<Vec<ImageSpec>> {
        let (file, data) = (&self.file, self.image_set(facts));
        let (name, wanted) = (&file.experiment.name, data.validation_images);
        check_count(name, "the number of training images", facts.train_images, MOST)?;
        check_runs(name, self.entrants.iter().map(|of| file.repetitions_of(&of.arm)).fold(0, usize::saturating_add))?;
        let (train, validation) = data.cut(facts.train_images);
        ensure!(
            train > 0 && validation == wanted,
            "{name}: data.validation_images is {wanted}; keep some of the {} training images",
            train + validation
        );
        let batch_size = file.train.batch_size;
        ensure!(
            batch_size <= train,
            "{name}: train.batch_size is {batch_size}; use at most {train}, the images to train on"
        );
        let steps = self.steps(facts);
        let of_entrant = |entrant: &Entrant| -> Vec<ImageSpec> {
            file.seeds(&entrant.arm).map(|seed| self.run(entrant, Seed(seed), &data, steps, device)).collect()
        };
        Ok(self.entrants.iter().flat_map(of_entrant).collect())
    }

    fn run(&self, entrant: &Entrant, seed: Seed, data: &ImageSet, steps: usize, device: &str) -> ImageSpec {
        let (train, Entrant { arm, training, .. }) = (&self.file.train, entrant);
        ImageSpec {
            experiment: self.file.experiment.name.clone(),
            arm: arm.name.clone(),
            seed,
            device: device.into(),
            augment: training.augment,
            data: data.clone(),
            model: arm.model.clone(),
            keep_weights: self.file.keep_weights,
            fit: FitConfig {
                iterations: training.epochs * steps,
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

    /// Checks everything that can be checked before any work.
    pub(super) fn of(mut file: ImagesFile) -> Result<Self> {
        let name = file.experiment.name.clone();
        label(&mut file.arm);
        file.check_usual(MOST_SEEDS)?;
        file.check_references(&name)?;
        let (train, data) = (&file.train, &file.data);
        train.epochs.iter().try_for_each(|epochs| check_count(&name, "train.epochs", *epochs, MOST_EPOCHS))?;
        for (key, given) in [("epochs", train.epochs.len()), ("augment", train.augment.len())] {
            ensure!(given > 0, "{name}: train.{key} is an empty list; use at least one value");
        }
        check_once(&name, "train.epochs", &train.epochs)?;
        check_once(&name, "train.augment", &train.augment)?;
        if let Some(fewer) = &file.fewer_seeds {
            check_count(&name, "fewer_seeds.seeds", fewer.seeds, MOST_SEEDS)?;
        }
        let (batch_size, rate) = (train.batch_size, train.learning_rate);
        ensure!(batch_size >= 2, "{name}: train.batch_size is {batch_size}; use at least 2, batch norm needs a spread");
        refuse(&format!("{name}: train.learning_rate is "), rate_problem(rate))?;
        refuse(&format!("{name}: train."), train.optimizer.problem().or_else(|| train.schedule.problem()))?;
        let of_colour = dataset(data.dataset.name());
        of_colour.map_err(|cure| anyhow!("{name}: data.dataset is {}; {cure}", data.dataset))?;
        for (key, limit) in [("train_limit", data.train_limit), ("test_limit", data.test_limit)] {
            check_count(&name, &format!("data.{key}"), limit.unwrap_or(1), MOST)?;
        }
        ensure!(!file.arm.is_empty(), "{name}: there is no [[arm]]; name at least one model");
        for arm in &file.arm {
            refuse(&format!("{name}: arm {}: ", arm.name), arm.model.problem())?;
            ensure!(arm.seeds != Some(0), "{name}: arm {}: seeds is 0; use at least 1", arm.name);
        }
        let several = file.train.curve || trainings(&file).nth(1).is_some();
        let entrants = trainings(&file).flat_map(|training| file.arm.iter().map(move |arm| (training, arm)));
        let entrants = entrants.map(|(training, arm)| Entrant::new(&file, arm, training, several)).collect();
        Ok(Self { entrants, file })
    }
}

impl Entrant {
    fn new(file: &ImagesFile, arm: &ArmFile, training: Training, several: bool) -> Self {
        let Training { epochs, augment } = training;
        let network = [arm.name.clone(), arm.label.clone()];
        let mut arm = arm.clone();
        if several {
            let ending = format!("-epochs{epochs}-{}", augment.name());
            arm.rename(format!("{}{ending}", arm.name), &training.to_string());
            arm.compared_to.iter_mut().for_each(|other| *other += &ending);
        }
        if let Some(fewer) = file.fewer_seeds.as_ref().filter(|fewer| epochs >= fewer.from_epochs) {
            arm.seeds = Some(file.repetitions_of(&arm).min(fewer.seeds));
        }
        Self { arm, network, training }
    }
}

fn trainings(file: &ImagesFile) -> impl Iterator<Item = Training> {
    let of_augment = |augment: Augment| file.train.epochs.iter().map(move |&epochs| Training { epochs, augment });
    file.train.augment.iter().copied().flat_map(of_augment)
}

/// Gives every network a label. Where mixers differ in their channels, these are part of it; where labels would still be the same, the
/// names are.
fn label(arms: &mut [ArmFile]) {
    let channels = arms.iter_mut().filter_map(|arm| arm.mixer().map(|mixer| mixer.channels));
    let several = channels.collect::<BTreeSet<usize>>().len() > 1;
    for arm in arms.iter_mut().filter(|arm| arm.label.is_empty()) {
        arm.label = made_of(&arm.model);
        if let (true, Some(mixer)) = (several, arm.mixer()) {
            let channels = mixer.channels;
            arm.label += &format!(", {channels} channels");
        }
    }
    let labels: Vec<String> = arms.iter().map(|arm| arm.label.clone()).collect();
    for arm in arms.iter_mut().filter(|arm| labels.iter().filter(|label| **label == arm.label).count() > 1) {
        arm.label += &format!(" ({})", arm.name);
    }
}

/// What a network is made of.
pub(super) fn made_of(model: &ImageModelConfig) -> String {
    match model {
        ImageModelConfig::Mixer(config) => {
            let start = if config.identity_start.is_some() { " from the identity" } else { "" };
            match (config.mixer_blocks, config.han_blocks, config.han_place) {
                (mixer, 0, _) => format!("{mixer} mixer"),
                (0, han, _) => format!("{han} Han{start}"),
                (mixer, han, HanPlace::Behind) => format!("{mixer} mixer + {han} Han{start}"),
                (mixer, han, HanPlace::Between) => format!("{mixer} mixer, {han} Han{start} between"),
                (mixer, han, HanPlace::InFront) => format!("{han} Han{start} + {mixer} mixer"),
            }
        }
        ImageModelConfig::Resnet32 => "ResNet-32".into(),
    }
}
