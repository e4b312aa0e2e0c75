//! Plain slices of candle tensors on the CPU, for the custom operations of this module, and what every layer asks of
//! the tensors it is given.

use candle_core::{CpuStorage, DType, Layout, Result, Tensor, WithDType, bail};

/// The entries of a contiguous CPU storage, in order.
pub(super) fn entries<'a, T: WithDType>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    match layout.contiguous_offsets() {
        // A view of nothing may begin beyond the end.
        Some((start, end)) if start == end => Ok(&[]),
        Some((start, end)) => Ok(&storage.as_slice::<T>()?[start..end]),
        None => bail!("this operation needs a contiguous tensor, got strides {:?}", layout.stride()),
    }
}

/// Whether the fused CPU kernels apply to a tensor; elsewhere the same function is composed of candle operations.
///
/// # Errors
/// When the entries are whole numbers: many of candle's operations panic on them.
pub(super) fn has_kernel(tensor: &Tensor) -> Result<bool> {
    check_float(tensor)?;
    Ok(tensor.device().is_cpu() && matches!(tensor.dtype(), DType::F32 | DType::F64))
}

/// A tensor of 16 bits an entry in single precision, others as they are: long sums need more digits, and squares have no room
/// in f16.
pub(super) fn single_or_wider(tensor: &Tensor) -> Result<Tensor> {
    let is_half = matches!(tensor.dtype(), DType::F16 | DType::BF16);
    if is_half { tensor.to_dtype(DType::F32) } else { Ok(tensor.clone()) }
}

/// Refuses tensors of two types: in single precision they would no longer be told apart.
pub(super) fn same_type(a: &Tensor, b: &Tensor) -> Result<()> {
    if a.dtype() != b.dtype() {
        bail!("entries of type {} do not go with those of type {}", a.dtype().as_str(), b.dtype().as_str());
    }
    Ok(())
}

/// Whether a layer can be made of some parameters.
///
/// # Errors
/// When one of them has no entries, or whole numbers for entries.
pub(super) fn check_parameters(parameters: &[&Tensor]) -> Result<()> {
    for parameter in parameters {
        check_float(parameter)?;
        if parameter.elem_count() == 0 {
            bail!("a layer cannot be made of parameters of shape {:?}: there are none", parameter.dims());
        }
    }
    Ok(())
}

fn check_float(tensor: &Tensor) -> Result<()> {
    check_type(tensor.dtype())
}

/// Whether layers can compute with entries of a type.
///
/// # Errors
/// When they are whole numbers.
pub(super) fn check_type(dtype: DType) -> Result<()> {
    if !dtype.is_float() {
        bail!("layers compute with floating-point numbers, not with entries of type {}", dtype.as_str());
    }
    Ok(())
}

/// Whether a parameter is computed from variables in every pass.
pub(super) fn is_computed(parameters: &[&Tensor]) -> bool {
    parameters.iter().any(|parameter| parameter.track_op() && !parameter.is_variable())
}
