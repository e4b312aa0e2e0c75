//! Dense layer with its activation, y = act(x W^T + b), as one operation.
//!
//! candle's own `Linear` is wrong for transposed three-dimensional inputs on the CPU and sums its bias gradient along
//! the slow axis; this layer does neither.

use super::activation::activate_composed;
use super::init::Init;
use super::kernels::activation::{self, Activation};
use super::kernels::dense::{self as kernel, Wanted};
use super::kernels::lanes::Element;
use super::params::Scope;
use super::storage::{entries, has_kernel, with_entries};
use candle_core::{CpuStorage, CustomOp3, DType, Layout, Result, Shape, Tensor, bail};
use candle_nn::Module;
use std::sync::OnceLock;

/// How the weights of a dense layer start. The bias is uniform in [-1/sqrt(inputs), 1/sqrt(inputs)], as in PyTorch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DenseInit {
    /// Orthonormal rows or columns.
    Orthogonal,
    /// Normal with variance 2 / inputs.
    KaimingNormal,
}

/// y = act(x W^T + b)
#[derive(Debug, Clone)]
pub struct Dense {
    weight: Tensor,
    bias: Tensor,
    activation: Activation,
}

impl Dense {
    /// A layer from PyTorch's layout.
    ///
    /// # Shapes
    /// - weight: (outputs, inputs)
    /// - bias: (outputs)
    ///
    /// # Errors
    /// When the shapes do not fit together.
    pub fn new(weight: Tensor, bias: Tensor, activation: Activation) -> Result<Self> {
        let (outputs, _) = weight.dims2()?;
        if bias.dims() != [outputs] {
            bail!("a dense layer of {outputs} outputs needs a bias of that length, got {:?}", bias.dims());
        }
        Ok(Self { weight, bias, activation })
    }

    fn forward_composed(&self, xs: &Tensor) -> Result<Tensor> {
        let z = xs.matmul(&self.weight.t()?)?.broadcast_add(&self.bias)?;
        activate_composed(self.activation, &z)
    }
}

impl Module for Dense {
    /// # Shapes
    /// - xs: (.., inputs) -> (.., outputs)
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        let (outputs, inputs) = self.weight.dims2()?;
        let Some((&last, batch)) = xs.dims().split_last() else { bail!("a dense layer cannot take a scalar") };
        if last != inputs {
            bail!("a dense layer of {inputs} inputs cannot take a tensor of shape {:?}", xs.dims());
        }
        let rows = batch.iter().product::<usize>();
        let flat = xs.contiguous()?.reshape((rows, inputs))?; // (rows, inputs)
        let y = if has_kernel(xs) {
            let parameters = self.weight.track_op() || self.bias.track_op();
            let op = DenseOp {
                shape: kernel::Shape { rows, inputs, outputs },
                activation: self.activation,
                wanted: Wanted { input: xs.track_op(), parameters },
                pre_activation: OnceLock::new(),
            };
            flat.apply_op3(&self.weight.contiguous()?, &self.bias.contiguous()?, op)?
        } else {
            self.forward_composed(&flat)?
        };
        y.reshape([batch, &[outputs]].concat())
    }
}

/// Builds a seeded layer from the parameters `weight` and `bias` of `scope`.
pub fn dense(inputs: usize, outputs: usize, activation: Activation, init: DenseInit, scope: &Scope) -> Result<Dense> {
    let init = match init {
        DenseInit::Orthogonal => Init::Orthogonal,
        DenseInit::KaimingNormal => Init::KaimingNormal { fan_in: inputs },
    };
    let weight = scope.parameter("weight", (outputs, inputs), init)?;
    let bias = scope.parameter("bias", outputs, Init::Uniform { bound: 1.0 / (inputs as f64).sqrt() })?;
    Dense::new(weight, bias, activation)
}

/// The candle operation on (x, W, b).
struct DenseOp {
    shape: kernel::Shape,
    activation: Activation,
    wanted: Wanted,
    /// z of |z|, whose sign y no longer shows.
    pre_activation: OnceLock<CpuStorage>,
}

