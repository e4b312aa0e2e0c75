//! Plain slices of candle tensors on the CPU, for the custom operations of this module.

use candle_core::{CpuStorage, DType, Layout, Result, Tensor, WithDType, bail};

/// The entries of a contiguous CPU storage, in order.
pub(super) fn entries<'a, T: WithDType>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<T>()?[start..end]),
        None => bail!("this operation needs a contiguous tensor, got strides {:?}", layout.stride()),
    }
}

/// Whether the fused CPU kernels apply to a tensor; elsewhere the same function is composed of candle operations.
pub(super) fn has_kernel(tensor: &Tensor) -> bool {
    tensor.device().is_cpu() && matches!(tensor.dtype(), DType::F32 | DType::F64)
}
