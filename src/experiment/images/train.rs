//! One training: data, network, training, scores of the last iterate.

use super::parts::Parts;
use super::rows::{ConfusionRow, CurveRow};
use super::spec::ImageSpec;
use crate::data::TrainingSet;
use crate::data::images::{ImageData, Shape};
use crate::engine::rows::{EpochRow, EvaluationRow};
use crate::engine::runs::{Ending, Halt, Record, RunOutcome, Runner, Spec, Tick, epoch_row, start};
use crate::evaluate::classification::{answers, score};
use crate::model::{Model, Network};
use crate::train::{Control, Observer, Report, StepReport, Streams, fit};
use anyhow::Result;
use candle_core::Device;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Trains networks on a data set.
pub struct Trainer<'a> {
    /// The data set, or the sample that stands in for it; the runs' configuration says which.
    pub data: &'a ImageData,
    pub data_hash: &'a str,
}

impl Runner for Trainer<'_> {
    type Spec = ImageSpec;

    fn run(&self, spec: &ImageSpec, device: &Device, tick: &mut Tick<'_>, halt: &Halt<'_>) -> Result<Option<Record>> {
        let started = start();
        let parts = Parts::of(spec, self.data, device);
        let Shape { height, width, channels } = self.data.train.shape;
        let image = [height, width, channels];
        let model = spec.model.build(image, spec.data.dataset.classes(), spec.seed, device)?;
        let (since, trained) = (Instant::now(), Duration::ZERO);
        let (epochs, curves) = (Vec::new(), Vec::new());
        let mut watch = Watch { spec, parts: &parts, tick, halt, since, trained, epochs, curves };
        let (batches, noise) = (&mut spec.seed.stream("batch"), &mut spec.seed.stream("noise"));
        let outcome = fit(&model, &parts.train, &spec.fit, Streams { batches, noise }, &mut watch)?;
        let Watch { trained, epochs, curves, .. } = watch;
        let Some(ending) = Ending::of_training(outcome, &model, self.data_hash.into(), started) else {
            return Ok(None);
        };
        let (evaluations, confusion) = match ending.outcome() {
            RunOutcome::Finished => scores(spec, &parts, &halt.network(model.frozen.as_ref()))?,
            RunOutcome::Diverged => (Vec::new(), Vec::new()),
        };
        let seconds = trained.as_secs_f64() / epochs.len() as f64;
        let of_test = |row: &&EvaluationRow| row.split == "test" && row.metric == "accuracy";
        let accuracy = 100.0 * evaluations.iter().find(of_test).map_or(f64::NAN, |row| row.value);
        let ending = Ending { epoch_seconds: (!epochs.is_empty()).then_some(seconds), ..ending };
        let record = Record::new(ending, format!("test accuracy {accuracy:.2} %, {seconds:.1} s an epoch"))
            .rows("epochs.csv", &epochs)?
            .rows("curves.csv", &curves)?
            .rows("evaluations.csv", &evaluations)?
            .rows("confusion.csv", &confusion)?;
        Ok(Some(record.tensors("weights.safetensors", model.parameters.to_stored()?)))
    }
}

/// Turns reports into rows.
struct Watch<'a> {
    spec: &'a ImageSpec,
    parts: &'a Parts<'a>,
    tick: &'a mut Tick<'a>,
    halt: &'a Halt<'a>,
    /// When the epoch began.
    since: Instant,
    /// Time of all epochs, scores not counted.
    trained: Duration,
    epochs: Vec<EpochRow>,
    curves: Vec<CurveRow>,
}

impl Watch<'_> {
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
        self.trained += self.since.elapsed();
        let (epoch, curves) = self.rows(report, model)?;
        self.epochs.push(epoch);
        self.curves.extend(curves);
        self.since = Instant::now();
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
