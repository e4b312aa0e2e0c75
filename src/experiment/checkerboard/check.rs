//! A checked experiment: every number makes sense, every file exists, and the list of runs follows from it.

use super::file::{ArmFile, CheckerboardFile, RecipeFile};
use super::spec::{Phase, TrainingSpec};
use crate::data::checkerboard::{Board, Split};
use crate::data::split::{self, SplitSource};
use crate::engine::settings::{
    File, MOST_STEPS, check_count, check_labels, check_names, check_runs, decimal, labelled, rate_cure, refuse,
};
use crate::rng::Seed;
use crate::train::{FitConfig, LossConfig, Sampling};
use anyhow::{Result, bail, ensure};

/// More repetitions than anybody waits for.
const MOST_SEEDS: usize = 10_000;

/// Can run.
#[derive(Debug, Clone)]
pub struct Checkerboard {
    pub(super) file: CheckerboardFile,
    split: SplitSource,
}

impl Checkerboard {
    pub fn board(&self) -> Board {
        self.file.data.checkerboard.board()
    }

    /// The learning rates to try for an arm, ascending.
    pub fn rates<'r>(&self, recipe: &'r RecipeFile, arm: &str) -> &'r [f64] {
        recipe.learning_rates.get(arm).map_or(&[], Vec::as_slice)
    }

    /// How many runs there are: a choice and a full training for every recipe, network, rate and seed.
    fn count(&self) -> usize {
        let mut count = 0_usize;
        for recipe in &self.file.recipe {
            for arm in &self.file.arm {
                let of_rate = self.file.repetitions_of(arm).saturating_mul(2);
                count = count.saturating_add(of_rate.saturating_mul(self.rates(recipe, &arm.name).len()));
            }
        }
        count
    }

    /// Every run, in the order of recipes, arms, learning rates, phases and seeds.
    pub fn runs(&self, device: &str) -> Vec<TrainingSpec> {
        let mut runs = Vec::new();
        for recipe in &self.file.recipe {
            for arm in &self.file.arm {
                for &rate in self.rates(recipe, &arm.name) {
                    for phase in [Phase::Selection, Phase::Full] {
                        let run = |seed| self.run(recipe, arm, rate, phase, Seed(seed), device);
                        runs.extend(self.file.seeds(arm).map(run));
                    }
                }
            }
        }
        runs
    }

    fn run(
        &self,
        recipe: &RecipeFile,
        arm: &ArmFile,
        rate: f64,
        phase: Phase,
        seed: Seed,
        device: &str,
    ) -> TrainingSpec {
        let train = &self.file.train;
        let iterations = match phase {
            Phase::Selection => train.selection_iterations,
            Phase::Full => train.iterations,
        };
        TrainingSpec {
            experiment: self.file.experiment.name.clone(),
            arm: arm.name.clone(),
            recipe: recipe.name.clone(),
            phase,
            seed,
            device: device.to_string(),
            validation_fraction: self.file.data.checkerboard.validation_fraction,
            board: self.board(),
            split: self.split.clone(),
            model: arm.model.clone(),
            fit: FitConfig {
                iterations,
                batch_size: train.batch_size,
                report_every: train.report_every.min(iterations),
                learning_rate: rate,
                optimizer: recipe.optimizer.clone(),
                schedule: recipe.schedule.clone(),
                input_noise: recipe.input_noise,
                sampling: Sampling::Fresh,
                loss: LossConfig::MeanSquaredError,
            },
        }
    }

    /// Checks everything that can be checked before any work.
    pub(super) fn of(mut file: CheckerboardFile) -> Result<Self> {
        let name = file.experiment.name.clone();
        file.arm.iter_mut().for_each(|arm| arm.label = labelled(&arm.label, arm));
        file.recipe.iter_mut().for_each(|recipe| recipe.label = labelled(&recipe.label, recipe));
        file.check_usual(MOST_SEEDS)?;
        check_names(&name, &file.recipe)?;
        check_labels(&name, "recipe", file.recipe.iter().map(|recipe| (&*recipe.name, &*recipe.label)))?;
        let data = &file.data.checkerboard;
        data.check(&name)?;
        let board = data.board();
        let split = match &data.split_file {
            None => data.seeded(),
            Some(path) => {
                let told = "use a UTF-8 path: every run records it";
                ensure!(path.to_str().is_some(), "{name}: split_file is {}; {told}", path.display());
                Split::read(path, &board)?;
                SplitSource::File { path: path.clone(), sha256: split::hash(path)? }
            }
        };
        for (key, value) in [
            ("train.iterations", file.train.iterations),
            ("train.selection_iterations", file.train.selection_iterations),
            ("train.batch_size", file.train.batch_size),
            ("train.report_every", file.train.report_every),
        ] {
            check_count(&name, key, value, MOST_STEPS)?;
        }
        let points = Split::of(&split, &board, Seed(0))?;
        let fewest = points.cut_validation(data.validation_fraction, Seed(0)).0.len();
        let batch_size = file.train.batch_size;
        ensure!(
            batch_size <= fewest,
            "{name}: train.batch_size is {batch_size}; use at most {fewest}, the training points without validation"
        );
        ensure!(batch_size >= 2, "{name}: train.batch_size is {batch_size}; use at least 2, batch norm needs a spread");
        ensure!(!file.arm.is_empty(), "{name}: there is no [[arm]]; name at least one model");
        // The paper's figures are for a training set of its size, whichever points are in it.
        let usual = Split::seeded(&board, data.train_fraction, Seed(0)).train.len();
        for arm in &mut file.arm {
            refuse(&format!("{name}: model {}: ", arm.name), arm.model.problem())?;
            ensure!(arm.seeds != Some(0), "{name}: arm {}: seeds is 0; use at least 1", arm.name);
            arm.paper = arm.paper.filter(|_| points.train.len() == usual);
        }
        ensure!(!file.recipe.is_empty(), "{name}: there is no [[recipe]]; name at least one");
        for recipe in &mut file.recipe {
            check_recipe(&name, recipe, &file.arm)?;
        }
        let experiment = Self { file, split };
        check_runs(&name, experiment.count())?;
        Ok(experiment)
    }
}

/// Checks a recipe, and brings its learning rates into order.
fn check_recipe(experiment: &str, recipe: &mut RecipeFile, arms: &[ArmFile]) -> Result<()> {
    let key = format!("{experiment}: recipe {}", recipe.name);
    refuse(&format!("{key}: "), recipe.optimizer.problem().or(recipe.schedule.problem()))?;
    let noise = recipe.input_noise;
    ensure!(noise >= 0.0 && noise.is_finite(), "{key}: input_noise is {noise}; use 0 or a small number");
    for arm in arms {
        let rates = recipe.learning_rates.entry(arm.name.clone()).or_default();
        ensure!(!rates.is_empty(), "{key}: there are no learning_rates for {}", arm.name);
        if let Some((rate, cure)) = rates.iter().find_map(|rate| Some((*rate, rate_cure(*rate)?))) {
            bail!("{key}: learning rate {} for {}; {cure}", decimal(rate), arm.name);
        }
        rates.sort_by(f64::total_cmp);
        rates.dedup();
    }
    Ok(())
}
