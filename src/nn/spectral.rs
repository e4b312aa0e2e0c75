//! Matrices whose spectral norm may not exceed a bound, so that a dense layer moves no two points further apart than
//! by that factor.

use candle_core::{DType, Result, Tensor};

/// Squarings of the Gram matrix. After k of them the estimate of the norm is at most n^(1 / 2^(k + 2)) times too large for n
/// singular values: below 1.01 for 1,000 of them and k = 8.
const SQUARINGS: usize = 8;

/// Sizes of a Gram matrix that can be squared in single precision. Other weights are divided by their largest entry first.
const SQUARED: std::ops::Range<f64> = 1e-14..1e14;

/// An upper bound of the largest singular value, by Gram iteration (Delattre et al. 2023, "Efficient Bound of Lipschitz
/// Constant for Convolutional Layers by Gram Iteration"), in the weight's own precision: rounding may take it below.
///
/// # Shapes
/// - weight: (rows, columns)
///
/// # Errors
/// When an operation fails. A weight that is not finite has the norm NaN.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use han_exp::nn::spectral;
///
/// let norm = spectral::norm(&Tensor::new(&[[3f64, 0.0], [0.0, 1.0]], &Device::Cpu)?)?;
/// assert!((norm - 3.0).abs() < 1e-6);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn norm(weight: &Tensor) -> Result<f64> {
    let weight = weight.detach();
    if let Some(norm) = norm_in_range(&weight)? {
        return Ok(norm);
    }
    let exact = weight.to_dtype(DType::F64)?;
    let sizes = exact.abs()?.flatten_all()?;
    let total = sizes.sum_all()?.to_scalar::<f64>()?;
    if total == 0.0 || !total.is_finite() {
        return Ok(if total == 0.0 { 0.0 } else { f64::NAN });
    }
    let largest = sizes.max(0)?.to_scalar::<f64>()?;
    Ok(largest * norm_in_range(&(exact / largest)?)?.unwrap_or(f64::NAN))
}

/// [`norm`]; None where the Gram matrix is out of [`SQUARED`].
fn norm_in_range(weight: &Tensor) -> Result<Option<f64>> {
    let (rows, columns) = weight.dims2()?;
    let transposed = weight.t()?;
    let mut gram = if rows <= columns { weight.matmul(&transposed)? } else { transposed.matmul(weight)? };
    // The norm of the Gram matrix is (sigma / e^log)^(2^(k + 1)), where e^log is the scale that was taken off so far.
    let (mut log, mut power) = (0.0, 0.5);
    for squaring in 0..SQUARINGS {
        let size = frobenius(&gram)?;
        if squaring == 0 && !SQUARED.contains(&size) {
            return Ok(None);
        }
        log += power * size.ln();
        gram = (gram / size)?;
        // Powers of what is small soon become subnormal.
        gram = without_subnormals(&gram.matmul(&gram.t()?)?)?;
        power /= 2.0;
    }
    Ok(Some((log + power * frobenius(&gram)?.ln()).exp()))
}

/// The weight scaled down to the bound; None where its norm does not exceed it (Gouk et al. 2021, "Regularisation of Neural Networks by
/// Enforcing Lipschitz Continuity", Section 3.2).
///
/// # Shapes
/// - weight: (rows, columns) -> same
///
/// # Errors
/// As [`norm`]. A weight that is not finite stays as it is: it must show in the loss.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use han_exp::nn::spectral;
///
/// let weight = Tensor::new(&[[3f64, 0.0], [0.0, 1.0]], &Device::Cpu)?;
/// let scaled = spectral::within(&weight, 1.0)?.expect("a norm of 3 is too large");
/// assert!(spectral::norm(&scaled)? < 1.0 + 1e-6 && spectral::within(&weight, 4.0)?.is_none());
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn within(weight: &Tensor, bound: f64) -> Result<Option<Tensor>> {
    let norm = norm(weight)?;
    (norm > bound).then(|| without_subnormals(&(weight.detach() * (bound / norm))?)).transpose()
}

