//! Matrices with orthonormal rows or, if there are fewer columns than rows, columns (the Stiefel manifold): all their
//! singular values are 1, so a dense layer with such a weight moves no two points further apart.
//!
//! A weight stays one of them in two steps: its gradient is taken along them ([`tangent`]), and after each update the
//! nearest of them takes its place ([`nearest`]).

use super::fused::{Fused, Pass, apply};
use super::kernels::lanes::Element;
use super::kernels::orthogonal as kernel;
use super::storage::has_kernel;
use candle_core::{DType, Result, Tensor, bail};

/// Largest deviation from orthonormality that is taken for rounding and left alone when weights are read.
const ROUNDING: f64 = 1e-4;
/// Enough for any matrix of full rank: a correction multiplies small singular values by 15/8.
const CORRECTIONS: usize = 100;
/// Defects for which E^2 is rounding: the correction leaves 3 E^2 / 4 then.
const SMALL: f64 = 1e-4;

/// I - W W^T, or I - W^T W if W has more rows than columns.
///
/// # Shapes
/// - weight: (rows, columns) -> (side, side) with the smaller of the two
pub fn defect(weight: &Tensor) -> Result<Tensor> {
    let (rows, columns) = weight.dims2()?;
    let transposed = weight.t()?;
    let product = if rows <= columns { weight.matmul(&transposed)? } else { transposed.matmul(weight)? };
    Tensor::eye(rows.min(columns), weight.dtype(), weight.device())? - product
}

/// The largest entry of |[`defect`]|; NaN if one is.
pub fn deviation(weight: &Tensor) -> Result<f64> {
    largest(&defect(&weight.detach())?.abs()?)
}

/// The nearest matrix with orthonormal rows (or columns): the orthogonal factor of the polar decomposition.
///
/// With E the [`defect`] it is (I - E)^(-1/2) W. Each correction W + (E/2 + 3 E^2/8) W takes E to about 5 E^3/8 (Björck
/// and Bowie 1971, "An Iterative Algorithm for Computing the Best Estimate of an Orthogonal Matrix", Section 3); a
/// matrix that is an optimizer step away from orthonormal needs one or two.
///
/// A weight that is not finite stays as it is: it must show in the loss.
///
/// # Shapes
/// - weight: (rows, columns) -> same
///
/// # Errors
/// When the rows (columns) are linearly dependent: there is no nearest one.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use han_exp::nn::stiefel;
///
/// let nearest = stiefel::nearest(&Tensor::new(&[[1.1f64, 0.0], [0.0, 0.9]], &Device::Cpu)?)?;
/// assert!(stiefel::deviation(&nearest)? < 1e-6);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn nearest(weight: &Tensor) -> Result<Tensor> {
    let (rows, columns) = weight.dims2()?;
    let enough = if weight.dtype() == DType::F64 { 1e-15 } else { 1e-7 };
    let mut w = weight.detach();
    let mut bounded = false;
    for _ in 0..CORRECTIONS {
        let e = defect(&w)?;
        let row_sum = largest_row(e.abs()?)?; // no eigenvalue of E is larger
        if !row_sum.is_finite() {
            return Ok(w);
        }
        if row_sum > 1.0 && !bounded {
            // An eigenvalue of W W^T may be 3 or more, where the correction diverges. Below 1 it stays below.
            w = (w / (1.0 + row_sum).sqrt())?;
            bounded = true;
            continue;
        }
        let half = (&e * 0.5)?;
        let correction = if row_sum < SMALL { half } else { (half + (e.matmul(&e)? * 0.375)?)? };
        let step = if rows <= columns { correction.matmul(&w)? } else { w.matmul(&correction)? };
        w = (w + step)?;
        // No entry of E^2 exceeds the largest |row|^2, and one of E^3 that times the largest eigenvalue.
        let row_square = largest_row(e.sqr()?)?;
        if (if row_sum < SMALL { row_square } else { row_square * row_sum }) < enough {
            return Ok(w);
        }
    }
    bail!("a weight that should be orthonormal has linearly dependent rows or columns");
}

/// The largest sum of a row.
fn largest_row(square: Tensor) -> Result<f64> {
    largest(&square.sum(1)?)
}

/// The largest entry; candle's own maximum passes over NaN.
fn largest(tensor: &Tensor) -> Result<f64> {
    let entries = tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
    Ok(entries.into_iter().fold(f64::NEG_INFINITY, |max, x| if x > max || x.is_nan() { x } else { max }))
}

