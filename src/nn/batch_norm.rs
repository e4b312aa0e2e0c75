//! Batch normalisation with PyTorch's semantics: the batch is normalised by its biased variance, the running variance
//! takes the unbiased one, with momentum 0.1.

use super::Mode;
use super::activation::activate_composed;
use super::init::Init;
use super::kernels::activation::{self, Activation};
use super::kernels::batch_norm::{self as kernel, Statistics};
use super::kernels::lanes::Element;
use super::params::Scope;
use super::storage::{entries, has_kernel, with_entries};
use candle_core::{CpuStorage, CustomOp1, CustomOp3, DType, InplaceOp1, Layout, Result, Shape, Tensor, Var, bail};
use std::sync::{Arc, OnceLock};

const EPSILON: f64 = 1e-5;
const MOMENTUM: f64 = 0.1;

/// y = act(weight (x - mean) / sqrt(variance + 1e-5) + bias), per channel.
#[derive(Debug, Clone)]
pub struct BatchNorm {
    weight: Tensor,
    bias: Tensor,
    running_mean: Var,
    running_var: Var,
    activation: Activation,
}

impl BatchNorm {
    /// A layer from its parameters and running statistics, all of shape (channels).
    ///
    /// # Errors
    /// When their shapes differ.
    pub fn new(weight: Tensor, bias: Tensor, running_mean: Var, running_var: Var) -> Result<Self> {
        let channels = weight.dims1()?;
        for part in [&bias, running_mean.as_tensor(), running_var.as_tensor()] {
            if part.dims() != [channels] {
                bail!("batch norm over {channels} channels cannot take a part of shape {:?}", part.dims());
            }
        }
        Ok(Self { weight, bias, running_mean, running_var, activation: Activation::Identity })
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
        match mode {
            Mode::Eval if has_kernel(xs) && !self.weight.track_op() && !self.bias.track_op() => {
                let (scale, shift) = self.running_affine()?;
                xs.contiguous()?.apply_op1(FrozenOp { shape, activation: self.activation, scale, shift })
            }
            Mode::Eval => {
                self.normalise(xs, self.running_mean.as_detached_tensor(), self.running_var.as_detached_tensor())
            }
            Mode::Train if shape.count() < 2 => bail!("batch norm cannot train on a single value per channel"),
            Mode::Train if has_kernel(xs) => self.forward_fused(xs, shape),
            Mode::Train => self.forward_composed(xs),
        }
    }

    fn forward_fused(&self, xs: &Tensor, shape: kernel::Shape) -> Result<Tensor> {
        let statistics = Arc::new(OnceLock::new());
        let op = BatchNormOp { shape, activation: self.activation, statistics: statistics.clone() };
        let y = xs.contiguous()?.apply_op3(&self.weight, &self.bias, op)?;
        let Some(Statistics { mean, variance }) = statistics.get() else {
            bail!("batch norm ran without measuring its batch");
        };
        let unbiased = unbiased(shape.count());
        self.running_mean.inplace_op1(&Blend { measured: mean, factor: 1.0 })?;
        self.running_var.inplace_op1(&Blend { measured: variance, factor: unbiased })?;
        Ok(y)
    }

    fn forward_composed(&self, xs: &Tensor) -> Result<Tensor> {
        // (batch, channels, ..) -> (batch * .., channels)
        let rows = xs.flatten_from(1)?.reshape((xs.dims()[0], self.weight.dims1()?, ()))?.transpose(1, 2)?;
        let rows = rows.contiguous()?.reshape(((), self.weight.dims1()?))?;
        let mean = rows.mean(0)?;
        let variance = rows.broadcast_sub(&mean)?.sqr()?.mean(0)?;
        self.update_running(&mean.detach(), &variance.detach(), rows.dims()[0])?;
        self.normalise(xs, mean, variance)
    }

