//! The normal distribution, exact up to rounding.

use candle_core::cpu::erf::erfc_f64;

/// Scalars of which the function can be computed.
pub trait Normal: Sized {
    /// Phi(z) and the density phi(z) of the normal distribution.
    fn normal(self) -> (Self, Self);
}

const DENSITY_AT_0: f64 = 0.398_942_280_401_432_7;

impl Normal for f64 {
    #[inline(always)]
    fn normal(self) -> (f64, f64) {
        (0.5 * erfc_f64(-self * std::f64::consts::FRAC_1_SQRT_2), DENSITY_AT_0 * (-0.5 * self * self).exp())
    }
}

impl Normal for f32 {
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