impl DenseOp {
    fn forward<T: Element>(&self, x: &[T], w: &[T], b: &[T]) -> CpuStorage {
        let mut y = kernel::pre_activation(self.shape, x, w, b);
        if self.activation == Activation::Abs && (self.wanted.input || self.wanted.parameters) {
            // An operation object serves one call of `apply_op3`, so the cell is empty.
            let _ = self.pre_activation.set(T::to_cpu_storage(&y));
        }
        activation::forward_in_place(self.activation, &mut y);
        T::to_cpu_storage_owned(y)
    }

    fn backward<T: Element>(
        &self,
        x: &Tensor,
        w: &Tensor,
        y: &Tensor,
        gradient: &Tensor,
    ) -> Result<kernel::Gradients<T>> {
        with_entries::<T, _>(x, |x| {
            with_entries::<T, _>(w, |w| {
                with_entries::<T, _>(y, |y| {
                    with_entries::<T, _>(gradient, |gradient| {
                        let witness = match self.pre_activation.get() {
                            Some(z) => z.as_slice::<T>()?,
                            None => y,
                        };
                        Ok(kernel::backward(self.shape, self.activation, x, w, witness, gradient, self.wanted))
                    })
                })
            })
        })????
    }

    fn tensors<T: Element>(&self, gradients: kernel::Gradients<T>, like: [&Tensor; 3]) -> Result<Optional3> {
        let [x, w, b] = like;
        let tensor = |values: Option<Vec<T>>, like: &Tensor| {
            values.map(|values| Tensor::from_vec(values, like.shape(), like.device())).transpose()
        };
        Ok((tensor(gradients.input, x)?, tensor(gradients.weight, w)?, tensor(gradients.bias, b)?))
    }
}

type Optional3 = (Option<Tensor>, Option<Tensor>, Option<Tensor>);

impl CustomOp3 for DenseOp {
    fn name(&self) -> &'static str {
        "dense"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        w: &CpuStorage,
        w_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let y = match x {
            CpuStorage::F32(_) => {
                self.forward::<f32>(entries(x, x_layout)?, entries(w, w_layout)?, entries(b, b_layout)?)
            }
            _ => self.forward::<f64>(entries(x, x_layout)?, entries(w, w_layout)?, entries(b, b_layout)?),
        };
        Ok((y, (self.shape.rows, self.shape.outputs).into()))
    }

    fn bwd(&self, x: &Tensor, w: &Tensor, b: &Tensor, y: &Tensor, gradient: &Tensor) -> Result<Optional3> {
        match x.dtype() {
            DType::F32 => self.tensors(self.backward::<f32>(x, w, y, gradient)?, [x, w, b]),
            _ => self.tensors(self.backward::<f64>(x, w, y, gradient)?, [x, w, b]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::{assert_same, normal};
    use candle_core::Var;

    #[test]
    fn the_kernel_equals_the_composed_layer() -> Result<()> {
        for activation in [Activation::Identity, Activation::Abs, Activation::Relu] {
            let weight = Var::from_tensor(&normal(&[7, 5], 1)?)?;
            let bias = Var::from_tensor(&normal(&[7], 2)?)?;
            let xs = Var::from_tensor(&normal(&[11, 5], 3)?)?;
            let layer = Dense::new(weight.as_tensor().clone(), bias.as_tensor().clone(), activation)?;
            let gradient = normal(&[11, 7], 4)?;
            let vars = [&xs, &weight, &bias];
            assert_same(&layer.forward(&xs)?, &layer.forward_composed(&xs)?, &gradient, &vars)?;
        }
        Ok(())
    }

    #[test]
    fn a_transposed_batch_of_matrices_is_multiplied_right() -> Result<()> {
        let xs = normal(&[3, 5, 4], 1)?.transpose(1, 2)?; // (3, 4, 5), not contiguous
        let layer = Dense::new(normal(&[7, 5], 2)?, normal(&[7], 3)?, Activation::Identity)?;
        let expected = layer.forward(&xs.contiguous()?.reshape((12, 5))?)?.reshape((3, 4, 7))?;
        assert_eq!(layer.forward(&xs)?.to_vec3::<f64>()?, expected.to_vec3::<f64>()?);
        Ok(())
    }
}
