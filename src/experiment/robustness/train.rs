//! One training: data, network, training, the iterate that is kept, scores.

use super::spec::{Stopping, TrainingSpec};
use super::{CLASSES, Data, validation_images};
use crate::data::images::Subset;
use crate::engine::rows::{EvaluationRow, keyed};
use crate::engine::runs::{Job, Record, RunOutcome, Runner, Seen, Trained, train};
use crate::evaluate::certificate::Certifier;
use crate::evaluate::classification::score;
use crate::model::Network;
use crate::train::Best;
use anyhow::Result;
use candle_core::Device;

/// Trains networks on a data set.
pub struct Trainer<'a> {
    pub data: &'a Data,
}

impl Runner for Trainer<'_> {
    type Spec = TrainingSpec;

    fn data_hash(&self, _spec: &TrainingSpec) -> Result<String> {
        Ok(self.data.hash.clone())
    }

    fn run(&self, spec: &TrainingSpec, job: &Job<'_>) -> Result<Option<Record>> {
        let (images, validation) = self.split(spec, job.device);
        let model = spec.model.build(self.data.images.train.features(), CLASSES, spec.seed, job.device)?;
        let network = &job.halt.network(model.frozen.as_ref());
        let best = Best { latest: true, kept: None };
        let trained = train(spec, (&model, &images, &spec.fit), best, job, |_, _| {
            let score = score(network, &validation)?;
            // How far its validation accuracy is from the one that is wanted.
            let off = match spec.stopping {
                Stopping::Last => 0.0,
                Stopping::Nearest(wanted) => (score.accuracy - wanted).abs(),
            };
            Ok(Seen { validation: Some((score.cross_entropy, score.accuracy)), error: Some(off) })
        })?;
        let Some(Trained { ending, best, .. }) = trained else { return Ok(None) };
        let mut evaluations = Vec::new();
        if ending.outcome() == RunOutcome::Finished
            && let Some(kept) = best.restore(&model)?
        {
            let test = self.test(job.device);
            for (split, part) in [("train", &images), ("validation", &validation), ("test", &test)] {
                evaluations.extend(scores(split, network, part)?);
            }
            evaluations.push(EvaluationRow::of("train", "step", kept.step as f64, images.rows.len()));
            let certifier = Certifier::new(network);
            job.halt.check()?;
            if let Ok(certifier) = certifier {
                let n = images.rows.len();
                evaluations.push(EvaluationRow::of("train", "lipschitz", certifier.lipschitz(), n));
                evaluations.push(EvaluationRow::of("train", "head_norm", certifier.head_norm(), n));
            }
        }
        let record = Record::new(ending, EvaluationRow::accuracies(&evaluations))
            .rows("evaluations.csv", &keyed(spec, &evaluations))?;
        Ok(Some(record.tensors("weights.safetensors", model.parameters.to_stored()?)))
    }
}

impl<'a> Trainer<'a> {
    /// Training and validation images of a seed.
    fn split(&self, spec: &TrainingSpec, device: &Device) -> (Subset<'a>, Subset<'a>) {
        let images = &self.data.images.train;
        let mut train = spec.seed.stream("validation").permutation(images.len());
        let kept = validation_images(images.len(), spec.data.validation_fraction);
        let validation = train.split_off(images.len() - kept);
        let subset = |rows| Subset { images, rows, device: device.clone() };
        (subset(train), subset(validation))
    }

    fn test(&self, device: &Device) -> Subset<'a> {
        let images = &self.data.images.test;
        Subset { images, rows: (0..images.len()).collect(), device: device.clone() }
    }
}

fn scores(split: &str, network: &dyn Network, images: &Subset<'_>) -> Result<[EvaluationRow; 3]> {
    let score = score(network, images)?;
    let row = |metric, value| EvaluationRow::of(split, metric, value, score.images);
    Ok([
        row("accuracy", score.accuracy),
        row("cross_entropy", score.cross_entropy),
        row("logit_range", score.logit_range),
    ])
}
