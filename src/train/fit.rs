//! One training run: batches, steps, reports, and an outcome.

use super::{LossConfig, Optimizer, OptimizerConfig, Pass, Sampling, ScheduleConfig, prefetch, sampling::Batches};
use crate::data::TrainingSet;
use crate::model::Model;
use crate::rng::Stream;
use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Result, Tensor, bail};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Everything that shapes a training run but data, model and seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FitConfig {
    /// Number of optimizer steps.
    pub iterations: usize,
    /// Points a step.
    pub batch_size: usize,
    /// Steps between two reports.
    pub report_every: usize,
    /// Base learning rate.
    pub learning_rate: f64,
    /// Update rule.
    pub optimizer: OptimizerConfig,
    /// Factor on the base learning rate.
    pub schedule: ScheduleConfig,
    /// Standard deviation of normal noise added to the inputs of every batch, in the inputs' unit; it keeps decision
    /// boundaries away from the training points (Bishop 1995, "Training with noise is equivalent to Tikhonov
    /// regularization").
    #[serde(default)]
    pub input_noise: f64,
    /// How points come into batches.
    #[serde(default, skip_serializing_if = "crate::files::is_default")]
    pub sampling: Sampling,
    /// What is minimised.
    #[serde(default, skip_serializing_if = "crate::files::is_default")]
    pub loss: LossConfig,
}

impl FitConfig {
    /// Why nothing can be trained so, if so.
    pub fn problem(&self) -> Option<String> {
        let &Self { iterations, batch_size, report_every, learning_rate, input_noise, .. } = self;
        if iterations == 0 || batch_size < 2 || report_every == 0 || !(learning_rate > 0.0 && learning_rate.is_finite())
        {
            return Some(
                "fit needs iterations, report_every, a batch_size of 2 or more and a positive learning_rate".into(),
            );
        }
        if !(input_noise >= 0.0 && input_noise.is_finite()) {
            return Some(format!("fit.input_noise is {input_noise}; use 0 or a small number"));
        }
        self.optimizer.problem().or_else(|| self.schedule.problem()).or_else(|| self.loss.problem())
    }
}

/// What an observer wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Go on.
    Continue,
    /// End the run now.
    Stop,
}

/// A step that has been made.
#[derive(Debug, Clone, Copy)]
pub struct StepReport {
    /// Steps made so far.
    pub step: usize,
    /// Mean loss of the batch, before the step.
    pub loss: f64,
    /// Rate of the step.
    pub learning_rate: f64,
}

impl std::fmt::Display for StepReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "loss {:.4} rate {:.2e}", self.loss, self.learning_rate)
    }
}

/// The state of a run every `report_every` steps and at its end.
#[derive(Debug, Clone, Copy)]
pub struct Report {
    /// Steps made so far.
    pub step: usize,
    /// Points seen so far over points in the training set.
    pub epoch: f64,
    /// Rate of the last step.
    pub learning_rate: f64,
    /// Mean loss over the points seen since the last report.
    pub train_loss: f64,
    /// Of a classifier, the part of those points that it classified right, each before the step that it was part of.
    pub train_accuracy: Option<f64>,
}

/// Sees what happens in a run, and may stop it.
pub trait Observer {
    /// After every step.
    fn step(&mut self, _step: StepReport) -> Control {
        Control::Continue
    }

    /// After every step as well, and once more where a report has failed: a place from which the run can go on, should
    /// the observer want to keep it.
    fn keep(&mut self, _now: &Snapshot<'_>) -> Result<()> {
        Ok(())
    }

    /// Every `report_every` steps and at the end, with the model as it is now.
    fn report(&mut self, _report: Report, _model: &Model) -> Result<()> {
        Ok(())
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All steps made.
    Finished,
    /// Loss or parameters stopped being finite numbers.
    Diverged {
        /// Steps made until that was seen.
        step: usize,
    },
    /// An observer stopped it.
    Stopped,
}

/// The randomness of a training run.
pub struct Streams<'a> {
    /// Which points come into a batch.
    pub batches: &'a mut Stream,
    /// Noise on the inputs.
    pub noise: &'a mut Stream,
}

