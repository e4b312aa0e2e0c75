//! Convolution, batch norm and ReLU as one operation in training.

use super::Mode;
use super::activation::activate;
use super::batch_norm::{BatchNorm, EPSILON};
use super::conv::{ConvConfig, geometry};
#[cfg(feature = "cuda")]
use super::cuda;
use super::dense::bias_init;
use super::fused::{Fused, Pass, Saved, apply};
use super::init::Init;
use super::kernels::activation::Activation;
use super::kernels::batch_norm::Statistics;
use super::kernels::conv_norm as kernel;
use super::kernels::dense::Wanted;
use super::kernels::lanes::Element;
use super::params::{Draw, Role, Scope, Stored};
use super::running::Running;
use super::storage::has_kernel;
use super::trace::Trace;
use super::{Conv2d, kernels::conv::Shape as ConvShape};
use candle_core::{Result, Shape, Tensor};
use candle_nn::{Module, ModuleT};

/// y = act(BN(conv(x))), where the convolution may have a bias of its own.
#[derive(Debug, Clone)]
pub struct ConvNorm {
    /// (outputs, inputs, kernel, kernel)
    weight: Tensor,
    /// Batch norm's weight and bias and, if there is one, the convolution's bias: (2 or 3, outputs).
    vectors: Tensor,
    running: Running,
    config: ConvConfig,
    activation: Activation,
}

/// Whether the convolution has a bias. Batch norm takes it away again, so that only the number of parameters knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConvBias {
    /// It has, with gradient 0.
    With,
    /// It has not.
    Without,
}

impl ConvNorm {
    /// The same layer, followed by max(., 0).
    pub fn then_relu(self) -> Self {
        Self { activation: Activation::Relu, ..self }
    }

    /// # Shapes
    /// - xs: (batch, height, width, inputs) -> (batch, rows, columns, outputs)
    ///
    /// # Errors
    /// When the image does not fit, and in [`Mode::Train`] with a single value per channel.
    pub fn forward(&self, xs: &Tensor, mode: Mode) -> Result<Tensor> {
        self.forward_traced(xs, mode, None)
    }

    /// As [`ConvNorm::forward`]; with a trace, in [`Mode::Train`], a step of it rather than a part of candle's graph.
    ///
    /// # Errors
    /// As [`ConvNorm::forward`], and when there can be no step.
    pub fn forward_traced(&self, xs: &Tensor, mode: Mode, trace: Option<&mut Trace>) -> Result<Tensor> {
        let shape = geometry(xs, &self.weight, self.config)?;
        let count = shape.batch * shape.positions();
        if mode == Mode::Eval || !has_kernel(xs)? || count < 2 {
            Trace::refuse(trace, "a convolution with batch norm")?;
            #[cfg(feature = "cuda")]
            if mode == Mode::Train && count > 1 && cuda::layers::apply_to(xs) {
                let relu = self.activation == Activation::Relu;
                let [y, mean, variance] = cuda::layers::conv_norm(xs, &self.weight, &self.vectors, shape, relu)?;
                self.running.update_on_gpu(&mean, &variance, count)?;
                return Ok(y);
            }
            return self.forward_by_parts(xs, mode);
        }
        let shape = kernel::Shape { conv: shape, activation: self.activation };
        let wanted = Trace::wanted(trace.as_deref(), xs, &[&self.weight, &self.vectors]);
        let op = ConvNormOp { shape, wanted, tape: Saved::default(), measured: Saved::default() };
        let measured = op.measured.clone();
        let y = apply(op, [xs, &self.weight, &self.vectors], trace)?;
        self.running.update(measured.get()?, count)?;
        Ok(y)
    }

    /// Convolution, batch norm and activation one after the other.
    fn forward_by_parts(&self, xs: &Tensor, mode: Mode) -> Result<Tensor> {
        let has_bias = self.vectors.dims()[0] > 2;
        let bias = if has_bias { self.vectors.get(2)? } else { self.vectors.get(0)?.zeros_like()? };
        let z = Conv2d::new(self.weight.clone(), bias, self.config)?.forward(xs)?;
        let Running { mean, variance } = self.running.clone();
        let norm = BatchNorm::new(self.vectors.get(0)?, self.vectors.get(1)?, mean, variance)?;
        let rows = z.reshape(((), z.dims()[3]))?; // (batch rows columns, outputs)
        activate(self.activation, &norm.forward(&rows, mode)?)?.reshape(z.shape())
    }
}

impl ModuleT for ConvNorm {
    fn forward_t(&self, xs: &Tensor, train: bool) -> Result<Tensor> {
        self.forward(xs, Mode::of(train))
    }
}

