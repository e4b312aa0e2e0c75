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
        let Change { linf, l0, .. } = change(original, image);
        // One sum from the first pixel to the last: published distances have these bits.
        let changes = original.iter().zip(image).map(|(a, b)| b.to_f64() - a.to_f64());
        let square = changes.fold(0.0, |sum, change| sum + change * change);
        // The largest change passes over a NaN, which must not look like no change.
        Self { linf: if square.is_nan() { f64::NAN } else { linf }, l2: square.sqrt(), l0 }
    }

    /// The distance in one norm.
    pub fn in_norm(self, norm: Norm) -> f64 {
        match norm {
            Norm::Linf => self.linf,
            Norm::L2 => self.l2,
        }
    }
}

/// Euclidean length of the way from one image to another, not summed in the order of [`Distance::between`].
pub(super) fn way<T: FloatDType>(original: &[T], image: &[T]) -> f64 {
    change(original, image).square.sqrt()
}

vectorized! {
    /// Whether every pixel is in [0, 1].
    pub fn in_box<T: FloatDType>(image: &[T]) -> bool {
        image.iter().fold(true, |inside, pixel| inside & (*pixel >= T::zero()) & (*pixel <= T::one()))
    }

    fn change<T: FloatDType>(original: &[T], image: &[T]) -> Change {
        let (originals, images) = (original.chunks_exact(LANES), image.chunks_exact(LANES));
        let (original_rest, image_rest) = (originals.remainder(), images.remainder());
        let mut lanes = Lanes::default();
        for (a, b) in originals.zip(images) {
            lanes.add(a, b);
        }
        lanes.add(original_rest, image_rest);
        Change {
            linf: lanes.linf.into_iter().fold(0.0, f64::max),
            square: lanes.square.into_iter().sum(),
            l0: lanes.l0.into_iter().sum::<u64>() as usize,
        }
    }
}

/// What of a change can be measured side by side.
struct Change {
    /// The largest one, NaN left out.
    linf: f64,
    /// |change|^2, not summed in order.
    square: f64,
    l0: usize,
}

const LANES: usize = 8;

/// [`Change`] of every eighth pixel.
#[derive(Default)]
struct Lanes {
    linf: [f64; LANES],
    square: [f64; LANES],
    l0: [u64; LANES],
}

impl Lanes {
    #[inline(always)]
    fn add<T: FloatDType>(&mut self, original: &[T], image: &[T]) {
        for (lane, (a, b)) in original.iter().zip(image).enumerate() {
            let change = (b.to_f64() - a.to_f64()).abs();
            self.linf[lane] = if change > self.linf[lane] { change } else { self.linf[lane] };
            self.square[lane] += change * change;
            self.l0[lane] += u64::from(change != 0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let distance = Distance::between(&[0.5, 0.5], &[f32::NAN, 0.5]);
        assert!(distance.linf.is_nan() && distance.l2.is_nan());
        assert!(!Threat::linf(1.0).allows(distance) && !Threat::l2(1.0).allows(distance) && !in_box(&[f32::NAN]));
    }
}
