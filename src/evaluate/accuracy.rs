//! Accuracy of a two-class regression: the prediction is class 1 where the mean of the outputs is above 0.5.

use crate::data::Points;
use crate::model::Network;
use crate::nn::Mode;
use candle_core::{D, DType, Result, Tensor, bail};

/// Points in one forward pass: few enough for their activations to stay in cache.
const CHUNK: usize = 512;

/// Scores on a set of points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Part of the points that is classified right, 0 to 1.
    pub accuracy: f64,
    /// Mean squared error over all outputs.
    pub loss: f64,
    /// Number of points.
    pub points: usize,
}

/// The class of an output; NaN counts as class 0.
pub fn class(output: f32) -> u8 {
    u8::from(output > 0.5)
}

/// Mean of the network's outputs at every point; NaN where the network is broken.
///
/// # Shapes
/// - inputs: (points, features)
///
/// # Errors
/// When there are no points, or the network does not take them.
pub fn outputs(network: &dyn Network, inputs: &Tensor) -> Result<Vec<f32>> {
    forward(network, inputs)?.mean(D::Minus1)?.to_dtype(DType::F32)?.to_vec1()
}

/// Accuracy and loss of a network on some points.
///
/// # Errors
/// As [`outputs`], and when the targets are not those of the points.
pub fn score(network: &dyn Network, points: &Points) -> Result<Score> {
    let outputs = forward(network, &points.inputs)?;
    let loss = crate::nn::loss::mse(&outputs, &points.targets)?.to_dtype(DType::F64)?.to_scalar::<f64>()?;
    let predicted = outputs.mean(D::Minus1)?.to_dtype(DType::F32)?.to_vec1::<f32>()?;
    let labels = points.targets.narrow(1, 0, 1)?.flatten_all()?.to_dtype(DType::F32)?.to_vec1::<f32>()?;
    let right = predicted.iter().zip(&labels).filter(|(output, label)| class(**output) == class(**label)).count();
    Ok(Score { accuracy: right as f64 / labels.len() as f64, loss, points: labels.len() })
}

fn forward(network: &dyn Network, inputs: &Tensor) -> Result<Tensor> {
    let (points, _) = inputs.dims2()?;
    if points == 0 {
        bail!("there are no points to score");
    }
    let chunks = (0..points).step_by(CHUNK).map(|start| {
        let chunk = inputs.narrow(0, start, CHUNK.min(points - start))?;
        Ok(network.forward(&chunk, Mode::Eval)?.detach())
    });
    Tensor::cat(&chunks.collect::<Result<Vec<_>>>()?, 0)
}
