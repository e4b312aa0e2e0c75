//! Random numbers of an attack: a stream for each example and run, keyed by the example's place in the data set.
//!
//! A step takes the next numbers of its run's stream, so every number is a function of seed, attack, example, run and
//! step, whoever else is attacked at the same time.

use super::ball::{clip, length, size};
use super::threat::{Norm, Threat};
use crate::rng::{Seed, Stream};
use candle_core::FloatDType;

/// Where an attack's random numbers come from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    pub seed: Seed,
    /// The attack's name.
    pub attack: &'static str,
    /// The example's place in the data set.
    pub example: usize,
}

impl Source {
    /// The stream of a run.
    pub fn run(&self, run: usize) -> Stream {
        self.seed.stream(&format!("attack/{}/{}/{run}", self.attack, self.example))
    }
}

/// A random sign.
pub(super) fn sign<T: FloatDType>(stream: &mut Stream) -> T {
    T::from_f64(if stream.uniform() < 0.5 { -1.0 } else { 1.0 })
}

/// Writes a uniformly distributed direction: random signs for Linf, standard normal numbers for L2.
pub(super) fn direction<T: FloatDType>(norm: Norm, stream: &mut Stream, vector: &mut [T]) {
    match norm {
        Norm::Linf => vector.iter_mut().for_each(|v| *v = sign(stream)),
        Norm::L2 => vector.iter_mut().for_each(|v| *v = T::from_f64(stream.normal())),
    }
}

/// Writes a point distributed uniformly in the ball around the original, moved into the box.
pub(super) fn inside<T: FloatDType>(threat: Threat, stream: &mut Stream, original: &[T], point: &mut [T]) {
    match threat.norm {
        Norm::Linf => point.iter_mut().for_each(|x| *x = T::from_f64((2.0 * stream.uniform() - 1.0) * threat.eps)),
        Norm::L2 => {
            // The first d coordinates of a point on the sphere in d + 2 dimensions are uniform in the ball of d.
            direction(threat.norm, stream, point);
            let (a, b) = (stream.normal(), stream.normal());
            let scale = threat.eps / length(point).hypot(a).hypot(b).max(1e-12);
            point.iter_mut().for_each(|x| *x = T::from_f64(scale * x.to_f64()));
        }
    }
    shift(original, point);
}

/// Writes a point whose distance from the original is `threat.eps` before it is moved into the box: a uniform vector
/// scaled by its largest entry, or a normal one by its length. The random start of AutoAttack.
pub(super) fn at_rim<T: FloatDType>(threat: Threat, stream: &mut Stream, original: &[T], point: &mut [T]) {
    match threat.norm {
        Norm::Linf => point.iter_mut().for_each(|x| *x = T::from_f64(2.0 * stream.uniform() - 1.0)),
        Norm::L2 => direction(threat.norm, stream, point),
    }
    rescale(threat, point);
    shift(original, point);
}

/// Scales a vector to the size of the ball.
pub(super) fn rescale<T: FloatDType>(threat: Threat, vector: &mut [T]) {
    let scale = threat.eps / size(threat.norm, vector).max(1e-12);
    vector.iter_mut().for_each(|x| *x = T::from_f64(scale * x.to_f64()));
}

/// Adds the original to a perturbation, in the box.
pub(super) fn shift<T: FloatDType>(original: &[T], point: &mut [T]) {
    point.iter_mut().zip(original).for_each(|(x, x0)| *x = clip(*x0 + *x));
}
