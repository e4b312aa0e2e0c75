//! What the experiment file of a robustness experiment says.

use super::run::{Effort, Stopping};
use crate::config::arms::{self, Named};
use crate::config::file::{Heading, ProfileName, Statistic};
use crate::config::text;
use crate::data::source::Dataset;
use crate::evaluate::attack::{Attack, Norm};
use crate::model::ModelConfig;
use crate::train::{LossConfig, OptimizerConfig, ScheduleConfig};
use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The whole file. Unknown keys are errors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RobustnessFile {
    /// Independent repetitions: split, initial values, batches, attacks.
    pub seeds: usize,
    /// Seed of the first repetition; the others follow.
    #[serde(default)]
    pub first_seed: u64,
    /// What is shown, and where the paper shows it.
    pub experiment: Heading,
    /// The images.
    pub data: DataFile,
    /// What all trainings have in common.
    pub train: TrainFile,
    /// The ways to train.
    pub recipe: Vec<RecipeFile>,
    /// The networks.
    pub arm: Vec<ArmFile>,
    /// The attacks.
    pub attack: AttackFile,
    /// The balls.
    pub threat: Vec<ThreatFile>,
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
    /// Part of the training images that is kept for validation.
    pub validation_fraction: f64,
}

/// `[train]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainFile {
    /// Steps between two looks at the validation images.
    pub report_every: usize,
    /// Validation accuracy at which matched networks stop, for each data set.
    pub matched_accuracy: BTreeMap<Dataset, f64>,
}

/// `[[recipe]]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipeFile {
    /// Key in the file.
    pub name: String,
    /// Passes over the training images.
    pub epochs: usize,
    /// Images a step.
    pub batch_size: usize,
    /// Base learning rate.
    pub learning_rate: f64,
    /// Update rule.
    pub optimizer: OptimizerConfig,
    /// Learning rate over time.
    pub schedule: ScheduleConfig,
    /// What is minimised.
    pub loss: LossConfig,
}

/// `[[arm]]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArmFile {
    /// Key in files and flags.
    pub name: String,
    /// Name on charts.
    pub label: String,
    /// How it is trained.
    pub recipe: String,
    /// Whether it stops at the accuracy at which all matched networks stop.
    pub matched: bool,
    /// The network that it is compared to, image by image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared_to: Option<String>,
    /// Fewer repetitions than the others, for a costly network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeds: Option<usize>,
    /// Fewer attacked images than the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<usize>,
    /// The network.
    pub model: ModelConfig,
}

impl ArmFile {
    pub(super) fn stopping(&self, matched_accuracy: f64) -> Stopping {
        if self.matched { Stopping::Nearest(matched_accuracy) } else { Stopping::Last }
    }
}

/// `[attack]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttackFile {
    /// Test images that are attacked.
    pub images: usize,
    /// Of these, the images of the masking checklist, which is made for the first seed; 0 for none.
    pub checklist_images: usize,
    /// Whether radii are certified.
    pub certify: bool,
    /// The attacks that are made at every size of `eps`.
    pub attacks: Vec<Attack>,
    /// The attacks that are made at every size of `sweep`.
    pub sweep_attacks: Vec<Attack>,
    /// How hard they try.
    pub effort: Effort,
}

/// `[[threat]]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThreatFile {
    /// How perturbations are measured.
    pub norm: Norm,
    /// Sizes of the ball for the table; the last is that of the checklist.
    pub eps: Vec<f64>,
    /// Sizes of the ball for the charts.
    pub sweep: Vec<f64>,
}

/// `[[expect]]`: a figure that the mean over the seeds should reach, or a network that another should stay above in
/// every seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// Which network.
    pub arm: String,
    /// What is measured.
    pub metric: Metric,
    /// In which norm; none for the clean accuracy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub norm: Option<Norm>,
    /// At which size of the ball.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eps: Option<f64>,
    /// Over the seeds.
    pub statistic: Statistic,
    /// The least value, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// The network that has to stay below, by the same statistic and in every single seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<String>,
}

/// What is measured on the test images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Part classified right as they are.
    CleanAccuracy,
    /// Part that no attack broke.
    RobustAccuracy,
    /// Part that is certified, in real arithmetic and the pair form.
    CertifiedAccuracy,
}

/// `[profile.<name>]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileFile {
    seeds: Option<usize>,
    /// Networks to keep.
    arms: Option<Vec<String>>,
    /// Passes over the training images, for each recipe.
    #[serde(default)]
    epochs: BTreeMap<String, usize>,
    images: Option<usize>,
    checklist_images: Option<usize>,
    attacks: Option<Vec<Attack>>,
    effort: Option<Effort>,
    /// Sizes of the ball for the charts, for each norm.
    #[serde(default)]
    sweep: BTreeMap<Norm, Vec<f64>>,
}

