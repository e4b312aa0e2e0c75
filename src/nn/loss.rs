//! Losses, averaged as PyTorch averages by default.

use super::fused::{Fused, Pass, apply2};
use super::kernels::lanes::Element;
use super::kernels::loss as kernel;
use super::storage::has_kernel;
use candle_core::{Result, Shape, Tensor};

/// candle's own agrees with PyTorch in value and gradient (see `tests/golden.rs`).
pub use candle_nn::loss::cross_entropy;

/// The mean of (prediction - target)^2 over all entries, a scalar.
///
/// candle's own agrees with PyTorch, but is four operations: for a small network they cost an eighth of a training step.
///
/// # Shapes
/// - prediction, target: any, the same -> ()
///
/// # Errors
/// When shapes or types differ.
pub fn mse(prediction: &Tensor, target: &Tensor) -> Result<Tensor> {
    if has_kernel(prediction) && prediction.dtype() == target.dtype() && prediction.dims() == target.dims() {
        let wanted = [prediction.track_op(), target.track_op()];
        return apply2(MeanSquaredError { wanted }, prediction, target);
    }
    candle_nn::loss::mse(prediction, target)
}

struct MeanSquaredError {
    /// Whose gradient somebody will read.
    wanted: [bool; 2],
}

impl Fused<2> for MeanSquaredError {
    const NAME: &'static str = "mean-squared-error";

    fn shape(&self, _prediction: &Shape) -> Shape {
        ().into()
    }

    fn forward<T: Element>(&self, [prediction, target]: [&[T]; 2]) -> Result<Vec<T>> {
        Ok(vec![kernel::mean_squared_error(prediction, target)])
    }

    fn backward<T: Element>(&self, pass: &Pass<'_, T, 2>) -> Result<[Option<Vec<T>>; 2]> {
        let ([prediction, target], factor) = (pass.inputs, pass.gradient[0]);
        let gradient = |factor: T| kernel::mean_squared_error_gradient(prediction, target, factor);
        let [of_prediction, of_target] = self.wanted;
        Ok([of_prediction.then(|| gradient(factor)), of_target.then(|| gradient(T::default() - factor))])
    }
}