    fn normalise(&self, xs: &Tensor, mean: Tensor, variance: Tensor) -> Result<Tensor> {
        // One scale and one shift per channel, aligned with axis 1.
        let mut aligned = vec![1; xs.rank()];
        aligned[1] = self.weight.dims1()?;
        let scale = self.weight.div(&(variance + EPSILON)?.sqrt()?)?;
        let shift = self.bias.sub(&mean.mul(&scale)?)?;
        let scaled = xs.broadcast_mul(&scale.reshape(aligned.as_slice())?)?;
        activate_composed(self.activation, &scaled.broadcast_add(&shift.reshape(aligned.as_slice())?)?)
    }

    /// Scale and shift per channel that the running statistics amount to.
    fn running_affine(&self) -> Result<(Vec<f64>, Vec<f64>)> {
        let values = |tensor: &Tensor| tensor.to_dtype(DType::F64)?.to_vec1::<f64>();
        let [weight, bias] = [values(&self.weight)?, values(&self.bias)?];
        let statistics = Statistics {
            mean: values(&self.running_mean.as_detached_tensor())?,
            variance: values(&self.running_var.as_detached_tensor())?,
        };
        Ok(statistics.affine(EPSILON, weight, bias))
    }

    fn update_running(&self, mean: &Tensor, variance: &Tensor, count: usize) -> Result<()> {
        let unbiased = (variance * unbiased(count))?;
        for (running, measured) in [(&self.running_mean, mean), (&self.running_var, &unbiased)] {
            running.set(&((running.as_detached_tensor() * (1.0 - MOMENTUM))? + (measured * MOMENTUM)?)?)?;
        }
        Ok(())
    }
}

/// Turns a variance divided by n into one divided by n - 1.
fn unbiased(count: usize) -> f64 {
    count as f64 / (count - 1) as f64
}

/// running = (1 - momentum) running + momentum factor measured, in place: composed of tensor operations it would cost
/// as much as a matrix product.
struct Blend<'a> {
    measured: &'a [f64],
    factor: f64,
}

impl Blend<'_> {
    fn apply<T: Element>(&self, running: &mut [T]) {
        for (running, measured) in running.iter_mut().zip(self.measured) {
            *running = T::from_f64((1.0 - MOMENTUM) * running.to_f64() + MOMENTUM * self.factor * measured);
        }
    }
}

impl InplaceOp1 for Blend<'_> {
    fn name(&self) -> &'static str {
        "batch-norm-running"
    }

    fn cpu_fwd(&self, running: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let Some((start, end)) = layout.contiguous_offsets() else { bail!("running statistics are contiguous") };
        match running {
            CpuStorage::F32(running) => self.apply(&mut running[start..end]),
            CpuStorage::F64(running) => self.apply(&mut running[start..end]),
            _ => bail!("running statistics are of type f32 or f64"),
        }
        Ok(())
    }
}

/// Builds a layer with weight 1, bias 0, running mean 0 and running variance 1.
pub fn batch_norm(channels: usize, scope: &Scope) -> Result<BatchNorm> {
    BatchNorm::new(
        scope.parameter("weight", channels, Init::Ones)?,
        scope.parameter("bias", channels, Init::Zeros)?,
        scope.buffer("running_mean", channels, Init::Zeros)?,
        scope.buffer("running_var", channels, Init::Ones)?,
    )
}

/// Train mode as a candle operation on (x, weight, bias); it leaves what it measured in `statistics`.
struct BatchNormOp {
    shape: kernel::Shape,
    activation: Activation,
    statistics: Arc<OnceLock<Statistics>>,
}

impl BatchNormOp {
    fn forward<T: Element>(&self, x: &[T], weight: &[T], bias: &[T]) -> CpuStorage {
        let statistics = self.statistics.get_or_init(|| Statistics::of(self.shape, x));
        let widen = |values: &[T]| values.iter().map(|value| value.to_f64()).collect();
        let (scale, shift) = statistics.affine(EPSILON, widen(weight), widen(bias));
        let mut y = kernel::affine(self.shape, x, &scale, &shift);
        activation::forward_in_place(self.activation, &mut y);
        T::to_cpu_storage_owned(y)
    }

