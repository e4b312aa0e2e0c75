//! Two-dimensional convolution over images with channels last.
//!
//! candle's own reaches a quarter of the speed of its matrix product on a CPU, and less backward.

#[cfg(feature = "cuda")]
use super::cuda;
use super::dense::bias_init;
use super::fused::{Fused, Pass, apply};
use super::init::Init;
use super::kernels::conv as kernel;
use super::kernels::dense::{Wanted, column_sums};
use super::kernels::lanes::Element;
use super::params::Scope;
use super::storage::{check_parameters, has_kernel, same_type, single_or_wider};
use super::trace::Trace;
use candle_core::{Result, Shape, Tensor, bail};
use candle_nn::Module;

/// How windows lie on an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvConfig {
    /// Pixels from one window to the next.
    pub stride: usize,
    /// Rows and columns of zeros around the image.
    pub padding: usize,
}

/// A convolution with a bias.
#[derive(Debug, Clone)]
pub struct Conv2d {
    weight: Tensor,
    bias: Tensor,
    config: ConvConfig,
}

impl Conv2d {
    /// A layer from PyTorch's layout.
    ///
    /// # Shapes
    /// - weight: (outputs, inputs, kernel, kernel)
    /// - bias: (outputs)
    ///
    /// # Errors
    /// When the shapes do not fit together or a size is 0.
    pub fn new(weight: Tensor, bias: Tensor, config: ConvConfig) -> Result<Self> {
        let (outputs, ..) = weight.dims4()?;
        check_parameters(&[&weight, &bias])?;
        if bias.dims() != [outputs] {
            bail!("a convolution to {outputs} channels needs a bias of that length, got {:?}", bias.dims());
        }
        Ok(Self { weight, bias, config })
    }

    /// The convolution; with a trace, a step of it rather than a part of candle's graph.
    ///
    /// # Shapes
    /// As [`Module::forward`].
    ///
    /// # Errors
    /// When shape or type do not fit the parameters.
    pub fn forward_traced(&self, xs: &Tensor, trace: Option<&mut Trace>) -> Result<Tensor> {
        let shape = geometry(xs, &self.weight, self.config)?;
        if !has_kernel(xs)? {
            Trace::refuse(trace, "a convolution")?;
            #[cfg(feature = "cuda")]
            if cuda::layers::apply_to(xs) {
                return cuda::layers::conv(xs, &self.weight, &self.bias, shape);
            }
            return self.forward_composed(xs);
        }
        let wanted = Trace::wanted(trace.as_deref(), xs, &[&self.weight, &self.bias]);
        apply(ConvOp { shape, wanted }, [xs, &self.weight, &self.bias], trace)
    }

    fn forward_composed(&self, xs: &Tensor) -> Result<Tensor> {
        same_type(xs, &self.bias)?;
        // The gradient of the bias is a sum over all places.
        let z = single_or_wider(&convolve_composed(xs, &self.weight, self.config)?)?;
        z.broadcast_add(&single_or_wider(&self.bias)?)?.to_dtype(xs.dtype())
    }
}

impl Module for Conv2d {
    /// # Shapes
    /// - xs: (batch, height, width, inputs) -> (batch, rows, columns, outputs)
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        self.forward_traced(xs, None)
    }
}

/// Builds a layer with orthogonal weights (Saxe et al. 2014) and a bias uniform in [-1/sqrt(fan_in), 1/sqrt(fan_in)].
///
/// # Errors
/// When a size is 0, or a name is taken.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use candle_nn::Module;
/// use han_exp::nn::{ConvConfig, Scope, conv2d};
/// use han_exp::rng::Seed;
///
/// let scope = Scope::new(Seed(1), DType::F32, &Device::Cpu);
/// let layer = conv2d(3, 5, 3, ConvConfig { stride: 2, padding: 1 }, &scope)?;
/// assert_eq!(layer.forward(&Tensor::ones((2, 8, 8, 3), DType::F32, &Device::Cpu)?)?.dims(), [2, 4, 4, 5]);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn conv2d(inputs: usize, outputs: usize, kernel: usize, config: ConvConfig, scope: &Scope) -> Result<Conv2d> {
    let weight = scope.parameter("weight", (outputs, inputs, kernel, kernel), Init::Orthogonal)?;
    let bias = scope.parameter("bias", outputs, bias_init(inputs.saturating_mul(kernel).saturating_mul(kernel)))?;
    Conv2d::new(weight, bias, config)
}

/// Most entries of a convolution's output: a terabyte and more of them.
const MOST_ENTRIES: usize = 1 << 38;

