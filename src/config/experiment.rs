//! A checked experiment: every number makes sense, every file exists, and the list of runs follows from it.

use super::arms::{check_names, check_seeds};
use super::file::{DataFile, Expectation, ExperimentFile};
use super::limits::{MOST_STEPS, check_count, check_fraction, number, rate_cure};
use super::run::{Phase, RunSpec};
use super::text::check_labels;
use crate::data::checkerboard::{Board, Split, SplitSource};
use crate::data::split_file;
use crate::model::ModelConfig;
use crate::rng::Seed;
use crate::train::{FitConfig, LossConfig, OptimizerConfig, Sampling, ScheduleConfig};
use anyhow::{Result, bail, ensure};

/// More repetitions than anybody waits for.
const MOST_SEEDS: usize = 10_000;

/// Can run.
#[derive(Debug, Clone)]
pub struct Experiment {
    /// The command's name.
    pub name: String,
    /// For charts and reports.
    pub title: String,
    /// The paper's claim in a sentence.
    pub claim: String,
    /// The board.
    pub board: Board,
    /// Networks.
    pub arms: Vec<Arm>,
    /// Ways to train them.
    pub recipes: Vec<Recipe>,
    /// What ought to come out.
    pub expectations: Vec<Expectation>,
    first_seed: u64,
    split: SplitSource,
    validation_fraction: f64,
    iterations: usize,
    selection_iterations: usize,
    batch_size: usize,
    report_every: usize,
}

/// A network in a comparison.
#[derive(Debug, Clone)]
pub struct Arm {
    /// Key in files and flags.
    pub name: String,
    /// Name on charts.
    pub label: String,
    /// Repetitions.
    pub seeds: usize,
    /// The paper's test accuracy.
    pub paper: Option<f64>,
    /// The network.
    pub model: ModelConfig,
}

/// A way to train.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// Key in files and flags.
    pub name: String,
    /// Name on charts.
    pub label: String,
    optimizer: OptimizerConfig,
    schedule: ScheduleConfig,
    input_noise: f64,
    rates: Vec<(String, Vec<f64>)>,
}

impl Experiment {
    /// The network of an arm by name.
    pub fn arm(&self, name: &str) -> Option<&Arm> {
        self.arms.iter().find(|arm| arm.name == name)
    }

    /// Every run, in the order of recipes, arms, learning rates, phases and seeds.
    pub fn runs(&self, device: &str) -> Vec<RunSpec> {
        let mut runs = Vec::new();
        for recipe in &self.recipes {
            for arm in &self.arms {
                for &learning_rate in recipe.rates(&arm.name) {
                    for phase in [Phase::Selection, Phase::Full] {
                        let seeds = self.seeds(arm);
                        runs.extend(seeds.map(|seed| self.run(recipe, arm, learning_rate, phase, Seed(seed), device)));
                    }
                }
            }
        }
        runs
    }

    /// The seeds of an arm's repetitions.
    pub fn seeds(&self, arm: &Arm) -> std::ops::Range<u64> {
        self.first_seed..self.first_seed + arm.seeds as u64
    }

    fn run(&self, recipe: &Recipe, arm: &Arm, learning_rate: f64, phase: Phase, seed: Seed, device: &str) -> RunSpec {
        let iterations = match phase {
            Phase::Selection => self.selection_iterations,
            Phase::Full => self.iterations,
        };
        RunSpec {
            experiment: self.name.clone(),
            arm: arm.name.clone(),
            recipe: recipe.name.clone(),
            phase,
            seed,
            device: device.to_string(),
            validation_fraction: self.validation_fraction,
            board: self.board.clone(),
            split: self.split.clone(),
            model: arm.model.clone(),
            fit: FitConfig {
                iterations,
                batch_size: self.batch_size,
                report_every: self.report_every.min(iterations),
                learning_rate,
                optimizer: recipe.optimizer.clone(),
                schedule: recipe.schedule.clone(),
                input_noise: recipe.input_noise,
                sampling: Sampling::Fresh,
                loss: LossConfig::MeanSquaredError,
            },
        }
    }
}

impl Recipe {
    /// The learning rates to try for an arm, ascending.
    pub fn rates(&self, arm: &str) -> &[f64] {
        self.rates.iter().find(|(name, _)| name == arm).map_or(&[], |(_, rates)| rates)
    }
}

