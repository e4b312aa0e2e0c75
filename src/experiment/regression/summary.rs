//! The runs of an arm on a table over its seeds, and their figures.

use super::check::Regression;
use super::spec::RegressionSpec;
use crate::engine::rows::{Candidate, EvaluationRow, Figure, Sample, Scored, SeedScore, Statistics, TableKey};
use crate::engine::runs::{FinishedRun, Spec};
use anyhow::Result;
use serde::Serialize;
use std::collections::BTreeSet;

/// What the seeds of an arm on a table came to, each at the learning rate that its validation rows chose.
pub(super) struct Arm<'r> {
    /// One of the runs, whatever became of it.
    pub spec: &'r RegressionSpec,
    /// Of every seed the run that was chosen.
    pub chosen: Vec<&'r FinishedRun<RegressionSpec>>,
    /// Of those runs; a seed whose runs all diverged has diverged.
    pub scored: Scored,
}

/// `tables/<experiment>.csv`: a figure over the seeds.
pub(super) type TableRow = (ArmColumns, Statistics);

#[derive(Serialize)]
pub(super) struct ArmColumns {
    experiment: String,
    /// The table.
    data: String,
    /// Where it is from, in words.
    origin: &'static str,
    /// Which network or method.
    arm: String,
    /// How trained, of a network.
    recipe: Option<String>,
    /// Trained scalars, where they can be counted.
    parameters: Option<usize>,
    /// validation or test.
    split: &'static str,
    /// What is measured.
    metric: String,
}

/// `tables/<experiment>-seeds.csv`: what one seed scored.
pub(super) type SeedRow = (TableKey, Chosen, SeedScore);

#[derive(Serialize)]
pub(super) struct Chosen {
    /// How trained, of a network.
    recipe: Option<String>,
    /// The one that the validation rows chose; none of what has none, or where every training diverged.
    learning_rate: Option<f64>,
}

/// Whether runs differ in nothing but learning rate and seed.
pub(super) fn same(a: &RegressionSpec, b: &RegressionSpec) -> bool {
    a.table == b.table && a.arm == b.arm && a.recipe() == b.recipe()
}

impl<'r> Arm<'r> {
    /// Every arm on every table, in the order of their runs. Seeds that lack a run are left out, so that an interrupted command
    /// shows no choice among fewer rates.
    pub fn all(experiment: &Regression, runs: &'r [FinishedRun<RegressionSpec>]) -> Result<Vec<Self>> {
        let rates = experiment.file.train.learning_rates.len();
        let mut arms = Vec::new();
        for runs in runs.chunk_by(|a, b| same(&a.spec, &b.spec)) {
            let arm = Self::of(runs, runs[0].spec.recipe().map_or(1, |_| rates))?;
            arms.extend((!arm.chosen.is_empty() || !arm.scored.diverged.is_empty()).then_some(arm));
        }
        Ok(arms)
    }

    fn of(runs: &'r [FinishedRun<RegressionSpec>], wanted: usize) -> Result<Self> {
        let mut arm = Self { spec: &runs[0].spec, chosen: Vec::new(), scored: Scored::default() };
        for seed in runs.iter().map(|run| run.spec.seed.0).collect::<BTreeSet<u64>>() {
            let of_seed: Vec<_> = runs.iter().filter(|run| run.spec.seed.0 == seed).collect();
            if of_seed.len() < wanted {
                continue;
            }
            // Where all diverged, any of them says so.
            let chosen = choose(&of_seed)?;
            arm.scored.add(chosen.unwrap_or(of_seed[0]))?;
            arm.chosen.extend(chosen);
        }
        Ok(arm)
    }

    /// Trained scalars; none of what has none to count.
    pub fn parameters(&self) -> Option<usize> {
        Some(self.scored.parameters).filter(|count| *count > 0)
    }

    /// Whether every training of every seed diverged.
    pub fn has_diverged(&self) -> bool {
        self.chosen.is_empty() && !self.scored.diverged.is_empty()
    }

    /// A figure over the seeds.
    pub fn sample(&self, split: &'static str, metric: &str) -> Option<Sample> {
        self.scored.sample(&Figure::of(split, metric))
    }

    /// The learning rates that were chosen, each with the number of its seeds; a dash without any.
    pub fn rates(&self) -> String {
        let mut rates: Vec<f64> = self.chosen.iter().filter_map(|run| run.spec.details().learning_rate).collect();
        rates.sort_by(f64::total_cmp);
        let words: Vec<String> =
            rates.chunk_by(|a, b| a == b).map(|same| format!("{} ({})", same[0], same.len())).collect();
        if words.is_empty() { "-".into() } else { words.join(", ") }
    }

    /// What it has scores of, and would have without a seed that diverged.
    pub fn figures(&self) -> BTreeSet<Figure> {
        let of_split = |split| ["rmse", "rmse_in_units", "r_squared"].map(|metric| Figure::of(split, metric));
        self.scored.figures(["validation", "test"].into_iter().flat_map(of_split))
    }

    /// What its rows begin with.
    pub fn key(&self) -> TableKey {
        let RegressionSpec { experiment, table, arm, .. } = self.spec;
        TableKey { experiment: experiment.clone(), data: table.name.clone(), arm: arm.clone() }
    }

    /// Every figure.
    pub fn rows(&self) -> Vec<TableRow> {
        let row = |figure: Figure| {
            let statistics = self.scored.statistics(&figure);
            let columns = ArmColumns {
                experiment: self.spec.experiment.clone(),
                data: self.spec.table.name.clone(),
                origin: self.spec.table.origin.words(),
                arm: self.spec.arm.clone(),
                recipe: self.spec.details().recipe,
                parameters: self.parameters(),
                split: figure.split,
                metric: figure.metric,
            };
            (columns, statistics)
        };
        self.figures().into_iter().map(row).collect()
    }

    /// Every figure of every seed.
    pub fn seed_rows(&self) -> Vec<SeedRow> {
        let rate = |seed| {
            let chosen = self.chosen.iter().find(|run| run.spec.seed.0 == seed)?;
            chosen.spec.details().learning_rate
        };
        let row = |score: SeedScore| {
            let chosen = Chosen { recipe: self.spec.details().recipe, learning_rate: rate(score.seed) };
            (self.key(), chosen, score)
        };
        self.scored.seed_scores(self.figures()).into_iter().map(row).collect()
    }
}

/// The run at the learning rate with the least error on validation rows; the first of what has no rate.
fn choose<'r>(runs: &[&'r FinishedRun<RegressionSpec>]) -> Result<Option<&'r FinishedRun<RegressionSpec>>> {
    let mut candidates = Vec::new();
    for run in runs.iter().filter(|run| !run.diverged()) {
        let Some(rate) = run.spec.details().learning_rate else { return Ok(Some(*run)) };
        let error = EvaluationRow::read(run, "validation", "rmse")?;
        candidates.extend(error.map(|error| Candidate::of_loss(rate, error)));
    }
    let rate = Candidate::best(candidates);
    Ok(runs.iter().find(|run| rate.is_some() && run.spec.details().learning_rate == rate).copied())
}
