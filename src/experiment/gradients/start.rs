//! Untrained networks: the gradient's length from layer to layer, and the Lipschitz constant from below.

use super::{Measured, hidden, points, settle};
use crate::config::Spec;
use crate::config::gradients::ProbeSpec;
use crate::data::Points;
use crate::data::checkerboard::Board;
use crate::evaluate::certificate::spectral::upper_bound;
use crate::evaluate::gradient::{Ascent, Flow, Found, Likeness, gradient_norms, likeness};
use crate::experiment::checkerboard::{INPUTS, OUTPUTS};
use crate::experiment::halt::Halt;
use crate::model::{Layer, ModelConfig, Network};
use crate::nn::Mode;
use crate::record::gradients::{FlowRow, NeighbourRow, Rows, StretchRow};
use anyhow::Result;
use candle_core::{DType, Device, Tensor};

/// Gradients of the loss on points of the board, in f64; of HanNets in f32 as well, where dense networks' gradients leave
/// the range of numbers.
pub(super) fn flow(
    spec: &ProbeSpec,
    board: &Board,
    config: &ModelConfig,
    depth: usize,
    samples: usize,
    device: &Device,
    halt: &Halt<'_>,
) -> Result<Measured> {
    let (_, points) = points(board, samples, spec.seed, "norms/points", device)?;
    let (mut rows, mut parameters) = (Vec::new(), 0);
    let is_han = matches!(config, ModelConfig::Hannet(_) | ModelConfig::Certified(_));
    for dtype in [DType::F64].into_iter().chain(is_han.then_some(DType::F32)) {
        let model = config.build_as(dtype, INPUTS, OUTPUTS, spec.seed, device)?;
        parameters = model.parameters.count();
        let network = halt.network(model.frozen.as_ref());
        rows.extend(flow_rows(spec, &network, &points, depth, 0.0, dtype)?);
    }
    let ratio = rows.iter().find(|row| row.layer == 1).and_then(|row| row.most);
    let headline = format!("gradient of the first layer {:.2e} of the last's", ratio.unwrap_or(f64::NAN));
    Ok(Measured { headline, parameters, rows: Rows { flow: rows, ..Rows::default() } })
}

/// A row for every hidden layer.
pub(super) fn flow_rows(
    spec: &ProbeSpec,
    network: &dyn Network,
    points: &Points,
    depth: usize,
    moment: f64,
    dtype: DType,
) -> Result<Vec<FlowRow>> {
    let (xs, ys) = (points.inputs.to_dtype(dtype)?, points.targets.to_dtype(dtype)?);
    let parts = network.parts()?;
    // Of the squared error, but for a factor that brings its largest entry to 1: networks may answer with 1e150.
    let of_loss = |outputs: &Tensor| -> candle_core::Result<Tensor> {
        let error = (outputs - &ys)?;
        let largest = error.abs()?.flatten_all()?.max(0)?.reshape((1, 1))?;
        error.broadcast_div(&largest)
    };
    let flows = gradient_norms(&parts, &xs, Mode::Train, of_loss)?;
    // A part of a ResNet is its stem or a block of two layers.
    let layers = if network.chain().is_ok() { 1 } else { 2 };
    let row = |(place, flow): (usize, Flow)| FlowRow {
        arm: spec.arm.clone(),
        point: spec.point(),
        seed: spec.seed.0,
        depth,
        moment,
        precision: dtype.as_str().into(),
        layer: place * layers + 1,
        norm: flow.norm,
        least: Some(flow.least).filter(|ratio| ratio.is_finite()),
        most: Some(flow.most).filter(|ratio| ratio.is_finite()),
    };
    Ok(flows.into_iter().enumerate().map(row).collect())
}

/// Likeness of the gradients at points of the board and at their right neighbours.
pub(super) fn neighbours(
    spec: &ProbeSpec,
    board: &Board,
    config: &ModelConfig,
    depth: usize,
    pairs: usize,
    device: &Device,
    halt: &Halt<'_>,
) -> Result<Measured> {
    // The points of the last column have no neighbour on the right.
    let mut places = spec.seed.stream("depth/neighbours").permutation(board.points());
    places.retain(|place| board.place(*place).1 + 1 < board.side);
    places.truncate(pairs);
    let beside: Vec<usize> = places.iter().map(|place| place + 1).collect();
    let [here, there] = [&places, &beside].map(|places| board.select(places, device)?.inputs.to_dtype(DType::F64));
    let model = config.build_as(DType::F64, INPUTS, OUTPUTS, spec.seed, device)?;
    let network = halt.network(model.frozen.as_ref());
    let Likeness { cosine, pairs } = likeness(&|xs| network.forward(xs, Mode::Eval), &here?, &there?)?;
    let row = NeighbourRow { arm: spec.arm.clone(), seed: spec.seed.0, depth, pairs, cosine };
    let rows = Rows { neighbours: vec![row], ..Rows::default() };
    let headline = format!("mean cosine {:.3}", cosine.unwrap_or(f64::NAN));
    Ok(Measured { headline, parameters: model.parameters.count(), rows })
}

/// Standard normal points to which batch norm is settled.
const SETTLED: usize = 64;

/// The largest ratio that is found for the hidden layers of a network that has as many inputs as it is wide.
pub(super) fn stretch(
    spec: &ProbeSpec,
    config: &ModelConfig,
    depth: usize,
    ascent: Ascent,
    device: &Device,
    halt: &Halt<'_>,
) -> Result<Measured> {
    let width = config.size().width;
    let model = config.build_as(DType::F64, width, OUTPUTS, spec.seed, device)?;
    let mut stream = spec.seed.stream("lipschitz/settling");
    let entries: Vec<f64> = (0..SETTLED * width).map(|_| stream.normal()).collect();
    let network = halt.network(model.frozen.as_ref());
    settle(&network, &Tensor::from_vec(entries, (SETTLED, width), device)?)?;
    let row = stretch_row(spec, &network, width, depth, "start", ascent, device)?;
    let headline = row.found.map_or("no ratio above rounding".into(), |found| format!("largest ratio {found:.3e}"));
    let parameters = model.parameters.count();
    Ok(Measured { headline, parameters, rows: Rows { stretch: vec![row], ..Rows::default() } })
}

/// The search on a network with f64 parameters.
pub(super) fn stretch_row(
    spec: &ProbeSpec,
    network: &dyn Network,
    inputs: usize,
    depth: usize,
    state: &str,
    ascent: Ascent,
    device: &Device,
) -> Result<StretchRow> {
    let parts = network.parts()?;
    let function = |xs: &Tensor| hidden(&parts, xs);
    let mut stream = spec.seed.stream(&format!("lipschitz/{state}"));
    let Found { largest, at_random } = ascent.search(&function, inputs, &mut stream, device)?;
    Ok(StretchRow {
        arm: spec.arm.clone(),
        point: spec.point(),
        seed: spec.seed.0,
        depth,
        state: state.into(),
        found: largest,
        at_random,
        log10_of_norms: log10_of_norms(network)?,
    })
}

/// Of the product of the spectral norms of the hidden layers, those of Han-layers being 1: what bounds the Lipschitz
/// constant of a chain of layers. None for other networks.
fn log10_of_norms(network: &dyn Network) -> Result<Option<f64>> {
    let Ok(chain) = network.chain() else { return Ok(None) };
    let mut sum = 0.0;
    for layer in chain.hidden(DType::F64)? {
        if let Layer::Dense(dense) = layer {
            sum += upper_bound(dense.weight())?.log10();
        }
    }
    Ok(Some(sum))
}