/// Holds a tensor against what an orthonormal weight may be.
///
/// # Errors
/// When it is further from orthonormal than rounding explains, or not finite.
pub fn check(weight: &Tensor) -> Result<()> {
    let deviation = deviation(weight)?;
    // Written so that NaN is refused.
    if deviation <= ROUNDING {
        return Ok(());
    }
    bail!("an orthonormal weight is off by {deviation:.1e}; {ROUNDING:.0e} is allowed for rounding")
}

/// The weight itself; its gradient is the part along the manifold, so that no step is spent on what [`nearest`] would
/// undo.
///
/// # Shapes
/// - weight: (rows, columns), orthonormal -> same
pub fn tangent(weight: &Tensor) -> Result<Tensor> {
    if !weight.track_op() {
        return Ok(weight.clone());
    }
    if has_kernel(weight)? {
        let (rows, columns) = weight.dims2()?;
        return apply(TangentOp { rows, columns }, [weight], None);
    }
    tangent_composed(weight)
}

/// The first-order correction changes nothing but the gradient.
fn tangent_composed(weight: &Tensor) -> Result<Tensor> {
    let (rows, columns) = weight.dims2()?;
    let half = (defect(weight)? * 0.5)?;
    weight + if rows <= columns { half.matmul(weight)? } else { weight.matmul(&half)? }
}

struct TangentOp {
    rows: usize,
    columns: usize,
}

impl Fused<1> for TangentOp {
    const NAME: &'static str = "tangent";

    fn forward<T: Element>(&self, [weight]: [&[T]; 1]) -> Result<Vec<T>> {
        Ok(weight.to_vec())
    }

    fn backward<T: Element>(&self, pass: &Pass<'_, T, 1>) -> Result<[Option<Vec<T>>; 1]> {
        let [weight] = pass.inputs;
        Ok([Some(kernel::tangent(self.rows, self.columns, weight, pass.gradient))])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::{assert_same, normal};
    use candle_core::Var;

    const SHAPES: [[usize; 2]; 4] = [[1, 1], [5, 9], [9, 5], [16, 16]];

    #[test]
    fn the_nearest_matrix_is_orthonormal_and_keeps_its_gram_root_symmetric() -> Result<()> {
        for (shape, scale) in SHAPES.into_iter().flat_map(|shape| [1e-6, 1.0, 1e6].map(|scale| (shape, scale))) {
            let weight = (normal(&shape, 1)? * scale)?;
            let q = nearest(&weight)?;
            assert!(deviation(&q)? < 1e-13, "{shape:?} times {scale}: off by {:e}", deviation(&q)?);
            // W = S Q with S = W Q^T symmetric and positive: what makes Q the polar factor.
            let s = if shape[0] <= shape[1] { weight.matmul(&q.t()?)? } else { q.t()?.matmul(&weight)? };
            let asymmetry = (&s - s.t()?)?.abs()?.max_all()?.to_scalar::<f64>()?;
            assert!(asymmetry < 1e-12 * scale, "{shape:?} times {scale}: {asymmetry:e}");
            let single = nearest(&weight.to_dtype(DType::F32)?)?;
            assert!(deviation(&single)? < 1e-6, "{shape:?} times {scale} in f32: {:e}", deviation(&single)?);
        }
        Ok(())
    }

    #[test]
    fn what_has_no_nearest_matrix_is_an_error_or_stays_broken() -> Result<()> {
        let zero = normal(&[3, 4], 1)?.zeros_like()?;
        let same_rows = normal(&[1, 4], 1)?.broadcast_as((2, 4))?.contiguous()?;
        assert!(nearest(&zero).is_err() && nearest(&same_rows).is_err());
        let broken = (zero + f64::NAN)?;
        assert!(nearest(&broken)?.flatten_all()?.to_vec1::<f64>()?.iter().all(|entry| entry.is_nan()));
        assert!(check(&broken).is_err());
        Ok(())
    }

    #[test]
    fn the_tangent_kernel_equals_its_composition() -> Result<()> {
        for shape in SHAPES {
            let weight = Var::from_tensor(&nearest(&normal(&shape, 1)?)?)?;
            let gradient = (normal(&shape, 2)? + 1.0)?;
            // The single entry of a 1 x 1 weight cannot move: its gradient is rounding in both.
            if shape != [1, 1] {
                assert_same(&tangent(&weight)?, &tangent_composed(&weight)?, &gradient, &[&weight])?;
            }
        }
        Ok(())
    }
}
