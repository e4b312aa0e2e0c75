//! One training run: batches, steps, reports, and an outcome.

use super::{LossConfig, Optimizer, OptimizerConfig, Sampling, ScheduleConfig, prefetch, sampling::Batches};
use crate::data::TrainingSet;
use crate::model::Model;
use crate::nn::Mode;
use crate::rng::Stream;
use candle_core::{DType, Result, Tensor, bail};
use serde::{Deserialize, Serialize};

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
    #[serde(default, skip_serializing_if = "Sampling::is_default")]
    pub sampling: Sampling,
    /// What is minimised.
    #[serde(default, skip_serializing_if = "LossConfig::is_default")]
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

    /// Every `report_every` steps and at the end, with the model as it is now.
    fn report(&mut self, report: Report, model: &Model) -> Result<()>;
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
    if let Some(problem) = config.problem() {
        bail!("{problem}");
    }
    if data.is_empty() || u32::try_from(data.len()).is_err() {
        bail!("{} points are no training set; use 1 to {}", data.len(), u32::MAX);
    }
    let mut batches = Batches::new(config.sampling, data.len(), config.batch_size);
    let run = Run { model, config, points: data.len(), batch: batches.size() };
    let draws = (0..config.iterations).map(|_| batches.next(streams.batches));
    prefetch::ahead(data, draws, |next| run.steps(next, streams.noise, observer))
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
        observer: &mut dyn Observer,
    ) -> Result<Outcome> {
        let &Self { model, config, .. } = self;
        let mut optimizer = Optimizer::of(config.optimizer.clone(), &model.parameters)?;
        let mut tally = Tally::default();
        for iteration in 0..config.iterations {
            let learning_rate = config.learning_rate * config.schedule.factor(iteration, config.iterations);
            let (xs, ys) = next()?;
            let xs = with_noise(xs, config.input_noise, noise)?;
            let outputs = model.network.forward(&xs, Mode::Train)?;
            let loss = config.loss.of(model, &outputs, &ys)?;
            let value = loss.to_dtype(DType::F64)?.to_scalar::<f64>()?;
            let step = iteration + 1;
            if !value.is_finite() {
                return Ok(Outcome::Diverged { step: iteration });
            }
            optimizer.step(&loss.backward()?, learning_rate)?;
            model.parameters.retract()?;
            tally.add(value, config.loss.right(&outputs, &ys)?);
            drop::<(Tensor, Tensor)>((loss, outputs)); // and with them the graph, before the observer evaluates
            if observer.step(StepReport { step, loss: value, learning_rate }) == Control::Stop {
                return Ok(Outcome::Stopped);
            }
            if step.is_multiple_of(config.report_every) || step == config.iterations {
                if !model.parameters.all_finite()? {
                    return Ok(Outcome::Diverged { step });
                }
                let epoch = (step * self.batch) as f64 / self.points as f64;
                let (train_loss, train_accuracy) = std::mem::take(&mut tally).means(self.batch);
                observer.report(Report { step, epoch, learning_rate, train_loss, train_accuracy }, model)?;
            }
        }
        Ok(Outcome::Finished)
    }
}

/// What the steps since the last report have added up to.
#[derive(Default)]
struct Tally {
    loss: f64,
    /// Points that a classifier got right.
    right: Option<usize>,
    steps: usize,
}

impl Tally {
    fn add(&mut self, loss: f64, right: Option<usize>) {
        self.loss += loss;
        self.right = right.map(|right| self.right.unwrap_or(0) + right);
        self.steps += 1;
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
