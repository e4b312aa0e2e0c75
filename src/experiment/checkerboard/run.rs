//! One run of the checkerboard: data, network, training, scores.

use super::rows::{PredictionRow, TestCurveRow};
use super::spec::{Phase, TrainingSpec};
use crate::data::Points;
use crate::data::checkerboard::{Board, Split};
use crate::engine::rows::{EvaluationRow, RunKey, keyed};
use crate::engine::runs::{Job, Record, RunOutcome, Runner, Seen, Trained, train};
use crate::evaluate::accuracy::{Score, class, outputs, score};
use crate::files;
use crate::model::Model;
use crate::train::Best;
use anyhow::Result;
use candle_core::Device;

/// Inputs of the network: the two coordinates.
pub const INPUTS: usize = 2;
/// Outputs of the network: both regress the label.
pub const OUTPUTS: usize = 2;

/// The checkerboard's runs.
pub struct Trainer;

impl Runner for Trainer {
    type Spec = TrainingSpec;

    fn data_hash(&self, spec: &TrainingSpec) -> Result<String> {
        Ok(data_hash(&spec.board, &Split::of(&spec.split, &spec.board, spec.seed)?))
    }

    fn run(&self, spec: &TrainingSpec, job: &Job<'_>) -> Result<Option<Record>> {
        let parts = Parts::of(spec, job.device)?;
        let model = spec.model.build(INPUTS, OUTPUTS, spec.seed, job.device)?;
        let trained = train(spec, (&model, &parts.train, &spec.fit), Best::default(), job, |report, model| {
            let network = &job.halt.network(model.frozen.as_ref());
            if let Some(points) = &parts.test {
                let row = TestCurveRow { step: report.step, test_accuracy: score(network, points)?.accuracy };
                job.log("test_curve.csv", &(RunKey::of(spec), row))?;
            }
            let validation = parts.validation.as_ref().map(|points| score(network, points)).transpose()?;
            Ok(Seen { validation: validation.map(|score| (score.loss, score.accuracy)), error: None })
        })?;
        let Some(Trained { ending, .. }) = trained else { return Ok(None) };
        let (mut scores, mut answers) = (Vec::new(), Vec::new());
        if ending.outcome() == RunOutcome::Finished {
            scores = evaluations(&parts, &model)?;
            if spec.phase == Phase::Full {
                answers = predictions(spec, &parts.split, &model, job.device)?;
            }
        }
        let record = Record::new(ending, EvaluationRow::accuracies(&scores))
            .rows("evaluations.csv", &keyed(spec, &scores))?
            .rows("predictions.csv", &answers)?;
        Ok(Some(record.tensors("weights.safetensors", model.parameters.to_stored()?)))
    }
}

/// The points of a run by purpose. A selection run has no test points and a full run no validation points: what is not
/// there cannot leak.
struct Parts {
    split: Split,
    train: Points,
    validation: Option<Points>,
    test: Option<Points>,
}

impl Parts {
    fn of(spec: &TrainingSpec, device: &Device) -> Result<Self> {
        let split = Split::of(&spec.split, &spec.board, spec.seed)?;
        let points = |places: &[usize]| spec.board.select(places, device);
        match spec.phase {
            Phase::Selection => {
                let (train, validation) = split.cut_validation(spec.validation_fraction, spec.seed);
                Ok(Self { train: points(&train)?, validation: Some(points(&validation)?), test: None, split })
            }
            Phase::Full => {
                let (train, test) = (points(&split.train)?, points(&split.test)?);
                Ok(Self { train, validation: None, test: Some(test), split })
            }
        }
    }
}

fn evaluations(parts: &Parts, model: &Model) -> Result<Vec<EvaluationRow>> {
    let mut rows = Vec::new();
    let splits =
        [("train", Some(&parts.train)), ("validation", parts.validation.as_ref()), ("test", parts.test.as_ref())];
    for (name, points) in splits {
        let Some(points) = points else { continue };
        let Score { accuracy, loss, points } = score(model.frozen.as_ref(), points)?;
        let row = |metric, value| EvaluationRow::of(name, metric, value, points);
        rows.extend([row("accuracy", accuracy), row("mean_squared_error", loss)]);
    }
    Ok(rows)
}

fn predictions(spec: &TrainingSpec, split: &Split, model: &Model, device: &Device) -> Result<Vec<PredictionRow>> {
    let board = &spec.board;
    let all: Vec<usize> = (0..board.points()).collect();
    let outputs = outputs(model.frozen.as_ref(), &board.select(&all, device)?.inputs)?;
    let mut splits = vec!["unused"; board.points()];
    split.train.iter().for_each(|point| splits[*point] = "train");
    split.test.iter().for_each(|point| splits[*point] = "test");
    Ok(all
        .into_iter()
        .zip(outputs)
        .map(|(point, output)| {
            let (row, column) = board.place(point);
            let (label, prediction) = (board.label(point), class(output));
            PredictionRow { row, column, split: splits[point].into(), label, output, prediction }
        })
        .collect())
}

/// SHA-256 of coordinates, labels and split.
pub fn data_hash(board: &Board, split: &Split) -> String {
    let mut bytes = Vec::new();
    for (name, points) in [("train", &split.train), ("test", &split.test)] {
        bytes.extend_from_slice(name.as_bytes());
        for &point in points {
            let (row, column) = board.place(point);
            bytes.extend(board.coordinate(row).to_le_bytes());
            bytes.extend(board.coordinate(column).to_le_bytes());
            bytes.push(board.label(point));
        }
    }
    files::sha256(&bytes)
}
