//! A checked regression, its tables, and the runs that follow from both.

use super::file::{ArmFile, Recipe, RegressionFile};
use super::spec::{Method, RegressionSpec};
use crate::console::{note, shown};
use crate::data::table::{Dataset, Noted, Origin, Sizes, Table, read_all};
use crate::engine::settings::{
    File, MOST_EPOCHS, MOST_SEEDS, MOST_STEPS, check_count, check_once, check_runs, decimal, names_problem, rate_cure,
    refuse,
};
use crate::engine::source::Source;
use crate::model::ModelConfig;
use crate::rng::Seed;
use crate::train::{FitConfig, LossConfig, Sampling, ScheduleConfig};
use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What is said wherever tables inside the program are used in place of others.
pub const INSIDE: &str = "small tables inside the program, not those of the paper";

/// Can run.
#[derive(Debug, Clone)]
pub struct Regression {
    pub(super) file: RegressionFile,
}

/// What the tables say about the runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Whether tables inside the program are used in place of published ones.
    pub stand_ins: bool,
    pub tables: Vec<Noted>,
}

impl Regression {
    /// Reads the tables.
    pub(super) fn read(&self, source: &Source) -> Result<(Vec<Table>, Facts)> {
        let directory = source.directory();
        let directory = directory.as_deref();
        let (data, told) = (&self.file.data, format!("{}: data.tables", self.file.experiment.name));
        let mut origins = data.tables.iter().map(|name| Origin::of(name, &data.target)).collect::<Result<Vec<_>>>()?;
        // A directory for all experiments may have images alone; one with some of the tables, or for this experiment, has to
        // have all.
        let has_none = |place: &Path| place.is_dir() && !origins.iter().any(|origin| origin.is_in(place));
        let may_lack_all = |place: &Path| !source.must_have_all() && has_none(place);
        let needed = directory.is_none_or(may_lack_all) && origins.iter().any(Origin::needs_directory);
        let stand_ins = needed && !data.stand_ins.is_empty();
        if stand_ins {
            origins = data.stand_ins.iter().copied().map(Origin::Published).collect();
            let place = directory.map_or("--data-dir reads".into(), |place| format!("{} has none of", place.display()));
            note(&format!("{told}: {INSIDE}; {place} {}", data.tables.join(", ")));
        }
        let (tables, noted): (Vec<Table>, _) = read_all(origins, directory).context(told)?.into_iter().unzip();
        for table in tables.iter().filter(|table| !table.dropped.is_empty()) {
            note(&format!("{}: constant columns are left out: {}", table.name, table.dropped.join(", ")));
        }
        for Table { name, target, .. } in tables.iter().filter(|table| table.mixed_header) {
            note(&format!(
                "{name}: the first row is taken for a header, though it has numbers; the target is {target:?}"
            ));
        }
        Ok((tables, Facts { stand_ins, tables: noted }))
    }

    /// Every run, in the order of tables, arms, recipes, learning rates and seeds.
    ///
    /// # Errors
    /// When there are too many, or the facts are about no tables that can be: a report has them from a file.
    pub fn runs(&self, facts: &Facts, device: &str) -> Result<Vec<RegressionSpec>> {
        let name = &self.file.experiment.name;
        check_runs(name, count(&self.file, facts.tables.len()))?;
        for table in &facts.tables {
            let problem = names_problem("tables", &[&table.name]).or_else(|| table.problem());
            refuse(&format!("{name}: table {}: ", shown(&table.name)), problem)?;
        }
        let mut runs = Vec::new();
        for (table, arm) in facts.tables.iter().flat_map(|table| self.file.arm.iter().map(move |arm| (table, arm))) {
            let of_recipe = |model, recipe| {
                let rates = self.file.train.learning_rates.iter();
                rates.map(move |rate| self.network(model, recipe, *rate, table))
            };
            let of_model = |model| self.file.recipes.iter().flat_map(move |recipe| of_recipe(model, *recipe));
            let networks = arm.model.iter().flat_map(of_model);
            for method in arm.baseline.map(Method::Baseline).into_iter().chain(networks) {
                runs.extend(self.file.seeds(arm).map(|seed| RegressionSpec {
                    experiment: self.file.experiment.name.clone(),
                    arm: arm.name.clone(),
                    seed: Seed(seed),
                    device: device.into(),
                    table: table.clone(),
                    method: method.clone(),
                }));
            }
        }
        Ok(runs)
    }

