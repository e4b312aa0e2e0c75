//! What an experiment file says.

use super::arms::{self, Named};
use super::text;
use crate::data::checkerboard::Board;
use crate::model::ModelConfig;
use crate::train::{OptimizerConfig, ScheduleConfig};
use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The whole file. Every key is documented where it is used; unknown keys are errors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExperimentFile {
    /// What is shown, and where the paper shows it.
    pub experiment: Heading,
    /// Independent repetitions of the whole procedure: split, initial values, batches, selection.
    pub seeds: usize,
    /// Seed of the first repetition; the others follow.
    #[serde(default)]
    pub first_seed: u64,
    /// The data.
    pub data: DataFile,
    /// Length of a run.
    pub train: TrainFile,
    /// The networks that are compared.
    pub arm: Vec<ArmFile>,
    /// The ways to train them.
    pub recipe: Vec<RecipeFile>,
    /// What ought to come out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<Expectation>,
    /// Named changes of the above.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub profile: BTreeMap<ProfileName, ProfileFile>,
}

/// `[experiment]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heading {
    /// The command's name.
    pub name: String,
    /// For charts and reports.
    pub title: String,
    /// Where the paper has it.
    pub source: String,
    /// The paper's claim in a sentence.
    pub claim: String,
}

/// `[data.<kind>]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DataFile {
    /// Two classes on a grid.
    Checkerboard(CheckerboardFile),
}

impl DataFile {
    /// The same without a fixed split.
    pub(super) fn with_seeded_split(&self) -> Self {
        let Self::Checkerboard(file) = self;
        Self::Checkerboard(CheckerboardFile { split_file: None, ..file.clone() })
    }
}

/// `[data.checkerboard]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckerboardFile {
    /// Grid points along an axis.
    pub side: usize,
    /// Cells along an axis.
    pub cells: usize,
    /// Part of the points that is for training.
    pub train_fraction: f64,
    /// Part of the training points on which the learning rate is chosen.
    pub validation_fraction: f64,
    /// A fixed split instead of a seeded one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split_file: Option<PathBuf>,
}

impl CheckerboardFile {
    pub(super) fn board(&self) -> Board {
        Board { side: self.side, cells: self.cells }
    }
}

/// `[train]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainFile {
    /// Optimizer steps of a full run.
    pub iterations: usize,
    /// Optimizer steps of a run that only serves to choose the learning rate.
    pub selection_iterations: usize,
    /// Points a step.
    pub batch_size: usize,
    /// Steps between two evaluations.
    pub report_every: usize,
}

/// `[[arm]]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArmFile {
    /// Key in files and flags.
    pub name: String,
    /// Name on charts.
    pub label: String,
    /// Fewer repetitions than the others, for a costly network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeds: Option<usize>,
    /// The paper's test accuracy, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paper: Option<f64>,
    /// The network.
    pub model: ModelConfig,
}

/// `[[recipe]]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipeFile {
    /// Key in files and flags.
    pub name: String,
    /// Name on charts.
    pub label: String,
    /// Update rule.
    pub optimizer: OptimizerConfig,
    /// Learning rate over time.
    pub schedule: ScheduleConfig,
    /// Standard deviation of normal noise on the inputs.
    #[serde(default)]
    pub input_noise: f64,
    /// Learning rates to try, for each arm.
    pub learning_rates: BTreeMap<String, Vec<f64>>,
}

/// `[[expect]]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// Which network.
    pub arm: String,
    /// How trained.
    pub recipe: String,
    /// How scored.
    pub protocol: String,
    /// Over the seeds.
    pub statistic: Statistic,
    /// The expected value, 0 to 1.
    pub value: f64,
    /// The largest distance from it that still counts as met.
    pub tolerance: f64,
}

/// One number for several seeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Statistic {
    /// Arithmetic mean.
    Mean,
    /// Middle seed.
    Median,
    /// Worst seed.
    Min,
}

