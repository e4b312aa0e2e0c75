//! Batch normalisation with PyTorch's semantics: the batch is normalised by its biased variance, the running variance
//! takes the unbiased one, with momentum 0.1.

use super::Mode;
use super::activation::activate_composed;
#[cfg(feature = "cuda")]
use super::cuda;
use super::fused::{Fused, Pass, Saved, apply};
use super::init::Init;
use super::kernels::activation::{self, Activation};
use super::kernels::batch_norm::{self as kernel, Statistics};
use super::kernels::lanes::Element;
use super::params::Scope;
use super::running::Running;
use super::storage::{check_parameters, has_kernel, single_or_wider};
use candle_core::{DType, Result, Tensor, Var, bail};
use candle_nn::ModuleT;

pub(super) const EPSILON: f64 = 1e-5;

/// y = act(weight (x - mean) / sqrt(variance + 1e-5) + bias), per channel.
#[derive(Debug, Clone)]
pub struct BatchNorm {
    weight: Tensor,
    bias: Tensor,
    running: Running,
    activation: Activation,
}

impl BatchNorm {
    /// A layer from its parameters and running statistics, all of shape (channels).
    ///
    /// # Errors
    /// When their shapes differ or there are no channels.
    pub fn new(weight: Tensor, bias: Tensor, running_mean: Var, running_var: Var) -> Result<Self> {
        let channels = weight.dims1()?;
        check_parameters(&[&weight, &bias, &running_mean, &running_var])?;
        for part in [&bias, running_mean.as_tensor(), running_var.as_tensor()] {
            if part.dims() != [channels] {
                bail!("batch norm over {channels} channels cannot take a part of shape {:?}", part.dims());
            }
        }
        let running = Running { mean: running_mean, variance: running_var };
        Ok(Self { weight, bias, running, activation: Activation::Identity })
    }

    /// The same layer, followed by max(., 0).
    pub fn then_relu(self) -> Self {
        Self { activation: Activation::Relu, ..self }
    }

    /// # Shapes
    /// - xs: (batch, channels) or (batch, channels, ..) -> same
    ///
    /// # Errors
    /// In [`Mode::Train`] with a single value per channel: its variance is undefined.
    pub fn forward(&self, xs: &Tensor, mode: Mode) -> Result<Tensor> {
        let channels = self.weight.dims1()?;
        let dims = xs.dims();
        if dims.len() < 2 || dims[1] != channels {
            bail!("batch norm over {channels} channels cannot take a tensor of shape {dims:?}");
        }
        let shape = kernel::Shape { outer: dims[0], channels, inner: dims[2..].iter().product() };
        let fused = has_kernel(xs)?;
        if xs.dtype() != self.weight.dtype() {
            bail!("batch norm of type {:?} cannot take a tensor of type {:?}", self.weight.dtype(), xs.dtype());
        }
        match mode {
            Mode::Eval if fused && !self.weight.track_op() && !self.bias.track_op() => {
                let (scale, shift) = self.running_affine()?;
                apply(FrozenOp { shape, activation: self.activation, scale, shift }, [xs], None)
            }
            Mode::Eval => {
                let Running { mean, variance } = &self.running;
                self.normalise(xs, mean.as_detached_tensor(), variance.as_detached_tensor())
            }
            Mode::Train if shape.count() < 2 => bail!("batch norm cannot train on a single value per channel"),
            Mode::Train if fused => self.forward_fused(xs, shape),
            #[cfg(feature = "cuda")]
            Mode::Train if shape.inner == 1 && cuda::layers::apply_to(xs) => {
                let relu = self.activation == Activation::Relu;
                let rows = xs.reshape((shape.outer, channels))?;
                let [y, mean, variance] = cuda::layers::batch_norm(&rows, &self.weight, &self.bias, relu)?;
                self.running.update_on_gpu(&mean, &variance, shape.count())?;
                y.reshape(xs.shape())
            }
            Mode::Train => self.forward_composed(xs),
        }
    }