/// With 0 for entries below the smallest normal number. A weight that training has left alone becomes smaller with every step of
/// [`within`], and on many processors products of subnormal numbers take a hundred times as long as others.
fn without_subnormals(values: &Tensor) -> Result<Tensor> {
    let smallest = match values.dtype() {
        DType::F64 => f64::MIN_POSITIVE,
        // Those of half precision are computed as normal numbers of single precision.
        _ => f64::from(f32::MIN_POSITIVE),
    };
    values.abs()?.lt(smallest)?.where_cond(&values.zeros_like()?, values)
}

fn frobenius(matrix: &Tensor) -> Result<f64> {
    Ok(matrix.sqr()?.sum_all()?.to_dtype(DType::F64)?.to_scalar::<f64>()?.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::normal;
    use candle_core::Device;

    #[test]
    fn the_norm_is_that_of_a_known_matrix_and_never_far_above() -> Result<()> {
        let diagonal = Tensor::new(&[[3.0, 0.0, 0.0], [0.0, -4.0, 0.0]], &Device::Cpu)?;
        let found = norm(&diagonal)?;
        assert!((4.0..4.01).contains(&found), "{found}");
        // Power iteration comes from below.
        let weight = normal(&[30, 50], 1)?;
        let mut v = normal(&[50, 1], 2)?;
        for _ in 0..2000 {
            v = weight.t()?.matmul(&weight.matmul(&v)?)?;
            v = (&v / frobenius(&v)?)?;
        }
        let below = frobenius(&weight.matmul(&v)?)?;
        assert!(((1.0 - 1e-12) * below..1.01 * below).contains(&norm(&weight)?));
        assert_eq!(norm(&Tensor::zeros((2, 3), DType::F64, &Device::Cpu)?)?, 0.0);
        assert!(norm(&(&weight * f64::NAN)?)?.is_nan());
        Ok(())
    }

    #[test]
    fn very_large_and_very_small_weights_have_norms() -> Result<()> {
        let weight = normal(&[30, 50], 1)?.to_dtype(DType::F32)?;
        let expected = norm(&weight)?;
        for factor in [1e-30, 1e-12, 1e-8, 1e8, 1e12, 1e30] {
            let ratio = norm(&(&weight * factor)?)? / (factor * expected);
            assert!((ratio - 1.0).abs() < 1e-5, "{factor}: {ratio}");
        }
        let scaled = within(&(&weight * 1e30)?, 1.0)?.expect("a norm of 1e31 is too large");
        assert!((norm(&scaled)? - 1.0).abs() < 1e-5);
        let broken = Tensor::new(&[[0f32, f32::NAN], [0.0, 0.0]], &Device::Cpu)?;
        assert!(norm(&broken)?.is_nan());
        Ok(())
    }

    #[test]
    fn what_is_scaled_has_no_subnormal_entry_and_keeps_its_nans() -> Result<()> {
        let weight = Tensor::new(&[[3f32, 2e-38, f32::NAN], [-2e-38, 0.0, 1e-30]], &Device::Cpu)?;
        let clean = without_subnormals(&(weight * 0.5)?)?.to_vec2::<f32>()?;
        assert_eq!((clean[0][..2].to_vec(), clean[1].clone()), (vec![1.5, 0.0], vec![0.0, 0.0, 5e-31]));
        assert!(clean[0][2].is_nan());
        let scaled = within(&Tensor::new(&[[3f32, 2e-38]], &Device::Cpu)?, 1.0)?.expect("a norm of 3 is too large");
        assert_eq!(scaled.to_vec2::<f32>()?[0][1], 0.0);
        Ok(())
    }

    #[test]
    fn only_a_weight_beyond_the_bound_is_scaled() -> Result<()> {
        let weight = normal(&[20, 10], 2)?;
        let size = norm(&weight)?;
        let scaled = within(&weight, size / 2.0)?;
        assert!(scaled.is_some_and(|scaled| norm(&scaled).is_ok_and(|half| (half - size / 2.0).abs() < 1e-9 * size)));
        assert!(within(&weight, 2.0 * size)?.is_none());
        assert!(within(&(&weight * f64::NAN)?, 1.0)?.is_none());
        Ok(())
    }
}
