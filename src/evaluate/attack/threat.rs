//! What an attacker may do to an image: move it inside a ball around it, and inside the box [0, 1] of all images.

use crate::nn::kernels::dispatch::vectorized;
use candle_core::FloatDType;
use serde::{Deserialize, Serialize};

/// Slack of every comparison of a measured distance with a bound, absolute. An f32 image at x + 0.1 may measure
/// 0.10000002 in f64; an exact comparison would lose such successes.
pub const TOLERANCE: f64 = 1e-6;

/// How a perturbation is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "program", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// The largest change of a pixel.
    Linf,
    /// The Euclidean length of the change.
    L2,
}

impl Norm {
    /// Its name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Linf => "linf",
            Self::L2 => "l2",
        }
    }
}

/// A ball of perturbations.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threat {
    /// How perturbations are measured.
    pub norm: Norm,
    /// The largest one allowed, in units of the pixels' range [0, 1].
    pub eps: f64,
}

impl Threat {
    /// The ball of all perturbations up to `eps` in the largest change of a pixel.
    pub fn linf(eps: f64) -> Self {
        Self { norm: Norm::Linf, eps }
    }

    /// The ball of all perturbations up to `eps` in Euclidean length.
    pub fn l2(eps: f64) -> Self {
        Self { norm: Norm::L2, eps }
    }

    /// Whether a perturbation of that size is allowed. NaN is not.
    pub fn allows(self, distance: Distance) -> bool {
        distance.in_norm(self.norm) <= self.eps + TOLERANCE
    }

    /// Whether the perturbation that makes one image of another is allowed, as [`Threat::allows`] says of its distance.
    pub(super) fn reaches<T: FloatDType>(self, original: &[T], image: &[T]) -> bool {
        Distance::is_below(original, image, self.norm, (self.eps + TOLERANCE).next_up())
    }

    /// Why nothing can be attacked under this threat, if so.
    pub fn problem(self) -> Option<String> {
        let fits = self.eps.is_finite() && self.eps >= 0.0;
        (!fits).then(|| format!("eps is {}; use a number from 0", self.eps))
    }
}

/// How far an image is from its original, measured in f64 on the pixels as they are.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Distance {
    /// Largest change of a pixel.
    pub linf: f64,
    /// Euclidean length of the change.
    pub l2: f64,
    /// Number of pixels changed at all.
    pub l0: usize,
}

impl Distance {
    /// Measures the way from one image to another of the same size. A NaN pixel makes both norms NaN.
    pub fn between<T: FloatDType>(original: &[T], image: &[T]) -> Self {
        let (mut linf, mut square, mut l0) = (0.0, 0.0, 0);
        // One sum from the first pixel to the last: published distances have these bits.
        for (a, b) in original.iter().zip(image) {
            let change = (b.to_f64() - a.to_f64()).abs();
            linf = if change > linf { change } else { linf };
            square += change * change;
            l0 += usize::from(change != 0.0);
        }
        // The largest change passes over a NaN, which must not look like no change.
        Self { linf: if square.is_nan() { f64::NAN } else { linf }, l2: square.sqrt(), l0 }
    }

    /// Whether `between(original, image).in_norm(norm) < bound`, at less cost. NaN is not.
    pub(super) fn is_below<T: FloatDType>(original: &[T], image: &[T], norm: Norm, bound: f64) -> bool {
        if norm == Norm::Linf {
            return bound > 0.0 && is_closer(original, image, bound);
        }
        // Two orders of summing n squares differ by less than n roundings: 1e-10 for a million pixels.
        let near = way(original, image);
        if (near - bound).abs() > 1e-9 * bound.min(f64::MAX) {
            near < bound
        } else {
            Self::between(original, image).l2 < bound
        }
    }

    /// The distance in one norm.
    pub fn in_norm(self, norm: Norm) -> f64 {
        match norm {
            Norm::Linf => self.linf,
            Norm::L2 => self.l2,
        }
    }
}

vectorized! {
    /// Whether every pixel is in [0, 1].
    pub fn in_box<T: FloatDType>(image: &[T]) -> bool {
        image.iter().fold(true, |inside, pixel| inside & (*pixel >= T::zero()) & (*pixel <= T::one()))
    }

    /// Whether every pixel changes by less than that.
    fn is_closer<T: FloatDType>(original: &[T], image: &[T], bound: f64) -> bool {
        original.iter().zip(image).fold(true, |closer, (a, b)| closer & ((b.to_f64() - a.to_f64()).abs() < bound))
    }

    /// Euclidean length of the way from one image to another, not summed in the order of [`Distance::between`].
    pub(super) fn way<T: FloatDType>(original: &[T], image: &[T]) -> f64 {
        let ((originals, original_rest), (images, image_rest)) = (original.as_chunks::<8>(), image.as_chunks::<8>());
        let mut sums = [0f64; 8];
        let mut add = |sum: usize, a: &T, b: &T| {
            let change = b.to_f64() - a.to_f64();
            sums[sum] += change * change;
        };
        for (a, b) in originals.iter().zip(images) {
            (0..8).for_each(|place| add(place, &a[place], &b[place]));
        }
        original_rest.iter().zip(image_rest).enumerate().for_each(|(place, (a, b))| add(place, a, b));
        sums.iter().sum::<f64>().sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    #[test]
    fn an_image_at_the_rim_of_the_ball_is_allowed() {
        let original: Vec<f32> = (0..1000).map(|i| i as f32 / 2000.0).collect();
        let image: Vec<f32> = original.iter().map(|x| x + 0.1).collect();
        let distance = Distance::between(&original, &image);
        assert!(distance.linf > 0.1 && Threat::linf(0.1).allows(distance));
        assert!(!Threat::linf(0.0999).allows(distance));
        assert_eq!(distance.l0, 1000);
    }

    #[test]
    fn a_broken_image_is_never_allowed() {
        let (original, image) = ([0.5, 0.5], [f32::NAN, 0.5]);
        let distance = Distance::between(&original, &image);
        assert!(distance.linf.is_nan() && distance.l2.is_nan());
        for threat in [Threat::linf(1.0), Threat::l2(1.0)] {
            assert!(!threat.allows(distance) && !threat.reaches(&original, &image) && !in_box(&image), "{threat:?}");
        }
    }

    /// The short way and the long one agree, at the last bit before and behind a distance too.
    #[test]
    fn what_is_below_a_bound_does_not_depend_on_the_order_of_summation() {
        let mut stream = Seed(8).stream("threat");
        for pixels in [0, 1, 7, 784, 3 * 32 * 32] {
            let mut draw = || (0..pixels).map(|_| stream.uniform() as f32).collect::<Vec<f32>>();
            let (original, image) = (draw(), draw());
            let distance = Distance::between(&original, &image);
            for norm in [Norm::Linf, Norm::L2] {
                let exact = distance.in_norm(norm);
                let far = [0.0, 0.5 * exact, 2.0 * exact, f64::INFINITY, f64::NAN];
                for bound in [exact.next_down(), exact, exact.next_up()].into_iter().chain(far) {
                    let below = Distance::is_below(&original, &image, norm, bound);
                    assert_eq!(below, exact < bound, "{pixels} {norm:?} {exact} {bound}");
                }
                if exact > TOLERANCE {
                    let threat = Threat { norm, eps: exact - TOLERANCE };
                    assert_eq!(threat.reaches(&original, &image), threat.allows(distance), "{pixels} {threat:?}");
                }
            }
        }
    }
}