    fn forward_fused(&self, xs: &Tensor, shape: kernel::Shape) -> Result<Tensor> {
        let statistics = Saved::default();
        let op = BatchNormOp { shape, activation: self.activation, statistics: statistics.clone() };
        let y = apply(op, [xs, &self.weight, &self.bias], None)?;
        self.running.update(statistics.get()?, shape.count())?;
        Ok(y)
    }

    fn forward_composed(&self, xs: &Tensor) -> Result<Tensor> {
        // (batch, channels, ..) -> (batch * .., channels)
        let rows = xs.flatten_from(1)?.reshape((xs.dims()[0], self.weight.dims1()?, ()))?.transpose(1, 2)?;
        let rows = rows.contiguous()?.reshape(((), self.weight.dims1()?))?;
        let rows = single_or_wider(&rows)?;
        let mean = rows.mean(0)?;
        let variance = rows.broadcast_sub(&mean)?.sqr()?.mean(0)?;
        self.running.update_composed(&mean.detach(), &variance.detach(), rows.dims()[0])?;
        self.normalise(xs, mean, variance)
    }

    fn normalise(&self, xs: &Tensor, mean: Tensor, variance: Tensor) -> Result<Tensor> {
        // One scale and one shift per channel, aligned with axis 1.
        let mut aligned = vec![1; xs.rank()];
        aligned[1] = self.weight.dims1()?;
        let [wide, weight, bias] = [xs, &self.weight, &self.bias].map(single_or_wider);
        let scale = weight?.div(&(single_or_wider(&variance)? + EPSILON)?.sqrt()?)?;
        let shift = bias?.sub(&single_or_wider(&mean)?.mul(&scale)?)?;
        let scaled = wide?.broadcast_mul(&scale.reshape(aligned.as_slice())?)?;
        let y = scaled.broadcast_add(&shift.reshape(aligned.as_slice())?)?;
        activate_composed(self.activation, &y.to_dtype(xs.dtype())?)
    }

    /// Scale and shift per channel that the running statistics amount to.
    fn running_affine(&self) -> Result<(Vec<f64>, Vec<f64>)> {
        let values = |tensor: &Tensor| tensor.to_dtype(DType::F64)?.to_vec1::<f64>();
        Ok(self.running.values()?.affine(EPSILON, &values(&self.weight)?, &values(&self.bias)?))
    }
}

impl ModuleT for BatchNorm {
    fn forward_t(&self, xs: &Tensor, train: bool) -> Result<Tensor> {
        self.forward(xs, Mode::of(train))
    }
}

/// Builds a layer with weight 1, bias 0, and running mean 0 and variance 1.
///
/// # Errors
/// When there are no channels, or a name is taken.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use han_exp::nn::{Mode, Scope, batch_norm};
/// use han_exp::rng::Seed;
///
/// let scope = Scope::new(Seed(1), DType::F32, &Device::Cpu);
/// let norm = batch_norm(4, &scope)?;
/// let y = norm.forward(&Tensor::ones((2, 4), DType::F32, &Device::Cpu)?, Mode::Train)?; // or candle's forward_t(.., true)
/// assert_eq!(y.dims(), [2, 4]);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn batch_norm(channels: usize, scope: &Scope) -> Result<BatchNorm> {
    let [weight, bias] = [("weight", Init::Ones), ("bias", Init::Zeros)].map(|(n, i)| scope.parameter(n, channels, i));
    let Running { mean, variance } = Running::buffers(channels, scope)?;
    BatchNorm::new(weight?, bias?, mean, variance)
}

/// Train mode as an operation on (x, weight, bias).
struct BatchNormOp {
    shape: kernel::Shape,
    activation: Activation,
    /// What it measured.
    statistics: Saved,
}

impl Fused<3> for BatchNormOp {
    const NAME: &'static str = "batch-norm";

    fn forward<T: Element>(&self, [x, weight, bias]: [&[T]; 3]) -> Result<Vec<T>> {
        let statistics = Statistics::of(self.shape, x);
        let (scale, shift) = statistics.affine(EPSILON, weight, bias);
        self.statistics.put(statistics);
        let mut y = kernel::affine(self.shape, x, &scale, &shift);
        activation::forward_in_place(self.activation, &mut y);
        Ok(y)
    }

