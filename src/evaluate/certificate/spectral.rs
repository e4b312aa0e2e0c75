//! Bounds of the spectral norm of a weight, each from one side.

use crate::nn::kernels::matmul::{Matrix, matmul};
use candle_core::{DType, Device, Result, Tensor, bail};

/// Part of the norm by which an upper bound may exceed it.
const SLACK: f64 = 1e-9;
/// Half the distance between 1 and the next larger f64.
const UNIT: f64 = f64::EPSILON / 2.0;

/// An upper bound of ||W||_2, at most 1e-9 of it too large (a little more for sides of thousands).
///
/// Gram iteration (Delattre et al. 2023, "Efficient Bound of Lipschitz Constant for Convolutional Layers by Gram
/// Iteration", Algorithm 1): A <- A^T A squares every singular value, and the Frobenius norm of the last A, taken to
/// the root, bounds the largest one. Each A is divided by its Frobenius norm, so that nothing overflows; the norms are
/// put back on the way out, and there an allowance for rounding is added. Power iteration would approach the norm from
/// below.
///
/// # Proof
/// Let n_i be the numbers that were divided by. That they are norms up to the rounding of long sums is of no account:
/// what was computed as A_i is A~_i / n_i with each entry rounded once, so ||A~_i|| <= n_i (||A_i|| + 1.01 u F_i), where
/// F_i = ||A_i||_F <= 1.1. A product with sums of k terms is off by gamma_k of that of the magnitudes (Higham 2002,
/// Section 3.5), in the Frobenius norm by gamma_k F_i^2, so
///
/// ```text
/// ||A_i||^2 <= ||A~_{i+1}|| + gamma_k F_i^2 <= n_{i+1} (||A_{i+1}|| + 1.01 u F_{i+1}) + gamma_k F_i^2
/// ```
///
/// `allowance`, 4 (k + 8) u, is more than 1.01 u F and gamma_k F^2 by 30 u at least, and no step of the evaluation below
/// rounds by more than 4 u. It begins with F of the last A, from above (`frobenius_from_above`), for the sum that gave
/// n is a long one: of k^2 terms, gamma_{k^2} at worst. The weight itself is scale A_0 up to two roundings an entry.
///
/// # Shapes
/// - weight: (outputs, inputs)
///
/// # Errors
/// When an entry is not finite.
pub fn upper_bound(weight: &Tensor) -> Result<f64> {
    let Some(unit) = Unit::of(weight)? else { return Ok(0.0) };
    let (rows, columns) = (unit.rows, unit.columns);
    let side = rows.min(columns);
    // Sums of products have at most max(rows, columns) terms.
    let allowance = 4.0 * (rows.max(columns) + 8) as f64 * UNIT;
    let matrix = Matrix::new(&unit.entries, rows, columns);
    let mut gram =
        if rows <= columns { matmul(matrix, matrix.transposed()) } else { matmul(matrix.transposed(), matrix) };
    let mut norms = vec![normalise(&mut gram)];
    for _ in 0..iterations(side) {
        let matrix = Matrix::new(&gram, side, side);
        gram = matmul(matrix.transposed(), matrix);
        norms.push(normalise(&mut gram));
        // The Frobenius norm is within SLACK of the spectral one: only one singular value is left.
        if norms.last().is_some_and(|norm| *norm > 1.0 - SLACK) {
            break;
        }
    }
    // ||A_i||^2 = ||A_i^T A_i||, and A_{i+1} is that divided by its norm; the last one has Frobenius norm 1, nearly.
    let last = frobenius_from_above(&gram, side).max(1.0 + allowance);
    let largest = norms.iter().rev().fold(last, |bound, norm| (norm * (bound + allowance) + allowance).sqrt());
    Ok(unit.scale * (largest + allowance) * (1.0 + allowance))
}

