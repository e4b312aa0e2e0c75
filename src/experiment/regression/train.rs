//! One run: a table, a network or a baseline, its scores.

use super::file::Recipe;
use super::spec::{Method, PredictionRow, RegressionSpec};
use crate::baseline::Baseline;
use crate::data::table::{Part, Parts, Split, Statistics, Table};
use crate::engine::rows::{EvaluationRow, keyed};
use crate::engine::runs::{Ending, Job, Record, RunOutcome, Runner, Seen, Spec, Trained, train};
use crate::evaluate::regression::{Score, predictions};
use crate::model::ModelConfig;
use crate::train::{Best, Control, FitConfig};
use anyhow::{Context, Result};

/// Fits networks and baselines to tables.
pub struct Trainer<'a> {
    pub tables: &'a [Table],
}

impl Runner for Trainer<'_> {
    type Spec = RegressionSpec;

    fn data_hash(&self, spec: &RegressionSpec) -> Result<String> {
        Ok(self.table(spec)?.sha256.clone())
    }

    fn run(&self, spec: &RegressionSpec, job: &Job<'_>) -> Result<Option<Record>> {
        let table = self.table(spec)?;
        let statistics = match spec.recipe() {
            Some(Recipe::Released) => Statistics::Whole,
            Some(Recipe::HeldOut) | None => Statistics::Training,
        };
        let run = Run { spec, table, parts: Parts::of(table, spec.seed, statistics)? };
        match &spec.method {
            Method::Baseline(baseline) => run.baseline(*baseline, job),
            Method::Network { model, fit, .. } => run.network(model, fit, job),
        }
    }
}

impl Trainer<'_> {
    fn table(&self, spec: &RegressionSpec) -> Result<&Table> {
        let table = self.tables.iter().find(|table| table.key() == spec.table.name);
        table.with_context(|| format!("the table {} was not read", spec.table.name))
    }
}

struct Run<'a> {
    spec: &'a RegressionSpec,
    table: &'a Table,
    parts: Parts,
}

impl Run<'_> {
    fn baseline(&self, baseline: Baseline, job: &Job<'_>) -> Result<Option<Record>> {
        let fitted = baseline.fit(&self.parts.train, &self.parts.validation, self.spec.seed)?;
        if job.tick(1, &|| fitted.choice.to_string()) == Control::Stop {
            return Ok(None);
        }
        // Trees have none to count.
        let parameters = baseline.parameters(self.parts.train.columns).unwrap_or(0);
        let ending = Ending { diverged_at_step: None, parameters, epoch_seconds: None };
        self.record(ending, &fitted.choice.to_string(), &|part| fitted.predict(part)).map(Some)
    }

    /// Trains a network, and keeps the parameters of the epoch with the least validation error.
    fn network(&self, model: &ModelConfig, fit: &FitConfig, job: &Job<'_>) -> Result<Option<Record>> {
        let model = model.build(self.parts.train.columns, 1, self.spec.seed, job.device)?;
        let (rows, validation) = (self.parts.train.points(job.device)?, self.parts.validation.points(job.device)?);
        let network = job.halt.network(model.frozen.as_ref());
        let trained = train(self.spec, (&model, &rows, fit), Best::default(), job, |_, _| {
            // The numbers that the kept parameters are scored by: targets in f64.
            let error = Score::of(&predictions(&network, &validation)?, &self.parts.validation.targets, 1.0)?.rmse;
            Ok(Seen { validation: Some((error * error, error)), error: Some(error) })
        })?;
        let Some(Trained { ending, best, .. }) = trained else { return Ok(None) };
        let kept = best.restore(&model)?.map_or(0.0, |kept| kept.epoch);
        let predict = |part: &Part| Ok(predictions(&network, &part.points(job.device)?)?);
        let record = self.record(ending, &format!("epoch {kept:.0}"), &predict)?;
        Ok(Some(record.tensors("weights.safetensors", model.parameters.to_stored()?)))
    }

    /// Scores on validation and test rows, and predictions for the latter; none of either where a run has diverged.
    /// `predict` gives standard deviations of the target.
    fn record(&self, mut ending: Ending, kept: &str, predict: &dyn Fn(&Part) -> Result<Vec<f64>>) -> Result<Record> {
        let (spec, parts, scale) = (self.spec, &self.parts, self.parts.standardizer.target);
        let (mut rows, mut predictions) = (Vec::new(), Vec::new());
        for (split, part) in [("validation", &parts.validation), ("test", &parts.test)] {
            predictions = predict(part)?;
            let score = Score::of(&predictions, &part.targets, scale.deviation)?;
            let row = |metric, value| EvaluationRow::of(split, metric, value, score.points);
            rows.extend(score.r_squared.map(|value| row("r_squared", value)));
            rows.extend([row("rmse_in_units", score.rmse_in_units), row("rmse", score.rmse)]);
        }
        let headline = rows.last().map(|row| format!("test RMSE {:.4}, {kept}", row.value)).unwrap_or_default();
        // Errors may pass what a float holds where parameters do not.
        if rows.iter().any(|row| !row.value.is_finite()) {
            ending.diverged_at_step.get_or_insert(spec.steps());
        }
        if ending.outcome() == RunOutcome::Diverged {
            return Ok(Record::new(ending, headline));
        }
        let answer = |(row, prediction): (usize, f64)| PredictionRow {
            row: row + 1,
            target: self.table.targets[row],
            prediction: scale.mean + scale.deviation * prediction,
        };
        let test = Split::seeded(self.table.rows(), spec.seed)?.test;
        let answers: Vec<PredictionRow> = test.into_iter().zip(predictions).map(answer).collect();
        Record::new(ending, headline).rows("evaluations.csv", &keyed(spec, &rows))?.rows("predictions.csv", &answers)
    }
}
