//! What the test programs share: reference values, random tensors, and one rule for "equal up to rounding".

#![allow(dead_code, reason = "every test program uses its own part of this")]

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Result, Tensor, Var};
use han_exp::rng::Stream;
use std::collections::HashMap;
use std::path::Path;

/// How far a float64 result may lie from PyTorch's float64 one.
pub const TOLERANCE_F64: f64 = 1e-9;
/// How far a float32 result may lie from PyTorch's float64 one.
pub const TOLERANCE_F32: f64 = 1e-4;

/// Both types with a kernel, each with its tolerance.
pub const TYPES: [(DType, f64); 2] = [(DType::F64, TOLERANCE_F64), (DType::F32, TOLERANCE_F32)];

/// The tensors of a file of reference values.
pub fn golden(name: &str) -> Result<HashMap<String, Tensor>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.safetensors"));
    candle_core::safetensors::load(path, &Device::Cpu)
}

/// The rule of all comparisons: shapes are equal and no entry is off by more than `tolerance` times the largest
/// magnitude in `expected`. A NaN on either side fails. Returns the largest deviation in that unit.
pub fn assert_close(actual: &Tensor, expected: &Tensor, tolerance: f64, what: &str) -> Result<f64> {
    let scale = largest(expected)?;
    assert_close_at_scale(actual, expected, scale, tolerance, what)
}

/// As [`assert_close`] for values that cancel to 0 up to rounding: `scale` is the magnitude of what cancels.
pub fn assert_close_at_scale(
    actual: &Tensor,
    expected: &Tensor,
    scale: f64,
    tolerance: f64,
    what: &str,
) -> Result<f64> {
    assert_eq!(actual.dims(), expected.dims(), "shape of {what}");
    let error = largest(&(actual.to_dtype(DType::F64)?.detach() - expected.to_dtype(DType::F64)?.detach())?)?;
    assert!(error <= tolerance * scale, "{what}: off by {error:e} at a scale of {scale:e}, tolerance {tolerance:e}");
    Ok(if error == 0.0 { 0.0 } else { error / scale })
}

/// The largest magnitude of a tensor's entries; NaN if one of them is.
pub fn largest(tensor: &Tensor) -> Result<f64> {
    let entries = entries(tensor)?;
    Ok(entries.into_iter().map(f64::abs).fold(0.0, |max, x| if x > max || x.is_nan() { x } else { max }))
}

/// The entries of a tensor in order.
pub fn entries(tensor: &Tensor) -> Result<Vec<f64>> {
    tensor.detach().to_dtype(DType::F64)?.flatten_all()?.to_vec1()
}

/// The bits of a tensor's entries: unlike `==`, these tell 0 from -0 and find a NaN equal to itself.
/// Widening float32 to float64 loses nothing.
pub fn bits(tensor: &Tensor) -> Result<Vec<u64>> {
    Ok(entries(tensor)?.into_iter().map(f64::to_bits).collect())
}

/// A variable with the values of a tensor.
pub fn variable(tensor: &Tensor, dtype: DType) -> Result<Var> {
    Var::from_tensor(&tensor.to_dtype(dtype)?)
}

/// The gradients of sum(y * gy), the loss behind every `gy` of the reference files.
pub fn backward(y: &Tensor, gy: &Tensor) -> Result<GradStore> {
    (y * gy.to_dtype(y.dtype())?)?.sum_all()?.backward()
}

pub fn gradient<'a>(gradients: &'a GradStore, var: &Var, what: &str) -> Result<&'a Tensor> {
    match gradients.get(var.as_tensor()) {
        Some(gradient) => Ok(gradient),
        None => candle_core::bail!("{what} got no gradient"),
    }
}

/// A tensor of standard normal float64 numbers.
pub fn normal(stream: &mut Stream, shape: &[usize]) -> Result<Tensor> {
    let values: Vec<f64> = (0..shape.iter().product::<usize>()).map(|_| stream.normal()).collect();
    Tensor::from_vec(values, shape, &Device::Cpu)
}
