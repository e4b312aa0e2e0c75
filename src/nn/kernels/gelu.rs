//! The Gaussian error linear unit, z Phi(z) with the normal distribution's Phi (Hendrycks and Gimpel 2016), exact up to
//! rounding: no approximation by tanh.

use super::dispatch::vectorized;
use super::lanes::Element;

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
    use super::super::normal::Normal;

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
