//! A checked robustness experiment, and the runs that follow from it.

use super::file::{RecipeFile, Requirement, RobustnessFile, ThreatFile};
use super::overrides::WeightsFile;
use super::run::{AttackSpec, ImageSet, Precision, Stopping, TrainingSpec, WeightsSource};
use crate::data::source::{self, Dataset};
use crate::evaluate::attack::{Attack, Norm, Stop};
use crate::files;
use crate::model::ModelConfig;
use crate::model::weights::{self, Hints};
use crate::rng::Seed;
use crate::train::{FitConfig, Sampling};
use anyhow::{Context, Result, bail, ensure};

/// Classes of every data set here.
pub(super) const CLASSES: usize = 10;

/// Can run.
#[derive(Debug, Clone)]
pub struct Robustness {
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
    /// The balls.
    pub threats: Vec<ThreatFile>,
    /// What ought to come out.
    pub expectations: Vec<Requirement>,
    pub(super) file: RobustnessFile,
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
    /// Whether it stops at the accuracy of the others that are matched.
    pub matched: bool,
    /// The network that it is compared to, image by image.
    pub compared_to: Option<String>,
    /// Most of its test images that are attacked.
    pub images: usize,
    /// The network.
    pub model: ModelConfig,
    pub(super) recipe: RecipeFile,
    pub(super) stopping: Stopping,
}

impl Robustness {
    /// The network of an arm by name.
    pub fn arm(&self, name: &str) -> Option<&Arm> {
        self.arms.iter().find(|arm| arm.name == name)
    }

    /// Validation accuracy at which matched networks stop, 0 to 1.
    pub fn matched_accuracy(&self) -> Option<f64> {
        self.file.train.matched_accuracy.get(&self.dataset).copied()
    }

    /// The file that it was made from, profile and flags applied.
    pub fn file(&self) -> &RobustnessFile {
        &self.file
    }

    /// Whether the sample inside the program stands in for the data set.
    pub fn image_set(&self, sample: bool, sha256: String) -> ImageSet {
        let validation_fraction = self.file.data.validation_fraction;
        ImageSet { dataset: self.dataset, sample, validation_fraction, sha256 }
    }

    /// The seeds of an arm's repetitions.
    pub fn seeds(&self, arm: &Arm) -> std::ops::Range<u64> {
        self.file.first_seed..self.file.first_seed + arm.seeds as u64
    }

    /// What is possible and hardly meant, each in a sentence.
    pub fn warnings(&self) -> Vec<String> {
        let of_linf = self.threats.iter().filter(|threat| threat.norm == Norm::Linf);
        let beyond = of_linf.flat_map(|threat| threat.eps.iter().chain(&threat.sweep)).find(|eps| **eps > 1.0);
        let told = |eps: &f64| {
            format!(
                "eps is {eps} in linf: pixels are from 0 to 1, so every image lies in a ball of that size; for {eps} of \
                 256 levels of grey use --eps {eps}/255"
            )
        };
        beyond.map(told).into_iter().collect()
    }

    /// Every training, in the order of arms and seeds. `train_images` is their number, validation included.
    ///
    /// # Errors
    /// When there are too few of them.
    pub fn trainings(&self, data: &ImageSet, train_images: usize, device: &str) -> Result<Vec<TrainingSpec>> {
        let validation = validation_images(train_images, data.validation_fraction);
        let (name, fraction) = (&self.name, data.validation_fraction);
        let enough = validation >= 1 && train_images >= validation + 2;
        ensure!(enough, "{name}: data.validation_fraction is {fraction}: {validation} of {train_images} images");
        let of_arm =
            |arm: &Arm| self.seeds(arm).map(|s| self.training(arm, Seed(s), data, train_images, device)).collect();
        Ok(self.arms.iter().flat_map(|arm| -> Vec<_> { of_arm(arm) }).collect())
    }

    fn training(&self, arm: &Arm, seed: Seed, data: &ImageSet, train_images: usize, device: &str) -> TrainingSpec {
        let validation = validation_images(train_images, data.validation_fraction);
        let RecipeFile { epochs, batch_size, learning_rate, optimizer, schedule, loss, .. } = arm.recipe.clone();
        let batch_size = batch_size.min(train_images - validation);
        let iterations = epochs * ((train_images - validation) / batch_size);
        TrainingSpec {
            experiment: self.name.clone(),
            arm: arm.name.clone(),
            seed,
            device: device.into(),
            stopping: arm.stopping,
            data: data.clone(),
            model: arm.model.clone(),
            fit: FitConfig {
                iterations,
                batch_size,
                report_every: self.file.train.report_every.min(iterations),
                learning_rate,
                optimizer,
                schedule,
                input_noise: 0.0,
                sampling: Sampling::Epochs,
                loss,
            },
        }
    }

