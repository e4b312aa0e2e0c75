//! Accuracy of a two-class regression: the prediction is class 1 where the mean of the outputs is above 0.5.

use crate::data::Points;
use crate::model::Network;
use crate::nn::Mode;
use candle_core::{D, DType, Result};

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

/// Mean of the network's outputs at every point; NaN where the network is broken.
pub fn outputs(network: &dyn Network, points: &Points) -> Result<Vec<f32>> {
    // Constants in, so that no input gradient is tracked; the graph over the parameters dies with the result.
    let outputs = network.forward(&points.inputs, Mode::Eval)?;
    outputs.detach().mean(D::Minus1)?.to_dtype(DType::F32)?.to_vec1()
}

/// The class of an output; NaN counts as class 0.
pub fn class(output: f32) -> u8 {
    u8::from(output > 0.5)
}

/// Accuracy and loss of a network on some points.
pub fn score(network: &dyn Network, points: &Points) -> Result<Score> {
    let outputs = network.forward(&points.inputs, Mode::Eval)?.detach();
    let loss = crate::nn::loss::mse(&outputs, &points.targets)?.to_dtype(DType::F64)?.to_scalar::<f64>()?;
    let predicted = outputs.mean(D::Minus1)?.to_dtype(DType::F32)?.to_vec1::<f32>()?;
    let labels = points.targets.narrow(1, 0, 1)?.flatten_all()?.to_dtype(DType::F32)?.to_vec1::<f32>()?;
    let right = predicted.iter().zip(&labels).filter(|(output, label)| class(**output) == class(**label)).count();
    Ok(Score { accuracy: right as f64 / labels.len() as f64, loss, points: labels.len() })
}