/// Builds a layer with orthogonal weights, saved as a convolution and a batch norm under these names.
///
/// # Errors
/// When a size is 0, or a name is taken.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use han_exp::nn::{ConvBias, ConvConfig, Mode, Scope, conv_norm};
/// use han_exp::rng::Seed;
///
/// let scope = Scope::new(Seed(1), DType::F32, &Device::Cpu);
/// let config = ConvConfig { stride: 1, padding: 1 };
/// let layer = conv_norm([3, 5, 3], config, ConvBias::Without, ["conv", "norm"], &scope)?.then_relu();
/// let y = layer.forward(&Tensor::ones((2, 8, 8, 3), DType::F32, &Device::Cpu)?, Mode::Train)?;
/// assert_eq!(y.dims(), [2, 8, 8, 5]);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn conv_norm(
    [inputs, outputs, edge]: [usize; 3],
    config: ConvConfig,
    bias: ConvBias,
    [conv, norm]: [&str; 2],
    scope: &Scope,
) -> Result<ConvNorm> {
    let draw =
        |init: Init, name: String, shape: &[usize]| Draw { init, stored: vec![Stored { name, shape: shape.into() }] };
    let shape = [outputs, inputs, edge, edge];
    let weight = vec![draw(Init::Orthogonal, format!("{conv}.weight"), &shape)];
    let weight = scope.stacked(shape.as_slice(), weight, Role::Trained)?;
    let mut vectors = vec![
        draw(Init::Ones, format!("{norm}.weight"), &[outputs]),
        draw(Init::Zeros, format!("{norm}.bias"), &[outputs]),
    ];
    if bias == ConvBias::With {
        vectors.push(draw(
            bias_init(inputs.saturating_mul(edge).saturating_mul(edge)),
            format!("{conv}.bias"),
            &[outputs],
        ));
    }
    let vectors = scope.stacked((vectors.len(), outputs), vectors, Role::Trained)?;
    let running = Running::buffers(outputs, &scope.enter(norm))?;
    Ok(ConvNorm { weight, vectors, running, config, activation: Activation::Identity })
}

/// Train mode as an operation on (x, weight, vectors).
struct ConvNormOp {
    shape: kernel::Shape,
    wanted: Wanted,
    tape: Saved,
    /// For the running statistics.
    measured: Saved,
}

impl ConvNormOp {
    fn conv(&self) -> ConvShape {
        self.shape.conv
    }
}

impl Fused<3> for ConvNormOp {
    const NAME: &'static str = "conv-norm";

    fn shape(&self, _x: &Shape) -> Shape {
        let (rows, columns) = self.conv().output_size();
        (self.conv().batch, rows, columns, self.conv().outputs).into()
    }

    fn forward<T: Element>(&self, [x, weight, vectors]: [&[T]; 3]) -> Result<Vec<T>> {
        let outputs = self.conv().outputs;
        let (scale, rest) = vectors.split_at(outputs);
        let (shift, bias) = rest.split_at(outputs);
        let (y, tape) = kernel::forward(self.shape, EPSILON, x, weight, scale, shift);
        let Statistics { mut mean, variance } = tape.statistics.clone();
        // The kernel leaves the bias out; running means are of what a convolution gives with its bias.
        mean.iter_mut().zip(bias).for_each(|(mean, bias)| *mean += bias.to_f64());
        self.measured.put(Statistics { mean, variance });
        self.tape.put(tape);
        Ok(y)
    }

    fn backward<T: Element>(&self, pass: &Pass<'_, T, 3>) -> Result<[Option<Vec<T>>; 3]> {
        let [x, weight, vectors] = pass.inputs;
        let scale = &vectors[..self.conv().outputs];
        let tape = self.tape.get()?;
        let gradients = kernel::backward(
            self.shape, EPSILON, x, weight, scale, tape, pass.output, pass.gradient, self.wanted.input,
        );
        let mut of_vectors = gradients.scale;
        of_vectors.extend(gradients.shift);
        of_vectors.resize(vectors.len(), T::default());
        Ok([gradients.input, Some(gradients.weight), Some(of_vectors)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::{assert_close, assert_same, normal};
    use candle_core::Var;

    #[test]
    fn the_kernel_equals_its_parts() -> Result<()> {
        for activation in [Activation::Identity, Activation::Relu] {
            let weight = Var::from_tensor(&normal(&[5, 3, 3, 3], 1)?)?;
            let vectors = Var::from_tensor(&(normal(&[2, 5], 2)? + 1.0)?)?;
            let xs = Var::from_tensor(&normal(&[9, 6, 6, 3], 3)?)?;
            let layer = || -> Result<ConvNorm> {
                let [weight, vectors] = [&weight, &vectors].map(|var| var.as_tensor().clone());
                let mean = Var::from_tensor(&normal(&[5], 4)?)?;
                let running = Running { mean, variance: Var::from_tensor(&normal(&[5], 5)?.sqr()?)? };
                Ok(ConvNorm { weight, vectors, running, config: ConvConfig { stride: 2, padding: 1 }, activation })
            };
            let (fused, parts) = (layer()?, layer()?);
            let (y, expected) = (fused.forward(&xs, Mode::Train)?, parts.forward_by_parts(&xs, Mode::Train)?);
            assert_same(&y, &expected, &normal(y.dims(), 6)?, &[&xs, &weight, &vectors])?;
            assert_close(fused.running.mean.as_tensor(), parts.running.mean.as_tensor())?;
            assert_close(fused.running.variance.as_tensor(), parts.running.variance.as_tensor())?;
        }
        Ok(())
    }
}
