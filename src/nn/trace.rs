//! The way back through layers that were applied outside of candle's graph.
//!
//! candle's backward pass makes a tensor of zeros for every gradient, adds to it, and hands out copies. For the gradient
//! of a batch of images that takes as long as a matrix product. Where the gradient of the input is all that is wanted, and
//! every layer has one input and one output, no sum is needed: each layer passes a vector on to the one before it.

use super::storage::has_kernel;
use candle_core::{CpuStorage, Result, Tensor, WithDType, bail};

/// What each layer of a pass needs to lead a gradient from its output to its input; parameters are constants.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use han_exp::nn::{Activation, Dense, Trace};
///
/// let (weight, bias) = (Tensor::new(&[[2f32, -1.0]], &Device::Cpu)?, Tensor::new(&[0.5f32], &Device::Cpu)?);
/// let layer = Dense::new(weight, bias, Activation::Abs)?;
/// let xs = Tensor::new(&[[1f32, 4.0]], &Device::Cpu)?;
/// let mut trace = Trace::of(&xs)?.expect("kernels for f32 on the CPU");
/// layer.forward_traced(&xs, Some(&mut trace))?;
/// assert_eq!(trace.backward(vec![1f32])?, [-2.0, 1.0]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Default)]
pub struct Trace(Vec<Box<dyn Step>>);

/// An operation that was made.
pub(super) trait Step: Send + Sync {
    /// dL/d(first input) from dL/d(output)
    fn backward(&self, gradient: CpuStorage) -> Result<CpuStorage>;
}

impl Trace {
    /// An empty one for a pass of that input; None where the layers have no kernels for its type or device.
    ///
    /// # Errors
    /// When the entries are whole numbers.
    pub fn of(xs: &Tensor) -> Result<Option<Self>> {
        Ok(has_kernel(xs)?.then(Self::default))
    }

    /// Refuses a pass that leaves no step: one of a type or on a device without kernels.
    pub(super) fn refuse(trace: Option<&mut Self>, layer: &str) -> Result<()> {
        if trace.is_some() {
            bail!("{layer} has no kernel for this type and device, and leaves no trace; use Trace::of(its input)");
        }
        Ok(())
    }

    pub(super) fn push(&mut self, step: impl Step + 'static) {
        self.0.push(Box::new(step));
    }

    /// dL/d(input of the first layer) from dL/d(output of the last one), entry by entry.
    ///
    /// # Errors
    /// When the type is not that of the pass.
    pub fn backward<T: WithDType>(&self, gradient: Vec<T>) -> Result<Vec<T>> {
        let mut steps = self.0.iter().rev();
        T::cpu_storage_data(steps.try_fold(T::to_cpu_storage_owned(gradient), |g, step| step.backward(g))?)
    }
}
