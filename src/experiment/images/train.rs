//! One training: data, network, training, scores of the last iterate.

use super::Parts;
use crate::config::Spec;
use crate::config::image::ImageSpec;
use crate::data::TrainingSet;
use crate::data::images::{ImageData, Shape};
use crate::evaluate::classification::{answers, score};
use crate::experiment::halt::Halt;
use crate::experiment::scheduler::{Runner, Tick};
use crate::experiment::training::{self, epoch_row};
use crate::model::{Model, Network};
use crate::record::image::{ConfusionRow, CurveRow, ImageRecord};
use crate::record::{Ending, EpochRow, EvaluationRow, RunOutcome};
use crate::train::{Control, Observer, Report, StepReport, Streams, fit};
use anyhow::Result;
use candle_core::Device;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Trains networks on a data set.
pub struct Trainer<'a> {
    /// The data set, or the sample that stands in for it; the runs' configuration says which.
    pub data: &'a ImageData,
    /// Its hash.
    pub data_hash: &'a str,
}

impl Runner for Trainer<'_> {
    type Spec = ImageSpec;
    type Record = ImageRecord;

    fn run(
        &self,
        spec: &ImageSpec,
        device: &Device,
        tick: &mut Tick<'_>,
        halt: &Halt<'_>,
    ) -> Result<Option<ImageRecord>> {
        let started = training::start();
        let parts = Parts::of(spec, self.data, device);
        let Shape { height, width, channels } = self.data.train.shape;
        let image = [height, width, channels];
        let model = spec.model.build(image, spec.data.dataset.classes(), spec.seed, device)?;
        let mut watch = Watch::new(spec, &parts, tick, halt);
        let (batches, noise) = (&mut spec.seed.stream("batch"), &mut spec.seed.stream("noise"));
        let outcome = fit(&model, &parts.train, &spec.fit, Streams { batches, noise }, &mut watch)?;
        let (epochs, curves, epoch_seconds) = (watch.epochs, watch.curves, watch.clock.mean());
        let Some(ending) = training::ending(outcome, &model, self.data_hash.into(), started) else { return Ok(None) };
        let (evaluations, confusion) = match ending.outcome() {
            RunOutcome::Finished => scores(spec, &parts, &halt.network(model.frozen.as_ref()))?,
            RunOutcome::Diverged => (Vec::new(), Vec::new()),
        };
        let ending = Ending { epoch_seconds, ..ending };
        let weights = model.parameters.to_stored()?;
        Ok(Some(ImageRecord { ending, epochs, curves, evaluations, confusion, weights }))
    }
}

/// The time that training takes, scores not counted.
struct Clock {
    running_since: Instant,
    total: Duration,
    epochs: u32,
}

impl Clock {
    fn start() -> Self {
        Self { running_since: Instant::now(), total: Duration::ZERO, epochs: 0 }
    }

    /// An epoch is over.
    fn stop(&mut self) {
        self.total += self.running_since.elapsed();
        self.epochs += 1;
    }

    /// The next one begins.
    fn go_on(&mut self) {
        self.running_since = Instant::now();
    }

    /// Seconds for an epoch.
    fn mean(&self) -> Option<f64> {
        (self.epochs > 0).then(|| self.total.as_secs_f64() / f64::from(self.epochs))
    }
}

/// Turns reports into rows.
struct Watch<'a> {
    spec: &'a ImageSpec,
    parts: &'a Parts<'a>,
    tick: &'a mut Tick<'a>,
    halt: &'a Halt<'a>,
    clock: Clock,
    epochs: Vec<EpochRow>,
    curves: Vec<CurveRow>,
}

impl<'a> Watch<'a> {
    fn new(spec: &'a ImageSpec, parts: &'a Parts<'a>, tick: &'a mut Tick<'a>, halt: &'a Halt<'a>) -> Self {
        Self { spec, parts, tick, halt, clock: Clock::start(), epochs: Vec::new(), curves: Vec::new() }
    }

    fn rows(&self, report: Report, model: &Model) -> candle_core::Result<(EpochRow, Vec<CurveRow>)> {
        let spec = self.spec;
        let row = |split: &str, loss: f64, accuracy: f64, top5: Option<f64>| CurveRow {
            experiment: spec.experiment.clone(),
            arm: spec.arm.clone(),
            point: spec.point(),
            seed: spec.seed.0,
            epoch: report.epoch,
            step: report.step,
            split: split.into(),
            loss,
            accuracy,
            top5,
        };
        let mut curves = Vec::new();
        curves.extend(report.train_accuracy.map(|accuracy| row("train", report.train_loss, accuracy, None)));
        let mut of_part = |split: &str, images: &dyn TrainingSet| -> candle_core::Result<(f64, f64)> {
            let score = score(&self.halt.network(model.frozen.as_ref()), images)?;
            curves.push(row(split, score.cross_entropy, score.accuracy, Some(score.top5)));
            Ok((score.cross_entropy, score.accuracy))
        };
        let validation = self.parts.validation.as_ref().map(|images| of_part("validation", images)).transpose()?;
        of_part("test", &self.parts.test)?;
        Ok((epoch_row(spec, report, validation), curves))
    }
}

impl Observer for Watch<'_> {
    fn step(&mut self, report: StepReport) -> Control {
        (self.tick)(report.step, &|| report.to_string())
    }

    fn report(&mut self, report: Report, model: &Model) -> candle_core::Result<()> {
        self.clock.stop();
        let (epoch, curves) = self.rows(report, model)?;
        self.epochs.push(epoch);
        self.curves.extend(curves);
        self.clock.go_on();
        Ok(())
    }
}

/// Scores of the last iterate, and its answers on the test images.
fn scores(
    spec: &ImageSpec,
    parts: &Parts<'_>,
    network: &dyn Network,
) -> Result<(Vec<EvaluationRow>, Vec<ConfusionRow>)> {
    let mut evaluations = Vec::new();
    let mut counts: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    let splits =
        [("train", Some(&parts.scored)), ("validation", parts.validation.as_ref()), ("test", Some(&parts.test))];
    for (split, images) in splits {
        let Some(images) = images else { continue };
        let (score, answers) = answers(network, images)?;
        let row = |metric, value| EvaluationRow::of(spec, split, metric, value, score.images);
        evaluations.extend([
            row("accuracy", score.accuracy),
            row("top5", score.top5),
            row("cross_entropy", score.cross_entropy),
        ]);
        if split == "test" {
            answers.into_iter().for_each(|pair| *counts.entry(pair).or_default() += 1);
        }
    }
    let confusion =
        counts.into_iter().map(|((label, prediction), count)| ConfusionRow { label, prediction, count }).collect();
    Ok((evaluations, confusion))
}
