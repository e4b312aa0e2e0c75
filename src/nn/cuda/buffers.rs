//! Buffers of a GPU behind candle's tensors.

use super::variant::Real;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView, DeviceRepr};
use candle_core::cuda_backend::{CudaDType, CudaDevice};
use candle_core::op::BackpropOp;
use candle_core::{CudaStorage, Layout, Result, Shape, Storage, Tensor, bail};

/// A type with kernels, as candle and the driver know it.
pub trait Number: Real + CudaDType + DeviceRepr + Send + Sync + 'static {}

impl Number for f32 {}

impl Number for f64 {}

/// The entries of a contiguous tensor.
///
/// # Errors
/// When it is not contiguous, or of another type.
pub fn view<'a, T: Number>((storage, layout): (&'a CudaStorage, &Layout)) -> Result<CudaView<'a, T>> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(storage.as_cuda_slice::<T>()?.slice(start..end)),
        None => bail!("a kernel needs a contiguous tensor, got strides {:?}", layout.stride()),
    }
}

/// A buffer with anything in it.
///
/// # Errors
/// When there is no memory left.
#[allow(unsafe_code, reason = "filling it with zeros would be a launch of its own")]
pub fn uninitialised<T: DeviceRepr>(device: &CudaDevice, len: usize) -> Result<CudaSlice<T>> {
    // SAFETY: any bits are a number, and every buffer is written by the first kernel that has it.
    unsafe { device.alloc::<T>(len) }
}

/// What a tensor's guard holds.
///
/// # Errors
/// When the tensor is on another device.
pub fn on_gpu<'a>(storage: &'a Storage, layout: &'a Layout) -> Result<(&'a CudaStorage, &'a Layout)> {
    match storage {
        Storage::Cuda(storage) => Ok((storage, layout)),
        _ => bail!("an operation on a GPU got tensors of another device"),
    }
}

/// A constant of a buffer.
pub fn wrapped<T: Number>(slice: CudaSlice<T>, device: &CudaDevice, shape: impl Into<Shape>) -> Tensor {
    let storage = Storage::Cuda(CudaStorage::wrap_cuda_slice(slice, device.clone()));
    Tensor::from_storage(storage, shape, BackpropOp::none(), false)
}