/// A lower bound of ||W||_2 up to rounding, by `steps` of power iteration on W^T W from a fixed vector: how tight
/// [`upper_bound`] is, never a part of a proof.
///
/// # Shapes
/// - weight: (outputs, inputs)
///
/// # Errors
/// When an entry is not finite.
pub fn lower_bound(weight: &Tensor, steps: usize) -> Result<f64> {
    let Some(unit) = Unit::of(weight)? else { return Ok(0.0) };
    let matrix = Matrix::new(&unit.entries, unit.rows, unit.columns);
    // Multiples of the golden ratio fill [0, 1) evenly: no direction is likely to be missed.
    let golden = (5f64.sqrt() - 1.0) / 2.0;
    let mut vector: Vec<f64> = (1..=unit.columns).map(|place| 0.5 - (place as f64 * golden).fract()).collect();
    let mut stretch = 0.0;
    for _ in 0..steps.max(1) {
        if normalise(&mut vector) == 0.0 {
            return Ok(0.0);
        }
        let image = matmul(matrix, Matrix::new(&vector, unit.columns, 1));
        stretch = frobenius(&image);
        vector = matmul(matrix.transposed(), Matrix::new(&image, unit.rows, 1));
    }
    Ok(unit.scale * stretch)
}

/// Squarings after which the Frobenius norm of side x side entries, at most sqrt(side) times the spectral one, is
/// within [`SLACK`] after the roots.
fn iterations(side: usize) -> u32 {
    ((side as f64).ln() / (4.0 * SLACK)).max(1.0).log2().ceil() as u32
}

/// A weight of Frobenius norm 1 and what it was divided by.
struct Unit {
    entries: Vec<f64>,
    rows: usize,
    columns: usize,
    scale: f64,
}

impl Unit {
    /// None for a weight of zeros.
    fn of(weight: &Tensor) -> Result<Option<Self>> {
        let (rows, columns) = weight.dims2()?;
        let weight = weight.detach().to_device(&Device::Cpu)?.to_dtype(DType::F64)?;
        let mut entries = weight.flatten_all()?.to_vec1::<f64>()?;
        if entries.iter().any(|entry| !entry.is_finite()) {
            bail!("a weight of {rows} x {columns} is not finite: it has no norm");
        }
        // Squares of very large and very small entries are out of range.
        let largest = entries.iter().fold(0.0, |largest: f64, entry| largest.max(entry.abs()));
        if largest == 0.0 {
            return Ok(None);
        }
        entries.iter_mut().for_each(|entry| *entry /= largest);
        let scale = largest * normalise(&mut entries);
        Ok(Some(Self { entries, rows, columns, scale }))
    }
}

/// Divides by the Frobenius norm and returns it; zeros stay.
fn normalise(entries: &mut [f64]) -> f64 {
    let norm = frobenius(entries);
    if norm > 0.0 {
        entries.iter_mut().for_each(|entry| *entry /= norm);
    }
    norm
}

fn frobenius(entries: &[f64]) -> f64 {
    entries.iter().map(|entry| entry * entry).sum::<f64>().sqrt()
}

