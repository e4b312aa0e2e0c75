//! What all trainings share.

use super::checkpoint::Training;
use super::job::Job;
use super::record::Ending;
use super::spec::Spec;
use super::stop::UNDER_WAY;
use crate::data::TrainingSet;
use crate::engine::rows::{EpochRow, RunKey};
use crate::engine::settings::rate_problem;
use crate::model::Model;
use crate::train::{
    Best, Control, FitConfig, Observer, Outcome, Report, Snapshot, State, StepReport, Streams, fit, resume,
};
use anyhow::{Error, Result, ensure};
use std::sync::Arc;
use std::time::Instant;

/// The file of [`EpochRow`]s.
const EPOCHS: &str = "epochs.csv";

/// What is seen of a model at a report.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen {
    /// Loss and metric on the validation points, where the run keeps some.
    pub validation: Option<(f64, f64)>,
    /// What chooses the parameters that are kept, where some are: the least.
    pub error: Option<f64>,
}

/// A training that is over.
pub struct Trained {
    pub ending: Ending,
    /// The parameters that scored best.
    pub best: Best,
    /// Mean wall-clock seconds of training between two reports, scores not counted.
    pub report_seconds: Option<f64>,
}

/// Trains the model of a run, from the beginning or from its checkpoint. At every report `look` scores it, and a row is
/// added to `epochs.csv`. None if the run has to stop.
pub fn train<S: Spec>(
    spec: &S,
    (model, points, config): (&Model, &dyn TrainingSet, &FitConfig),
    best: Best,
    job: &Job<'_>,
    look: impl FnMut(&Report, &Model) -> Result<Seen>,
) -> Result<Option<Trained>> {
    let _under_way = Arc::clone(&UNDER_WAY);
    let kept = job.training(best.latest)?;
    let mut watch = Watch { spec, job, look, best, reports: 0, seconds: 0.0, since: Instant::now(), failure: None };
    let (batches, noise) = (&mut spec.seed().stream("batch"), &mut spec.seed().stream("noise"));
    let streams = Streams { batches, noise };
    let outcome = match kept {
        None => fit(model, points, config, streams, &mut watch),
        Some((training, state, best)) => {
            (watch.best, watch.reports, watch.seconds) = (best, training.reports, training.seconds);
            if training.over {
                model.parameters.restore(&state.tensors)?;
                return Ok(Some(watch.ended(model, training.diverged_at_step)));
            }
            resume(model, points, config, streams, &state, &mut watch)
        }
    };
    let outcome = outcome.map_err(|error| watch.failure.take().unwrap_or_else(|| error.into()))?;
    let diverged_at_step = match outcome {
        Outcome::Stopped => return Ok(None),
        Outcome::Finished => None,
        Outcome::Diverged { step } => Some(step),
    };
    watch.end(model, diverged_at_step).map(Some)
}

/// Turns reports into rows, and keeps the training now and then.
struct Watch<'w, 'j, S, L> {
    spec: &'w S,
    job: &'w Job<'j>,
    look: L,
    best: Best,
    reports: usize,
    /// Of training until the last report.
    seconds: f64,
    since: Instant,
    /// An error of a look: an observer can only hand on candle's.
    failure: Option<Error>,
}

impl<S: Spec, L: FnMut(&Report, &Model) -> Result<Seen>> Watch<'_, '_, S, L> {
    fn row(&mut self, report: &Report, model: &Model) -> Result<()> {
        let seen = (self.look)(report, model)?;
        // What a pass that was stopped has left may look like a score.
        ensure!(!self.job.halt.obeyed(), "the run was stopped");
        if let Some(error) = seen.error {
            self.best.offer(error, report, model)?;
        }
        self.job.log(EPOCHS, &(RunKey::of(self.spec), epoch_row(report, seen.validation)))
    }

    /// How far it is; with what it came to if it is over.
    fn training(&self, position: String, over: Option<Option<usize>>) -> Training {
        let best = self.best.kept.as_ref().map(|kept| (kept.error, kept.step, kept.epoch));
        let (diverged_at_step, over) = (over.flatten(), over.is_some());
        Training { position, best, diverged_at_step, over, reports: self.reports, seconds: self.seconds }
    }

    /// The training as it is over, kept for a kill while its model is scored.
    fn end(self, model: &Model, diverged_at_step: Option<usize>) -> Result<Trained> {
        let state = State::over(model)?;
        self.job.keep(self.training(state.numbers()?, Some(diverged_at_step)), state, &self.best);
        self.job.save_if_long()?;
        Ok(self.ended(model, diverged_at_step))
    }

    fn ended(self, model: &Model, diverged_at_step: Option<usize>) -> Trained {
        let report_seconds = (self.reports > 0).then(|| self.seconds / self.reports as f64);
        let ending = Ending { diverged_at_step, parameters: model.parameters.count(), epoch_seconds: None };
        Trained { ending, best: self.best, report_seconds }
    }

    /// An error for candle; the real one is kept.
    fn told(&mut self, result: Result<()>) -> candle_core::Result<()> {
        result.map_err(|error| {
            self.failure = Some(error);
            candle_core::Error::msg("a run cannot go on")
        })
    }
}

impl<S: Spec, L: FnMut(&Report, &Model) -> Result<Seen>> Observer for Watch<'_, '_, S, L> {
    fn step(&mut self, report: StepReport) -> Control {
        self.job.tick(report.step, &|| report.to_string())
    }

    fn keep(&mut self, now: &Snapshot<'_>) -> candle_core::Result<()> {
        if !self.job.wants_keeping() {
            return Ok(());
        }
        let save = || {
            let state = now.state()?;
            let seconds = self.seconds + self.since.elapsed().as_secs_f64();
            self.job.keep(Training { seconds, ..self.training(state.numbers()?, None) }, state, &self.best);
            self.job.save()
        };
        let saved = save();
        self.told(saved)
    }

    fn report(&mut self, report: Report, model: &Model) -> candle_core::Result<()> {
        self.seconds += self.since.elapsed().as_secs_f64();
        let marks = self.job.desk.borrow().marks();
        let mut looked = self.row(&report, model);
        if looked.is_err() {
            // The run goes on with this report, and writes its rows again.
            looked = looked.and(self.job.desk.borrow_mut().cut_back(&marks));
        } else {
            self.reports += 1;
        }
        self.since = Instant::now();
        self.told(looked)
    }
}

/// Why nothing can be trained so, if so; the bounds of learning rates are those of experiment files.
pub fn fit_problem(fit: &FitConfig) -> Option<String> {
    fit.problem().or_else(|| Some(format!("fit.learning_rate is {}", rate_problem(fit.learning_rate)?)))
}

fn epoch_row(report: &Report, validation: Option<(f64, f64)>) -> EpochRow {
    EpochRow {
        epoch: report.epoch,
        step: report.step,
        learning_rate: report.learning_rate,
        train_loss: report.train_loss,
        validation_loss: validation.map(|(loss, _)| loss),
        validation_metric: validation.map(|(_, metric)| metric),
    }
}
