//! Steps and projections of one image, on plain slices.

use super::threat::{Norm, Threat};

/// Least length by which a gradient is divided (the 1e-12 of Foolbox and AutoAttack).
const SHORTEST: f64 = 1e-12;

/// Euclidean length, summed in f64.
pub(super) fn length(vector: &[f32]) -> f64 {
    // Eight partial sums: a single one is a chain of dependent additions, and the slowest loop of a step.
    let mut sums = [0f64; 8];
    let chunks = vector.chunks_exact(8);
    let rest: f64 = chunks.remainder().iter().map(|v| f64::from(*v).powi(2)).sum();
    for chunk in chunks {
        sums.iter_mut().zip(chunk).for_each(|(sum, v)| *sum += f64::from(*v) * f64::from(*v));
    }
    (sums.iter().sum::<f64>() + rest).sqrt()
}

/// The largest entry, by absolute value.
pub(super) fn largest(vector: &[f32]) -> f64 {
    f64::from(vector.iter().fold(0f32, |largest, v| if v.abs() > largest { v.abs() } else { largest }))
}

/// Size of a perturbation in a norm.
pub(super) fn size(norm: Norm, vector: &[f32]) -> f64 {
    match norm {
        Norm::Linf => largest(vector),
        Norm::L2 => length(vector),
    }
}

/// Whether no entry differs from 0.
pub(super) fn is_zero(vector: &[f32]) -> bool {
    vector.iter().fold(0u32, |seen, v| seen | u32::from(*v != 0.0)) == 0
}

/// x + step sign(g) or x + step g / |g|: the steepest ascent of a linear function over a step of that size. sign(0) is
/// 0.
pub(super) fn ascend(norm: Norm, point: &mut [f32], gradient: &[f32], step: f64) {
    match norm {
        Norm::Linf => {
            let step = step as f32;
            for (x, g) in point.iter_mut().zip(gradient) {
                *x += if *g > 0.0 {
                    step
                } else if *g < 0.0 {
                    -step
                } else {
                    0.0
                };
            }
        }
        Norm::L2 => {
            let scale = (step / length(gradient).max(SHORTEST)) as f32;
            point.iter_mut().zip(gradient).for_each(|(x, g)| *x += scale * g);
        }
    }
}

/// The point moved into the ball around the original, then into the box. The original is in the box, so the second
/// step does not leave the ball. For L2 this is not the nearest point of the intersection.
pub(super) fn project(threat: Threat, original: &[f32], point: &mut [f32]) {
    match threat.norm {
        Norm::Linf => {
            let eps = threat.eps as f32;
            point.iter_mut().zip(original).for_each(|(x, x0)| *x = clip(x0 + within(*x - x0, -eps, eps)));
        }
        Norm::L2 => {
            point.iter_mut().zip(original).for_each(|(x, x0)| *x -= x0);
            let length = length(point);
            let scale = if length > threat.eps { (threat.eps / length) as f32 } else { 1.0 };
            point.iter_mut().zip(original).for_each(|(x, x0)| *x = clip(x0 + scale * *x));
        }
    }
}

/// The pixel moved into [0, 1].
#[inline(always)]
pub(super) fn clip(pixel: f32) -> f32 {
    within(pixel, 0.0, 1.0)
}

/// `clamp` without its assertion, which keeps loops from being vectorised.
#[inline(always)]
fn within(value: f32, low: f32, high: f32) -> f32 {
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

    #[test]
    fn a_zero_gradient_moves_nothing() {
        for norm in [Norm::Linf, Norm::L2] {
            let mut point = vec![0.25; 9];
            ascend(norm, &mut point, &[0.0; 9], 0.1);
            assert_eq!(point, [0.25; 9]);
        }
    }
}
