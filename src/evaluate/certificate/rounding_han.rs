//! What a Han-layer rounds: the derivation behind its part of [`super::rounding`].
//!
//! With v = u / |u| and p = v.x the layer is z = x - 2 p v + b, y = |z|. The program has v^ for v, p^ for p and z^ for z.
//! Write |v^ - v| <= nu, and X for the norm of its input.
//!
//! 1. **The unit vector.** The kernels ([`crate::nn::kernels::han`]) normalise in f64, whatever the type: |u| is the root
//!    of a sum of squares, every entry is multiplied by 1 / |u| and rounded to the type. The sum is off by gamma_k with k
//!    of the order of the width (Higham 2002, Section 4.2), the same relative error for all entries; an entry's own
//!    rounding comes on top. In f32 the sum is of no account (16,384 entries: 2e-12 against u = 6e-8), nu <= 1.01 u. In
//!    f64 it is what counts, and gamma_k is far above what sums are off by. So it is measured: with v^_i = c v_i (1 + d),
//!    |d| <= u, the norm |v^| is within c u of c, and |v^ - v| <= |c - 1| + c u. |v^|^2 - 1 = s is summed in twice the
//!    precision (Ogita, Rump and Oishi 2005, "Accurate Sum and Dot Product", Algorithm 5.3: off by gamma_k^2 of it, less
//!    than 1e-23), and |sqrt(1 + s) - 1| <= 0.51 |s| for |s| <= 0.01: nu <= 0.51 |s| + 2.1 u.
//! 2. **The dot product.** |p^ - p| <= nu X + gamma_k |v^| X =: pi X, pi = nu + gamma_k (1 + nu), where k operations
//!    follow one another. One product, then additions: with L lanes in a register, a chain takes every fourth register,
//!    and up to 3 more; 2 additions join the four chains, and at most L - 1 the lanes. That is
//!    ceil(width / L) / 4 + 3 + 1 + 2 + L - 1, the largest over L = 1, 2, 4, 8, 16; where the samples are in the lanes, it
//!    is that of L = 1.
//! 3. **The reflection.** -2 p^ is exact. Of |-2 p^ v^ + 2 p v| <= 2 pi X |v^| + 2 |p| nu remains
//!    (2 pi (1 + nu) + 2 nu) X. The product, x + b, and their sum round twice each path:
//!    gamma_2 (2 (1 + pi) (1 + nu) X + X + |b|).
//!
//! Together: relative = 2 pi (1 + nu) + 2 nu + gamma_2 (2 (1 + pi) (1 + nu) + 1), absolute = gamma_2 |b|, for which
//! gamma_4 |b| is taken. A simpler number has the same room for f32 and, nearly always, for f64; it is used wherever it is
//! the larger one.

use super::precision::Precision;
use crate::nn::HanLayer;
use crate::nn::kernels::han::Stack;
use candle_core::{DType, Result};

/// The part of its input's norm by which a layer's rounding may move its output.
pub(super) fn relative(layer: &HanLayer, precision: Precision) -> Result<f64> {
    let width = layer.bias().elem_count();
    let nu = match precision {
        Precision::F32 => 1.01 * precision.unit(),
        Precision::F64 => off_unit(&unit(layer)?),
    };
    let pi = nu + precision.gamma(operations(width)) * (1.0 + nu);
    let rounded = precision.gamma(2) * (2.0 * (1.0 + pi) * (1.0 + nu) + 1.0);
    let proved = (2.0 * pi * (1.0 + nu) + 2.0 * nu + rounded) * (1.0 + 1e-9);
    let simple = 2.2 * precision.gamma(width.div_ceil(4) + 24) + 20.0 * precision.unit();
    // Written so that NaN is no bound.
    Ok(if proved <= simple { simple } else { proved })
}

/// Operations of a dot product that follow one another, at most.
fn operations(width: usize) -> usize {
    let with_lanes = |lanes: usize| width.div_ceil(lanes) / 4 + lanes + 5;
    [1, 2, 4, 8, 16].into_iter().map(with_lanes).fold(0, usize::max)
}

/// v^ of the f64 program.
fn unit(layer: &HanLayer) -> Result<Vec<f64>> {
    let numbers = |tensor: &candle_core::Tensor| tensor.detach().to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>();
    let (direction, bias) = (numbers(layer.direction())?, numbers(layer.bias())?);
    let width = direction.len();
    Ok(Stack::new(&direction, &bias, width).unit(0).to_vec())
}

/// A bound of |v^ - v| for a vector that was normalised in f64.
fn off_unit(vector: &[f64]) -> f64 {
    let excess = square_less_one(vector).abs();
    // Beyond, the root is not what is said above, and nothing is certified.
    if excess <= 0.01 { 0.51 * excess + 2.1 * Precision::F64.unit() } else { f64::INFINITY }
}

/// |v|^2 - 1, the square summed in twice the precision.
fn square_less_one(vector: &[f64]) -> f64 {
    let (mut sum, mut lost) = (0.0, 0.0);
    for entry in vector {
        let product = entry * entry;
        // What the product and the addition round away, exactly.
        let of_product = entry.mul_add(*entry, -product);
        let next = sum + product;
        let back = next - sum;
        let of_sum = (sum - (next - back)) + (product - back);
        sum = next;
        lost += of_product + of_sum;
    }
    // Exact for sums between 1/2 and 2.
    (sum - 1.0) + lost
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;
    use candle_core::{Device, Tensor};

    fn layer(direction: &[f64]) -> Result<HanLayer> {
        let direction = Tensor::new(direction, &Device::Cpu)?;
        HanLayer::new(direction.clone(), direction.zeros_like()?)
    }

    #[test]
    fn a_square_is_summed_in_twice_the_precision() {
        // 1, and 10,000 squares of which each alone would leave 1 as it is.
        let small = 2f64.powi(-27);
        let vector: Vec<f64> = std::iter::once(1.0).chain(std::iter::repeat_n(small, 10_000)).collect();
        assert_eq!(square_less_one(&vector), 10_000.0 * small * small);
        assert_eq!(vector.iter().map(|entry| entry * entry).sum::<f64>(), 1.0);
    }

    #[test]
    fn the_simple_number_has_room_for_the_proved_one_on_ordinary_layers() -> Result<()> {
        let mut stream = Seed(1).stream("rounding");
        for width in [1usize, 2, 3, 7, 16, 30, 64, 100, 256, 784, 1000, 4096, 16_384] {
            let direction: Vec<f64> = (0..width).map(|_| stream.normal()).collect();
            let layer = layer(&direction)?;
            for precision in [Precision::F32, Precision::F64] {
                let simple = 2.2 * precision.gamma(width.div_ceil(4) + 24) + 20.0 * precision.unit();
                assert_eq!(relative(&layer, precision)?, simple, "width {width}, {precision:?}");
            }
        }
        Ok(())
    }
}