/// Trains `model` in place.
///
/// # Errors
/// When the configuration has a [`FitConfig::problem`], there is no point to train on, or an operation fails; a loss that
/// is not finite is an outcome, not an error.
pub fn fit(
    model: &Model,
    data: &dyn TrainingSet,
    config: &FitConfig,
    streams: Streams<'_>,
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    go(model, data, config, streams, None, observer)
}

/// [`fit`] from a state of the same training on: what follows is what would have followed, bit for bit.
///
/// # Errors
/// As [`fit`], and when the state is that of another network.
pub fn resume(
    model: &Model,
    data: &dyn TrainingSet,
    config: &FitConfig,
    streams: Streams<'_>,
    state: &State,
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    go(model, data, config, streams, Some(state), observer)
}

fn go(
    model: &Model,
    data: &dyn TrainingSet,
    config: &FitConfig,
    streams: Streams<'_>,
    state: Option<&State>,
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    if let Some(problem) = config.problem() {
        bail!("{problem}");
    }
    if data.is_empty() || u32::try_from(data.len()).is_err() {
        bail!("{} points are no training set; use 1 to {}", data.len(), u32::MAX);
    }
    let mut batches = Batches::new(config.sampling, data.len(), config.batch_size);
    let mut optimizer = Optimizer::of(config.optimizer.clone(), &model.parameters)?;
    let mut now = Position::default();
    if let Some(state) = state {
        now = state.position;
        if now.step > config.iterations {
            bail!("the state was made after {} steps, the training has {}", now.step, config.iterations);
        }
        model.parameters.restore(&state.tensors)?;
        optimizer.restore(i32::try_from(now.step).unwrap_or(i32::MAX), &state.tensors)?;
        streams.noise.seek(now.noise);
    }
    let run = Run { model, config, points: data.len(), batch: batches.size() };
    // Those of the steps made are drawn again: the order of the points is a function of the seed, and costs nothing
    // beside the steps.
    let draws = (0..config.iterations).map(|_| batches.next(streams.batches)).skip(now.step);
    prefetch::ahead(data, draws, |next| run.steps(next, streams.noise, (now, optimizer), observer))
}

/// What stays the same in all steps.
struct Run<'a> {
    model: &'a Model,
    config: &'a FitConfig,
    /// In the training set.
    points: usize,
    /// In a batch.
    batch: usize,
}

impl Run<'_> {
    fn steps(
        &self,
        next: &mut dyn FnMut() -> Result<prefetch::Batch>,
        noise: &mut Stream,
        (mut now, mut optimizer): (Position, Optimizer),
        observer: &mut dyn Observer,
    ) -> Result<Outcome> {
        let &Self { model, config, .. } = self;
        loop {
            let is_last = now.step == config.iterations;
            // First, since a run may go on from a place where a report was due.
            if now.step > 0 && (now.step.is_multiple_of(config.report_every) || is_last) {
                if !model.parameters.all_finite()? {
                    return Ok(Outcome::Diverged { step: now.step });
                }
                let reported = observer.report(self.report(now), model);
                if reported.is_err() {
                    observer.keep(&Snapshot { model, optimizer: &optimizer, position: now })?;
                }
                reported?;
                now.tally = Tally::default();
            }
            if is_last {
                return Ok(Outcome::Finished);
            }
            let learning_rate = self.rate(now.step);
            let (xs, ys) = next()?;
            let xs = with_noise(xs, config.input_noise, noise)?;
            // A GPU has all of its work before somebody waits for a number, and the update behind that.
            let Pass { outputs, loss, gradients } =
                Pass::of(model, &xs, |outputs| config.loss.of(model, outputs, &ys))?;
            let value = loss.to_dtype(DType::F64)?.to_scalar::<f64>()?;
            if !value.is_finite() {
                return Ok(Outcome::Diverged { step: now.step });
            }
            now.tally.add(value, config.loss.right(&outputs, &ys)?);
            optimizer.step(&gradients, learning_rate)?;
            model.parameters.retract()?;
            drop::<(Tensor, Tensor, GradStore)>((loss, outputs, gradients)); // and with them the graph, before the observer evaluates
            now.step += 1;
            now.noise = noise.position();
            let control = observer.step(StepReport { step: now.step, loss: value, learning_rate });
            observer.keep(&Snapshot { model, optimizer: &optimizer, position: now })?;
            if control == Control::Stop {
                return Ok(Outcome::Stopped);
            }
        }
    }

    /// The learning rate of the step after so many.
    fn rate(&self, step: usize) -> f64 {
        self.config.learning_rate * self.config.schedule.factor(step, self.config.iterations)
    }

    fn report(&self, Position { step, tally, .. }: Position) -> Report {
        let epoch = (step * self.batch) as f64 / self.points as f64;
        let (train_loss, train_accuracy) = tally.means(self.batch);
        Report { step, epoch, learning_rate: self.rate(step - 1), train_loss, train_accuracy }
    }
}

