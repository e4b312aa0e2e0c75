//! From an experiment and what was found to its runs.

use super::check::Robustness;
use super::file::{ArmFile, RecipeFile, ThreatFile};
use super::spec::{AttackSpec, ImageSet, Stopping, TrainingSpec, WeightsSource};
use super::weights::Given;
use super::{CLASSES, validation_images, validation_problem};
use crate::console::shown;
use crate::engine::runs::Spec;
use crate::engine::settings::{File, MOST, check_count, check_runs, refuse};
use crate::evaluate::attack::{Attack, Stop};
use crate::rng::Seed;
use crate::train::{FitConfig, Sampling};
use anyhow::Result;
use serde::{Deserialize, Serialize};

/// What only images and weights can say.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Facts {
    /// How many there are to train on, validation included.
    pub train_images: usize,
    pub test_images: usize,
    /// Never for an export: other programs return the last iterates of all steps.
    #[serde(default, skip_serializing_if = "crate::files::is_default")]
    pub stop: Stop,
    pub images: ImageSet,
    /// Networks that are not trained here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<Given>,
}

impl Facts {
    fn given(&self, arm: &ArmFile) -> Option<&WeightsSource> {
        self.given.iter().find(|given| given.arm == arm.name).map(|given| &given.weights)
    }
}

impl Robustness {
    /// Every training, in the order of arms and seeds. What is given as a file need not be trained.
    ///
    /// # Errors
    /// When there are too few images.
    pub fn trainings(&self, facts: &Facts, device: &str) -> Result<Vec<TrainingSpec>> {
        let (name, all) = (&self.file.experiment.name, facts.train_images);
        for (key, images) in [("training", all), ("test", facts.test_images)] {
            check_count(name, &format!("the number of {key} images"), images, MOST)?;
        }
        // The facts of a report are from a file, and have a fraction of their own.
        for fraction in [self.file.data.validation_fraction, facts.images.validation_fraction] {
            refuse(&format!("{name}: data."), validation_problem(all, fraction))?;
        }
        for Given { arm, weights } in &facts.given {
            if let WeightsSource::Trained(training) = weights {
                refuse(&format!("{name}: weights of {}: ", shown(arm)), training.problem())?;
            }
        }
        let trainings = self.file.arm.iter().map(|arm| self.file.repetitions_of(arm));
        let of_training = 1 + self.file.threat.len();
        check_runs(name, trainings.fold(0, usize::saturating_add).saturating_mul(of_training))?;
        let mut runs = Vec::new();
        for arm in self.file.arm.iter().filter(|arm| facts.given(arm).is_none()) {
            let Some(recipe) = self.file.recipe(arm) else { continue };
            runs.extend(self.file.seeds(arm).map(|seed| self.training(arm, recipe, Seed(seed), facts, device)));
        }
        Ok(runs)
    }

    fn training(&self, arm: &ArmFile, recipe: &RecipeFile, seed: Seed, facts: &Facts, device: &str) -> TrainingSpec {
        let points = facts.train_images - validation_images(facts.train_images, facts.images.validation_fraction);
        let RecipeFile { epochs, batch_size, learning_rate, optimizer, schedule, loss, .. } = recipe.clone();
        let batch_size = batch_size.min(points);
        let iterations = epochs * (points / batch_size);
        let wanted = self.matched_accuracy().filter(|_| arm.matched);
        TrainingSpec {
            experiment: self.file.experiment.name.clone(),
            arm: arm.name.clone(),
            seed,
            device: device.into(),
            stopping: wanted.map_or(Stopping::Last, Stopping::Nearest),
            data: facts.images.clone(),
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

    /// Every attack run, in the order of arms, seeds and norms, on the networks of `trainings` or those that are given.
    pub fn attacks(&self, facts: &Facts, trainings: &[TrainingSpec], device: &str) -> Vec<AttackSpec> {
        let mut runs = Vec::new();
        for arm in &self.file.arm {
            let of_arm = trainings.iter().filter(|training| training.arm == arm.name);
            let trained = of_arm.map(|t| (t.seed, WeightsSource::Trained(Box::new(t.clone()))));
            let given = facts.given(arm).map(|weights| (Seed(self.file.first_seed), weights.clone()));
            for (seed, weights) in trained.chain(given) {
                for threat in &self.file.threat {
                    let surrogates = surrogates(arm, seed, trainings);
                    runs.push(self.attack(arm, (seed, weights.clone()), threat, surrogates, facts, device));
                }
            }
        }
        runs
    }

    fn attack(
        &self,
        arm: &ArmFile,
        (seed, weights): (Seed, WeightsSource),
        threat: &ThreatFile,
        surrogates: Vec<TrainingSpec>,
        facts: &Facts,
        device: &str,
    ) -> AttackSpec {
        let attack = &self.file.attack;
        let images = self.file.images(arm).min(facts.test_images);
        let with_checklist = seed.0 == self.file.first_seed && attack.checklist_images > 0;
        let allowed = |attacks: &[Attack]| {
            attacks.iter().copied().filter(|a| a.problem(threat.norm, CLASSES).is_none()).collect()
        };
        AttackSpec {
            experiment: self.file.experiment.name.clone(),
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
            stop: facts.stop,
            precision: attack.precision,
            data: facts.images.clone(),
            model: arm.model.clone(),
            weights,
            surrogates: if with_checklist { surrogates } else { Vec::new() },
        }
    }
}

/// Networks whose adversarial images may fool this one: another arm's of the same seed, and its own of another seed.
fn surrogates(arm: &ArmFile, seed: Seed, trainings: &[TrainingSpec]) -> Vec<TrainingSpec> {
    let other = trainings.iter().find(|training| training.arm != arm.name && training.seed == seed);
    let sibling = trainings.iter().find(|training| training.arm == arm.name && training.seed != seed);
    other.into_iter().chain(sibling).cloned().collect()
}
