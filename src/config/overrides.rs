//! Flags that change what an experiment file says.

use super::arms;
use super::file::{ArmFile, DataFile, ExperimentFile};
use crate::model::Size;
use anyhow::{Context, Result};
use std::path::PathBuf;

/// Flags, applied over a file and its profile.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overrides {
    /// Arms to keep.
    pub models: Option<Vec<String>>,
    /// Recipes to keep.
    pub recipes: Option<Vec<String>>,
    /// New widths, for a named arm or for the main one.
    pub width: Vec<Sized>,
    /// New depths, likewise.
    pub depth: Vec<Sized>,
    /// Optimizer steps of full and of selection runs.
    pub iterations: Option<usize>,
    /// Points a step.
    pub batch_size: Option<usize>,
    /// Learning rates for every arm and recipe.
    pub learning_rates: Option<Vec<f64>>,
    /// Repetitions of every arm.
    pub seeds: Option<usize>,
    /// Seed of the first repetition.
    pub first_seed: Option<u64>,
    /// Cells along an axis.
    pub cells: Option<usize>,
    /// Part of the points that is for training.
    pub train_fraction: Option<f64>,
    /// A fixed split.
    pub split_file: Option<PathBuf>,
}

/// A size from a flag: `64`, or `fcnet=64`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sized {
    /// The arm it names, if any.
    pub arm: Option<String>,
    /// The number.
    pub value: usize,
}

impl std::str::FromStr for Sized {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (arm, number) = match text.split_once('=') {
            Some((arm, number)) => (Some(arm.to_string()), number),
            None => (None, text),
        };
        match number.parse() {
            Ok(value) if value > 0 => Ok(Self { arm, value }),
            _ => Err("use a positive number N, or MODEL=N".into()),
        }
    }
}

impl ExperimentFile {
    /// Applies flags.
    pub fn with_overrides(mut self, flags: &Overrides) -> Result<Self> {
        if let Some(models) = &flags.models {
            self.keep_arms(models)?;
        }
        if let Some(recipes) = &flags.recipes {
            arms::keep(&mut self.recipe, recipes, "--recipe")?;
        }
        let own = self.clone();
        let resize = |arm: &mut ArmFile, size| {
            arm.model.resize(size);
            Ok(())
        };
        arms::resize_each(&mut self.arm, "--width", &flags.width, |arm, width| {
            resize(arm, Size { width, ..arm.model.size() })
        })?;
        arms::resize_each(&mut self.arm, "--depth", &flags.depth, |arm, depth| {
            resize(arm, Size { depth, ..arm.model.size() })
        })?;
        if let Some(iterations) = flags.iterations {
            (self.train.iterations, self.train.selection_iterations) = (iterations, iterations);
        }
        self.train.batch_size = flags.batch_size.unwrap_or(self.train.batch_size);
        if let Some(seeds) = flags.seeds {
            self.seeds = seeds;
            self.arm.iter_mut().for_each(|arm| arm.seeds = None);
        }
        self.first_seed = flags.first_seed.unwrap_or(self.first_seed);
        if let Some(rates) = &flags.learning_rates {
            for recipe in &mut self.recipe {
                recipe.learning_rates.values_mut().for_each(|of_arm| *of_arm = rates.clone());
            }
        }
        let DataFile::Checkerboard(data) = &mut self.data;
        data.cells = flags.cells.unwrap_or(data.cells);
        if let Some(fraction) = flags.train_fraction {
            // The file's own split would leave nothing of the flag.
            (data.train_fraction, data.split_file) = (fraction, None);
        }
        if let Some(path) = &flags.split_file {
            let absolute = std::path::absolute(path).with_context(|| format!("--split-file {}", path.display()))?;
            data.split_file = Some(absolute);
        }
        self.drop_what_no_longer_holds(&own);
        self.expect
            .retain(|e| self.arm.iter().any(|a| a.name == e.arm) && self.recipe.iter().any(|r| r.name == e.recipe));
        Ok(self)
    }

    /// Expectations and the paper's figures hold for the file's own board, networks and training, which `own` has; with
    /// others they would judge something else. Repetitions may be more, fewer, or of other seeds.
    fn drop_what_no_longer_holds(&mut self, own: &Self) {
        let rates = |file: &Self| file.recipe.iter().map(|r| r.learning_rates.clone()).collect::<Vec<_>>();
        let own_training = self.train == own.train && rates(self) == rates(own);
        // One split for all seeds is another board to expectations. The paper has one as well.
        let own_board = self.data.with_seeded_split() == own.data.with_seeded_split();
        let mut own_models = true;
        for (arm, own) in self.arm.iter_mut().zip(&own.arm) {
            own_models &= arm.model == own.model;
            arm.paper = arm.paper.filter(|_| own_training && own_board && arm.model == own.model);
        }
        if !(own_training && own_models && self.data == own.data) {
            self.expect.clear();
        }
    }

    fn keep_arms(&mut self, models: &[String]) -> Result<()> {
        arms::keep(&mut self.arm, models, "--models")?;
        for recipe in &mut self.recipe {
            recipe.learning_rates.retain(|arm, _| models.contains(arm));
        }
        Ok(())
    }
}