/// The Frobenius norm of a matrix whose largest entries are not far from 1, from above.
///
/// Each row is summed by itself, and then the sums of the rows: no term is in more than rows + columns additions, and a
/// root halves relative errors (Higham 2002, Section 4.2). A term that underflows is of no account beside them.
fn frobenius_from_above(entries: &[f64], columns: usize) -> f64 {
    let of_rows = entries.chunks_exact(columns).map(|row| row.iter().map(|entry| entry * entry).sum::<f64>());
    let operations = (columns + entries.len() / columns) as f64 / 2.0 + 4.0;
    of_rows.sum::<f64>().sqrt() * (1.0 + 1.01 * operations * UNIT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    fn matrix(rows: usize, columns: usize, entry: impl FnMut(usize) -> f64) -> Result<Tensor> {
        Tensor::from_vec((0..rows * columns).map(entry).collect::<Vec<f64>>(), (rows, columns), &Device::Cpu)
    }

    fn normal(rows: usize, columns: usize, seed: u64) -> Result<Tensor> {
        let mut stream = Seed(seed).stream("spectral");
        matrix(rows, columns, |_| stream.normal())
    }

    /// The largest singular value by one-sided Jacobi rotations (Hestenes 1958): slow, and accurate to rounding.
    fn jacobi(weight: &Tensor) -> Result<f64> {
        let mut columns = weight.t()?.to_vec2::<f64>()?;
        for _ in 0..60 {
            for p in 0..columns.len() {
                for q in p + 1..columns.len() {
                    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
                    let [alpha, beta] = [p, q].map(|c| dot(&columns[c], &columns[c]));
                    let gamma = dot(&columns[p], &columns[q]);
                    if gamma == 0.0 {
                        continue;
                    }
                    let zeta = (beta - alpha) / (2.0 * gamma);
                    let tangent = zeta.signum() / (zeta.abs() + (1.0 + zeta * zeta).sqrt());
                    let cosine = 1.0 / (1.0 + tangent * tangent).sqrt();
                    for row in 0..columns[p].len() {
                        let (a, b) = (columns[p][row], columns[q][row]);
                        columns[p][row] = cosine * (a - tangent * b);
                        columns[q][row] = cosine * (tangent * a + b);
                    }
                }
            }
        }
        Ok(columns.iter().map(|column| frobenius(column)).fold(0.0, f64::max))
    }

    #[test]
    fn power_iteration_true_norm_and_gram_bound_are_in_this_order_and_close() -> Result<()> {
        for (rows, columns) in [(1, 1), (1, 9), (9, 1), (4, 4), (12, 30), (30, 12), (40, 40)] {
            for (seed, scale) in [(1, 1.0), (2, 1e-30), (3, 1e30), (4, 1e-200), (5, 1e200)] {
                let weight = (normal(rows, columns, seed)? * scale)?;
                let (low, norm, high) =
                    (lower_bound(&weight, 3000)?, jacobi(&(&weight / scale)?)? * scale, upper_bound(&weight)?);
                let what = format!("{rows} x {columns} times {scale:e}: {low:e}, {norm:e}, {high:e}");
                assert!(low <= norm * (1.0 + 1e-13) && norm <= high, "{what}");
                assert!(low > norm * (1.0 - 1e-6) && high <= norm * (1.0 + 1.01 * SLACK), "{what}");
            }
        }
        Ok(())
    }

    #[test]
    fn equal_singular_values_the_slowest_case_are_bounded_tightly() -> Result<()> {
        for side in [1, 2, 50, 200] {
            let high = upper_bound(&Tensor::eye(side, DType::F64, &Device::Cpu)?)?;
            assert!((1.0..1.0 + 1.01 * SLACK).contains(&high), "{side}: {high}");
        }
        Ok(())
    }

    #[test]
    fn rank_one_zero_and_nearly_parallel_weights_are_bounded() -> Result<()> {
        let ones = matrix(7, 11, |_| -3.0)?;
        assert!((upper_bound(&ones)? / (3.0 * 77f64.sqrt()) - 1.0).abs() < 1e-9);
        assert_eq!(upper_bound(&ones.zeros_like()?)?, 0.0);
        assert_eq!(lower_bound(&ones.zeros_like()?, 5)?, 0.0);
        let nearly = (&ones + (normal(7, 11, 1)? * 1e-9)?)?;
        assert!(jacobi(&nearly)? <= upper_bound(&nearly)?);
        Ok(())
    }

    #[test]
    fn a_weight_that_is_not_finite_has_no_bound() -> Result<()> {
        for broken in [f64::NAN, f64::INFINITY] {
            let weight = matrix(2, 3, |place| if place == 4 { broken } else { 1.0 })?;
            assert!(upper_bound(&weight).is_err() && lower_bound(&weight, 1).is_err());
        }
        Ok(())
    }
}
