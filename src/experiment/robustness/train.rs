//! One training: data, network, training, the iterate that is kept, scores.

use super::spec::{Stopping, TrainingSpec};
use super::{CLASSES, Data, validation_images};
use crate::data::images::Subset;
use crate::engine::rows::EvaluationRow;
use crate::engine::runs::{Halt, Record, RunOutcome, Runner, Tick, start, train};
use crate::evaluate::certificate::Certifier;
use crate::evaluate::classification::score;
use crate::model::Network;
use anyhow::Result;
use candle_core::{Device, Tensor};

/// Trains networks on a data set.
pub struct Trainer<'a> {
    pub data: &'a Data,
}

impl Runner for Trainer<'_> {
    type Spec = TrainingSpec;

    fn run(
        &self,
        spec: &TrainingSpec,
        device: &Device,
        tick: &mut Tick<'_>,
        halt: &Halt<'_>,
    ) -> Result<Option<Record>> {
        let started = start();
        let (images, validation) = self.split(spec, device);
        let model = spec.model.build(self.data.images.train.features(), CLASSES, spec.seed, device)?;
        let mut kept: Option<Iterate> = None;
        let run = (self.data.hash.clone(), started);
        let trained = train(spec, (&model, &images, &spec.fit), run, tick, |report, model| {
            let score = score(&halt.network(model.frozen.as_ref()), &validation)?;
            let off = match spec.stopping {
                Stopping::Last => 0.0,
                Stopping::Nearest(wanted) => (score.accuracy - wanted).abs(),
            };
            if kept.as_ref().is_none_or(|kept| off <= kept.off) {
                kept = Some(Iterate { step: report.step, off, weights: model.parameters.to_stored()? });
            }
            Ok(Some((score.cross_entropy, score.accuracy)))
        })?;
        let Some((ending, epochs)) = trained else { return Ok(None) };
        let mut evaluations = Vec::new();
        if let (RunOutcome::Finished, Some(kept)) = (ending.outcome(), kept) {
            model.parameters.assign(&kept.weights.into_iter().collect())?;
            let test = self.test(device);
            let network = &halt.network(model.frozen.as_ref());
            for (split, part) in [("train", &images), ("validation", &validation), ("test", &test)] {
                evaluations.extend(scores(spec, split, network, part)?);
            }
            evaluations.push(EvaluationRow::of(spec, "train", "step", kept.step as f64, images.rows.len()));
            let certifier = Certifier::new(network);
            halt.check()?;
            if let Ok(certifier) = certifier {
                let n = images.rows.len();
                evaluations.push(EvaluationRow::of(spec, "train", "lipschitz", certifier.lipschitz(), n));
                evaluations.push(EvaluationRow::of(spec, "train", "head_norm", certifier.head_norm(), n));
            }
        }
        let accuracy = |split: &str| {
            let row = evaluations.iter().find(|row| row.split == split && row.metric == "accuracy");
            100.0 * row.map_or(f64::NAN, |row| row.value)
        };
        let headline = format!("validation accuracy {:.2} %, test {:.2} %", accuracy("validation"), accuracy("test"));
        let record =
            Record::new(ending, headline).rows("epochs.csv", &epochs)?.rows("evaluations.csv", &evaluations)?;
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

/// An iterate that may be kept.
struct Iterate {
    step: usize,
    /// How far its validation accuracy is from the one that is wanted.
    off: f64,
    weights: Vec<(String, Tensor)>,
}

fn scores(spec: &TrainingSpec, split: &str, network: &dyn Network, images: &Subset<'_>) -> Result<[EvaluationRow; 3]> {
    let score = score(network, images)?;
    let row = |metric, value| EvaluationRow::of(spec, split, metric, value, score.images);
    Ok([
        row("accuracy", score.accuracy),
        row("cross_entropy", score.cross_entropy),
        row("logit_range", score.logit_range),
    ])
}