    fn backward<T: Element>(&self, pass: &Pass<'_, T, 3>) -> Result<[Option<Vec<T>>; 3]> {
        let [x, weight, _] = pass.inputs;
        let sloped;
        let gradient = match self.activation {
            Activation::Identity => pass.gradient,
            act => {
                sloped = activation::backward(act, pass.output, pass.gradient);
                &sloped
            }
        };
        let gradients = kernel::backward(self.shape, EPSILON, self.statistics.get()?, x, weight, gradient);
        Ok([Some(gradients.input), Some(gradients.weight), Some(gradients.bias)])
    }
}

/// Eval mode with constant parameters, a scale and a shift per channel: the gradient is that of the input alone.
struct FrozenOp {
    shape: kernel::Shape,
    activation: Activation,
    scale: Vec<f64>,
    shift: Vec<f64>,
}

impl Fused<1> for FrozenOp {
    const NAME: &'static str = "batch-norm-frozen";

    fn forward<T: Element>(&self, [x]: [&[T]; 1]) -> Result<Vec<T>> {
        let mut y = kernel::affine(self.shape, x, &self.scale, &self.shift);
        activation::forward_in_place(self.activation, &mut y);
        Ok(y)
    }

    fn backward<T: Element>(&self, pass: &Pass<'_, T, 1>) -> Result<[Option<Vec<T>>; 1]> {
        let none = vec![0.0; self.shape.channels];
        let sloped = activation::backward(self.activation, pass.output, pass.gradient);
        Ok([Some(kernel::affine(self.shape, &sloped, &self.scale, &none))])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::{assert_close, assert_same, normal};

    fn layer(channels: usize) -> Result<(BatchNorm, [Var; 2])> {
        let weight = Var::from_tensor(&(normal(&[channels], 1)? + 2.0)?)?;
        let bias = Var::from_tensor(&normal(&[channels], 2)?)?;
        let mean = Var::from_tensor(&normal(&[channels], 3)?)?;
        let variance = Var::from_tensor(&(normal(&[channels], 4)?.sqr()? + 0.5)?)?;
        let norm = BatchNorm::new(weight.as_tensor().clone(), bias.as_tensor().clone(), mean, variance)?;
        Ok((norm, [weight, bias]))
    }

    #[test]
    fn training_by_the_kernel_equals_the_composed_layer_in_both_layouts() -> Result<()> {
        for dims in [vec![9, 6], vec![4, 6, 3, 5]] {
            for relu in [false, true] {
                let (fused, [weight, bias]) = layer(6)?;
                let fused = if relu { fused.then_relu() } else { fused };
                let composed = BatchNorm {
                    running: Running {
                        mean: Var::from_tensor(&fused.running.mean.copy()?)?,
                        variance: Var::from_tensor(&fused.running.variance.copy()?)?,
                    },
                    ..fused.clone()
                };
                let xs = Var::from_tensor(&(normal(&dims, 5)? * 3.0)?)?;
                let gradient = normal(&dims, 6)?;
                let (y, expected) = (fused.forward(&xs, Mode::Train)?, composed.forward_composed(&xs)?);
                assert_same(&y, &expected, &gradient, &[&xs, &weight, &bias])?;
                assert_close(fused.running.mean.as_tensor(), composed.running.mean.as_tensor())?;
                assert_close(fused.running.variance.as_tensor(), composed.running.variance.as_tensor())?;
            }
        }
        Ok(())
    }

    #[test]
    fn constant_parameters_score_like_trained_ones_and_keep_the_gradient_of_the_input() -> Result<()> {
        for dims in [vec![9, 6], vec![4, 6, 3, 5]] {
            let (tracked, [weight, bias]) = layer(6)?;
            let tracked = tracked.then_relu();
            let frozen =
                BatchNorm { weight: weight.as_detached_tensor(), bias: bias.as_detached_tensor(), ..tracked.clone() };
            let xs = Var::from_tensor(&(normal(&dims, 5)? * 3.0)?)?;
            let (y, expected) = (frozen.forward(&xs, Mode::Eval)?, tracked.forward(&xs, Mode::Eval)?);
            assert_same(&y, &expected, &normal(&dims, 6)?, &[&xs])?;
        }
        Ok(())
    }
}
