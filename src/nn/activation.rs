//! Element-wise activations as candle operations.

use super::fused::{Fused, Pass, apply};
use super::kernels::activation::{self as kernel, Activation};
use super::kernels::lanes::Element;
use super::storage::has_kernel;
use candle_core::{Result, Tensor};

/// act(z), element by element.
///
/// # Shapes
/// - z: any -> same
///
/// # Errors
/// When the entries are whole numbers.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use han_exp::nn::{Activation, activate};
///
/// let z = Tensor::new(&[-2f32, 3.0], &Device::Cpu)?;
/// assert_eq!(activate(Activation::Abs, &z)?.to_vec1::<f32>()?, [2.0, 3.0]);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn activate(act: Activation, z: &Tensor) -> Result<Tensor> {
    let has_kernel = has_kernel(z)?;
    if act == Activation::Identity {
        return Ok(z.clone());
    }
    if has_kernel {
        return apply(ActivationOp(act), [z], None);
    }
    activate_composed(act, z)
}

/// max(a + b, 0), the end of a residual block.
///
/// # Shapes
/// - a, b: any, the same -> same
///
/// # Errors
/// When shapes or types differ, or the entries are whole numbers.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use han_exp::nn::add_relu;
///
/// let [a, b] = [[-2f32, 3.0], [1.0, 1.0]].map(|entries| Tensor::new(&entries, &Device::Cpu));
/// assert_eq!(add_relu(&a?, &b?)?.to_vec1::<f32>()?, [0.0, 4.0]);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn add_relu(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if a.dims() == b.dims() && a.dtype() == b.dtype() && has_kernel(a)? {
        return apply(AddReluOp, [a, b], None);
    }
    activate_composed(Activation::Relu, &(a + b)?)
}

/// As [`activate`], of candle's operations. The slope at 0 is 0: that of candle's own |z| and ReLU is 1.
pub(super) fn activate_composed(act: Activation, z: &Tensor) -> Result<Tensor> {
    match act {
        Activation::Identity => Ok(z.clone()),
        Activation::Abs => z * z.detach().sign()?,
        // No product: infinity times 0 is no number.
        Activation::Relu => z.detach().le(0.0)?.where_cond(&z.zeros_like()?, z),
        Activation::Tanh => z.tanh(),
    }
}

struct ActivationOp(Activation);

impl Fused<1> for ActivationOp {
    const NAME: &'static str = "activation";

    fn forward<T: Element>(&self, [z]: [&[T]; 1]) -> Result<Vec<T>> {
        Ok(kernel::forward(self.0, z))
    }

    fn backward<T: Element>(&self, pass: &Pass<'_, T, 1>) -> Result<[Option<Vec<T>>; 1]> {
        let [z] = pass.inputs;
        let witness = if self.0 == Activation::Tanh { pass.output } else { z };
        Ok([Some(kernel::backward(self.0, witness, pass.gradient))])
    }
}

struct AddReluOp;

impl Fused<2> for AddReluOp {
    const NAME: &'static str = "add-relu";

    fn forward<T: Element>(&self, [a, b]: [&[T]; 2]) -> Result<Vec<T>> {
        Ok(kernel::add_relu(a, b))
    }

    fn backward<T: Element>(&self, pass: &Pass<'_, T, 2>) -> Result<[Option<Vec<T>>; 2]> {
        let g = kernel::backward(Activation::Relu, pass.output, pass.gradient);
        Ok([Some(g.clone()), Some(g)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::{assert_same, normal};
    use candle_core::{DType, Var};

    #[test]
    fn activations_equal_their_composition_and_have_slope_0_at_0() -> Result<()> {
        let values = Tensor::cat(&[normal(&[40], 1)?, Tensor::zeros(3, DType::F64, &candle_core::Device::Cpu)?], 0)?;
        let (z, other) = (Var::from_tensor(&values)?, Var::from_tensor(&values.affine(-1.0, 0.0)?.roll(1, 0)?)?);
        let gradient = normal(&[43], 2)?;
        for act in [Activation::Abs, Activation::Relu, Activation::Tanh] {
            assert_same(&activate(act, &z)?, &activate_composed(act, &z)?, &gradient, &[&z])?;
        }
        let composed = activate_composed(Activation::Relu, &(z.as_tensor() + other.as_tensor())?)?;
        assert_same(&add_relu(&z, &other)?, &composed, &gradient, &[&z, &other])
    }
}
