//! What the experiment file of the layer's own claims says.

use super::claim::{Limit, Part};
use crate::config::arms::Named;
use crate::config::file::{DataFile, Heading, ProfileName};
use crate::config::text;
use crate::model::ModelConfig;
use crate::train::{OptimizerConfig, ScheduleConfig};
use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The whole file. Unknown keys are errors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimsFile {
    /// Independent repetitions: initial values, splits, batches, random layers.
    pub seeds: usize,
    /// Seed of the first repetition; the others follow.
    #[serde(default)]
    pub first_seed: u64,
    /// What is measured; all of it where nothing is named.
    #[serde(default = "every_part")]
    pub parts: Vec<Part>,
    /// What is shown, and where the paper shows it.
    pub experiment: Heading,
    /// The data of every training.
    pub data: DataFile,
    /// Jacobians of random layers.
    pub jacobian: JacobianFile,
    /// Gradients from layer to layer, at the start.
    pub norms: NormsFile,
    /// Networks that are followed through a training: their gradients, Jacobians and Lipschitz constants.
    pub course: CourseFile,
    /// Accuracy against depth.
    pub depth: DepthFile,
    /// Parameters and time.
    pub cost: CostFile,
    /// Lipschitz constants from below.
    pub lipschitz: LipschitzFile,
    /// The networks.
    pub arm: Vec<ArmFile>,
    /// What ought to come out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<Limit>,
    /// Named changes of the above.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub profile: BTreeMap<ProfileName, ProfileFile>,
}

fn every_part() -> Vec<Part> {
    Part::ALL.to_vec()
}

/// `[jacobian]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JacobianFile {
    /// Random layers of one seed.
    pub layers: usize,
    /// Least width of one.
    pub narrowest: usize,
    /// Largest width.
    pub widest: usize,
    /// Layers for every distance from a kink.
    pub kinks: usize,
}

/// `[norms]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NormsFile {
    /// Depths of the networks.
    pub depths: Vec<usize>,
    /// Their width.
    pub width: usize,
    /// Points of the board whose gradients are followed.
    pub samples: usize,
    /// The depth that is drawn layer by layer.
    pub shown_depth: usize,
}

/// `[course]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CourseFile {
    /// Optimizer steps.
    pub iterations: usize,
    /// Steps, as parts of the training, after which gradients are followed; 0 is the start.
    pub moments: Vec<f64>,
    /// Points of the board at which Jacobians are taken.
    pub points: usize,
}

/// `[depth]`: also the way in which the networks of `[course]` are trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DepthFile {
    /// Depths of the networks.
    pub depths: Vec<usize>,
    /// Optimizer steps of every training.
    pub iterations: usize,
    /// Points a step.
    pub batch_size: usize,
    /// Update rule.
    pub optimizer: OptimizerConfig,
    /// Learning rate over time.
    pub schedule: ScheduleConfig,
    /// Standard deviation of normal noise on the inputs.
    #[serde(default)]
    pub input_noise: f64,
}

/// `[cost]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CostFile {
    /// Widths of a single layer.
    pub widths: Vec<usize>,
    /// Samples of a pass.
    pub batch: usize,
    /// How often each time is taken.
    pub rounds: usize,
    /// Least width of those that exponents are fitted to.
    pub fitted_from: usize,
    /// Depths of stacks.
    pub depths: Vec<usize>,
    /// Their width.
    pub depth_width: usize,
}

/// `[lipschitz]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LipschitzFile {
    /// Depths of random networks.
    pub depths: Vec<usize>,
    /// Their width, and the number of their inputs.
    pub width: usize,
    /// Pairs of points that are followed.
    pub pairs: usize,
    /// Steps of each.
    pub steps: usize,
}

/// `[[arm]]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArmFile {
    /// Key in files and flags.
    pub name: String,
    /// Name on charts.
    pub label: String,
    /// The parts in which it takes part beside those of a trained network.
    pub parts: Vec<Part>,
    /// Whether it is followed through a training.
    #[serde(default)]
    pub course: bool,
    /// The largest depth at which it is trained, for a costly network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deepest: Option<usize>,
    /// Repetitions of its trainings, if fewer than of the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeds: Option<usize>,
    /// Rates to choose from at every depth; the first is that of its course.
    #[serde(default)]
    pub learning_rates: Vec<f64>,
    /// The network; width and depth are those of its trainings.
    pub model: ModelConfig,
}

impl Named for ArmFile {
    fn name(&self) -> &str {
        &self.name
    }
}

