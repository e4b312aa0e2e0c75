//! Dense layers of one width with ReLU as one operation: one node in the graph, no allocation and no addition of
//! gradients between the layers.

use super::Activation;
use super::dense::{Dense, DenseInit, bias_init};
use super::fused::{Fused, Pass, Saved, apply};
use super::kernels::dense::Wanted;
use super::kernels::dense_stack as kernel;
use super::kernels::lanes::Element;
use super::params::{Draw, Role, Scope, Stored};
use super::storage::{check_parameters, has_kernel, is_computed};
use super::trace::Trace;
use candle_core::{Result, Tensor, bail};
use candle_nn::Module;

/// h = max(h W^T + b, 0), one layer after the other.
#[derive(Debug, Clone)]
pub struct DenseStack {
    weight: Tensor,
    bias: Tensor,
}

impl DenseStack {
    /// A stack from the layers' parameters, the first applied first.
    ///
    /// # Shapes
    /// - weight: (depth, width, width), each as `[outputs, inputs]`
    /// - bias: (depth, width)
    ///
    /// # Errors
    /// When the shapes do not fit together, or there is no layer or a layer without width.
    pub fn new(weight: Tensor, bias: Tensor) -> Result<Self> {
        let (depth, outputs, inputs) = weight.dims3()?;
        check_parameters(&[&weight, &bias])?;
        if outputs != inputs || bias.dims() != [depth, outputs] {
            bail!("a stack of dense layers cannot be made of {:?} and {:?}", weight.dims(), bias.dims());
        }
        Ok(Self { weight, bias })
    }

    /// The layers one by one.
    pub fn layers(&self) -> Result<Vec<Dense>> {
        let layer = |place| Dense::new(self.weight.get(place)?, self.bias.get(place)?, Activation::Relu);
        (0..self.weight.dims()[0]).map(layer).collect()
    }

    fn forward_composed(&self, xs: &Tensor) -> Result<Tensor> {
        self.layers()?.iter().try_fold(xs.clone(), |h, layer| layer.forward(&h))
    }

    /// Whether its parameters are computed from variables in every pass: then their gradients need candle's graph.
    pub(crate) fn is_computed(&self) -> bool {
        is_computed(&[&self.weight, &self.bias])
    }

    /// As [`Dense::forward_traced`].
    ///
    /// # Shapes
    /// As [`Module::forward`].
    ///
    /// # Errors
    /// When shape or type do not fit the parameters.
    pub fn forward_traced(&self, xs: &Tensor, trace: Option<&mut Trace>) -> Result<Tensor> {
        let (rows, inputs) = xs.dims2()?;
        let width = self.weight.dims()[1];
        if inputs != width {
            bail!("dense layers of width {width} cannot take a tensor of shape {:?}", xs.dims());
        }
        if !has_kernel(xs)? {
            Trace::refuse(trace, "a dense stack")?;
            return self.forward_composed(xs);
        }
        let wanted = Trace::wanted(trace.as_deref(), xs, &[&self.weight, &self.bias]);
        let op = DenseStackOp { shape: kernel::Shape { rows, width }, wanted, hidden: Saved::default() };
        apply(op, [xs, &self.weight, &self.bias], trace)
    }
}

impl Module for DenseStack {
    /// # Shapes
    /// - xs: (batch, width) -> same
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        self.forward_traced(xs, None)
    }
}

/// Builds a seeded stack. Each layer is drawn and saved like one made by [`super::dense`] under its name.
///
/// # Errors
/// When there is no layer, the width is 0, or a name is taken.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use candle_nn::Module;
/// use han_exp::nn::{DenseInit, Scope, dense_stack};
/// use han_exp::rng::Seed;
///
/// let scope = Scope::new(Seed(1), DType::F32, &Device::Cpu);
/// let stack = dense_stack(4, &["a".into(), "b".into()], DenseInit::default(), &scope)?;
/// assert_eq!(stack.forward(&Tensor::ones((2, 4), DType::F32, &Device::Cpu)?)?.dims(), [2, 4]);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn dense_stack(width: usize, stored_as: &[String], init: DenseInit, scope: &Scope) -> Result<DenseStack> {
    let draws = |part: &str, init, shape: &[usize]| -> Vec<Draw> {
        let stored = |name: &String| vec![Stored { name: format!("{name}.{part}"), shape: shape.to_vec() }];
        stored_as.iter().map(|name| Draw { init, stored: stored(name) }).collect()
    };
    let weights = draws("weight", init.of_weight(width, width), &[width, width]);
    let weight = scope.stacked((stored_as.len(), width, width), weights, Role::Trained)?;
    let biases = draws("bias", bias_init(width), &[width]);
    DenseStack::new(weight, scope.stacked((stored_as.len(), width), biases, Role::Trained)?)
}

/// The operation on (x, W, b).
struct DenseStackOp {
    shape: kernel::Shape,
    wanted: Wanted,
    /// The outputs of all layers but the last.
    hidden: Saved,
}

impl Fused<3> for DenseStackOp {
    const NAME: &'static str = "dense-stack";

    fn forward<T: Element>(&self, [x, w, b]: [&[T]; 3]) -> Result<Vec<T>> {
        let keep = self.wanted.input || self.wanted.parameters;
        let (y, hidden) = kernel::forward(self.shape, x, w, b, keep);
        self.hidden.put(hidden);
        Ok(y)
    }

    fn backward<T: Element>(&self, pass: &Pass<'_, T, 3>) -> Result<[Option<Vec<T>>; 3]> {
        let [x, w, _] = pass.inputs;
        let hidden = self.hidden.get::<Vec<Vec<T>>>()?;
        let gradients = kernel::backward(self.shape, x, w, hidden, pass.output, pass.gradient, self.wanted);
        Ok([gradients.input, gradients.weight, gradients.bias])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::{assert_same, normal};
    use candle_core::Var;

    #[test]
    fn the_kernel_equals_single_layers() -> Result<()> {
        for depth in [1, 4] {
            let weight = Var::from_tensor(&normal(&[depth, 6, 6], 1)?)?;
            let bias = Var::from_tensor(&normal(&[depth, 6], 2)?)?;
            let xs = Var::from_tensor(&normal(&[11, 6], 3)?)?;
            let stack = DenseStack::new(weight.as_tensor().clone(), bias.as_tensor().clone())?;
            let vars = [&xs, &weight, &bias];
            assert_same(&stack.forward(&xs)?, &stack.forward_composed(&xs)?, &normal(&[11, 6], 4)?, &vars)?;
        }
        Ok(())
    }
}
