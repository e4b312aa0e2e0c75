//! What the experiment file of a regression says, and the flags over it.

use crate::baseline::Baseline;
use crate::data::table::{Dataset, Target};
use crate::engine::settings::{Arm, File, Flag, Heading, Takes, choices, named, usual_fields, word};
use crate::model::ModelConfig;
use crate::train::{OptimizerConfig, ScheduleConfig};
use anyhow::Result;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// The whole file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegressionFile {
    /// Independent repetitions of the whole procedure: split, initial values, batches, choices.
    pub seeds: usize,
    #[serde(default)]
    pub first_seed: u64,
    /// Ways to train the networks.
    pub recipes: Vec<Recipe>,
    pub experiment: Heading,
    pub data: DataFile,
    pub train: TrainFile,
    pub arm: Vec<ArmFile>,
}

/// A protocol of training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Recipe {
    /// Columns are standardised by the training rows; the milestones of a schedule are fractions of the epochs.
    HeldOut,
    /// As the released code does: standardised by all rows, the fractions of the number of epochs counted in steps.
    Released,
}

/// `[data]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataFile {
    /// Names of published tables, and paths of CSV files.
    pub tables: Vec<String>,
    /// Tables inside the program that are used instead where a published table has no directory to be in.
    #[serde(default)]
    pub stand_ins: Vec<Dataset>,
    /// The target column of CSV files.
    #[serde(default)]
    pub target: Target,
}

/// `[train]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainFile {
    pub epochs: usize,
    /// Rows a step; where a table has fewer for training, all of them.
    pub batch_size: usize,
    /// To choose from, for every network.
    pub learning_rates: Vec<f64>,
    pub optimizer: OptimizerConfig,
    pub schedule: ScheduleConfig,
}

/// `[[arm]]`: a network, or a method to compare it with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArmFile {
    pub name: String,
    pub baseline: Option<Baseline>,
    pub model: Option<ModelConfig>,
}

named!(ArmFile);

impl Arm for ArmFile {
    fn label(&self) -> &str {
        ""
    }

    fn seeds(&self) -> Option<usize> {
        None
    }

    fn rename(&mut self, name: String, _addition: &str) {
        self.name = name;
    }

    fn model(&mut self) -> Option<&mut ModelConfig> {
        self.model.as_mut()
    }
}

/// Flags of the command.
pub(super) const FLAGS: &[Flag<RegressionFile>] = &[
    Flag::function("dataset", "NAME|FILE,..", Takes::Text, use_tables, "Published tables, or your own CSV files")
        .many(),
    Flag::key("target", "COLUMN", Takes::Text, &["data.target"], "Target column of your files, by name or number"),
    Flag::key("recipe", "RECIPE,..", Takes::Word(choices::<Recipe>), &["recipes"], "Training recipes").many(),
    Flag::WIDTH,
    Flag::DEPTH,
    Flag::key("epochs", "N", Takes::Count, &["train.epochs"], "Passes over the training rows"),
    Flag::key("batch-size", "N", Takes::Count, &["train.batch_size"], "Training rows a step"),
    Flag::key("learning-rates", "RATE,..", Takes::Number, &["train.learning_rates"], "Rates to choose from").many(),
    Flag::SEEDS,
    Flag::FIRST_SEED,
];

/// Who names tables wants those, and no others in their place.
fn use_tables(file: &mut RegressionFile, tables: &[String]) -> Result<()> {
    file.data.tables = tables.to_vec();
    file.data.stand_ins.clear();
    Ok(())
}

fn is_published(table: &str) -> bool {
    Dataset::ALL.iter().any(|dataset| dataset.name() == table)
}

impl File for RegressionFile {
    usual_fields!(ArmFile);

    fn knows(&self, column: &str, name: &str) -> bool {
        match column {
            "arm" => self.arm(name).is_some(),
            "recipe" => Recipe::value_variants().iter().any(|recipe| word(recipe) == name),
            // A file of the user's is a table of its own name.
            "data" => is_published(name) || !self.data.tables.iter().all(|table| is_published(table)),
            _ => true,
        }
    }
}