    /// Every attack run, in the order of arms, seeds and norms, on the networks of `trainings` or, for arms that are
    /// named in `weights`, on those of a file.
    ///
    /// # Errors
    /// When a file of weights cannot be read or names no arm.
    pub fn attacks(
        &self,
        trainings: &[TrainingSpec],
        weights: &[WeightsFile],
        data: &ImageSet,
        test_images: usize,
        device: &str,
    ) -> Result<Vec<AttackSpec>> {
        let given = self.given(weights)?;
        // Of a network that is given as a file there are no trainings, not even to compare with.
        let trainings: Vec<TrainingSpec> =
            trainings.iter().filter(|t| given.iter().all(|(name, _)| *name != t.arm)).cloned().collect();
        let mut runs = Vec::new();
        for arm in &self.arms {
            let sources: Vec<(Seed, WeightsSource)> = match given.iter().find(|(name, _)| name == &arm.name) {
                Some((_, source)) => vec![(Seed(self.file.first_seed), source.clone())],
                None => {
                    let of_arm = trainings.iter().filter(|training| training.arm == arm.name);
                    of_arm.map(|t| (t.seed, WeightsSource::Trained(Box::new(t.clone())))).collect()
                }
            };
            for (seed, source) in sources {
                for threat in &self.threats {
                    runs.push(self.attack(arm, seed, &source, threat, &trainings, data, test_images, device));
                }
            }
        }
        Ok(runs)
    }

    #[expect(clippy::too_many_arguments, reason = "one caller, and each says where a part of the run is from")]
    fn attack(
        &self,
        arm: &Arm,
        seed: Seed,
        weights: &WeightsSource,
        threat: &ThreatFile,
        trainings: &[TrainingSpec],
        data: &ImageSet,
        test_images: usize,
        device: &str,
    ) -> AttackSpec {
        let attack = &self.file.attack;
        let images = arm.images.min(test_images);
        let with_checklist = seed.0 == self.file.first_seed && attack.checklist_images > 0;
        let allowed = |attacks: &[Attack]| {
            attacks.iter().copied().filter(|a| a.problem(threat.norm, CLASSES).is_none()).collect()
        };
        AttackSpec {
            experiment: self.name.clone(),
            arm: arm.name.clone(),
            seed,
            device: device.into(),
            norm: threat.norm,
            eps: threat.eps.clone(),
            sweep: threat.sweep.clone(),
            attacks: allowed(&attack.attacks),
            sweep_attacks: allowed(&attack.sweep_attacks),
            images,
            checklist_images: if with_checklist { attack.checklist_images.min(images) } else { 0 },
            certify: attack.certify,
            effort: attack.effort,
            stop: Stop::AtSuccess,
            precision: Precision::F32,
            data: data.clone(),
            model: arm.model.clone(),
            weights: weights.clone(),
            surrogates: if with_checklist { surrogates(arm, seed, trainings) } else { Vec::new() },
        }
    }

    fn given(&self, files: &[WeightsFile]) -> Result<Vec<(String, WeightsSource)>> {
        let known = self.arms.iter().map(|arm| arm.name.as_str()).collect::<Vec<_>>().join(", ");
        let mut given: Vec<(String, WeightsSource)> = Vec::new();
        for WeightsFile { arm, path } in files {
            let name = match (arm, self.arms.as_slice()) {
                (Some(name), _) if self.arm(name).is_some() => name.clone(),
                (None, [only]) => only.name.clone(),
                _ => bail!("--weights {}: say which model it is of, MODEL=FILE with one of {known}", path.display()),
            };
            ensure!(given.iter().all(|(other, _)| other != &name), "--weights: {name} is given twice");
            let told = "use a path in UTF-8: every run notes it down";
            ensure!(path.to_str().is_some(), "--weights {}: {told}", path.display());
            let path = weights::file_at(path);
            let bytes = files::read(&path).with_context(|| format!("--weights: cannot read {}", path.display()))?;
            let sha256 = source::sha256(&bytes);
            given.push((name, WeightsSource::File { path, sha256, hints: Hints::default() }));
        }
        Ok(given)
    }
}

/// Number of training images that are kept for validation.
pub fn validation_images(train_images: usize, fraction: f64) -> usize {
    (train_images as f64 * fraction).round() as usize
}

/// Networks whose adversarial images may fool this one: the other arms' of the same seed, and its own of another seed.
fn surrogates(arm: &Arm, seed: Seed, trainings: &[TrainingSpec]) -> Vec<TrainingSpec> {
    let others = trainings.iter().filter(|training| training.arm != arm.name && training.seed == seed);
    let sibling = trainings.iter().find(|training| training.arm == arm.name && training.seed != seed);
    others.take(1).chain(sibling).cloned().collect()
}
