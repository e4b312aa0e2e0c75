//! Operations computed outside of candle's graph and put into it as one, with a hand-written backward pass.
//!
//! candle's own backward pass fills a tensor with zeros for every input of every operation and adds to it: three launches where one does
//! the work.

use super::buffers::on_gpu;
use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CudaStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};
use std::sync::{Mutex, PoisonError};

/// dL/d(input) for every input from dL/d(output), contiguous; None where nobody reads it.
type Back<const N: usize> = Box<dyn Fn(&Tensor) -> Result<[Option<Tensor>; N]> + Send + Sync>;

/// `output`, made of constants, as a function of `inputs`.
///
/// # Errors
/// When the device fails.
pub fn graft<const N: usize>(
    inputs: [&Tensor; N],
    output: Tensor,
    back: impl Fn(&Tensor) -> Result<[Option<Tensor>; N]> + Send + Sync + 'static,
) -> Result<Tensor> {
    if !inputs.iter().any(|input| input.track_op()) {
        return Ok(output);
    }
    let graft = Graft { output: Mutex::new(Some(output)), back: Box::new(back) as Back<N> };
    match inputs.as_slice() {
        [a, b] => a.apply_op2(b, graft),
        [a, b, c] => a.apply_op3(b, c, graft),
        _ => bail!("no operation of candle's has {N} inputs"),
    }
}

struct Graft<const N: usize> {
    /// Until candle has its copy.
    output: Mutex<Option<Tensor>>,
    back: Back<N>,
}

impl<const N: usize> Graft<N> {
    /// candle wants a storage of its own: a copy, small beside what was computed.
    fn result(&self) -> Result<(CudaStorage, Shape)> {
        let output = self.output.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(output) = output else { bail!("an operation on a GPU has no output any more") };
        let (storage, layout) = output.storage_and_layout();
        if !layout.is_contiguous() || layout.start_offset() != 0 {
            bail!("an operation on a GPU has a part of a tensor for its output");
        }
        Ok((on_gpu(&storage, layout)?.0.try_clone(layout)?, output.shape().clone()))
    }

    fn gradients(&self, gradient: &Tensor) -> Result<Vec<Option<Tensor>>> {
        Ok((self.back)(&gradient.detach().contiguous()?)?.into())
    }
}

fn none_on_the_cpu<T>() -> Result<T> {
    bail!("this operation runs on a GPU alone")
}

impl<const N: usize> CustomOp2 for Graft<N> {
    fn name(&self) -> &'static str {
        "graft"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        none_on_the_cpu()
    }

    fn cuda_fwd(&self, _: &CudaStorage, _: &Layout, _: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        self.result()
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let mut gradients = self.gradients(gradient)?.into_iter();
        let mut next = || gradients.next().flatten();
        Ok((next(), next()))
    }
}

impl<const N: usize> CustomOp3 for Graft<N> {
    fn name(&self) -> &'static str {
        "graft"
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        none_on_the_cpu()
    }

    fn cuda_fwd(
        &self,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        self.result()
    }

    fn bwd(
        &self,
        _: &Tensor,
        _: &Tensor,
        _: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let mut gradients = self.gradients(gradient)?.into_iter();
        let mut next = || gradients.next().flatten();
        Ok((next(), next(), next()))
    }
}
