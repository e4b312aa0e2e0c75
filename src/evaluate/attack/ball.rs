//! Steps and projections of one image, on plain slices.

use super::threat::{Norm, TOLERANCE, Threat, way};
use crate::nn::kernels::dispatch::vectorized;
use candle_core::FloatDType;

/// Least length by which a gradient is divided (the 1e-12 of Foolbox and AutoAttack).
const SHORTEST: f64 = 1e-12;
/// A million of such squares are still finite.
const HUGE: f64 = 1e150;

/// The largest entry, by absolute value.
pub(super) fn largest<T: FloatDType>(vector: &[T]) -> f64 {
    let size = |v: T| if v < T::zero() { T::zero() - v } else { v };
    vector.iter().fold(T::zero(), |largest, v| if size(*v) > largest { size(*v) } else { largest }).to_f64()
}

/// Size of a perturbation in a norm.
pub(super) fn size<T: FloatDType>(norm: Norm, vector: &[T]) -> f64 {
    match norm {
        Norm::Linf => largest(vector),
        Norm::L2 => length(vector),
    }
}

/// Size of a gradient in the norm dual to that of the ball.
pub(super) fn dual_size<T: FloatDType>(norm: Norm, gradient: &[T]) -> f64 {
    match norm {
        Norm::Linf => gradient.iter().map(|w| w.to_f64().abs()).sum(),
        Norm::L2 => length(gradient),
    }
}

/// Whether no entry differs from 0. Hardly ever is more than the first one looked at.
pub(super) fn is_zero<T: FloatDType>(vector: &[T]) -> bool {
    vector.iter().all(|v| *v == T::zero())
}

/// Makes a gradient what can be followed where an entry is no number or has no square: NaN becomes 0, and beside entries that
/// are infinite, or as good as that, there is nothing but their signs.
pub(super) fn make_usable<T: FloatDType>(gradient: &mut [T]) {
    if is_usable(gradient) {
        return;
    }
    let is_huge = |g: f64| g.abs() >= HUGE;
    let beside_huge = gradient.iter().any(|g| is_huge(g.to_f64()));
    for entry in gradient {
        let value = entry.to_f64();
        *entry = match (value.is_nan(), beside_huge) {
            (true, _) => T::zero(),
            (false, true) => T::from_f64(if is_huge(value) { value.signum() } else { 0.0 }),
            (false, false) => *entry,
        };
    }
}

