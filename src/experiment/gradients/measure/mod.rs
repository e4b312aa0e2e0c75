//! Measurements of the layer's claims.

mod cost;
mod course;
mod layers;
mod start;

use super::rows;
use super::spec::{Cost, Course, Layers, Probe, ProbeSpec};
use crate::data::Points;
use crate::data::checkerboard::{Board, Split};
use crate::engine::runs::{Ending, Halt, Job, Record, Runner};
use crate::evaluate::gradient::Ascent;
use crate::experiment::checkerboard::{INPUTS, OUTPUTS, data_hash};
use crate::model::{Model, ModelConfig, Network, Part};
use crate::nn::Mode;
use crate::rng::Seed;
use anyhow::Result;
use candle_core::{DType, Device, Tensor};

/// Makes measurements of every kind.
pub(super) struct Prober;

impl Runner for Prober {
    type Spec = ProbeSpec;

    fn data_hash(&self, spec: &ProbeSpec) -> Result<String> {
        let Probe::Course(course) = &spec.probe else { return Ok(String::new()) };
        Ok(data_hash(&course.board, &Split::of(&course.split, &course.board, spec.seed)?))
    }

    fn run(&self, spec: &ProbeSpec, job: &Job<'_>) -> Result<Option<Record>> {
        let bench = Bench { spec, job, device: job.device, halt: job.halt };
        match &spec.probe {
            Probe::Layers(layers) => layers::measure(&bench, layers),
            Probe::Start { board, model, depth, samples } => {
                start::flow(&bench, board, model, *depth, *samples).map(Some)
            }
            Probe::Neighbours { board, model, depth, pairs } => {
                start::neighbours(&bench, board, model, *depth, *pairs).map(Some)
            }
            Probe::Course(course) => course::run(&bench, course),
            &Probe::Stretch { ref model, depth, pairs, steps } => {
                start::stretch(&bench, model, depth, Ascent { pairs, steps }).map(Some)
            }
            Probe::Cost(cost) => cost::measure(&bench, cost),
        }
    }
}

/// What every measurement is made with.
struct Bench<'b> {
    spec: &'b ProbeSpec,
    job: &'b Job<'b>,
    device: &'b Device,
    halt: &'b Halt<'b>,
}

impl Bench<'_> {
    /// The record of a measurement without a training.
    fn record(&self, parameters: usize, headline: String) -> Record {
        Record::new(Ending { diverged_at_step: None, parameters, epoch_seconds: None }, headline)
    }

    /// Some points of the board in the order of a stream of the seed's, with their targets.
    fn points(&self, board: &Board, count: usize, stream: &str) -> candle_core::Result<(Vec<usize>, Points)> {
        let mut places = self.spec.seed.stream(stream).permutation(board.points());
        places.truncate(count);
        let points = board.select(&places, self.device)?;
        Ok((places, points))
    }

    /// The same network with f64 parameters.
    fn in_double(&self, config: &ModelConfig, model: &Model) -> Result<Model> {
        let twin = config.build_as(DType::F64, INPUTS, OUTPUTS, Seed(0), self.device)?;
        twin.parameters.assign(&model.parameters.to_stored()?.into_iter().collect())?;
        Ok(twin)
    }
}

/// Passes over the samples that bring running statistics to those of the data.
const SETTLING: usize = 100;

/// Brings the running statistics of an untrained network's batch norm to those of some points: as they start, batch norm
/// would change nothing. Networks without it stay as they are.
fn settle(network: &dyn Network, points: &Tensor) -> candle_core::Result<()> {
    if network.chain().is_ok() {
        return Ok(());
    }
    (0..SETTLING).try_for_each(|_| network.forward(points, Mode::Train).map(drop))
}

/// The parts from the input to the last hidden state, one after the other.
fn hidden(parts: &[Part<'_>], xs: &Tensor) -> candle_core::Result<Tensor> {
    let body = &parts[..parts.len() - 1];
    body.iter().try_fold(xs.clone(), |h, part| part(&h, Mode::Eval))
}