/// The sizes of a convolution.
///
/// # Errors
/// When the image does not fit.
pub(super) fn geometry(xs: &Tensor, weight: &Tensor, config: ConvConfig) -> Result<kernel::Shape> {
    let (batch, height, width, channels) = xs.dims4()?;
    let (outputs, inputs, edge, other) = weight.dims4()?;
    let ConvConfig { stride, padding } = config;
    let padded = padding.checked_mul(2).and_then(|rim| height.max(width).checked_add(rim));
    let fits = padded.is_some() && height.min(width) + 2 * padding >= edge;
    if channels != inputs || edge != other || stride == 0 || !fits {
        bail!("a convolution with weights {:?} cannot take images of shape {:?}", weight.dims(), xs.dims());
    }
    let shape = kernel::Shape { batch, height, width, inputs, outputs, kernel: edge, stride, padding };
    let (rows, columns) = shape.output_size();
    let entries =
        [rows, columns, outputs].into_iter().try_fold(batch.max(1), |entries, extent| entries.checked_mul(extent));
    if entries.is_none_or(|entries| entries > MOST_ENTRIES) {
        bail!("a convolution with padding {padding} of images of shape {:?} is too large", xs.dims());
    }
    Ok(shape)
}

/// The convolution without a bias, of candle's operations.
fn convolve_composed(xs: &Tensor, weight: &Tensor, ConvConfig { stride, padding }: ConvConfig) -> Result<Tensor> {
    let planes = xs.permute((0, 3, 1, 2))?.contiguous()?; // (batch, channels, height, width)
    planes.conv2d(weight, padding, stride, 1, 1)?.permute((0, 2, 3, 1))?.contiguous()
}

/// The operation on (x, weight, bias).
struct ConvOp {
    shape: kernel::Shape,
    wanted: Wanted,
}

impl Fused<3> for ConvOp {
    const NAME: &'static str = "conv2d";

    fn shape(&self, _x: &Shape) -> Shape {
        let (rows, columns) = self.shape.output_size();
        (self.shape.batch, rows, columns, self.shape.outputs).into()
    }

    fn forward<T: Element>(&self, [x, weight, bias]: [&[T]; 3]) -> Result<Vec<T>> {
        let mut z = kernel::forward(self.shape, x, weight);
        for z in z.chunks_exact_mut(bias.len()) {
            z.iter_mut().zip(bias).for_each(|(z, b)| *z += *b);
        }
        Ok(z)
    }

    fn backward<T: Element>(&self, pass: &Pass<'_, T, 3>) -> Result<[Option<Vec<T>>; 3]> {
        let [x, weight, _] = pass.inputs;
        let sample = self.shape.positions() * self.shape.outputs;
        let (input, weight) = kernel::backward(self.shape, x, weight, self.wanted.input, |index, dz| {
            dz.copy_from_slice(&pass.gradient[index * sample..][..sample]);
        });
        Ok([input, Some(weight), Some(column_sums(pass.gradient, self.shape.outputs))])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::{assert_same, normal};
    use candle_core::Var;

    #[test]
    fn the_kernel_equals_candles_convolution() -> Result<()> {
        for (edge, stride, padding, height, width) in
            [(3, 1, 1, 5, 7), (3, 2, 1, 6, 6), (3, 2, 1, 7, 7), (1, 1, 0, 4, 3)]
        {
            let weight = Var::from_tensor(&normal(&[4, 3, edge, edge], 1)?)?;
            let bias = Var::from_tensor(&normal(&[4], 2)?)?;
            let xs = Var::from_tensor(&normal(&[9, height, width, 3], 3)?)?;
            let config = ConvConfig { stride, padding };
            let layer = Conv2d::new(weight.as_tensor().clone(), bias.as_tensor().clone(), config)?;
            let y = layer.forward(&xs)?;
            let gradient = normal(y.dims(), 4)?;
            assert_same(&y, &layer.forward_composed(&xs)?, &gradient, &[&xs, &weight, &bias])?;
        }
        Ok(())
    }

    #[test]
    fn a_convolution_larger_than_any_memory_is_refused() -> Result<()> {
        let config = ConvConfig { stride: 1, padding: 1 << 32 };
        let layer = Conv2d::new(normal(&[1, 1, 1, 1], 1)?, normal(&[1], 2)?, config)?;
        let told = layer.forward(&normal(&[1, 1, 1, 1], 3)?).expect_err("2^66 pixels").to_string();
        assert!(told.contains("is too large"), "{told}");
        Ok(())
    }
}