    fn backward<T: Element>(&self, x: &Tensor, weight: &Tensor, y: &Tensor, gradient: &Tensor) -> Result<[Tensor; 3]> {
        let Some(statistics) = self.statistics.get() else {
            bail!("batch norm's backward pass came before its forward pass")
        };
        let sloped;
        let gradient = match self.activation {
            Activation::Identity => gradient,
            act => {
                let slope = |y: &[T], g: &[T]| activation::backward(act, y, g);
                let g = with_entries::<T, _>(y, |y| with_entries::<T, _>(gradient, |g| slope(y, g)))??;
                sloped = Tensor::from_vec(g, y.shape(), y.device())?;
                &sloped
            }
        };
        let gradients = with_entries::<T, _>(x, |x| {
            with_entries::<T, _>(weight, |weight| {
                with_entries::<T, _>(gradient, |gradient| {
                    kernel::backward(self.shape, EPSILON, statistics, x, weight, gradient)
                })
            })
        })???;
        let device = x.device();
        Ok([
            Tensor::from_vec(gradients.input, x.shape(), device)?,
            Tensor::from_vec(gradients.weight, weight.shape(), device)?,
            Tensor::from_vec(gradients.bias, weight.shape(), device)?,
        ])
    }
}

impl CustomOp3 for BatchNormOp {
    fn name(&self) -> &'static str {
        "batch-norm"
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
        Ok((y, x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _bias: &Tensor,
        y: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [gx, gw, gb] = match x.dtype() {
            DType::F32 => self.backward::<f32>(x, weight, y, gradient)?,
            _ => self.backward::<f64>(x, weight, y, gradient)?,
        };
        Ok((Some(gx), Some(gw), Some(gb)))
    }
}

/// Eval mode with constant parameters, a scale and a shift per channel: the gradient is that of the input alone.
struct FrozenOp {
    shape: kernel::Shape,
    activation: Activation,
    scale: Vec<f64>,
    shift: Vec<f64>,
}

impl FrozenOp {
    fn forward<T: Element>(&self, x: &[T]) -> CpuStorage {
        let mut y = kernel::affine(self.shape, x, &self.scale, &self.shift);
        activation::forward_in_place(self.activation, &mut y);
        T::to_cpu_storage_owned(y)
    }

    fn backward<T: Element>(&self, y: &Tensor, gradient: &Tensor) -> Result<Tensor> {
        let none = vec![0.0; self.shape.channels];
        let slope = |y: &[T], g: &[T]| {
            kernel::affine(self.shape, &activation::backward(self.activation, y, g), &self.scale, &none)
        };
        let g = with_entries::<T, _>(y, |y| with_entries::<T, _>(gradient, |g| slope(y, g)))??;
        Tensor::from_vec(g, y.shape(), y.device())
    }
}

impl CustomOp1 for FrozenOp {
    fn name(&self) -> &'static str {
        "batch-norm-frozen"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let y = match x {
            CpuStorage::F32(_) => self.forward::<f32>(entries(x, layout)?),
            _ => self.forward::<f64>(entries(x, layout)?),
        };
        Ok((y, layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(match x.dtype() {
            DType::F32 => self.backward::<f32>(y, gradient)?,
            _ => self.backward::<f64>(y, gradient)?,
        }))
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
                    running_mean: Var::from_tensor(&fused.running_mean.copy()?)?,
                    running_var: Var::from_tensor(&fused.running_var.copy()?)?,
                    ..fused.clone()
                };
                let xs = Var::from_tensor(&(normal(&dims, 5)? * 3.0)?)?;
                let gradient = normal(&dims, 6)?;
                let (y, expected) = (fused.forward(&xs, Mode::Train)?, composed.forward_composed(&xs)?);
                assert_same(&y, &expected, &gradient, &[&xs, &weight, &bias])?;
                assert_close(fused.running_mean.as_tensor(), composed.running_mean.as_tensor())?;
                assert_close(fused.running_var.as_tensor(), composed.running_var.as_tensor())?;
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
