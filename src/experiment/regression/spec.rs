//! One run, a network or a baseline on a table, and what it predicts.

use super::file::Recipe;
use crate::baseline::Baseline;
use crate::data::table::{Noted, Origin};
use crate::engine::page::counted;
use crate::engine::runs::{Details, Spec, common_fields, fit_problem};
use crate::engine::settings::{decimal, names_problem, word};
use crate::model::ModelConfig;
use crate::rng::Seed;
use crate::train::FitConfig;
use serde::{Deserialize, Serialize};

/// What is fitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Method {
    Baseline(Baseline),
    Network { recipe: Recipe, model: ModelConfig, fit: Box<FitConfig> },
}

/// The resolved configuration of a run; `config.toml` in its directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegressionSpec {
    pub experiment: String,
    pub arm: String,
    pub seed: Seed,
    /// Kind of device, cpu or cuda.
    pub device: String,
    pub table: Noted,
    pub method: Method,
}

impl RegressionSpec {
    /// None of a baseline.
    pub fn recipe(&self) -> Option<Recipe> {
        if let Method::Network { recipe, .. } = self.method { Some(recipe) } else { None }
    }
}

impl Spec for RegressionSpec {
    const REVISION: &'static str = "2";
    const SCHEMA: u32 = 3;
    const KEY: &'static str = "method";
    const SECONDS: f64 = 9e-9;

    common_fields!();

    fn point(&self) -> String {
        let table = &self.table.name;
        match &self.method {
            Method::Baseline(_) => table.clone(),
            Method::Network { recipe, fit, .. } => format!("{table}-{}-lr{}", word(recipe), decimal(fit.learning_rate)),
        }
    }

    fn details(&self) -> Details {
        let Method::Network { recipe, model, fit } = &self.method else {
            return Details { work: "a grid of settings".into(), ..Details::default() };
        };
        Details {
            recipe: Some(word(recipe)),
            phase: None,
            learning_rate: Some(fit.learning_rate),
            width: Some(model.size().width),
            depth: Some(model.size().depth),
            work: counted(fit.iterations / fit.report_every.max(1), "epoch"),
        }
    }

    fn problem(&self) -> Option<String> {
        let names = names_problem("experiment, arm and table", &[&self.experiment, &self.arm, &self.table.name]);
        let problem = names.or_else(|| self.table.problem());
        let Method::Network { model, fit, .. } = &self.method else { return problem };
        problem.or_else(|| model.problem()).or_else(|| fit_problem(fit))
    }

    fn steps(&self) -> usize {
        if let Method::Network { fit, .. } = &self.method { fit.iterations } else { 1 }
    }

    fn cost(&self) -> usize {
        let cells = self.table.rows.saturating_mul(self.table.features);
        match &self.method {
            Method::Baseline(Baseline::Ridge) => cells.saturating_mul(50),
            Method::Baseline(Baseline::ExtraTrees) => cells.saturating_mul(6000),
            // Steps of such small networks cost little more than their number.
            Method::Network { model, fit, .. } => model.cost().saturating_add(31_000).saturating_mul(fit.iterations),
        }
    }

    fn essence(&self) -> Self {
        let mut place_free = self.clone();
        if let Origin::File { path, .. } = &mut place_free.table.origin {
            path.clear();
        }
        place_free
    }
}

/// `predictions.csv`: what was predicted for a test row, in the target's unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PredictionRow {
    /// Row of the table, from 1, a header not counted.
    pub row: usize,
    pub target: f64,
    pub prediction: f64,
}
