//! Untrained networks: the gradient's length from layer to layer, and the Lipschitz constant from below.

use super::rows::{FlowRow, NeighbourRow, StretchRow};
use super::{Bench, hidden, settle};
use crate::data::Points;
use crate::data::checkerboard::Board;
use crate::engine::runs::{Record, Spec};
use crate::evaluate::certificate::spectral::upper_bound;
use crate::evaluate::gradient::{Ascent, Flow, Found, Likeness, gradient_norms, likeness};
use crate::experiment::checkerboard::{INPUTS, OUTPUTS};
use crate::model::{Layer, ModelConfig, Network};
use crate::nn::Mode;
use anyhow::Result;
use candle_core::{DType, Tensor};

/// Gradients of the loss on points of the board, in f64; of HanNets in f32 as well, where dense networks' gradients leave
/// the range of numbers.
pub(super) fn flow(
    bench: &Bench<'_>,
    board: &Board,
    config: &ModelConfig,
    depth: usize,
    samples: usize,
) -> Result<Record> {
    let (_, points) = bench.points(board, samples, "norms/points")?;
    let (mut rows, mut parameters) = (Vec::new(), 0);
    let is_han = matches!(config, ModelConfig::Hannet(_) | ModelConfig::Certified(_));
    for dtype in [DType::F64].into_iter().chain(is_han.then_some(DType::F32)) {
        let model = config.build_as(dtype, INPUTS, OUTPUTS, bench.spec.seed, bench.device)?;
        parameters = model.parameters.count();
        let network = bench.halt.network(model.frozen.as_ref());
        rows.extend(flow_rows(bench, &network, &points, depth, 0.0, dtype)?);
    }
    let ratio = rows.iter().find(|row| row.layer == 1).and_then(|row| row.most);
    let headline = format!("gradient of the first layer {:.2e} of the last's", ratio.unwrap_or(f64::NAN));
    bench.record(parameters, headline).rows("flow.csv", &rows)
}

/// A row for every hidden layer.
pub(super) fn flow_rows(
    bench: &Bench<'_>,
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
        arm: bench.spec.arm.clone(),
        point: bench.spec.point(),
        seed: bench.spec.seed.0,
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
    bench: &Bench<'_>,
    board: &Board,
    config: &ModelConfig,
    depth: usize,
    pairs: usize,
) -> Result<Record> {
    // The points of the last column have no neighbour on the right.
    let mut places = bench.spec.seed.stream("depth/neighbours").permutation(board.points());
    places.retain(|place| board.place(*place).1 + 1 < board.side);
    places.truncate(pairs);
    let beside: Vec<usize> = places.iter().map(|place| place + 1).collect();
    let [here, there] =
        [&places, &beside].map(|places| board.select(places, bench.device)?.inputs.to_dtype(DType::F64));
    let model = config.build_as(DType::F64, INPUTS, OUTPUTS, bench.spec.seed, bench.device)?;
    let network = bench.halt.network(model.frozen.as_ref());
    let Likeness { cosine, pairs } = likeness(&|xs| network.forward(xs, Mode::Eval), &here?, &there?)?;
    let row = NeighbourRow { arm: bench.spec.arm.clone(), seed: bench.spec.seed.0, depth, pairs, cosine };
    let headline = format!("mean cosine {:.3}", cosine.unwrap_or(f64::NAN));
    bench.record(model.parameters.count(), headline).rows("neighbours.csv", &[row])
}

/// Standard normal points to which batch norm is settled.
const SETTLED: usize = 64;

/// The largest ratio that is found for the hidden layers of a network that has as many inputs as it is wide.
pub(super) fn stretch(bench: &Bench<'_>, config: &ModelConfig, depth: usize, ascent: Ascent) -> Result<Record> {
    let width = config.size().width;
    let model = config.build_as(DType::F64, width, OUTPUTS, bench.spec.seed, bench.device)?;
    let mut stream = bench.spec.seed.stream("lipschitz/settling");
    let entries: Vec<f64> = (0..SETTLED * width).map(|_| stream.normal()).collect();
    let network = bench.halt.network(model.frozen.as_ref());
    settle(&network, &Tensor::from_vec(entries, (SETTLED, width), bench.device)?)?;
    let row = stretch_row(bench, &network, width, depth, "start", ascent)?;
    let headline = row.found.map_or("no ratio above rounding".into(), |found| format!("largest ratio {found:.3e}"));
    bench.record(model.parameters.count(), headline).rows("stretch.csv", &[row])
}

/// The search on a network with f64 parameters.
pub(super) fn stretch_row(
    bench: &Bench<'_>,
    network: &dyn Network,
    inputs: usize,
    depth: usize,
    state: &str,
    ascent: Ascent,
) -> Result<StretchRow> {
    let parts = network.parts()?;
    let function = |xs: &Tensor| hidden(&parts, xs);
    let mut stream = bench.spec.seed.stream(&format!("lipschitz/{state}"));
    let Found { largest, at_random } = ascent.search(&function, inputs, &mut stream, bench.device)?;
    Ok(StretchRow {
        arm: bench.spec.arm.clone(),
        point: bench.spec.point(),
        seed: bench.spec.seed.0,
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
