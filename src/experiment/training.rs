//! What all trainings leave in the same way.

use crate::config::Spec;
use crate::model::Model;
use crate::record::{Ending, EpochRow};
use crate::train::{Outcome, Report};
use std::time::Instant;

/// When a run began: wall clock and stopwatch.
pub(super) type Started = (jiff::Timestamp, Instant);

/// Starts the clocks of a run.
pub(super) fn start() -> Started {
    (jiff::Timestamp::now(), Instant::now())
}

/// How a training ended; None if it was stopped.
pub(super) fn ending(outcome: Outcome, model: &Model, data_hash: String, started: Started) -> Option<Ending> {
    let diverged_at_step = match outcome {
        Outcome::Stopped => return None,
        Outcome::Finished => None,
        Outcome::Diverged { step } => Some(step),
    };
    let parameters = model.parameters.count();
    Some(Ending { diverged_at_step, parameters, data_hash, epoch_seconds: None, started })
}

/// A row of `epochs.csv`; `validation` is loss and metric, where the run keeps validation points.
pub(super) fn epoch_row(spec: &impl Spec, report: Report, validation: Option<(f64, f64)>) -> EpochRow {
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
