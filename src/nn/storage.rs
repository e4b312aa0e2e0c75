//! Plain slices of candle tensors on the CPU, for the custom operations of this module.

use candle_core::{CpuStorage, Layout, Result, Storage, Tensor, WithDType, bail};

/// The entries of a contiguous CPU storage, in order.
pub(super) fn entries<'a, T: WithDType>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<T>()?[start..end]),
        None => bail!("this operation needs a contiguous tensor, got strides {:?}", layout.stride()),
    }
}

/// Calls `read` with the entries of a contiguous CPU tensor, in order, without copying them.
pub(super) fn with_entries<T: WithDType, R>(tensor: &Tensor, read: impl FnOnce(&[T]) -> R) -> Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => Ok(read(entries(storage, layout)?)),
        _ => bail!("this operation runs on the CPU alone"),
    }
}

/// Whether the fused CPU kernels apply to a tensor; elsewhere the same function is composed of candle operations.
pub(super) fn has_kernel(tensor: &Tensor) -> bool {
    tensor.device().is_cpu() && matches!(tensor.dtype(), candle_core::DType::F32 | candle_core::DType::F64)
}