vectorized! {
    /// Whether every entry is a number below [`HUGE`].
    fn is_usable<T: FloatDType>(gradient: &[T]) -> bool {
        // In single precision that is infinity.
        let (zero, huge) = (T::zero(), T::from_f64(HUGE));
        gradient.iter().fold(true, |usable, g| usable & (*g < huge) & (zero - *g < huge))
    }

    /// Euclidean length, summed in f64.
    pub(super) fn length<T: FloatDType>(vector: &[T]) -> f64 {
        // Eight partial sums: a single one is a chain of dependent additions, and the slowest loop of a step.
        let mut sums = [0f64; 8];
        let chunks = vector.chunks_exact(8);
        let rest: f64 = chunks.remainder().iter().map(|v| v.to_f64().powi(2)).sum();
        for chunk in chunks {
            sums.iter_mut().zip(chunk).for_each(|(sum, v)| *sum += v.to_f64() * v.to_f64());
        }
        (sums.iter().sum::<f64>() + rest).sqrt()
    }

    /// x + step sign(g) or x + step g / |g|: the steepest ascent of a linear function over a step of that size. sign(0) is
    /// 0.
    pub(super) fn ascend<T: FloatDType>(norm: Norm, point: &mut [T], gradient: &[T], step: f64) {
        match norm {
            Norm::Linf => {
                let (step, back) = (T::from_f64(step), T::from_f64(-step));
                point.iter_mut().zip(gradient).for_each(|(x, g)| *x += signed(*g, step, back));
            }
            Norm::L2 => {
                let scale = T::from_f64(step / length(gradient).max(SHORTEST));
                point.iter_mut().zip(gradient).for_each(|(x, g)| *x += scale * *g);
            }
        }
    }

    /// The point moved into the ball around the original, then into the box. The original is in the box, so the second
    /// step does not leave the ball. For L2 this is not the nearest point of the intersection.
    pub(super) fn project<T: FloatDType>(threat: Threat, original: &[T], point: &mut [T]) {
        match threat.norm {
            Norm::Linf => {
                let (low, high) = (T::from_f64(-threat.eps), T::from_f64(threat.eps));
                point.iter_mut().zip(original).for_each(|(x, x0)| *x = clip(*x0 + within(*x - *x0, low, high)));
            }
            Norm::L2 => {
                point.iter_mut().zip(original).for_each(|(x, x0)| *x -= *x0);
                let length = length(point);
                let scale = if length > threat.eps { T::from_f64(threat.eps / length) } else { T::one() };
                point.iter_mut().zip(original).for_each(|(x, x0)| *x = clip(*x0 + scale * *x));
                // What many pixels are rounded by may add up to more than the slack, and shortening them may be rounded away.
                let mut less = TOLERANCE;
                while length > threat.eps && less < 1.0 && way(original, point) > threat.eps + TOLERANCE / 2.0 {
                    let kept = T::from_f64(1.0 - less);
                    point.iter_mut().zip(original).for_each(|(x, x0)| *x = *x0 + kept * (*x - *x0));
                    less *= 2.0;
                }
            }
        }
    }

    /// [`ascend`] and [`project`], for Linf in one pass.
    pub(super) fn climb<T: FloatDType>(threat: Threat, original: &[T], point: &mut [T], gradient: &[T], step: f64) {
        match threat.norm {
            Norm::Linf => {
                let (low, high) = (T::from_f64(-threat.eps), T::from_f64(threat.eps));
                let (step, back) = (T::from_f64(step), T::from_f64(-step));
                for ((x, x0), g) in point.iter_mut().zip(original).zip(gradient) {
                    *x = clip(*x0 + within(*x + signed(*g, step, back) - *x0, low, high));
                }
            }
            Norm::L2 => {
                ascend(threat.norm, point, gradient, step);
                project(threat, original, point);
            }
        }
    }
}

/// The step in the direction of a slope.
#[inline(always)]
fn signed<T: FloatDType>(slope: T, step: T, back: T) -> T {
    if slope > T::zero() {
        step
    } else if slope < T::zero() {
        back
    } else {
        T::zero()
    }
}

/// The pixel moved into [0, 1].
#[inline(always)]
pub(super) fn clip<T: FloatDType>(pixel: T) -> T {
    within(pixel, T::zero(), T::one())
}

/// `clamp` without its assertion, which keeps loops from being vectorised.
#[inline(always)]
fn within<T: FloatDType>(value: T, low: T, high: T) -> T {
    let value = if value < low { low } else { value };
    if value > high { high } else { value }
}

#[cfg(test)]
mod tests {
    use super::super::threat::{Distance, in_box};
    use super::*;
    use crate::rng::Seed;

    #[test]
    fn no_step_leaves_ball_or_box() {
        let mut stream = Seed(5).stream("ball");
        for trial in 0..200 {
            let original: Vec<f32> = (0..785).map(|_| stream.uniform().clamp(0.2, 0.8) as f32 / 0.8).collect();
            let gradient: Vec<f32> = (0..785).map(|_| stream.normal() as f32).collect();
            for (norm, scale) in [(Norm::Linf, 0.3), (Norm::L2, 8.0)] {
                let threat = Threat { norm, eps: scale * f64::from(trial) / 200.0 };
                let mut point = original.iter().map(|x| clip(x - 0.3)).collect::<Vec<_>>();
                ascend(norm, &mut point, &gradient, 2.0 * scale);
                project(threat, &original, &mut point);
                assert!(in_box(&point) && threat.allows(Distance::between(&original, &point)), "{threat:?}");
            }
        }
    }

