//! What all trainings share.

use super::record::Ending;
use super::scheduler::Tick;
use super::spec::Spec;
use crate::data::TrainingSet;
use crate::engine::rows::EpochRow;
use crate::engine::settings::rate_problem;
use crate::model::Model;
use crate::train::{Control, FitConfig, Observer, Outcome, Report, StepReport, Streams, fit};
use anyhow::{Error, Result};
use std::time::Instant;

/// When a run began: wall clock and stopwatch.
pub type Started = (jiff::Timestamp, Instant);

/// Starts the clocks of a run.
pub fn start() -> Started {
    (jiff::Timestamp::now(), Instant::now())
}

/// Trains the model of a run. At every report `look` scores it: loss and metric on the validation points, where the run keeps
/// some. None if `tick` asked to stop.
pub fn train<S: Spec>(
    spec: &S,
    (model, points, config): (&Model, &dyn TrainingSet, &FitConfig),
    (data_hash, started): (String, Started),
    tick: &mut Tick<'_>,
    look: impl FnMut(&Report, &Model) -> Result<Option<(f64, f64)>>,
) -> Result<Option<(Ending, Vec<EpochRow>)>> {
    let mut watch = Watch { spec, tick, look, epochs: Vec::new(), failure: None };
    let (batches, noise) = (&mut spec.seed().stream("batch"), &mut spec.seed().stream("noise"));
    let outcome = fit(model, points, config, Streams { batches, noise }, &mut watch);
    let outcome = outcome.map_err(|error| watch.failure.take().unwrap_or_else(|| error.into()))?;
    let diverged_at_step = match outcome {
        Outcome::Stopped => return Ok(None),
        Outcome::Finished => None,
        Outcome::Diverged { step } => Some(step),
    };
    let parameters = model.parameters.count();
    Ok(Some((Ending { diverged_at_step, parameters, data_hash, epoch_seconds: None, started }, watch.epochs)))
}

/// Turns reports into rows.
struct Watch<'w, S, L> {
    spec: &'w S,
    tick: &'w mut Tick<'w>,
    look: L,
    epochs: Vec<EpochRow>,
    /// An error of a look: an observer can only hand on candle's.
    failure: Option<Error>,
}

impl<S: Spec, L: FnMut(&Report, &Model) -> Result<Option<(f64, f64)>>> Observer for Watch<'_, S, L> {
    fn step(&mut self, report: StepReport) -> Control {
        (self.tick)(report.step, &|| report.to_string())
    }

    fn report(&mut self, report: Report, model: &Model) -> candle_core::Result<()> {
        match (self.look)(&report, model) {
            Ok(validation) => self.epochs.push(epoch_row(self.spec, &report, validation)),
            Err(error) => {
                self.failure = Some(error);
                candle_core::bail!("a score failed");
            }
        }
        Ok(())
    }
}

/// Why nothing can be trained so, if so; the bounds of learning rates are those of experiment files.
pub fn fit_problem(fit: &FitConfig) -> Option<String> {
    fit.problem().or_else(|| Some(format!("fit.learning_rate is {}", rate_problem(fit.learning_rate)?)))
}

fn epoch_row(spec: &impl Spec, report: &Report, validation: Option<(f64, f64)>) -> EpochRow {
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
