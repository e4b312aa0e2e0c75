//! What the experiment file of a checkerboard says, and the flags over it.

use crate::data::checkerboard::Board;
use crate::data::split::SplitSource;
use crate::engine::settings::{
    Change, File, Flag, Heading, Takes, check_fraction, keep, named, refuse, usual_arm, usual_fields,
};
use crate::model::ModelConfig;
use crate::train::{OptimizerConfig, ScheduleConfig};
use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The whole file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckerboardFile {
    /// Independent repetitions of the whole procedure: split, initial values, batches, selection.
    #[serde(default = "one")]
    pub seeds: usize,
    /// Seed of the first repetition; the others follow.
    #[serde(default)]
    pub first_seed: u64,
    /// What is shown, and where the paper shows it.
    pub experiment: Heading,
    pub data: DataFile,
    /// Length of a run.
    pub train: TrainFile,
    pub arm: Vec<ArmFile>,
    pub recipe: Vec<RecipeFile>,
}

fn one() -> usize {
    1
}

/// `[data.checkerboard]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataFile {
    /// Two classes on a grid.
    pub checkerboard: BoardFile,
}

/// A board and how its points are split; the paper's where nothing is said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BoardFile {
    /// Grid points along an axis.
    pub side: usize,
    /// Cells along an axis.
    pub cells: usize,
    /// Part of the points that is for training.
    pub train_fraction: f64,
    /// Part of the training points on which the learning rate is chosen.
    pub validation_fraction: f64,
    /// A fixed split instead of a seeded one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split_file: Option<PathBuf>,
}

impl Default for BoardFile {
    fn default() -> Self {
        Self { side: 81, cells: 12, train_fraction: 0.25, validation_fraction: 0.2, split_file: None }
    }
}

impl BoardFile {
    pub fn board(&self) -> Board {
        Board { side: self.side, cells: self.cells }
    }

    /// Part of the points whose class is 0: what answering 0 everywhere scores.
    pub fn zeros(&self) -> f64 {
        let board = self.board();
        (0..board.points()).filter(|point| board.label(*point) == 0).count() as f64 / board.points() as f64
    }

    /// A random split for each seed.
    pub fn seeded(&self) -> SplitSource {
        SplitSource::Seeded { train_fraction: self.train_fraction }
    }

    /// Checks board and fractions.
    pub fn check(&self, experiment: &str) -> Result<()> {
        refuse(&format!("{experiment}: data.checkerboard."), self.board().problem())?;
        for (key, value) in [("train_fraction", self.train_fraction), ("validation_fraction", self.validation_fraction)]
        {
            let fits = value > 0.0 && value < 1.0;
            ensure!(fits, "{experiment}: data.checkerboard.{key} is {value}; use a fraction between 0 and 1");
        }
        Ok(())
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
    #[serde(default = "hundred")]
    pub batch_size: usize,
    /// Steps between two evaluations.
    #[serde(default = "hundred")]
    pub report_every: usize,
}

fn hundred() -> usize {
    100
}

/// `[[arm]]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArmFile {
    pub name: String,
    /// Name on charts; the key where nothing is said.
    #[serde(default)]
    pub label: String,
    /// Fewer repetitions than the others, for a costly network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeds: Option<usize>,
    /// The paper's test accuracy, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paper: Option<f64>,
    pub model: ModelConfig,
}

/// `[[recipe]]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipeFile {
    pub name: String,
    /// Name on charts; the key where nothing is said.
    #[serde(default)]
    pub label: String,
    pub optimizer: OptimizerConfig,
    pub schedule: ScheduleConfig,
    /// Standard deviation of normal noise on the inputs.
    #[serde(default)]
    pub input_noise: f64,
    /// Learning rates to try, for each arm.
    pub learning_rates: BTreeMap<String, Vec<f64>>,
}

usual_arm!(ArmFile);
named!(RecipeFile);