    #[test]
    fn lengths_do_not_depend_on_the_remainder() {
        for len in 0..40 {
            let vector = vec![-0.5f32; len];
            assert!((length(&vector) - 0.5 * (len as f64).sqrt()).abs() < 1e-12);
            assert_eq!(largest(&vector), if len == 0 { 0.0 } else { 0.5 });
            assert_eq!(is_zero(&vector), len == 0);
        }
    }

    /// Published results are those of these bits.
    #[test]
    fn steps_in_f32_keep_their_bits() {
        let original: Vec<f32> = (0..785).map(|i| (i * 37 % 101) as f32 / 100.0).collect();
        for (threat, expected) in
            [(Threat::linf(0.1), 0x7398_9145_bb62_ee7b_u64), (Threat::l2(1.0), 0x3b4c_a737_5628_8c97)]
        {
            let mut point = original.clone();
            for step in 0..20 {
                let gradient: Vec<f32> = (0..785).map(|i| ((i * 53 + step * 29) % 97) as f32 / 97.0 - 0.5).collect();
                let mut apart = point.clone();
                climb(threat, &original, &mut point, &gradient, 0.3 * threat.eps);
                ascend(threat.norm, &mut apart, &gradient, 0.3 * threat.eps);
                project(threat, &original, &mut apart);
                assert_eq!(point, apart);
            }
            let hash = |bits: u64, x: &f32| (bits ^ u64::from(x.to_bits())).wrapping_mul(0x0100_0000_01b3);
            assert_eq!(point.iter().fold(0, hash), expected, "{threat:?}");
        }
    }

    #[test]
    fn steps_in_f64_are_not_rounded_to_f32() {
        for threat in [Threat::linf(0.1), Threat::l2(0.1)] {
            let mut point = [0.5];
            ascend(threat.norm, &mut point, &[3.0], 0.2);
            project(threat, &[0.5], &mut point);
            assert!((point[0] - 0.6f64).abs() < 1e-15, "{point:?}");
        }
    }

    #[test]
    fn rounding_of_many_pixels_does_not_leave_the_ball() {
        let mut stream = Seed(6).stream("ball");
        for pixels in [3 * 32 * 32, 3 * 96 * 96] {
            let original: Vec<f32> = (0..pixels).map(|_| stream.uniform() as f32).collect();
            for eps in [0.01, 0.5, 2.0, 8.0, 20.0] {
                let threat = Threat::l2(eps);
                let mut point = original.clone();
                for _ in 0..20 {
                    let gradient: Vec<f32> = (0..pixels).map(|_| stream.normal() as f32).collect();
                    climb(threat, &original, &mut point, &gradient, eps);
                    let distance = Distance::between(&original, &point);
                    assert!(in_box(&point) && threat.allows(distance), "{pixels} {eps}: {distance:?}");
                    assert!(distance.l2 > 0.5 * eps, "{pixels} {eps}: {distance:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_number_in_a_gradient_is_passed_over() {
        let (nan, inf) = (f32::NAN, f32::INFINITY);
        for (gradient, expected) in [
            ([3.0, -1e38, 0.0], [3.0, -1e38, 0.0]),
            ([3.0, nan, -4.0], [3.0, 0.0, -4.0]),
            ([3.0, -inf, nan], [0.0, -1.0, 0.0]),
            ([nan, nan, nan], [0.0; 3]),
        ] {
            let mut made = gradient;
            make_usable(&mut made);
            assert_eq!(made, expected, "{gradient:?}");
        }
        let mut made = [1e200, -2e300, 1.0];
        make_usable(&mut made);
        assert_eq!(made, [1.0, -1.0, 0.0]);
    }

    #[test]
    fn a_zero_gradient_moves_nothing() {
        for norm in [Norm::Linf, Norm::L2] {
            let mut point = vec![0.25; 9];
            ascend(norm, &mut point, &[0.0; 9], 0.1);
            assert_eq!(point, [0.25; 9]);
        }
    }
}
