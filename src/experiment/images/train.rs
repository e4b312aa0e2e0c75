//! One training: data, network, training, scores of the last iterate.

use super::likeness;
use super::parts::Parts;
use super::rows::{ConfusionRow, CurveRow};
use super::spec::ImageSpec;
use crate::data::TrainingSet;
use crate::data::images::{ImageData, Shape};
use crate::engine::rows::{EvaluationRow, RunKey, keyed};
use crate::engine::runs::{Ending, Job, Record, RunOutcome, Runner, Seen, Trained, train};
use crate::evaluate::classification::{answers, score};
use crate::evaluate::gradient::Likeness;
use crate::model::Network;
use crate::train::{Best, Report};
use anyhow::Result;
use std::collections::BTreeMap;

/// Trains networks on a data set.
pub struct Trainer<'a> {
    /// The data set, or the sample that stands in for it; the runs' configuration says which.
    pub data: &'a ImageData,
    pub data_hash: &'a str,
}

impl Runner for Trainer<'_> {
    type Spec = ImageSpec;

    fn data_hash(&self, _spec: &ImageSpec) -> Result<String> {
        Ok(self.data_hash.into())
    }

    fn run(&self, spec: &ImageSpec, job: &Job<'_>) -> Result<Option<Record>> {
        let parts = Parts::of(spec, self.data, job.device);
        let Shape { height, width, channels } = self.data.train.shape;
        let image = [height, width, channels];
        let model = spec.model.build(image, spec.data.dataset.classes(), spec.seed, job.device)?;
        let network = job.halt.network(model.frozen.as_ref());
        let before = job.part("likeness before", || Ok(likeness::of_images(&network, &parts)?))?;
        let trained = train(spec, (&model, &parts.train, &spec.fit), Best::default(), job, |report, _| {
            let validation = look(spec, &parts, &network, report, job)?;
            Ok(Seen { validation, error: None })
        })?;
        let Some(Trained { ending, report_seconds, .. }) = trained else { return Ok(None) };
        let (mut evaluations, mut confusion) = (Vec::new(), Vec::new());
        if ending.outcome() == RunOutcome::Finished {
            (evaluations, confusion) = scores(&parts, &network)?;
            let after = likeness::of_images(&network, &parts)?;
            for (metric, Likeness { cosine, pairs }) in [("likeness_before", before), ("likeness", after)] {
                evaluations.extend(cosine.map(|value| EvaluationRow::of("test", metric, value, pairs)));
            }
        }
        let pace = report_seconds.map_or(String::new(), |seconds| format!(", {seconds:.1} s an epoch"));
        let ending = Ending { epoch_seconds: report_seconds, ..ending };
        let record = Record::new(ending, EvaluationRow::accuracies(&evaluations) + &pace)
            .rows("evaluations.csv", &keyed(spec, &evaluations))?
            .rows("confusion.csv", &confusion)?;
        let weights = if spec.keep_weights { model.parameters.to_stored()? } else { Vec::new() };
        Ok(Some(record.tensors("weights.safetensors", weights)))
    }
}

/// Adds the rows of an epoch to the curves; loss and accuracy on the validation images.
fn look(
    spec: &ImageSpec,
    parts: &Parts<'_>,
    network: &dyn Network,
    report: &Report,
    job: &Job<'_>,
) -> Result<Option<(f64, f64)>> {
    let row = |split: &str, loss: f64, accuracy: f64, top5: Option<f64>| CurveRow {
        epoch: report.epoch,
        step: report.step,
        split: split.into(),
        loss,
        accuracy,
        top5,
    };
    let log = |row: CurveRow| job.log("curves.csv", &(RunKey::of(spec), row));
    report.train_accuracy.map(|accuracy| log(row("train", report.train_loss, accuracy, None))).transpose()?;
    let of_part = |split: &str, images: &dyn TrainingSet| -> Result<(f64, f64)> {
        let score = score(network, images)?;
        log(row(split, score.cross_entropy, score.accuracy, Some(score.top5)))?;
        Ok((score.cross_entropy, score.accuracy))
    };
    let validation = parts.validation.as_ref().map(|images| of_part("validation", images)).transpose()?;
    if spec.has_point(report.step) {
        of_part("test", &parts.test)?;
    }
    Ok(validation)
}

/// Scores of the last iterate, and its answers on the test images.
fn scores(parts: &Parts<'_>, network: &dyn Network) -> Result<(Vec<EvaluationRow>, Vec<ConfusionRow>)> {
    let mut evaluations = Vec::new();
    let mut counts: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    let splits =
        [("train", Some(&parts.scored)), ("validation", parts.validation.as_ref()), ("test", Some(&parts.test))];
    for (split, images) in splits {
        let Some(images) = images else { continue };
        let (score, answers) = answers(network, images)?;
        let row = |metric, value| EvaluationRow::of(split, metric, value, score.images);
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
