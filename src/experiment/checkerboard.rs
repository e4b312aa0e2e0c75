//! One run of the checkerboard: data, network, training, scores.

use super::halt::Halt;
use super::scheduler::{Runner, Tick};
use super::training::{self, epoch_row};
use crate::config::{Phase, RunSpec, Spec};
use crate::data::Points;
use crate::data::checkerboard::{Board, Split};
use crate::evaluate::accuracy::{Score, class, outputs, score};
use crate::files;
use crate::model::Model;
use crate::record::{EpochRow, EvaluationRow, PredictionRow, RunOutcome, RunRecord, TestCurveRow};
use crate::train::{Control, Observer, Report, StepReport, Streams, fit};
use anyhow::Result;
use candle_core::Device;

/// Inputs of the network: the two coordinates.
pub const INPUTS: usize = 2;
/// Outputs of the network: both regress the label.
pub const OUTPUTS: usize = 2;

/// The checkerboard's runs.
pub struct Checkerboard;

impl Runner for Checkerboard {
    type Spec = RunSpec;
    type Record = RunRecord;

    fn run(&self, spec: &RunSpec, device: &Device, tick: &mut Tick<'_>, halt: &Halt<'_>) -> Result<Option<RunRecord>> {
        run(spec, device, tick, halt)
    }
}

fn run(spec: &RunSpec, device: &Device, tick: &mut Tick<'_>, halt: &Halt<'_>) -> Result<Option<RunRecord>> {
    let started = training::start();
    let parts = Parts::of(spec, device)?;
    let model = spec.model.build(INPUTS, OUTPUTS, spec.seed, device)?;
    let mut watch = Watch { spec, parts: &parts, tick, halt, epochs: Vec::new(), test_curve: Vec::new() };
    let (batches, noise) = (&mut spec.seed.stream("batch"), &mut spec.seed.stream("noise"));
    let outcome = fit(&model, &parts.train, &spec.fit, Streams { batches, noise }, &mut watch)?;
    let (epochs, test_curve) = (watch.epochs, watch.test_curve);
    let Some(ending) = training::ending(outcome, &model, data_hash(&spec.board, &parts.split), started) else {
        return Ok(None);
    };
    let finished = ending.outcome() == RunOutcome::Finished;
    Ok(Some(RunRecord {
        ending,
        epochs,
        test_curve,
        evaluations: if finished { evaluations(spec, &parts, &model)? } else { Vec::new() },
        predictions: if finished && spec.phase == Phase::Full {
            predictions(spec, &parts.split, &model, device)?
        } else {
            Vec::new()
        },
        weights: model.parameters.to_stored()?,
    }))
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
    fn of(spec: &RunSpec, device: &Device) -> Result<Self> {
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

/// Turns reports into rows.
struct Watch<'a> {
    spec: &'a RunSpec,
    parts: &'a Parts,
    tick: &'a mut Tick<'a>,
    halt: &'a Halt<'a>,
    epochs: Vec<EpochRow>,
    test_curve: Vec<TestCurveRow>,
}

impl Observer for Watch<'_> {
    fn step(&mut self, report: StepReport) -> Control {
        (self.tick)(report.step, &|| report.to_string())
    }

    fn report(&mut self, report: Report, model: &Model) -> candle_core::Result<()> {
        let network = &self.halt.network(model.frozen.as_ref());
        let validation = self.parts.validation.as_ref().map(|points| score(network, points)).transpose()?;
        let spec = self.spec;
        self.epochs.push(epoch_row(spec, report, validation.map(|score| (score.loss, score.accuracy))));
        if let Some(points) = &self.parts.test {
            self.test_curve.push(TestCurveRow {
                experiment: spec.experiment.clone(),
                arm: spec.arm.clone(),
                point: spec.point(),
                seed: spec.seed.0,
                step: report.step,
                test_accuracy: score(network, points)?.accuracy,
            });
        }
        Ok(())
    }
}

fn evaluations(spec: &RunSpec, parts: &Parts, model: &Model) -> Result<Vec<EvaluationRow>> {
    let row = |split: &str, metric: &str, value: f64, n: usize| EvaluationRow::of(spec, split, metric, value, n);
    let mut rows = Vec::new();
    let splits =
        [("train", Some(&parts.train)), ("validation", parts.validation.as_ref()), ("test", parts.test.as_ref())];
    for (name, points) in splits {
        let Some(points) = points else { continue };
        let Score { accuracy, loss, points } = score(model.frozen.as_ref(), points)?;
        rows.extend([row(name, "accuracy", accuracy, points), row(name, "mean_squared_error", loss, points)]);
    }
    Ok(rows)
}

fn predictions(spec: &RunSpec, split: &Split, model: &Model, device: &Device) -> Result<Vec<PredictionRow>> {
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
pub(super) fn data_hash(board: &Board, split: &Split) -> String {
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
