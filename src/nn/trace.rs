//! The way back through layers that were applied outside of candle's graph.
//!
//! candle's backward pass makes a tensor of zeros for every gradient, adds to it, and hands out copies. For the gradient
//! of a batch of images that takes as long as a matrix product. Where every layer has one input and one output, no sum is
//! needed: each layer passes a vector on to the one before it.

use super::kernels::dense::Wanted;
use super::storage::has_kernel;
use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, DType, Result, Tensor, WithDType, bail};

/// What each layer of a pass needs to lead a gradient from its output back: to its input, its parameters being constants
/// ([`Trace::of`]), or to its input and its parameters ([`Trace::of_training`]).
///
/// It knows of layers alone. Between two of them a tensor may be reshaped; a layer that is given anything else than the
/// output of the one before returns an error, since what was done to it would be missing from the gradient.
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
pub struct Trace {
    steps: Vec<Box<dyn Step>>,
    aim: Aim,
}

/// What a gradient is wanted of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aim {
    /// The input of the first layer.
    Input,
    /// Variables that the layers hold.
    Variables,
}

/// An operation that was made.
pub(super) trait Step: Send + Sync {
    /// What it returned.
    fn output(&self) -> &Tensor;

    /// dL/d(first input) from dL/d(output), where it is wanted. Adds those of other inputs that are variables to `gradients`,
    /// if there are any to add to.
    fn backward(&self, gradient: CpuStorage, gradients: Option<&mut GradStore>) -> Result<Option<CpuStorage>>;
}

impl Trace {
    /// An empty one for a pass of that input, which leads back to it; None where the layers have no kernels for its type or
    /// device.
    ///
    /// # Errors
    /// When the entries are whole numbers.
    pub fn of(xs: &Tensor) -> Result<Option<Self>> {
        Self::towards(xs, Aim::Input)
    }

    /// As [`Trace::of`], for a step of training: one that leads back to the variables that the layers hold.
    ///
    /// # Errors
    /// When the entries are whole numbers.
    pub fn of_training(xs: &Tensor) -> Result<Option<Self>> {
        Self::towards(xs, Aim::Variables)
    }

    fn towards(xs: &Tensor, aim: Aim) -> Result<Option<Self>> {
        Ok(has_kernel(xs)?.then(|| Self { steps: Vec::new(), aim }))
    }

    /// Refuses a pass that leaves no step: one of a type or on a device without kernels.
    pub(super) fn refuse(trace: Option<&mut Self>, layer: &str) -> Result<()> {
        if trace.is_some() {
            bail!("{layer} has no kernel for this type and device, and leaves no trace; use Trace::of(its input)");
        }
        Ok(())
    }

    /// Which gradients the next operation will be asked for: with a trace those on its way, else those of candle's graph.
    pub(super) fn wanted(trace: Option<&Self>, xs: &Tensor, parameters: &[&Tensor]) -> Wanted {
        match trace {
            None => Wanted { input: xs.track_op(), parameters: parameters.iter().any(|tensor| tensor.track_op()) },
            Some(Self { aim: Aim::Input, .. }) => Wanted { input: true, parameters: false },
            Some(Self { aim: Aim::Variables, steps }) => Wanted { input: !steps.is_empty(), parameters: true },
        }
    }

    /// Refuses the input of the next operation where it is not the output of the last one, entry by entry.
    pub(super) fn check_follows(&self, xs: &Tensor, layer: &str) -> Result<()> {
        // One lock at a time: a thread that takes one twice may wait for itself.
        let place = |tensor: &Tensor| {
            let (storage, layout) = tensor.storage_and_layout();
            layout.contiguous_offsets().map(|range| (std::ptr::from_ref(&*storage), range))
        };
        let follows = |step: &dyn Step| place(xs).is_some_and(|given| place(step.output()) == Some(given));
        if !self.steps.last().is_none_or(|step| follows(&**step)) {
            bail!(
                "{layer} was given another tensor than the output of the layer before, and a trace knows of layers alone"
            );
        }
        Ok(())
    }

    pub(super) fn push(&mut self, step: impl Step + 'static) {
        self.steps.push(Box::new(step));
    }

    /// dL/d(input of the first layer) from dL/d(output of the last one), entry by entry, of a trace that leads there.
    ///
    /// # Errors
    /// When the type is not that of the pass, or the trace leads elsewhere.
    pub fn backward<T: WithDType>(&self, gradient: Vec<T>) -> Result<Vec<T>> {
        match self.go_back(T::to_cpu_storage_owned(gradient), None)? {
            Some(gradient) => T::cpu_storage_data(gradient),
            None => bail!("a trace of training does not lead to an input; use Trace::of"),
        }
    }

    /// Adds dL/d(variable) of all layers to `gradients`, given dL/d(output of the last one), of a trace of training.
    ///
    /// # Errors
    /// When the type is not that of the pass, or a layer's parameters were computed from variables: then they need candle's graph.
    pub fn backward_to_variables(&self, gradient: &Tensor, gradients: &mut GradStore) -> Result<()> {
        if self.aim != Aim::Variables {
            bail!("a trace of an input does not lead to variables; use Trace::of_training");
        }
        let gradient = gradient.flatten_all()?;
        let entries = match gradient.dtype() {
            DType::F32 => CpuStorage::F32(gradient.to_vec1()?),
            _ => CpuStorage::F64(gradient.to_vec1()?),
        };
        self.go_back(entries, Some(gradients)).map(drop)
    }

    /// What the first step leaves: nothing where it was not asked for its input's gradient.
    fn go_back(&self, gradient: CpuStorage, mut gradients: Option<&mut GradStore>) -> Result<Option<CpuStorage>> {
        self.steps.iter().rev().try_fold(Some(gradient), |gradient, step| match gradient {
            Some(gradient) => step.backward(gradient, gradients.as_deref_mut()),
            None => bail!("a layer in the middle of a trace was not asked for the gradient of its input"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Activation, Dense};
    use candle_core::Device;

    #[test]
    fn a_layer_takes_the_output_of_the_one_before_in_any_shape() -> Result<()> {
        let layer = Dense::new(
            Tensor::eye(4, DType::F32, &Device::Cpu)?,
            Tensor::zeros(4, DType::F32, &Device::Cpu)?,
            Activation::Abs,
        )?;
        let xs = Tensor::ones((2, 4), DType::F32, &Device::Cpu)?;
        let mut trace = Trace::of(&xs)?.expect("kernels for f32");
        let ys = layer.forward_traced(&xs, Some(&mut trace))?;
        let turned = Tensor::ones((4, 4), DType::F32, &Device::Cpu)?.t()?;
        for other in [&xs, &(&ys * 2.0)?, &ys.narrow(0, 0, 1)?, &turned] {
            let refused = layer.forward_traced(other, Some(&mut trace));
            assert!(refused.is_err_and(|error| error.to_string().contains("output of the layer before")));
        }
        layer.forward_traced(&ys.unsqueeze(0)?.detach(), Some(&mut trace))?;
        assert_eq!(trace.backward(vec![1f32; 8])?, [1.0; 8]);
        Ok(())
    }
}
