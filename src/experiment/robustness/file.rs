//! What the experiment file of a robustness experiment says.

use super::spec::{Effort, Precision};
use crate::data::source::Dataset;
use crate::engine::settings::{File, Heading, named, usual_arm, usual_fields};
use crate::evaluate::attack::{Attack, Norm};
use crate::model::ModelConfig;
use crate::train::{LossConfig, OptimizerConfig, ScheduleConfig};
use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RobustnessFile {
    /// Independent repetitions: split, initial values, batches, attacks.
    pub seeds: usize,
    #[serde(default)]
    pub first_seed: u64,
    pub experiment: Heading,
    pub data: DataFile,
    pub train: TrainFile,
    pub recipe: Vec<RecipeFile>,
    pub arm: Vec<ArmFile>,
    pub attack: AttackFile,
    /// The balls.
    pub threat: Vec<ThreatFile>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataFile {
    pub dataset: Dataset,
    /// Part of the training images that is kept for validation.
    pub validation_fraction: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainFile {
    /// Steps between two looks at the validation images.
    pub report_every: usize,
    /// Validation accuracy at which matched networks stop, for each data set.
    pub matched_accuracy: BTreeMap<Dataset, f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipeFile {
    pub name: String,
    /// Passes over the training images.
    pub epochs: usize,
    /// Images a step.
    pub batch_size: usize,
    pub learning_rate: f64,
    pub optimizer: OptimizerConfig,
    pub schedule: ScheduleConfig,
    pub loss: LossConfig,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArmFile {
    pub name: String,
    pub label: String,
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
    pub model: ModelConfig,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttackFile {
    /// Test images that are attacked.
    pub images: usize,
    /// Of these, the images of the masking checklist, which is made for the first seed; 0 for none.
    pub checklist_images: usize,
    pub certify: bool,
    /// The attacks that are made at every size of `eps`.
    pub attacks: Vec<Attack>,
    /// The attacks that are made at every size of `sweep`.
    pub sweep_attacks: Vec<Attack>,
    #[serde(default, skip_serializing_if = "crate::files::is_default")]
    pub precision: Precision,
    pub effort: Effort,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThreatFile {
    pub norm: Norm,
    /// Sizes of the ball for the table; the last is that of the checklist.
    pub eps: Vec<f64>,
    /// Sizes of the ball for the charts.
    pub sweep: Vec<f64>,
}

usual_arm!(ArmFile);
named!(RecipeFile);

impl RobustnessFile {
    /// How an arm is trained.
    pub fn recipe(&self, arm: &ArmFile) -> Option<&RecipeFile> {
        self.recipe.iter().find(|recipe| recipe.name == arm.recipe)
    }

    /// Most of its test images that are attacked.
    pub fn images(&self, arm: &ArmFile) -> usize {
        arm.images.unwrap_or(self.attack.images).min(self.attack.images)
    }
}

impl File for RobustnessFile {
    const ASIDE: &'static [&'static str] = &["attack.checklist_images"];

    usual_fields!(ArmFile);

    fn check_references(&self, origin: &str) -> Result<()> {
        let known = |name: &str| self.arm(name).is_some();
        for arm in &self.arm {
            let (name, other) = (&arm.name, arm.compared_to.as_deref());
            let there = other.is_none_or(known);
            ensure!(there, "{origin}: arm {name} is compared to the unknown arm {:?}", other.unwrap_or_default());
            let there = self.recipe(arm).is_some();
            ensure!(there, "{origin}: arm {name} names the unknown recipe {:?}", arm.recipe);
        }
        Ok(())
    }

    fn knows(&self, column: &str, name: &str) -> bool {
        match column {
            "arm" => self.arm(name).is_some(),
            // Without an attack there is no norm.
            "norm" => name.is_empty() || [Norm::Linf, Norm::L2].iter().any(|norm| norm.name() == name),
            "data" => name == "sample" || Dataset::ALL.iter().any(|dataset| dataset.name() == name),
            _ => true,
        }
    }

    /// The first of the sizes is the one that others are compared to.
    fn inherit(&mut self, origin: &str, copies: &[String]) {
        for arm in self.arm.iter_mut().filter(|arm| arm.compared_to.as_deref() == Some(origin)) {
            arm.compared_to = copies.first().cloned();
        }
    }
}