impl std::fmt::Display for Statistic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Mean => "mean",
            Self::Median => "median",
            Self::Min => "min",
        })
    }
}

/// How much of an experiment to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum ProfileName {
    /// A look at everything in seconds; the figures mean nothing.
    Smoke,
    /// What two CPU cores do in minutes.
    Quick,
    /// The paper's full protocol.
    Paper,
}

impl std::fmt::Display for ProfileName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Smoke => "smoke",
            Self::Quick => "quick",
            Self::Paper => "paper",
        })
    }
}

/// `[profile.<name>]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileFile {
    seeds: Option<usize>,
    iterations: Option<usize>,
    selection_iterations: Option<usize>,
    report_every: Option<usize>,
    /// Repetitions of single arms.
    #[serde(default)]
    arm_seeds: BTreeMap<String, usize>,
    /// Learning rates: recipe, arm, rates.
    #[serde(default)]
    learning_rates: BTreeMap<String, BTreeMap<String, Vec<f64>>>,
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

impl ExperimentFile {
    /// Parses a file; `origin` names it in messages.
    pub fn parse(text: &str, origin: &str) -> Result<Self> {
        let file: Self = text::parse(text, origin)?;
        file.check_figures(origin)?;
        // Here, where no arm has been dropped yet: an expectation that names nothing would never be missed.
        for expect in &file.expect {
            let known =
                file.arm.iter().any(|a| a.name == expect.arm) && file.recipe.iter().any(|r| r.name == expect.recipe);
            if !known {
                bail!("{origin}: expect names the unknown arm {:?} or recipe {:?}", expect.arm, expect.recipe);
            }
        }
        let arm = |name: &String| file.arm.iter().any(|arm| &arm.name == name);
        let of_recipes = file.recipe.iter().flat_map(|recipe| recipe.learning_rates.keys());
        let of_profiles = file.profile.values().flat_map(|p| p.learning_rates.values().flat_map(BTreeMap::keys));
        if let Some(unknown) = of_recipes.chain(of_profiles).find(|name| !arm(name)) {
            bail!("{origin}: learning_rates names the unknown arm {unknown:?}");
        }
        Ok(file)
    }

    /// Applies a profile and drops the others.
    pub fn with_profile(mut self, name: ProfileName) -> Result<Self> {
        let profiles = std::mem::take(&mut self.profile);
        let Some(profile) = profiles.get(&name) else {
            bail!("{}: there is no [profile.{name}]", self.experiment.name);
        };
        self.seeds = profile.seeds.unwrap_or(self.seeds);
        // Expectations and the paper's figures are for runs of full length.
        if profile.iterations.is_some_and(|iterations| iterations != self.train.iterations) {
            self.expect.clear();
            self.arm.iter_mut().for_each(|arm| arm.paper = None);
        }
        self.train.iterations = profile.iterations.unwrap_or(self.train.iterations);
        self.train.selection_iterations = profile.selection_iterations.unwrap_or(self.train.selection_iterations);
        self.train.report_every = profile.report_every.unwrap_or(self.train.report_every);
        for (name, seeds) in &profile.arm_seeds {
            self.arm_mut(name)?.seeds = Some(*seeds);
        }
        for (recipe, rates) in &profile.learning_rates {
            let Some(recipe) = self.recipe.iter_mut().find(|r| &r.name == recipe) else {
                bail!("profile.{name}.learning_rates names the unknown recipe {recipe:?}");
            };
            recipe.learning_rates.extend(rates.clone());
        }
        Ok(self)
    }

    fn arm_mut(&mut self, name: &str) -> Result<&mut ArmFile> {
        let known = arms::known(&self.arm);
        match self.arm.iter_mut().find(|arm| arm.name == name) {
            Some(arm) => Ok(arm),
            None => bail!("there is no model {name:?} here; use {known}"),
        }
    }
}
