//! `han-exp checkerboard`

use super::{Arguments, Chosen, Exit, Running, Workplace, answer, ending, stop_on_interrupt};
use crate::config::{ExperimentFile, Overrides};
use crate::experiment::checkerboard::Checkerboard;
use crate::experiment::progress::Progress;
use crate::report::{self, Remembered};
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

/// Compiled in, so that the binary works anywhere.
pub(super) const EXPERIMENT: &str = include_str!("../../experiments/checkerboard.toml");

/// What to run: the experiment file, a profile, and flags over both.
#[derive(Debug, Clone, Args)]
pub(super) struct Setting {
    #[command(flatten)]
    pub(super) chosen: Chosen,
    /// Networks to compare: hannet, fcnet, resnet
    #[arg(long, value_delimiter = ',', value_name = "MODEL,..")]
    models: Option<Vec<String>>,
    /// Ways to train: paper, tuned
    #[arg(long, value_delimiter = ',', value_name = "RECIPE,..")]
    recipe: Option<Vec<String>>,
    /// Width of the hidden layers: N for the first of the models (HanNet), MODEL=N for another
    #[arg(long, value_delimiter = ',', value_name = "[MODEL=]N,..")]
    width: Vec<crate::config::Sized>,
    /// Number of hidden layers (residual blocks in a ResNet): N for the first of the models, MODEL=N for another
    #[arg(long, value_delimiter = ',', value_name = "[MODEL=]N,..")]
    depth: Vec<crate::config::Sized>,
    /// Optimizer steps of every run
    #[arg(long, value_name = "N")]
    iterations: Option<usize>,
    /// Training points a step
    #[arg(long, value_name = "N")]
    batch_size: Option<usize>,
    /// Learning rates to choose from, for every model and recipe
    #[arg(long, value_delimiter = ',', value_name = "RATE,..", allow_negative_numbers = true)]
    learning_rates: Option<Vec<f64>>,
    /// Independent repetitions of the whole procedure
    #[arg(long, value_name = "N")]
    seeds: Option<usize>,
    /// Seed of the first repetition; the others follow
    #[arg(long, value_name = "N")]
    first_seed: Option<u64>,
    /// Cells of the board along an axis
    #[arg(long, value_name = "N")]
    cells: Option<usize>,
    /// Part of the points that is for training
    #[arg(long, value_name = "FRACTION", allow_negative_numbers = true)]
    train_fraction: Option<f64>,
    /// Use this split for every seed instead of a random one for each: a CSV file (split,row,column,label), or the
    /// authors' directory with trainset.txt and testset.txt
    #[arg(long, value_name = "PATH", conflicts_with = "train_fraction")]
    split_file: Option<PathBuf>,
}

impl Setting {
    /// The file with profile and flags applied.
    pub(super) fn resolve(&self) -> Result<ExperimentFile> {
        let (text, origin) = self.chosen.text(EXPERIMENT, "checkerboard")?;
        let overrides = Overrides {
            models: self.models.clone(),
            recipes: self.recipe.clone(),
            width: self.width.clone(),
            depth: self.depth.clone(),
            iterations: self.iterations,
            batch_size: self.batch_size,
            learning_rates: self.learning_rates.clone(),
            seeds: self.seeds,
            first_seed: self.first_seed,
            cells: self.cells,
            train_fraction: self.train_fraction,
            split_file: self.split_file.clone(),
        };
        ExperimentFile::parse(&text, &origin)?.with_profile(self.chosen.profile)?.with_overrides(&overrides)
    }
}

pub(super) fn run(arguments: &Arguments<Setting>) -> Result<Exit> {
    let stop = stop_on_interrupt()?;
    execute(&arguments.setting, &arguments.running, arguments.strict, &stop)
}

/// The stages in order: check, plan, run, write, draw, tell.
pub(super) fn execute(setting: &Setting, running: &Running, strict: bool, stop: &AtomicBool) -> Result<Exit> {
    let file = setting.resolve()?;
    let experiment = file.clone().check()?;
    let device = running.open_device()?;
    let (kind, plan) = (device.kind.to_string(), experiment.runs(device.kind));
    let workplace = Workplace::take(running, device, &experiment.name)?;
    let store = &workplace.store;
    Remembered::Checkerboard { device: kind, experiment: Box::new(file) }.save(store)?;
    let batch = workplace.scheduler(stop).run(&Checkerboard, &plan, &Progress::new(running.quiet))?;
    let report = report::checkerboard::write(store, &experiment, plan.len(), &batch.finished)?;
    answer(&report.text);
    Ok(ending(batch.finished.len(), plan.len(), &report, strict))
}
