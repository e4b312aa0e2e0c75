//! Dense layer with its activation, y = act(x W^T + b), as one operation.
//!
//! candle's own `Linear` is wrong for transposed three-dimensional inputs on the CPU and sums its bias gradient along
//! the slow axis; this layer does neither.

use super::activation::activate_composed;
#[cfg(feature = "cuda")]
use super::cuda;
use super::fused::{Fused, Pass, Saved, apply};
use super::init::Init;
use super::kernels::activation::{self, Activation};
use super::kernels::dense::{self as kernel, Wanted};
use super::kernels::lanes::Element;
use super::params::{Draw, Role, Scope, Stored};
use super::storage::{check_parameters, has_kernel, is_computed, same_type, single_or_wider};
use super::trace::Trace;
use candle_core::{DType, Result, Shape, Tensor, bail};
use candle_nn::Module;
use serde::{Deserialize, Serialize};

/// How the weights of a dense layer start. The bias is uniform in [-1/sqrt(inputs), 1/sqrt(inputs)], as in PyTorch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DenseInit {
    /// Orthonormal rows or columns.
    Orthogonal,
    /// Normal with variance 2 / inputs.
    #[default]
    KaimingNormal,
    /// Normal with variance 2 / (inputs + outputs).
    XavierNormal,
}

impl DenseInit {
    pub(super) fn of_weight(self, inputs: usize, outputs: usize) -> Init {
        match self {
            Self::Orthogonal => Init::Orthogonal,
            Self::KaimingNormal => Init::KaimingNormal { fan_in: inputs },
            Self::XavierNormal => Init::XavierNormal { fan_in: inputs, fan_out: outputs },
        }
    }
}

pub(super) fn bias_init(inputs: usize) -> Init {
    Init::Uniform { bound: 1.0 / (inputs as f64).sqrt() }
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
    /// When the shapes do not fit together or a size is 0.
    ///
    /// ```
    /// use candle_core::{Device, Tensor};
    /// use candle_nn::Module;
    /// use han_exp::nn::{Activation, Dense};
    ///
    /// let (weight, bias) = (Tensor::new(&[[2f32, -1.0]], &Device::Cpu)?, Tensor::new(&[0.5f32], &Device::Cpu)?);
    /// let layer = Dense::new(weight, bias, Activation::Abs)?;
    /// let y = layer.forward(&Tensor::new(&[[1f32, 4.0]], &Device::Cpu)?)?;
    /// assert_eq!(y.to_vec2::<f32>()?, [[1.5]]);
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    pub fn new(weight: Tensor, bias: Tensor, activation: Activation) -> Result<Self> {
        let (outputs, _) = weight.dims2()?;
        check_parameters(&[&weight, &bias])?;
        if bias.dims() != [outputs] {
            bail!("a dense layer of {outputs} outputs needs a bias of that length, got {:?}", bias.dims());
        }
        Ok(Self { weight, bias, activation })
    }

    /// W, (outputs, inputs)
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// b, (outputs)
    pub fn bias(&self) -> &Tensor {
        &self.bias
    }

    /// act
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// The same function of constants of another type.
    pub fn constant(&self, dtype: DType) -> Result<Self> {
        let [weight, bias] = [&self.weight, &self.bias].map(|tensor| tensor.detach().to_dtype(dtype));
        Self::new(weight?, bias?, self.activation)
    }

    fn forward_composed(&self, xs: &Tensor) -> Result<Tensor> {
        #[cfg(feature = "cuda")]
        if cuda::layers::apply_to(xs) {
            return activate_composed(self.activation, &cuda::layers::dense(xs, &self.weight, &self.bias)?);
        }
        same_type(xs, &self.bias)?;
        // The gradient of the bias is a sum over all rows.
        let z = single_or_wider(&xs.matmul(&self.weight.t()?)?)?.broadcast_add(&single_or_wider(&self.bias)?)?;
        activate_composed(self.activation, &z.to_dtype(xs.dtype())?)
    }

    /// Whether its parameters are computed from variables in every pass: then their gradients need candle's graph.
    pub(crate) fn is_computed(&self) -> bool {
        is_computed(&[&self.weight, &self.bias])
    }

    /// The layer's output; with a trace, a step of it rather than a part of candle's graph.
    ///
    /// # Shapes
    /// As [`Module::forward`].
    ///
    /// # Errors
    /// When shape or type do not fit the parameters.
    pub fn forward_traced(&self, xs: &Tensor, trace: Option<&mut Trace>) -> Result<Tensor> {
        let (outputs, inputs) = self.weight.dims2()?;
        let Some((&last, batch)) = xs.dims().split_last() else { bail!("a dense layer cannot take a scalar") };
        if last != inputs {
            bail!("a dense layer of {inputs} inputs cannot take a tensor of shape {:?}", xs.dims());
        }
        let rows = batch.iter().product::<usize>();
        let flat = xs.contiguous()?.reshape((rows, inputs))?; // (rows, inputs)
        let y = if has_kernel(xs)? {
            let op = DenseOp {
                shape: kernel::Shape { rows, inputs, outputs },
                activation: self.activation,
                wanted: Trace::wanted(trace.as_deref(), xs, &[&self.weight, &self.bias]),
                pre_activation: Saved::default(),
            };
            apply(op, [&flat, &self.weight, &self.bias], trace)?
        } else {
            Trace::refuse(trace, "a dense layer")?;
            self.forward_composed(&flat)?
        };
        y.reshape([batch, &[outputs]].concat())
    }
}