/// Where a training is.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Position {
    /// Steps made.
    step: usize,
    /// Of the stream of noise.
    noise: u64,
    tally: Tally,
}

/// A training between two steps.
pub struct Snapshot<'s> {
    model: &'s Model,
    optimizer: &'s Optimizer,
    position: Position,
}

impl Snapshot<'_> {
    /// Copies what [`resume`] needs.
    ///
    /// # Errors
    /// When the device fails.
    pub fn state(&self) -> Result<State> {
        let mut state = State { position: self.position, ..State::over(self.model)? };
        state.tensors.extend(self.optimizer.state()?);
        Ok(state)
    }
}

/// All that a training has changed so far: parameters, running statistics, moments, and how far it is.
#[derive(Debug, Clone)]
pub struct State {
    position: Position,
    /// By name: parameters as in a weights file, and the moments of the optimizer.
    pub tensors: HashMap<String, Tensor>,
}

impl State {
    /// Of a training that is over: the parameters are all that is left of it.
    ///
    /// # Errors
    /// When the device fails.
    pub fn over(model: &Model) -> Result<Self> {
        let on_cpu = |(name, tensor): (String, Tensor)| Ok((name, tensor.to_device(&Device::Cpu)?));
        let tensors = model.parameters.to_stored()?.into_iter().map(on_cpu).collect::<Result<_>>()?;
        Ok(Self { position: Position::default(), tensors })
    }

    /// Its numbers beside the tensors, to be written somewhere; [`State::from_parts`] takes them.
    ///
    /// # Errors
    /// When one of them is not finite: such a training has diverged.
    pub fn numbers(&self) -> Result<String> {
        if !self.position.tally.loss.is_finite() {
            bail!("a training whose loss is not a number cannot be kept");
        }
        serde_json::to_string(&self.position).map_err(candle_core::Error::wrap)
    }

    /// The state of which [`State::numbers`] and the tensors were written.
    ///
    /// # Errors
    /// When the numbers are not what was written.
    pub fn from_parts(numbers: &str, tensors: HashMap<String, Tensor>) -> Result<Self> {
        Ok(Self { position: serde_json::from_str(numbers).map_err(candle_core::Error::wrap)?, tensors })
    }
}

/// What the steps since the last report have added up to.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Tally {
    loss: f64,
    /// Points that a classifier got right.
    right: Option<usize>,
    steps: usize,
}

impl Tally {
    fn add(&mut self, loss: f64, right: Option<usize>) {
        self.loss += loss;
        self.right = right.map(|right| self.right.unwrap_or(0).saturating_add(right));
        self.steps = self.steps.saturating_add(1);
    }

    /// Mean loss, and the part that was right, of batches of so many points.
    fn means(self, batch: usize) -> (f64, Option<f64>) {
        let steps = self.steps as f64;
        (self.loss / steps, self.right.map(|right| right as f64 / (steps * batch as f64)))
    }
}

/// xs plus normal noise.
fn with_noise(xs: Tensor, deviation: f64, stream: &mut Stream) -> Result<Tensor> {
    if deviation == 0.0 {
        return Ok(xs);
    }
    let noise: Vec<f64> = (0..xs.elem_count()).map(|_| deviation * stream.normal()).collect();
    let noise = Tensor::from_vec(noise, xs.shape(), xs.device())?.to_dtype(xs.dtype())?;
    xs + noise
}
