//! What all trainings share.

use super::record::Ending;
use super::spec::Spec;
use crate::engine::rows::EpochRow;
use crate::engine::settings::{decimal, rate_cure};
use crate::model::Model;
use crate::train::{FitConfig, Outcome, Report};
use std::time::Instant;

/// When a run began: wall clock and stopwatch.
pub type Started = (jiff::Timestamp, Instant);

/// Starts the clocks of a run.
pub fn start() -> Started {
    (jiff::Timestamp::now(), Instant::now())
}

impl Ending {
    /// How a training ended; None if it was stopped.
    pub fn of_training(outcome: Outcome, model: &Model, data_hash: String, started: Started) -> Option<Self> {
        let diverged_at_step = match outcome {
            Outcome::Stopped => return None,
            Outcome::Finished => None,
            Outcome::Diverged { step } => Some(step),
        };
        let parameters = model.parameters.count();
        Some(Self { diverged_at_step, parameters, data_hash, epoch_seconds: None, started })
    }
}

/// Why nothing can be trained so, if so; the bounds of learning rates are those of experiment files.
pub fn fit_problem(fit: &FitConfig) -> Option<String> {
    let rate = fit.learning_rate;
    let of_rate = || Some(format!("fit.learning_rate is {}; {}", decimal(rate), rate_cure(rate)?));
    fit.problem().or_else(of_rate)
}

/// A row of `epochs.csv`; `validation` is loss and metric, where the run keeps validation points.
pub fn epoch_row(spec: &impl Spec, report: Report, validation: Option<(f64, f64)>) -> EpochRow {
    EpochRow {
        experiment: spec.experiment().into(),
        arm: spec.arm().into(),
        point: spec.point(),
        seed: spec.seed().0,
        epoch: report.epoch,
        step: report.step,
        learning_rate: report.learning_rate,
        train_loss: report.train_loss,
        validation_loss: validation.map(|(loss, _)| loss),
        validation_metric: validation.map(|(_, metric)| metric),
    }
}
