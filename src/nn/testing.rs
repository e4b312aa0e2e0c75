//! What the unit tests of layers share.

use crate::rng::Seed;
use candle_core::{DType, Device, Result, Tensor, Var};

/// Standard normal numbers in f64.
pub(super) fn normal(dims: &[usize], seed: u64) -> Result<Tensor> {
    let mut stream = Seed(seed).stream("testing");
    let values: Vec<f64> = (0..dims.iter().product()).map(|_| stream.normal()).collect();
    Tensor::from_vec(values, dims, &Device::Cpu)
}

/// Standard normal numbers in f32, others for each name.
pub(super) fn numbers(len: usize, name: &str) -> Vec<f32> {
    let mut stream = Seed(1).stream(name);
    (0..len).map(|_| stream.normal() as f32).collect()
}

/// Two tensors agree to 1e-11 of the largest entry.
pub(super) fn assert_close(actual: &Tensor, expected: &Tensor) -> Result<()> {
    assert_eq!(actual.dims(), expected.dims());
    let flat = |tensor: &Tensor| tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>();
    let (actual, expected) = (flat(actual)?, flat(expected)?);
    let scale = expected.iter().fold(1e-300, |largest: f64, x| largest.max(x.abs()));
    for (a, e) in actual.iter().zip(&expected) {
        assert!((a - e).abs() <= 1e-11 * scale, "{a} is not {e}");
    }
    Ok(())
}

/// Two ways to compute the same function agree in value and in the gradients of `vars`.
pub(super) fn assert_same(actual: &Tensor, expected: &Tensor, gradient: &Tensor, vars: &[&Var]) -> Result<()> {
    assert_close(actual, expected)?;
    let (a, e) = ((actual * gradient)?.sum_all()?.backward()?, (expected * gradient)?.sum_all()?.backward()?);
    for var in vars {
        match (a.get(var.as_tensor()), e.get(var.as_tensor())) {
            (Some(a), Some(e)) => assert_close(a, e)?,
            (a, e) => panic!("one way has a gradient, the other has none: {} {}", a.is_some(), e.is_some()),
        }
    }
    Ok(())
}