impl ExperimentFile {
    /// Checks everything that can be checked before any work.
    ///
    /// # Errors
    /// With the key, its value and the cure.
    pub fn check(self) -> Result<Experiment> {
        let name = &self.experiment.name;
        check_names(name, &self.arm)?;
        check_names(name, &self.recipe)?;
        self.experiment.check()?;
        check_labels(name, "arm", self.arm.iter().map(|arm| (&*arm.name, &*arm.label)))?;
        check_labels(name, "recipe", self.recipe.iter().map(|recipe| (&*recipe.name, &*recipe.label)))?;
        self.check_figures(name)?;
        let DataFile::Checkerboard(data) = &self.data;
        let board = data.board();
        if let Some(problem) = board.problem() {
            bail!("{name}: data.checkerboard.{problem}");
        }
        for (key, value) in [("train_fraction", data.train_fraction), ("validation_fraction", data.validation_fraction)]
        {
            ensure!(value > 0.0 && value < 1.0, "{name}: {key} is {value}; use a fraction between 0 and 1");
        }
        let split = match &data.split_file {
            None => SplitSource::Seeded { train_fraction: data.train_fraction },
            Some(path) => {
                let told = "use a path in UTF-8: every run notes it down";
                ensure!(path.to_str().is_some(), "{name}: split_file is {}; {told}", path.display());
                Split::read(path, &board)?;
                SplitSource::File { path: path.clone(), sha256: split_file::hash(path)? }
            }
        };
        for (key, value) in [
            ("train.iterations", self.train.iterations),
            ("train.selection_iterations", self.train.selection_iterations),
            ("train.batch_size", self.train.batch_size),
            ("train.report_every", self.train.report_every),
        ] {
            check_count(name, key, value, MOST_STEPS)?;
        }
        let points = Split::of(&split, &board, Seed(0))?;
        let fewest = points.cut_validation(data.validation_fraction, Seed(0)).0.len();
        let batch_size = self.train.batch_size;
        ensure!(
            batch_size <= fewest,
            "{name}: train.batch_size is {batch_size}; use at most {fewest}, the training points without validation"
        );
        ensure!(batch_size >= 2, "{name}: train.batch_size is {batch_size}; use at least 2, batch norm needs a spread");
        check_seeds(name, self.seeds, self.first_seed, MOST_SEEDS)?;
        let mut arms = self.checked_arms()?;
        // The paper's figures are for a training set of its size, whichever points are in it.
        let usual = Split::seeded(&board, data.train_fraction, Seed(0)).train.len();
        if points.train.len() != usual {
            arms.iter_mut().for_each(|arm| arm.paper = None);
        }
        let recipes = self.checked_recipes(&arms)?;
        Ok(Experiment {
            name: self.experiment.name,
            title: self.experiment.title,
            claim: self.experiment.claim,
            board,
            arms,
            recipes,
            expectations: self.expect,
            first_seed: self.first_seed,
            split,
            validation_fraction: data.validation_fraction,
            iterations: self.train.iterations,
            selection_iterations: self.train.selection_iterations,
            batch_size,
            report_every: self.train.report_every,
        })
    }

    /// Checks what results are compared with. A profile may drop it, so a file is checked before as well.
    pub(super) fn check_figures(&self, origin: &str) -> Result<()> {
        for arm in &self.arm {
            check_fraction(origin, &format!("arm {}: paper", arm.name), arm.paper)?;
        }
        for Expectation { arm, protocol, value, tolerance, .. } in &self.expect {
            let known = ["held_out", "best_on_test"].contains(&protocol.as_str());
            ensure!(known, "{origin}: expect.protocol is {protocol:?}; use held_out or best_on_test");
            check_fraction(origin, &format!("expect of {arm}: value"), Some(*value))?;
            check_fraction(origin, &format!("expect of {arm}: tolerance"), Some(*tolerance))?;
        }
        Ok(())
    }

    fn checked_arms(&self) -> Result<Vec<Arm>> {
        let name = &self.experiment.name;
        ensure!(!self.arm.is_empty(), "{name}: there is no [[arm]]; name at least one model");
        let mut arms: Vec<Arm> = Vec::new();
        for arm in &self.arm {
            if let Some(problem) = arm.model.problem() {
                bail!("{name}: model {}: {problem}", arm.name);
            }
            let seeds = arm.seeds.unwrap_or(self.seeds).min(self.seeds);
            ensure!(seeds >= 1, "{name}: arm {}: seeds is 0; use at least 1", arm.name);
            arms.push(Arm {
                name: arm.name.clone(),
                label: arm.label.clone(),
                seeds,
                paper: arm.paper,
                model: arm.model.clone(),
            });
        }
        Ok(arms)
    }

    fn checked_recipes(&self, arms: &[Arm]) -> Result<Vec<Recipe>> {
        let name = &self.experiment.name;
        ensure!(!self.recipe.is_empty(), "{name}: there is no [[recipe]]; name at least one");
        let mut recipes = Vec::new();
        for recipe in &self.recipe {
            let key = format!("{name}: recipe {}", recipe.name);
            if let Some(problem) = recipe.optimizer.problem().or(recipe.schedule.problem()) {
                bail!("{key}: {problem}");
            }
            let noise = recipe.input_noise;
            ensure!(noise >= 0.0 && noise.is_finite(), "{key}: input_noise is {noise}; use 0 or a small number");
            let mut rates = Vec::new();
            for arm in arms {
                let mut of_arm = recipe.learning_rates.get(&arm.name).cloned().unwrap_or_default();
                ensure!(!of_arm.is_empty(), "{key}: there are no learning_rates for {}", arm.name);
                if let Some((rate, cure)) = of_arm.iter().find_map(|rate| Some((*rate, rate_cure(*rate)?))) {
                    bail!("{key}: learning rate {} for {}; {cure}", number(rate), arm.name);
                }
                of_arm.sort_by(f64::total_cmp);
                of_arm.dedup();
                rates.push((arm.name.clone(), of_arm));
            }
            recipes.push(Recipe {
                name: recipe.name.clone(),
                label: recipe.label.clone(),
                optimizer: recipe.optimizer.clone(),
                schedule: recipe.schedule.clone(),
                input_noise: recipe.input_noise,
                rates,
            });
        }
        Ok(recipes)
    }
}
