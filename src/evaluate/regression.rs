//! Error of a network that predicts one number.

use crate::data::Points;
use crate::model::Network;
use crate::nn::Mode;
use candle_core::{DType, Result, bail};

/// Points in one forward pass: few enough for their activations to stay in cache.
const CHUNK: usize = 512;

/// Scores on some points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Root mean squared error, in standard deviations of the target.
    pub rmse: f64,
    /// The same in the target's unit.
    pub rmse_in_units: f64,
    /// Part of the variance of these targets that is explained: 1 less the squared errors over the squared differences
    /// from the targets' mean. None where all targets are the same.
    pub r_squared: Option<f64>,
    /// Number of points.
    pub points: usize,
}

impl Score {
    /// The score of predictions, both in standard deviations of the target, of which one is `deviation` in its unit. NaN
    /// where a prediction is no number.
    ///
    /// # Errors
    /// When there are none, or not as many as targets.
    pub fn of(predictions: &[f64], targets: &[f64], deviation: f64) -> Result<Self> {
        let points = targets.len();
        if points == 0 || predictions.len() != points {
            bail!("{} predictions cannot be scored on {points} targets", predictions.len());
        }
        let mean = targets.iter().sum::<f64>() / points as f64;
        let errors: f64 =
            predictions.iter().zip(targets).map(|(prediction, target)| (prediction - target).powi(2)).sum();
        let total: f64 = targets.iter().map(|target| (target - mean).powi(2)).sum();
        let rmse = (errors / points as f64).sqrt();
        // By the values: the mean of equal numbers may round to another number.
        let varies = targets.iter().any(|target| *target != targets[0]);
        Ok(Self { rmse, rmse_in_units: rmse * deviation, r_squared: varies.then(|| 1.0 - errors / total), points })
    }
}

/// Scores a network on some points, whose targets are in standard deviations of `deviation` units.
///
/// # Shapes
/// - points: (points, features), (points, 1)
///
/// # Errors
/// When there are no points, or the network does not take them or has not one output.
pub fn score(network: &dyn Network, points: &Points, deviation: f64) -> Result<Score> {
    let targets = points.targets.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
    Score::of(&predictions(network, points)?, &targets, deviation)
}

/// The network's output at every point, in standard deviations of the target.
///
/// # Shapes
/// - points: (points, features), (points, 1)
/// - -> (points)
///
/// # Errors
/// As [`score`], but for no points: these have no predictions.
pub fn predictions(network: &dyn Network, points: &Points) -> Result<Vec<f64>> {
    let count = points.inputs.dim(0)?;
    let mut predictions = Vec::with_capacity(count);
    for start in (0..count).step_by(CHUNK) {
        let chunk = points.inputs.narrow(0, start, CHUNK.min(count - start))?;
        let outputs = network.forward(&chunk, Mode::Eval)?.detach();
        if outputs.dims() != [chunk.dim(0)?, 1] {
            bail!("the network's outputs have shape {:?}; a regression has one output a point", outputs.shape());
        }
        predictions.extend(outputs.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?);
    }
    Ok(predictions)
}
