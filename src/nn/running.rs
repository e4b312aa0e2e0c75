//! The running statistics of batch norm.

#[cfg(feature = "cuda")]
use super::cuda;
use super::init::Init;
use super::kernels::batch_norm::Statistics;
use super::kernels::lanes::Element;
use super::params::Scope;
use candle_core::{CpuStorage, DType, InplaceOp1, Layout, Result, Tensor, Var, bail};

const MOMENTUM: f64 = 0.1;

/// Running mean and variance of a batch norm.
#[derive(Debug, Clone)]
pub(super) struct Running {
    /// (channels)
    pub mean: Var,
    /// (channels)
    pub variance: Var,
}

impl Running {
    /// Buffers with mean 0 and variance 1.
    pub fn buffers(channels: usize, scope: &Scope) -> Result<Self> {
        let mean = scope.buffer("running_mean", channels, Init::Zeros)?;
        Ok(Self { mean, variance: scope.buffer("running_var", channels, Init::Ones)? })
    }

    /// Takes in what a batch of `count` values a channel measured.
    pub fn update(&self, measured: &Statistics, count: usize) -> Result<()> {
        self.mean.inplace_op1(&Blend { measured: &measured.mean, factor: 1.0 })?;
        self.variance.inplace_op1(&Blend { measured: &measured.variance, factor: unbiased(count) })
    }

    /// As [`Running::update`], with what a GPU measured.
    #[cfg(feature = "cuda")]
    pub fn update_on_gpu(&self, mean: &Tensor, variance: &Tensor, count: usize) -> Result<()> {
        cuda::layers::blend(&self.mean, mean, MOMENTUM, 1.0)?;
        cuda::layers::blend(&self.variance, variance, MOMENTUM, unbiased(count))
    }

    pub fn update_composed(&self, mean: &Tensor, variance: &Tensor, count: usize) -> Result<()> {
        let unbiased = (variance * unbiased(count))?;
        for (running, measured) in [(&self.mean, mean), (&self.variance, &unbiased)] {
            let measured = measured.to_dtype(running.dtype())?;
            running.set(&((running.as_detached_tensor() * (1.0 - MOMENTUM))? + (measured * MOMENTUM)?)?)?;
        }
        Ok(())
    }

    pub fn values(&self) -> Result<Statistics> {
        let values = |var: &Var| var.as_detached_tensor().to_dtype(DType::F64)?.to_vec1();
        Ok(Statistics { mean: values(&self.mean)?, variance: values(&self.variance)? })
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
