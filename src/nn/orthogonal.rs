//! Dense layer with an orthonormal weight: y = act(x W^T + b) with W W^T = I, or W^T W = I if there are more outputs
//! than inputs. It is 1-Lipschitz, and with |.| its Jacobian keeps the length of gradients.
//!
//! The weight is stored orthonormal, so that it needs no work outside training and can be loaded as that of an
//! ordinary dense layer. After every optimizer step [`super::Parameters::retract`] has to be called.

use super::Activation;
use super::dense::{Dense, bias_init};
use super::init::Init;
use super::params::{Draw, Role, Scope, Stored};
use super::stiefel;
use super::storage::check_parameters;
use super::trace::Trace;
use candle_core::{Result, Tensor};
use candle_nn::Module;

/// y = act(x W^T + b) with an orthonormal W.
#[derive(Debug, Clone)]
pub struct OrthogonalDense {
    weight: Tensor,
    bias: Tensor,
    activation: Activation,
}

impl OrthogonalDense {
    /// A layer from PyTorch's layout.
    ///
    /// # Shapes
    /// - weight: (outputs, inputs)
    /// - bias: (outputs)
    ///
    /// # Errors
    /// When the shapes do not fit together, a size is 0, or the weight is not orthonormal.
    pub fn new(weight: Tensor, bias: Tensor, activation: Activation) -> Result<Self> {
        check_parameters(&[&weight, &bias])?;
        stiefel::check(&weight)?;
        let layer = Self { weight, bias, activation };
        layer.dense().map(|_| layer)
    }

    /// The same function as an ordinary layer; gradients reach the weight as they are.
    pub fn dense(&self) -> Result<Dense> {
        Dense::new(self.weight.clone(), self.bias.clone(), self.activation)
    }

    /// As [`Dense::forward_traced`].
    ///
    /// # Shapes
    /// As [`Module::forward`].
    ///
    /// # Errors
    /// When shape or type do not fit the parameters.
    pub fn forward_traced(&self, xs: &Tensor, trace: Option<&mut Trace>) -> Result<Tensor> {
        Dense::new(stiefel::tangent(&self.weight)?, self.bias.clone(), self.activation)?.forward_traced(xs, trace)
    }
}

impl Module for OrthogonalDense {
    /// # Shapes
    /// - xs: (.., inputs) -> (.., outputs)
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        self.forward_traced(xs, None)
    }
}

/// Builds a seeded layer from the parameters `weight` and `bias` of `scope`.
///
/// # Errors
/// When a size is 0, or a name is taken.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use candle_nn::Module;
/// use han_exp::nn::{Activation, Scope, orthogonal_dense};
/// use han_exp::rng::Seed;
///
/// let scope = Scope::new(Seed(1), DType::F32, &Device::Cpu);
/// let layer = orthogonal_dense(4, 3, Activation::Abs, &scope)?;
/// scope.parameters().retract()?; // after every step of an optimizer
/// assert_eq!(layer.forward(&Tensor::ones((2, 4), DType::F32, &Device::Cpu)?)?.dims(), [2, 3]);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn orthogonal_dense(
    inputs: usize,
    outputs: usize,
    activation: Activation,
    scope: &Scope,
) -> Result<OrthogonalDense> {
    let stored = vec![Stored { name: "weight".into(), shape: vec![outputs, inputs] }];
    let draws = vec![Draw { init: Init::Orthogonal, stored }];
    let weight = scope.stacked((outputs, inputs), draws, Role::Orthonormal)?;
    let bias = scope.parameter("bias", outputs, bias_init(inputs))?;
    OrthogonalDense::new(weight, bias, activation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Parameters, loss, testing::normal};
    use crate::rng::Seed;
    use candle_core::{DType, Device};

    #[test]
    fn training_steps_leave_the_weight_orthonormal() -> Result<()> {
        for (inputs, outputs) in [(40, 24), (24, 40), (32, 32)] {
            let scope = Scope::new(Seed(1), DType::F32, &Device::Cpu);
            let layer = orthogonal_dense(inputs, outputs, Activation::Abs, &scope)?;
            let parameters: Parameters = scope.parameters();
            let xs = normal(&[64, inputs], 2)?.to_dtype(DType::F32)?;
            let target = normal(&[64, outputs], 3)?.to_dtype(DType::F32)?;
            let before = loss::mse(&layer.forward(&xs)?, &target)?.to_scalar::<f32>()?;
            for _ in 0..50 {
                let gradients = loss::mse(&layer.forward(&xs)?, &target)?.backward()?;
                for var in parameters.trained() {
                    if let Some(gradient) = gradients.get(var.as_tensor()) {
                        var.set(&(var.as_detached_tensor() - (gradient * 3.0)?)?)?;
                    }
                }
                parameters.retract()?;
                assert!(stiefel::deviation(&layer.weight)? < 1e-6, "off by {:e}", stiefel::deviation(&layer.weight)?);
            }
            let after = loss::mse(&layer.forward(&xs)?, &target)?.to_scalar::<f32>()?;
            assert!(after < 0.95 * before, "the loss went from {before} to {after}");
        }
        Ok(())
    }

    #[test]
    fn a_weight_that_is_not_orthonormal_is_refused() -> Result<()> {
        assert!(OrthogonalDense::new(normal(&[3, 4], 1)?, normal(&[3], 2)?, Activation::Identity).is_err());
        Ok(())
    }
}
