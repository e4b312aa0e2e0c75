//! The Gaussian error linear unit, z Phi(z) with the normal distribution's Phi (Hendrycks and Gimpel 2016), exact up to
//! rounding: no approximation by tanh.

use super::dispatch::vectorized;
use super::lanes::Element;
use candle_core::cpu::erf::erfc_f64;

/// Scalars of which the function can be computed.
pub trait Gelu: Sized {
    /// Phi(z) and the density phi(z) of the normal distribution.
    fn normal(self) -> (Self, Self);
}

const DENSITY_AT_0: f64 = 0.398_942_280_401_432_7;

impl Gelu for f64 {
    #[inline(always)]
    fn normal(self) -> (f64, f64) {
        (0.5 * erfc_f64(-self * std::f64::consts::FRAC_1_SQRT_2), DENSITY_AT_0 * (-0.5 * self * self).exp())
    }
}

impl Gelu for f32 {
    /// Phi to 2.5e-7 (7.5e-8 of the formula, the rest rounding), by Abramowitz and Stegun, "Handbook of Mathematical Functions", 7.1.26. Only operations that the
    /// compiler can put into vector lanes.
    #[inline(always)]
    fn normal(self) -> (f32, f32) {
        const A: [f32; 5] = [0.254_829_6, -0.284_496_74, 1.421_413_8, -1.453_152, 1.061_405_4];
        let exponential = exp_of_negative(-0.5 * self * self);
        let t = 1.0 / (1.0 + 0.327_591_1 * std::f32::consts::FRAC_1_SQRT_2 * self.abs());
        let polynomial = t * (A[0] + t * (A[1] + t * (A[2] + t * (A[3] + t * A[4]))));
        let tail = 0.5 * polynomial * exponential; // Phi(-|z|)
        let phi = if self > 0.0 { 1.0 - tail } else { tail };
        (phi, DENSITY_AT_0 as f32 * exponential)
    }
}

/// exp(x) for x <= 0, to two units in the last place; NaN stays NaN.
#[inline(always)]
fn exp_of_negative(x: f32) -> f32 {
    // Adding this rounds to a whole number, which then stands in the lowest bits of the sum.
    const ROUND: f32 = 12_582_912.0;
    // Below, the result is not a normal number. Compared this way round a NaN is kept.
    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    // x - whole ln 2, with ln 2 in two parts, the first short enough to be exact in the product.
    let r = (x - whole * 0.693_359_4) - whole * -2.121_944_4e-4;
    let polynomial =
        1.0 + r * (1.0 + r * (0.5 + r * (1.666_666_5e-1 + r * (4.166_579_6e-2 + r * (8.333_452e-3 + r * 1.398_2e-3)))));
    let power_of_two = f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000));
    polynomial * power_of_two
}

vectorized! {
    /// z Phi(z), element by element.
    pub fn forward<T: Element>(z: &[T]) -> Vec<T> {
        z.iter().map(|z| *z * z.normal().0).collect()
    }

    /// d/dz (z Phi(z)) = Phi(z) + z phi(z), times g.
    pub fn backward<T: Element>(z: &[T], gradient: &[T]) -> Vec<T> {
        z.iter().zip(gradient).map(|(z, g)| *g * slope(*z)).collect()
    }

    /// Adds a bias to the rows of `z` and writes z Phi(z) of the sum to `h`.
    pub fn after_row_bias<T: Element>(z: &mut [T], bias: &[T], h: &mut [T]) {
        for (z, h) in z.chunks_exact_mut(bias.len()).zip(h.chunks_exact_mut(bias.len())) {
            for ((z, h), b) in z.iter_mut().zip(h).zip(bias) {
                *z += *b;
                *h = *z * z.normal().0;
            }
        }
    }

    /// As [`after_row_bias`], with one bias for all of a row, the biases repeating after `bias.len()` rows.
    pub fn after_column_bias<T: Element>(z: &mut [T], columns: usize, bias: &[T], h: &mut [T]) {
        let rows = z.chunks_exact_mut(columns).zip(h.chunks_exact_mut(columns));
        for ((z, h), b) in rows.zip(bias.iter().cycle()) {
            for (z, h) in z.iter_mut().zip(h) {
                *z += *b;
                *h = *z * z.normal().0;
            }
        }
    }

    /// z Phi(z) and its slope, both anew from z.
    pub fn value_and_slope<T: Element>(z: &[T], value: &mut [T], slope: &mut [T]) {
        for ((z, value), slope) in z.iter().zip(value).zip(slope) {
            let (phi, density) = z.normal();
            *value = *z * phi;
            *slope = phi + *z * density;
        }
    }
}

#[inline(always)]
fn slope<T: Element>(z: T) -> T {
    let (phi, density) = z.normal();
    phi + z * density
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_precision_is_that_of_double_up_to_rounding() {
        for step in -12_000..=12_000 {
            let narrow = step as f32 / 1000.0;
            let z = f64::from(narrow);
            let ((phi, density), (wide_phi, wide_density)) = (narrow.normal(), z.normal());
            assert!((f64::from(phi) - wide_phi).abs() < 2.5e-7, "Phi({z}) is {phi}, not {wide_phi}");
            // Two units in the last place of the exponential, one of the constant, one of the product; and the exponent is
            // rounded before it is raised.
            let (off, rounding) = ((f64::from(density) - wide_density).abs(), 3.6e-7 + 1e-7 * z * z);
            assert!(off < rounding * wide_density, "phi({z}) is {density}, not {wide_density}");
        }
        assert!((f32::NAN.normal().0).is_nan() && f32::NAN.normal().1.is_nan());
        assert_eq!(f32::INFINITY.normal().0, 1.0);
        assert!(f32::NEG_INFINITY.normal().0.abs() < 1e-37);
    }
}