    fn network(&self, model: &ModelConfig, recipe: Recipe, learning_rate: f64, table: &Noted) -> Method {
        let (train, rows) = (&self.file.train, Sizes::of(table.rows).train);
        let batch_size = train.batch_size.min(rows);
        let steps = rows / batch_size;
        let mut schedule = train.schedule.clone();
        if let (Recipe::Released, ScheduleConfig::MultiStep { at, .. }) = (recipe, &mut schedule) {
            // DEVIATION D19: fractions of the number of epochs, counted in steps.
            at.iter_mut().for_each(|fraction| *fraction /= steps as f64);
        }
        let fit = FitConfig {
            iterations: train.epochs * steps,
            batch_size,
            report_every: steps,
            learning_rate,
            optimizer: train.optimizer.clone(),
            schedule,
            input_noise: 0.0,
            sampling: Sampling::Epochs,
            loss: LossConfig::MeanSquaredError,
        };
        Method::Network { recipe, model: model.clone(), fit: Box::new(fit) }
    }

    /// Checks everything that can be checked before any work.
    pub(super) fn of(mut file: RegressionFile) -> Result<Self> {
        let name = file.experiment.name.clone();
        file.check_usual(MOST_SEEDS)?;
        let (train, data) = (&mut file.train, &file.data);
        check_count(&name, "train.epochs", train.epochs, MOST_EPOCHS)?;
        check_count(&name, "train.batch_size", train.batch_size, MOST_STEPS)?;
        ensure!(train.batch_size >= 2, "{name}: train.batch_size is 1; use at least 2");
        if let Some((rate, cure)) = train.learning_rates.iter().find_map(|rate| Some((*rate, rate_cure(*rate)?))) {
            bail!("{name}: train.learning_rates has {}; {cure}", decimal(rate));
        }
        train.learning_rates.sort_by(f64::total_cmp);
        train.learning_rates.dedup();
        check_once(&name, "recipes", &file.recipes)?;
        if let Some(problem) = train.optimizer.problem().or_else(|| train.schedule.problem()) {
            bail!("{name}: train.{problem}");
        }
        for (key, missing) in [
            ("train.learning_rates", train.learning_rates.is_empty()),
            ("recipes", file.recipes.is_empty()),
            ("data.tables", data.tables.is_empty()),
            ("arm", file.arm.is_empty()),
        ] {
            ensure!(!missing, "{name}: {key} is empty; name at least one");
        }
        check_runs(&name, count(&file, data.tables.len()))?;
        let published = Dataset::ALL.into_iter().find(|dataset| data.tables.iter().any(|name| name == dataset.name()));
        if let (Some(target), Some(dataset)) = (&data.target.0, published) {
            bail!("{name}: data.target is {target}, but {dataset} has its own; name CSV files alone");
        }
        for ArmFile { name: arm, model, baseline, .. } in &file.arm {
            ensure!(model.is_some() != baseline.is_some(), "{name}: arm {arm}: name either a model or a baseline");
            if let Some(problem) = model.as_ref().and_then(ModelConfig::problem) {
                bail!("{name}: model {arm}: {problem}");
            }
        }
        Ok(Self { file })
    }
}

/// How many runs there are on so many tables.
fn count(file: &RegressionFile, tables: usize) -> usize {
    let of_network = file.recipes.len().saturating_mul(file.train.learning_rates.len());
    let of_arm = |arm: &ArmFile| {
        let methods = if arm.model.is_some() { of_network } else { 1 };
        methods.saturating_mul(file.repetitions_of(arm))
    };
    file.arm.iter().map(of_arm).fold(0, usize::saturating_add).saturating_mul(tables)
}
