//! The nearest point of a hyperplane inside the box.
//!
//! ```text
//! min |d|  with  w.(x + d) = w.x + rise  and  0 <= x + d <= 1
//! ```
//!
//! Every coordinate moves in the direction in which w.x changes as wanted, by min(t v_i, room_i), where v_i is 1 for
//! Linf and |w_i| for L2 (the conditions of Karush, Kuhn and Tucker). The change of w.x is then concave and piecewise
//! linear in t, and Newton's method from the left reaches the t wanted in as many passes as pieces are crossed: no
//! break points are sorted. Croce and Hein, "Minimally distorted Adversarial Examples with a Fast Adaptive Boundary
//! Attack", 2020, Section 2.2, solve the same problem by sorting.

use super::threat::Norm;
use candle_core::FloatDType;

/// Most passes of Newton's method; a handful is usual, and every pass is a valid under-estimate.
const PASSES: usize = 100;

/// Writes d to `step` and returns its size in the norm. Where the box ends before the plane, d goes as far as the box
/// does.
pub(super) fn step_to<T: FloatDType>(norm: Norm, point: &[T], normal: &[T], rise: f64, step: &mut [T]) -> f64 {
    let sign = if rise < 0.0 { -1.0 } else { 1.0 };
    let level = level(norm, point, normal, rise.abs(), sign);
    let mut size = 0f64;
    for ((d, x), w) in step.iter_mut().zip(point).zip(normal) {
        let Coordinate { weight, room, speed } = Coordinate::of(norm, x.to_f64(), sign * w.to_f64());
        let length = if weight == 0.0 { 0.0 } else { room.min(level * speed) };
        *d = T::from_f64(length * sign * w.to_f64().signum());
        size = match norm {
            Norm::Linf => size.max(length),
            Norm::L2 => size + length * length,
        };
    }
    match norm {
        Norm::Linf => size,
        Norm::L2 => size.sqrt(),
    }
}

/// The t at which the change of w.x is as wanted; infinite where the box ends before.
fn level<T: FloatDType>(norm: Norm, point: &[T], normal: &[T], rise: f64, sign: f64) -> f64 {
    let mut level = 0.0;
    for _ in 0..PASSES {
        // What coordinates at their wall contribute, and the slope of the others at t.
        let (mut settled, mut slope) = (0f64, 0f64);
        for (x, w) in point.iter().zip(normal) {
            let Coordinate { weight, room, speed } = Coordinate::of(norm, x.to_f64(), sign * w.to_f64());
            let at_wall = room <= level * speed;
            settled += if at_wall { weight * room } else { 0.0 };
            slope += if at_wall { 0.0 } else { weight * speed };
        }
        if slope == 0.0 {
            return if settled >= rise { level } else { f64::INFINITY };
        }
        let next = (rise - settled) / slope;
        if next <= level {
            break;
        }
        level = next;
    }
    level
}

/// A coordinate of the problem.
struct Coordinate {
    /// |w_i|
    weight: f64,
    /// How far it can go.
    room: f64,
    /// How fast it goes.
    speed: f64,
}

impl Coordinate {
    #[inline(always)]
    fn of(norm: Norm, x: f64, upwards: f64) -> Self {
        let weight = upwards.abs();
        let room = if upwards > 0.0 { 1.0 - x } else { x };
        let speed = match norm {
            Norm::Linf => 1.0,
            Norm::L2 => weight,
        };
        Self { weight, room, speed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    fn draw(seed: u64) -> (Vec<f32>, Vec<f32>) {
        let mut stream = Seed(seed).stream("hyperplane");
        let point = (0..60).map(|_| (1.4 * stream.uniform() - 0.2).clamp(0.0, 1.0) as f32).collect();
        let normal = (0..60).map(|i| if i % 7 == 0 { 0.0 } else { stream.normal() as f32 }).collect();
        (point, normal)
    }

    fn dot(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    }

    #[test]
    fn the_step_reaches_the_plane_inside_the_box() {
        for seed in 0..100 {
            let (point, normal) = draw(seed);
            for norm in [Norm::Linf, Norm::L2] {
                for rise in [-4.0, -0.3, 0.0, 0.05, 2.0, 6.0] {
                    let mut step = vec![0.0; 60];
                    step_to(norm, &point, &normal, rise, &mut step);
                    assert!((dot(&step, &normal) - rise).abs() < 1e-4, "{norm:?} {rise}: {}", dot(&step, &normal));
                    let inside = point.iter().zip(&step).all(|(x, d)| (-1e-6..=1.0 + 1e-6).contains(&(x + d)));
                    assert!(inside);
                }
            }
        }
    }

    #[test]
    fn no_other_point_of_the_plane_is_nearer() {
        for seed in 0..30 {
            let (point, normal) = draw(seed);
            for norm in [Norm::Linf, Norm::L2] {
                let mut step = vec![0.0; 60];
                let size = step_to(norm, &point, &normal, 2.0, &mut step);
                // In a ball that is 1 % smaller, clipped to the box, w.x cannot grow as much.
                let mut smaller = vec![0.0; 60];
                let reached = step_to(norm, &point, &normal, 1.98, &mut smaller);
                assert!(reached < size && reached > 0.9 * size, "{norm:?}: {reached} {size}");
                let free = match norm {
                    Norm::Linf => 2.0 / normal.iter().map(|w| f64::from(w.abs())).sum::<f64>(),
                    Norm::L2 => 2.0 / dot(&normal, &normal).sqrt(),
                };
                assert!(size >= free * (1.0 - 1e-9), "the box cannot help");
            }
        }
    }

    #[test]
    fn an_unreachable_plane_is_approached() {
        let mut step = [0.0; 2];
        step_to(Norm::L2, &[0.75, 0.5], &[1.0, -1.0], 50.0, &mut step);
        assert_eq!(step, [0.25, -0.5]);
        let size = step_to(Norm::Linf, &[0.75, 0.5], &[0.0, 0.0], 1.0, &mut step);
        assert_eq!((size, step), (0.0, [0.0, 0.0]));
    }
}
