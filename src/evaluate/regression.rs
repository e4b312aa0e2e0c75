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

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Tensor};

    /// Predicts the first feature, or all of them.
    struct First(usize);

    impl Network for First {
        fn forward(&self, xs: &Tensor, _mode: Mode) -> Result<Tensor> {
            xs.narrow(1, 0, self.0)
        }
    }

    fn points(inputs: Vec<f32>, targets: Vec<f32>) -> Points {
        let tensor = |values: Vec<f32>, columns| {
            let rows = values.len() / columns;
            Tensor::from_vec(values, (rows, columns), &Device::Cpu).expect("a tensor")
        };
        Points { inputs: tensor(inputs, 2), targets: tensor(targets, 1) }
    }

    #[test]
    fn errors_are_in_both_units_and_batches_do_not_show() {
        // More points than fit into one batch, each with an error of 1 or -1.
        let count = 2 * CHUNK + 1;
        let target = |at: usize| at as f32 / 100.0;
        let error = |at: usize| if at.is_multiple_of(2) { 1.0 } else { -1.0 };
        let inputs = (0..count).flat_map(|at| [target(at) + error(at), 9.0]).collect();
        let points = points(inputs, (0..count).map(target).collect());
        let score = score(&First(1), &points, 4.0).expect("a score");
        assert!((score.rmse - 1.0).abs() < 1e-6 && (score.rmse_in_units - 4.0).abs() < 4e-6, "{score:?}");
        let variance = (count * count - 1) as f64 / 12.0 / 1e4;
        assert!((score.r_squared.expect("targets vary") - (1.0 - 1.0 / variance)).abs() < 1e-6, "{score:?}");
        assert_eq!(score.points, count);
    }

    #[test]
    fn the_mean_explains_nothing_and_equal_targets_have_nothing_to_explain() {
        let mean = Score::of(&[2.0, 2.0], &[1.0, 3.0], 1.0).expect("a score");
        assert_eq!((mean.rmse, mean.r_squared), (1.0, Some(0.0)));
        assert_eq!(Score::of(&[1.0; 3], &[0.1; 3], 1.0).expect("a score").r_squared, None);
        assert!(Score::of(&[f64::NAN], &[1.0], 1.0).expect("a score").rmse.is_nan());
        assert!(Score::of(&[], &[], 1.0).is_err());
        assert!(Score::of(&[1.0], &[1.0, 2.0], 1.0).is_err());
    }

    #[test]
    fn a_network_has_one_output() {
        let told = score(&First(2), &points(vec![1.0, 2.0], vec![1.0]), 1.0).expect_err("two outputs").to_string();
        assert!(told.contains("one output a point"), "{told}");
        let none = Points {
            inputs: Tensor::zeros((0, 2), DType::F32, &Device::Cpu).expect("a tensor"),
            targets: Tensor::zeros((0, 1), DType::F32, &Device::Cpu).expect("a tensor"),
        };
        assert!(score(&First(1), &none, 1.0).is_err());
    }
}
