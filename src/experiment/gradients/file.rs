//! What the experiment file of the layer's own claims says, and the flags over it.

use super::spec::{Layers, layers_of, resized};
use crate::engine::settings::{File, Flag, Heading, Takes, choices, number, usual_arm, usual_fields, word};
use crate::experiment::checkerboard::DataFile;
use crate::model::{ModelConfig, Size};
use crate::train::{OptimizerConfig, ScheduleConfig};
use anyhow::{Context, Result};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// The whole file.
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
    pub experiment: Heading,
    /// The data of every training.
    pub data: DataFile,
    pub jacobian: Layers,
    pub norms: NormsFile,
    pub course: CourseFile,
    pub depth: DepthFile,
    pub cost: CostFile,
    pub lipschitz: LipschitzFile,
    pub arm: Vec<ArmFile>,
}

/// A claim.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The Jacobian is orthogonal
    #[default]
    Jacobian,
    /// Gradients neither vanish nor explode
    Norms,
    /// Deep networks can be trained
    Depth,
    /// O(d) parameters and work
    Cost,
    /// The layer is 1-Lipschitz
    Lipschitz,
}

fn every_part() -> Vec<Part> {
    Part::value_variants().to_vec()
}

/// `[norms]`: gradients from layer to layer, at the start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NormsFile {
    pub depths: Vec<usize>,
    pub width: usize,
    /// Points of the board whose gradients are followed.
    pub samples: usize,
    /// The depth that is drawn layer by layer.
    pub shown_depth: usize,
}

/// `[course]`: networks that are followed through a training: their gradients, Jacobians and Lipschitz constants.
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

/// `[depth]`: accuracy against depth; also the way in which the networks of `[course]` are trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DepthFile {
    pub depths: Vec<usize>,
    /// Optimizer steps of every training.
    pub iterations: usize,
    /// Points a step.
    pub batch_size: usize,
    pub optimizer: OptimizerConfig,
    pub schedule: ScheduleConfig,
    /// Standard deviation of normal noise on the inputs.
    #[serde(default)]
    pub input_noise: f64,
}

/// `[cost]`: parameters and time; see [`Cost`](super::spec::Cost).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CostFile {
    pub widths: Vec<usize>,
    pub batch: usize,
    pub rounds: usize,
    /// Least width of those that exponents are fitted to.
    pub fitted_from: usize,
    pub depths: Vec<usize>,
    pub depth_width: usize,
}

/// `[lipschitz]`: Lipschitz constants of random networks, from below.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LipschitzFile {
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
    /// Width and depth are those of its course.
    pub model: ModelConfig,
}

usual_arm!(ArmFile);

/// Flags of the command.
pub(super) const FLAGS: &[Flag<ClaimsFile>] = &[
    Flag::key("part", "PART,..", Takes::Word(choices::<Part>), &["parts"], "Measure only these claims").many(),
    Flag::function("width", "N", Takes::Positive, set_width, "Width of all networks and stacks"),
    Flag::function(
        "max-depth",
        "N",
        Takes::Positive,
        set_most,
        "Largest depth of all networks and stacks; it replaces every depth from N on",
    ),
    Flag::key(
        "iterations",
        "N",
        Takes::Positive,
        &["depth.iterations"],
        "Optimizer steps of every training of the depth part",
    ),
    Flag::key("seeds", "N", Takes::Positive, &["seeds", "arm.*.seeds"], "Independent repetitions"),
    Flag::FIRST_SEED,
];

fn one(values: &[String]) -> Result<usize> {
    number(values.first().context("a number")?)
}

fn set_width(file: &mut ClaimsFile, width: &[String]) -> Result<()> {
    let width = one(width)?;
    for arm in &mut file.arm {
        arm.model.resize(Size { width, ..arm.model.size() });
    }
    (file.norms.width, file.lipschitz.width, file.cost.depth_width) = (width, width, width);
    Ok(())
}

fn set_most(file: &mut ClaimsFile, most: &[String]) -> Result<()> {
    let most = one(most)?;
    for depths in [&mut file.norms.depths, &mut file.depth.depths, &mut file.cost.depths, &mut file.lipschitz.depths] {
        // Of what is left, the deepest is what was asked for.
        depths.retain(|depth| *depth < most);
        depths.push(most);
    }
    file.norms.shown_depth = file.norms.shown_depth.min(most);
    for arm in &mut file.arm {
        arm.model = resized(&arm.model, arm.model.size().width, layers_of(&arm.model).min(most));
        arm.deepest = arm.deepest.map(|deepest| deepest.min(most));
    }
    Ok(())
}

impl File for ClaimsFile {
    usual_fields!(ArmFile);

    fn knows(&self, column: &str, name: &str) -> bool {
        match column {
            // Single layers stand in the table beside networks.
            "arm" => ["layer-han", "layer-dense"].contains(&name) || self.arm(name).is_some(),
            "part" => Part::value_variants().iter().any(|part| word(part) == name),
            _ => true,
        }
    }
}