/// `[profile.<name>]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileFile {
    seeds: Option<usize>,
    layers: Option<usize>,
    widest: Option<usize>,
    norm_depths: Option<Vec<usize>>,
    course_iterations: Option<usize>,
    depths: Option<Vec<usize>>,
    iterations: Option<usize>,
    /// Largest depths of the trainings of single arms.
    #[serde(default)]
    deepest: BTreeMap<String, usize>,
    /// Repetitions of the trainings of single arms.
    #[serde(default)]
    arm_seeds: BTreeMap<String, usize>,
    /// Learning rates of single arms.
    #[serde(default)]
    learning_rates: BTreeMap<String, Vec<f64>>,
    cost_widths: Option<Vec<usize>>,
    cost_rounds: Option<usize>,
    cost_depths: Option<Vec<usize>>,
    lipschitz_depths: Option<Vec<usize>>,
    lipschitz_steps: Option<usize>,
    /// Whether expectations are judged: they are for runs of full length.
    #[serde(default)]
    no_expectations: bool,
}

impl ClaimsFile {
    /// What stands in the table beside networks: single layers.
    pub const LAYERS: [&str; 2] = ["layer-han", "layer-dense"];

    /// Parses a file; `origin` names it in messages.
    ///
    /// # Errors
    /// With the line of what is unknown or missing.
    pub fn parse(text: &str, origin: &str) -> Result<Self> {
        let file: Self = text::parse(text, origin)?;
        for expect in &file.expect {
            let Limit { arm, metric, at_least, at_most, .. } = expect;
            if let Some(problem) = expect.problem() {
                bail!("{origin}: an expectation of {arm} {problem}");
            }
            // Here, where no arm has been dropped yet: an expectation that names nothing would never be missed.
            if !Self::LAYERS.contains(&arm.as_str()) && file.arm.iter().all(|other| other.name != *arm) {
                bail!("{origin}: expect names the unknown arm {arm:?}");
            }
            if at_least.is_none() && at_most.is_none() {
                bail!("{origin}: an expectation of {metric} lacks at_least and at_most");
            }
        }
        Ok(file)
    }

    /// Applies a profile and drops the others.
    ///
    /// # Errors
    /// When there is no such profile or network.
    pub fn with_profile(mut self, name: ProfileName) -> Result<Self> {
        let mut profiles = std::mem::take(&mut self.profile);
        let Some(profile) = profiles.remove(&name) else {
            bail!("{}: there is no [profile.{name}]", self.experiment.name);
        };
        // Expectations are for runs of full length.
        let differs = |length: Option<usize>, own: usize| length.is_some_and(|length| length != own);
        let another_length = differs(profile.iterations, self.depth.iterations)
            || differs(profile.course_iterations, self.course.iterations)
            || differs(profile.lipschitz_steps, self.lipschitz.steps);
        replace(&mut self.seeds, profile.seeds);
        replace(&mut self.jacobian.layers, profile.layers);
        replace(&mut self.jacobian.widest, profile.widest);
        replace(&mut self.norms.depths, profile.norm_depths);
        replace(&mut self.course.iterations, profile.course_iterations);
        replace(&mut self.depth.depths, profile.depths);
        replace(&mut self.depth.iterations, profile.iterations);
        replace(&mut self.cost.widths, profile.cost_widths);
        replace(&mut self.cost.rounds, profile.cost_rounds);
        replace(&mut self.cost.depths, profile.cost_depths);
        replace(&mut self.lipschitz.depths, profile.lipschitz_depths);
        replace(&mut self.lipschitz.steps, profile.lipschitz_steps);
        for (arm, deepest) in profile.deepest {
            self.arm_mut(&arm)?.deepest = Some(deepest);
        }
        for (arm, seeds) in profile.arm_seeds {
            self.arm_mut(&arm)?.seeds = Some(seeds);
        }
        for (arm, rates) in profile.learning_rates {
            self.arm_mut(&arm)?.learning_rates = rates;
        }
        if profile.no_expectations || another_length {
            self.expect.clear();
        }
        Ok(self)
    }

    fn arm_mut(&mut self, name: &str) -> Result<&mut ArmFile> {
        let known = crate::config::arms::known(&self.arm);
        match self.arm.iter_mut().find(|arm| arm.name == name) {
            Some(arm) => Ok(arm),
            None => bail!("a profile names the unknown arm {name:?}; use {known}"),
        }
    }
}

fn replace<T>(value: &mut T, other: Option<T>) {
    if let Some(other) = other {
        *value = other;
    }
}