impl Named for ArmFile {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Named for RecipeFile {
    fn name(&self) -> &str {
        &self.name
    }
}

impl RobustnessFile {
    /// Parses a file; `origin` names it in messages.
    pub fn parse(text: &str, origin: &str) -> Result<Self> {
        let file: Self = text::parse(text, origin)?;
        file.check_figures(origin)?;
        // Here, where no arm has been dropped yet: an expectation that names nothing would never be missed.
        let known = |name: &String| file.arm.iter().any(|arm| &arm.name == name);
        for expect in &file.expect {
            if let Some(unknown) = [Some(&expect.arm), expect.above.as_ref()].into_iter().flatten().find(|n| !known(n))
            {
                bail!("{origin}: expect names the unknown arm {unknown:?}");
            }
        }
        for expect in &file.expect {
            let sized = expect.norm.is_some() && expect.eps.is_some();
            if expect.metric != Metric::CleanAccuracy && !sized {
                bail!("{origin}: an expectation of {} lacks norm or eps", expect.arm);
            }
            // No worst case is known of other balls.
            let made = |threat: &ThreatFile| {
                expect.norm == Some(threat.norm) && expect.eps.is_some_and(|eps| threat.eps.contains(&eps))
            };
            if expect.metric == Metric::RobustAccuracy && !file.threat.iter().any(made) {
                bail!("{origin}: an expectation of {} is about a ball that is in no [[threat]]", expect.arm);
            }
            if expect.at_least.is_none() && expect.above.is_none() {
                bail!("{origin}: an expectation of {} lacks at_least and above", expect.arm);
            }
        }
        for arm in &file.arm {
            if let Some(unknown) = arm.compared_to.as_ref().filter(|name| !known(name)) {
                bail!("{origin}: arm {} is compared to the unknown arm {unknown:?}", arm.name);
            }
            if !file.recipe.iter().any(|recipe| recipe.name == arm.recipe) {
                bail!("{origin}: arm {} names the unknown recipe {:?}", arm.name, arm.recipe);
            }
        }
        Ok(file)
    }

    /// Applies a profile and drops the others. The profile's choice of networks counts unless others are named.
    ///
    /// # Errors
    /// When there is no such profile or network, or the profile names what is not there.
    pub fn with_profile(mut self, name: ProfileName, models: Option<&[String]>) -> Result<Self> {
        let profiles = std::mem::take(&mut self.profile);
        let Some(profile) = profiles.get(&name) else {
            bail!("{}: there is no [profile.{name}]", self.experiment.name);
        };
        self.seeds = profile.seeds.unwrap_or(self.seeds);
        match (models, &profile.arms) {
            (Some(models), _) => self.keep_arms(models, "--models")?,
            (None, Some(arms)) => self.keep_arms(arms, &format!("profile.{name}.arms"))?,
            (None, None) => {}
        }
        for (recipe, epochs) in &profile.epochs {
            let Some(recipe) = self.recipe.iter_mut().find(|r| &r.name == recipe) else {
                bail!("profile.{name}.epochs names the unknown recipe {recipe:?}");
            };
            if recipe.epochs != *epochs {
                // Expectations are for trainings of full length.
                let shortened: Vec<String> =
                    self.arm.iter().filter(|a| a.recipe == recipe.name).map(|a| a.name.clone()).collect();
                let short = |name: &String| shortened.contains(name);
                self.expect.retain(|e| !short(&e.arm) && !e.above.as_ref().is_some_and(short));
                recipe.epochs = *epochs;
            }
        }
        let attack = &mut self.attack;
        attack.images = profile.images.unwrap_or(attack.images);
        attack.checklist_images = profile.checklist_images.unwrap_or(attack.checklist_images);
        attack.effort = profile.effort.unwrap_or(attack.effort);
        if let Some(attacks) = &profile.attacks {
            attack.attacks.clone_from(attacks);
        }
        for threat in &mut self.threat {
            if let Some(sweep) = profile.sweep.get(&threat.norm) {
                threat.sweep.clone_from(sweep);
            }
        }
        Ok(self)
    }

    fn keep_arms(&mut self, names: &[String], origin: &str) -> Result<()> {
        arms::keep(&mut self.arm, names, origin)?;
        self.expect.retain(|e| names.contains(&e.arm) && e.above.as_ref().is_none_or(|above| names.contains(above)));
        Ok(())
    }
}