impl Module for Dense {
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
/// use han_exp::nn::{Activation, DenseInit, Scope, dense};
/// use han_exp::rng::Seed;
///
/// let scope = Scope::new(Seed(1), DType::F32, &Device::Cpu);
/// let layer = dense(4, 3, Activation::Relu, DenseInit::default(), &scope.enter("first"))?;
/// assert_eq!(layer.forward(&Tensor::ones((2, 4), DType::F32, &Device::Cpu)?)?.dims(), [2, 3]);
/// assert_eq!(scope.parameters().to_stored()?[0].0, "first.weight");
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn dense(inputs: usize, outputs: usize, activation: Activation, init: DenseInit, scope: &Scope) -> Result<Dense> {
    let weight = scope.parameter("weight", (outputs, inputs), init.of_weight(inputs, outputs))?;
    let bias = scope.parameter("bias", outputs, bias_init(inputs))?;
    Dense::new(weight, bias, activation)
}

/// As [`dense`] with Kaiming-normal weights, of a spectral norm of at most `bound` from the first
/// [`super::Parameters::retract`] on.
///
/// # Errors
/// As [`dense`], and when the bound is no positive number.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use candle_nn::Module;
/// use han_exp::nn::{Activation, Scope, bounded_dense};
/// use han_exp::rng::Seed;
///
/// let scope = Scope::new(Seed(1), DType::F32, &Device::Cpu);
/// let layer = bounded_dense(4, 3, Activation::Relu, 1.0, &scope)?;
/// scope.parameters().retract()?; // after every step of an optimizer
/// assert_eq!(layer.forward(&Tensor::ones((2, 4), DType::F32, &Device::Cpu)?)?.dims(), [2, 3]);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn bounded_dense(
    inputs: usize,
    outputs: usize,
    activation: Activation,
    bound: f64,
    scope: &Scope,
) -> Result<Dense> {
    if !(bound > 0.0 && bound.is_finite()) {
        bail!("the norm of a dense layer is bounded by {bound}; use a positive number");
    }
    let stored = vec![Stored { name: "weight".into(), shape: vec![outputs, inputs] }];
    let draws = vec![Draw { init: DenseInit::KaimingNormal.of_weight(inputs, outputs), stored }];
    let weight = scope.stacked((outputs, inputs), draws, Role::Bounded { norm: bound })?;
    let bias = scope.parameter("bias", outputs, bias_init(inputs))?;
    Dense::new(weight, bias, activation)
}

/// The operation on (x, W, b).
struct DenseOp {
    shape: kernel::Shape,
    activation: Activation,
    wanted: Wanted,
    /// z of |z|, whose sign y no longer shows.
    pre_activation: Saved,
}

impl Fused<3> for DenseOp {
    const NAME: &'static str = "dense";

    fn shape(&self, _x: &Shape) -> Shape {
        (self.shape.rows, self.shape.outputs).into()
    }

    fn forward<T: Element>(&self, [x, w, b]: [&[T]; 3]) -> Result<Vec<T>> {
        let mut y = kernel::pre_activation(self.shape, x, w, b);
        if self.activation == Activation::Abs && (self.wanted.input || self.wanted.parameters) {
            self.pre_activation.put(y.clone());
        }
        activation::forward_in_place(self.activation, &mut y);
        Ok(y)
    }

    fn backward<T: Element>(&self, pass: &Pass<'_, T, 3>) -> Result<[Option<Vec<T>>; 3]> {
        let [x, w, _] = pass.inputs;
        let witness = match self.activation {
            Activation::Abs => self.pre_activation.get::<Vec<T>>()?,
            _ => pass.output,
        };
        let gradients = kernel::backward(self.shape, self.activation, x, w, witness, pass.gradient, self.wanted);
        Ok([gradients.input, gradients.weight, gradients.bias])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::{assert_same, normal};
    use candle_core::Var;

    #[test]
    fn the_kernel_equals_the_composed_layer() -> Result<()> {
        for activation in [Activation::Identity, Activation::Abs, Activation::Relu, Activation::Tanh] {
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
