//! Element-wise activations as candle operations.

use super::kernels::activation::{self as kernel, Activation};
use super::kernels::lanes::Element;
use super::storage::{entries, has_kernel, with_entries};
use candle_core::{CpuStorage, CustomOp1, CustomOp2, DType, Layout, Result, Shape, Tensor};

/// act(z), element by element.
///
/// # Shapes
/// - z: any -> same
pub fn activate(act: Activation, z: &Tensor) -> Result<Tensor> {
    if act == Activation::Identity {
        return Ok(z.clone());
    }
    if has_kernel(z) {
        return z.contiguous()?.apply_op1(ActivationOp(act));
    }
    activate_composed(act, z)
}

/// max(a + b, 0), the end of a residual block.
///
/// # Shapes
/// - a, b: any, the same -> same
pub fn add_relu(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if a.dims() == b.dims() && a.dtype() == b.dtype() && has_kernel(a) {
        return a.contiguous()?.apply_op2(&b.contiguous()?, AddReluOp);
    }
    activate_composed(Activation::Relu, &(a + b)?)
}

/// As [`activate`], of candle's operations. The slope is a constant factor: candle's own |z| and ReLU have slope 1 at 0.
pub(super) fn activate_composed(act: Activation, z: &Tensor) -> Result<Tensor> {
    match act {
        Activation::Identity => Ok(z.clone()),
        Activation::Abs => z * z.detach().sign()?,
        Activation::Relu => z * z.detach().gt(0.0)?.to_dtype(z.dtype())?,
    }
}

struct ActivationOp(Activation);

impl ActivationOp {
    fn backward<T: Element>(&self, z: &Tensor, gradient: &Tensor) -> Result<Tensor> {
        let result = with_entries::<T, _>(z, |z| with_entries::<T, _>(gradient, |g| kernel::backward(self.0, z, g)))??;
        Tensor::from_vec(result, z.shape(), z.device())
    }
}

impl CustomOp1 for ActivationOp {
    fn name(&self) -> &'static str {
        "activation"
    }

    fn cpu_fwd(&self, z: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let y = match z {
            CpuStorage::F32(_) => CpuStorage::F32(kernel::forward(self.0, entries::<f32>(z, layout)?)),
            _ => CpuStorage::F64(kernel::forward(self.0, entries::<f64>(z, layout)?)),
        };
        Ok((y, layout.shape().clone()))
    }

    fn bwd(&self, z: &Tensor, _y: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(match z.dtype() {
            DType::F32 => self.backward::<f32>(z, gradient)?,
            _ => self.backward::<f64>(z, gradient)?,
        }))
    }
}

struct AddReluOp;

impl CustomOp2 for AddReluOp {
    fn name(&self) -> &'static str {
        "add-relu"
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let y = match a {
            CpuStorage::F32(_) => {
                CpuStorage::F32(kernel::add_relu::<f32>(entries(a, a_layout)?, entries(b, b_layout)?))
            }
            _ => CpuStorage::F64(kernel::add_relu::<f64>(entries(a, a_layout)?, entries(b, b_layout)?)),
        };
        Ok((y, a_layout.shape().clone()))
    }

    fn bwd(&self, _a: &Tensor, _b: &Tensor, y: &Tensor, gradient: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let op = ActivationOp(Activation::Relu);
        let g = match y.dtype() {
            DType::F32 => op.backward::<f32>(y, gradient)?,
            _ => op.backward::<f64>(y, gradient)?,
        };
        Ok((Some(g.clone()), Some(g)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::{assert_same, normal};
    use candle_core::Var;

    #[test]
    fn activations_equal_their_composition_and_have_slope_0_at_0() -> Result<()> {
        let values = Tensor::cat(&[normal(&[40], 1)?, Tensor::zeros(3, DType::F64, &candle_core::Device::Cpu)?], 0)?;
        let (z, other) = (Var::from_tensor(&values)?, Var::from_tensor(&values.affine(-1.0, 0.0)?.roll(1, 0)?)?);
        let gradient = normal(&[43], 2)?;
        for act in [Activation::Abs, Activation::Relu] {
            assert_same(&activate(act, &z)?, &activate_composed(act, &z)?, &gradient, &[&z])?;
        }
        let composed = activate_composed(Activation::Relu, &(z.as_tensor() + other.as_tensor())?)?;
        assert_same(&add_relu(&z, &other)?, &composed, &gradient, &[&z, &other])
    }
}