/// Flags of the command.
pub(super) const FLAGS: &[Flag<CheckerboardFile>] = &[
    Flag::function("recipe", "RECIPE,..", Takes::Text, keep_recipes, "Training recipes: paper, tuned").many(),
    Flag::WIDTH,
    Flag::DEPTH,
    Flag::key(
        "iterations",
        "N",
        Takes::Count,
        &["train.iterations", "train.selection_iterations"],
        "Optimizer steps of every run",
    ),
    Flag::key("batch-size", "N", Takes::Count, &["train.batch_size"], "Training points a step"),
    Flag::key(
        "learning-rates",
        "RATE,..",
        Takes::Number,
        &["recipe.*.learning_rates.*"],
        "Learning rates to choose from, for every model and recipe",
    )
    .many(),
    Flag::SEEDS,
    Flag::FIRST_SEED,
    Flag::key("cells", "N", Takes::Count, &["data.checkerboard.cells"], "Cells of the board along an axis"),
    Flag::key(
        "train-fraction",
        "FRACTION",
        Takes::Number,
        &["data.checkerboard.train_fraction"],
        "Fraction of the points used for training",
    ),
    Flag::function(
        "split-file",
        "PATH",
        Takes::Text,
        use_split,
        "Use this split for every seed instead of a random one for each: a CSV file (split,row,column,label), or the authors' \
         directory with trainset.txt and testset.txt",
    )
    .conflicts_with("train-fraction"),
];

fn keep_recipes(file: &mut CheckerboardFile, names: &[String]) -> Result<()> {
    keep(&mut file.recipe, names, "--recipe")
}

fn use_split(file: &mut CheckerboardFile, path: &[String]) -> Result<()> {
    let path = path.first().context("a path")?;
    let absolute = std::path::absolute(path).with_context(|| format!("--split-file {path}"))?;
    file.data.checkerboard.split_file = Some(absolute);
    Ok(())
}

impl File for CheckerboardFile {
    usual_fields!(ArmFile);

    fn check_references(&self, origin: &str) -> Result<()> {
        let arm = |name: &String| self.arm(name).is_some();
        for arm in &self.arm {
            check_fraction(origin, &format!("arm {}: paper", arm.name), arm.paper)?;
        }
        let mut rated = self.recipe.iter().flat_map(|recipe| recipe.learning_rates.keys());
        match rated.find(|name| !arm(name)) {
            Some(unknown) => bail!("{origin}: learning_rates names the unknown arm {unknown:?}"),
            None => Ok(()),
        }
    }

    fn knows(&self, column: &str, name: &str) -> bool {
        match column {
            "arm" => self.arm(name).is_some(),
            "recipe" => self.recipe.iter().any(|recipe| recipe.name == name),
            _ => true,
        }
    }

    fn forget_dropped(&mut self) {
        let arms = &self.arm;
        for recipe in &mut self.recipe {
            recipe.learning_rates.retain(|arm, _| arms.iter().any(|a| a.name == *arm));
        }
    }

    /// Repetitions may be more, fewer, or of other seeds. A profile may shorten the choice of the rate, try fewer rates and look
    /// less often; the figures are for full runs of full length.
    fn void(&mut self, own: &Self, change: Change) {
        let rates = |recipe: &RecipeFile| own.recipe.iter().find(|r| r.name == recipe.name) == Some(recipe);
        let same_training = match change {
            Change::Profile(_) => self.train.iterations == own.train.iterations,
            Change::Flags => self.train == own.train && self.recipe.iter().all(rates),
        };
        // The paper has one split for all seeds as well.
        let random = |file: &Self| BoardFile { split_file: None, ..file.data.checkerboard.clone() };
        let same_board = random(self) == random(own);
        for arm in &mut self.arm {
            let same = own.arm.iter().any(|own| own.name == arm.name && own.model == arm.model);
            arm.paper = arm.paper.filter(|_| same_training && same_board && same);
        }
        self.forget_dropped();
    }

    fn inherit(&mut self, arm: &str, copies: &[String]) {
        for recipe in &mut self.recipe {
            if let Some(rates) = recipe.learning_rates.remove(arm) {
                recipe.learning_rates.extend(copies.iter().map(|copy| (copy.clone(), rates.clone())));
            }
        }
    }
}
