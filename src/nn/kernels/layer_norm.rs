//! Layer normalisation of rows (Ba, Kiros and Hinton 2016), n = (x - mean) / sqrt(variance + epsilon) weight + bias.

use super::dispatch::vectorized;
use super::lanes::Element;
use super::rows::{dot, squares_about, sum};

/// Mean and 1 / sqrt(variance + epsilon) of a row.
#[derive(Debug, Clone, Copy, Default)]
pub struct Moments<T> {
    /// Mean.
    pub mean: T,
    /// 1 / sqrt(variance + epsilon)
    pub inverse: T,
}

/// Added to the variance, as PyTorch does by default.
pub const EPSILON: f64 = 1e-5;

vectorized! {
    /// Measures every row of `x`.
    pub fn measure<T: Element>(@simd; x: &[T], moments: &mut [Moments<T>]) {
        let columns = (x.len() / moments.len().max(1)).max(1); // of an empty batch there is no row
        let scale = T::from_f64(1.0 / columns as f64);
        for (row, moments) in x.chunks_exact(columns).zip(moments) {
            let mean = sum(simd, row) * scale;
            let variance = squares_about(simd, row, mean) * scale;
            *moments = Moments { mean, inverse: T::from_f64(1.0) / (variance + T::from_f64(EPSILON)).square_root() };
        }
    }

    /// The normalised rows of `x`.
    pub fn normalise<T: Element>(x: &[T], moments: &[Moments<T>], weight: &[T], bias: &[T], n: &mut [T]) {
        let columns = weight.len();
        for ((x, n), m) in x.chunks_exact(columns).zip(n.chunks_exact_mut(columns)).zip(moments) {
            for (((n, x), w), b) in n.iter_mut().zip(x).zip(weight).zip(bias) {
                *n = (*x - m.mean) * m.inverse * *w + *b;
            }
        }
    }

    /// Adds the gradient of x to `input_gradient` and those of weight and bias to theirs, given dL/dn.
    ///
    /// With h = (x - mean) / deviation and g = weight dL/dn: dL/dx = (g - mean(g) - h mean(g h)) / deviation.
    pub fn add_backward<T: Element>(
        @simd;
        x: &[T],
        moments: &[Moments<T>],
        weight: &[T],
        gradient: &[T],
        input_gradient: &mut [T],
        weight_gradient: &mut [T],
        bias_gradient: &mut [T],
    ) {
        let columns = weight.len();
        let scale = T::from_f64(1.0 / columns as f64);
        let mut g = vec![T::default(); columns];
        let mut h = vec![T::default(); columns];
        let rows = x.chunks_exact(columns).zip(gradient.chunks_exact(columns)).zip(input_gradient.chunks_exact_mut(columns));
        for (((x, dn), dx), m) in rows.zip(moments) {
            // Loops over many slices stay scalar: each written one would have to be proved apart from all others.
            h.iter_mut().zip(x).for_each(|(h, x)| *h = (*x - m.mean) * m.inverse);
            g.iter_mut().zip(dn).zip(weight).for_each(|((g, dn), w)| *g = *dn * *w);
            weight_gradient.iter_mut().zip(dn).zip(&h).for_each(|((dw, dn), h)| *dw += *dn * *h);
            bias_gradient.iter_mut().zip(dn).for_each(|(db, dn)| *db += *dn);
            let along_one = sum(simd, &g) * scale;
            let along_h = dot(simd, &g, &h) * scale;
            for ((dx, g), h) in dx.iter_mut().zip(&g).zip(&h) {
                *dx += (*g - along_one - *h * along_h) * m.inverse;
            }
        }
    }
}
