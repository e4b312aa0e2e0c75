//! Measurements of the layer's claims.

mod cost;
mod course;
mod layers;
mod start;

use super::halt::Halt;
use super::scheduler::{Runner, Tick};
use super::training;
use crate::config::gradients::{Probe, ProbeSpec};
use crate::data::checkerboard::Board;
use crate::evaluate::gradient::Ascent;
use crate::model::{Model, ModelConfig, Network, Part};
use crate::nn::Mode;
use crate::record::gradients::{ProbeRecord, Rows};
use crate::record::{Ending, EpochRow};
use crate::rng::Seed;
use anyhow::Result;
use candle_core::{DType, Device, Tensor};

/// Makes measurements of every kind.
pub struct Prober;

impl Runner for Prober {
    type Spec = ProbeSpec;
    type Record = ProbeRecord;

    fn run(
        &self,
        spec: &ProbeSpec,
        device: &Device,
        tick: &mut Tick<'_>,
        halt: &Halt<'_>,
    ) -> Result<Option<ProbeRecord>> {
        let started = training::start();
        let found = match &spec.probe {
            &Probe::Layers { layers, narrowest, widest, kinks } => {
                layers::measure(layers, [narrowest, widest], kinks, spec.seed, device, tick, halt)?
            }
            Probe::Start { board, model, depth, samples } => {
                Some(start::flow(spec, board, model, *depth, *samples, device, halt)?)
            }
            &Probe::Neighbours { ref board, ref model, depth, pairs } => {
                Some(start::neighbours(spec, board, model, depth, pairs, device, halt)?)
            }
            Probe::Course(course) => return course::run(spec, course, device, tick, halt),
            &Probe::Stretch { ref model, depth, pairs, steps } => {
                Some(start::stretch(spec, model, depth, Ascent { pairs, steps }, device, halt)?)
            }
            Probe::Cost { widths, batch, rounds, depths, depth_width } => cost::measure(
                &cost::Plan { widths, batch: *batch, rounds: *rounds, depths, width: *depth_width },
                device,
                tick,
            )?,
        };
        let Some(Measured { headline, parameters, rows }) = found else { return Ok(None) };
        let ending =
            Ending { diverged_at_step: None, parameters, data_hash: String::new(), epoch_seconds: None, started };
        Ok(Some(ProbeRecord { ending, headline, epochs: Vec::<EpochRow>::new(), rows }))
    }
}

/// What a measurement without a training found.
struct Measured {
    headline: String,
    parameters: usize,
    rows: Rows,
}

/// Some points of the board in the order of a stream of the seed's, with their targets.
fn points(
    board: &Board,
    count: usize,
    seed: Seed,
    name: &str,
    device: &Device,
) -> candle_core::Result<(Vec<usize>, crate::data::Points)> {
    let mut places = seed.stream(name).permutation(board.points());
    places.truncate(count);
    let points = board.select(&places, device)?;
    Ok((places, points))
}

/// The same network with f64 parameters.
fn in_double(config: &ModelConfig, model: &Model, inputs: usize, outputs: usize, device: &Device) -> Result<Model> {
    let twin = config.build_as(DType::F64, inputs, outputs, Seed(0), device)?;
    twin.parameters.assign(&model.parameters.to_stored()?.into_iter().collect())?;
    Ok(twin)
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
