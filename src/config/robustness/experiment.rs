//! A checked robustness experiment, and the runs that follow from it.

use super::file::{ArmFile, RecipeFile, Requirement, RobustnessFile, ThreatFile};
use super::overrides::WeightsFile;
use super::run::{AttackSpec, Effort, ImageSet, Precision, Stopping, TrainingSpec, WeightsSource};
use crate::config::arms::{check_names, check_seeds};
use crate::data::source::{self, Dataset};
use crate::evaluate::attack::{Attack, Norm, Stop, Threat};
use crate::files;
use crate::model::ModelConfig;
use crate::model::weights::{self, Hints};
use crate::rng::Seed;
use crate::train::{FitConfig, LossConfig, Sampling};
use anyhow::{Context, Result, bail, ensure};

/// More repetitions than anybody waits for.
const MOST_SEEDS: usize = 1000;
/// Classes of every data set here.
const CLASSES: usize = 10;
/// A ball of this size reaches everything, in either norm: 28 is the diagonal of the box of 784 pixels.
const LARGEST: f64 = 28.0;

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
    file: RobustnessFile,
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
    recipe: RecipeFile,
    stopping: Stopping,
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
    pub fn image_set(&self, sample: bool) -> ImageSet {
        ImageSet { dataset: self.dataset, sample, validation_fraction: self.file.data.validation_fraction }
    }

    /// The seeds of an arm's repetitions.
    pub fn seeds(&self, arm: &Arm) -> std::ops::Range<u64> {
        self.file.first_seed..self.file.first_seed + arm.seeds as u64
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

impl RobustnessFile {
    /// Checks everything that can be checked before any work.
    ///
    /// # Errors
    /// With the key, its value and the cure.
    pub fn check(self) -> Result<Robustness> {
        let name = &self.experiment.name;
        check_names(name, &self.arm)?;
        check_names(name, &self.recipe)?;
        let Effort { steps, restarts, targets, queries } = self.attack.effort;
        for (key, value) in [
            ("train.report_every", self.train.report_every),
            ("attack.images", self.attack.images),
            ("attack.effort.steps", steps),
            ("attack.effort.restarts", restarts),
            ("attack.effort.targets", targets),
            ("attack.effort.queries", queries),
        ] {
            ensure!(value >= 1, "{name}: {key} is {value}; use at least 1");
        }
        check_seeds(name, self.seeds, self.first_seed, MOST_SEEDS)?;
        let dataset = self.data.dataset;
        let grey = dataset.shape().channels == 1;
        ensure!(grey, "{name}: data.dataset is {dataset}, in colour; use mnist or fashion-mnist");
        let fraction = self.data.validation_fraction;
        ensure!(fraction > 0.0 && fraction < 1.0, "{name}: data.validation_fraction is {fraction}; use a fraction");
        let matched = self.train.matched_accuracy.get(&self.data.dataset).copied();
        let needs_match = self.arm.iter().any(|arm| arm.matched);
        ensure!(
            !needs_match || matched.is_some_and(|accuracy| accuracy > 0.0 && accuracy <= 1.0),
            "{name}: train.matched_accuracy has no fraction for {}",
            self.data.dataset
        );
        let threats = self.checked_threats()?;
        self.check_attacks(&threats)?;
        let arms = self.checked_arms(matched.unwrap_or(1.0))?;
        Ok(Robustness {
            name: self.experiment.name.clone(),
            title: self.experiment.title.clone(),
            claim: self.experiment.claim.clone(),
            dataset: self.data.dataset,
            arms,
            threats,
            expectations: self.expect.clone(),
            file: self,
        })
    }

    fn checked_threats(&self) -> Result<Vec<ThreatFile>> {
        let name = &self.experiment.name;
        ensure!(!self.threat.is_empty(), "{name}: there is no [[threat]]; name at least one norm");
        let mut threats = self.threat.clone();
        for (place, threat) in threats.iter_mut().enumerate() {
            let norm = threat.norm;
            ensure!(self.threat[..place].iter().all(|t| t.norm != norm), "{name}: the norm {norm:?} is there twice");
            ensure!(!threat.eps.is_empty(), "{name}: eps of {norm:?} is empty; name at least one size of the ball");
            for eps in threat.eps.iter().chain(&threat.sweep) {
                if let Some(problem) = (Threat { norm, eps: *eps }).problem() {
                    bail!("{name}: {problem}");
                }
                ensure!(*eps <= LARGEST, "{name}: eps is {eps}; nothing in the box is further away than {LARGEST}");
            }
            for sizes in [&mut threat.eps, &mut threat.sweep] {
                sizes.sort_by(f64::total_cmp);
                sizes.dedup();
            }
        }
        Ok(threats)
    }

    fn check_attacks(&self, threats: &[ThreatFile]) -> Result<()> {
        let name = &self.experiment.name;
        ensure!(!self.attack.attacks.is_empty(), "{name}: there is no attack; name at least one");
        if let Some(nearest) = self.attack.sweep_attacks.iter().find(|attack| attack.is_minimum_norm()) {
            bail!("{name}: sweep_attacks has {}, which is made once for all sizes; name it in attacks", nearest.name());
        }
        let possible = |norm: Norm| self.attack.attacks.iter().any(|a| a.problem(norm, CLASSES).is_none());
        for threat in threats {
            if !possible(threat.norm) {
                let problem = self.attack.attacks.iter().find_map(|a| a.problem(threat.norm, CLASSES));
                bail!("{name}: --attacks: {}", problem.unwrap_or_default());
            }
        }
        Ok(())
    }

    fn checked_arms(&self, matched_accuracy: f64) -> Result<Vec<Arm>> {
        let name = &self.experiment.name;
        ensure!(!self.arm.is_empty(), "{name}: there is no [[arm]]; name at least one model");
        self.arm.iter().map(|arm| self.checked_arm(arm, matched_accuracy)).collect()
    }

    fn checked_arm(&self, arm: &ArmFile, matched_accuracy: f64) -> Result<Arm> {
        let key = format!("{}: model {}", self.experiment.name, arm.name);
        if let Some(problem) = arm.model.problem() {
            bail!("{key}: {problem}");
        }
        let recipe = self.recipe.iter().find(|recipe| recipe.name == arm.recipe);
        let recipe = recipe.with_context(|| format!("{key}: there is no recipe {:?}", arm.recipe))?.clone();
        let RecipeFile { epochs, batch_size, learning_rate, .. } = recipe;
        ensure!(epochs >= 1, "{key}: epochs is {epochs}; use at least 1");
        ensure!(batch_size >= 2, "{key}: batch_size is {batch_size}; use at least 2");
        let fits = learning_rate > 0.0 && learning_rate.is_finite();
        ensure!(fits, "{key}: learning_rate is {learning_rate}; use a positive number");
        if let Some(problem) =
            recipe.optimizer.problem().or_else(|| recipe.schedule.problem()).or_else(|| recipe.loss.problem())
        {
            bail!("{key}: {problem}");
        }
        let of_chains = matches!(recipe.loss, LossConfig::Margin(_)) || self.attack.certify;
        if of_chains && matches!(arm.model, ModelConfig::Resnet(_)) {
            bail!("{key}: nothing can be certified of a ResNet; use --certify=false and another loss than the margin");
        }
        ensure!(arm.images != Some(0), "{key}: images is 0; use at least 1");
        let seeds = arm.seeds.unwrap_or(self.seeds).min(self.seeds);
        ensure!(seeds >= 1, "{key}: seeds is 0; use at least 1");
        Ok(Arm {
            name: arm.name.clone(),
            label: arm.label.clone(),
            seeds,
            matched: arm.matched,
            compared_to: arm.compared_to.clone(),
            images: arm.images.unwrap_or(self.attack.images).min(self.attack.images),
            model: arm.model.clone(),
            stopping: arm.stopping(matched_accuracy),
            recipe,
        })
    }
}
