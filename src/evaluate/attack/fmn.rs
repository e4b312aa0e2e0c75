//! FMN, the fast minimum-norm attack: ascent in a ball that shrinks on misclassified points and grows on others.
//!
//! ```text
//! e <- |d| + |f| / |w|_q     before the first misclassified point       f = z_t - z_y, w its gradient, d = x - x0
//! e <- (1 + c) e             x not misclassified                        e <- min((1 - c) e, nearest)  misclassified
//! x <- P(x + a w / |w|_2)    P moves into the ball of radius e around x0, then into the box
//! ```
//!
//! Pintor, Roli, Brendel and Biggio, "Fast Minimum-norm Adversarial Attacks through Adaptive Norm Constraints", 2021,
//! Algorithm 1, for L2 and Linf; q is the dual norm. The step w / |w|_2 is taken in both norms: in Linf it moves a pixel
//! by its own gradient rather than by a sign. c falls from 0.05 to 0.001 and a to a hundredth, both by a cosine.
//!
//! Four things differ from the paper:
//!
//! - What of w leads out of the box is left out. Half of the pixels of a drawing are 0 and cannot fall; with them a step
//!   goes mostly into the wall, and the radius, which follows |d|, collapses. In L2 this decides whether the attack works
//!   at all.
//! - a begins at the first-order distance of the boundary in L2, not at a length that fits one kind of image. A run from a
//!   random point keeps the unit of the run before it, which is the longest as a rule: it begins farther away.
//! - There is a run to any class and one to each wrong class: each boundary has its own nearest point.
//! - There are runs from random points at twice the distance found so far. Nearest images lie in several basins, and a
//!   run from x0 finds the one that the gradient there leads to.

use super::ball::{dual_size, is_zero, length, project};
use super::classifier::Classifier;
use super::examples::{Example, Examples};
use super::goal::{Goal, Stop};
use super::loss::{Loss, Objective};
use super::outcome::Outcome;
use super::pgd::{Run, Start, check};
use super::random::{Source, at_rim, direction};
use super::record::Visit;
use super::search::{Gradients, Next, Search, run};
use super::threat::{Distance, Norm, Threat};
use crate::rng::{Seed, Stream};
use candle_core::{FloatDType, Result};
use std::f64::consts::PI;

/// Part by which the radius shrinks or grows (c), at the start and at the end.
const RATES: [f64; 2] = [0.05, 0.001];
/// Length of the steps (a), at the start and at the end, in first-order distances.
const STEPS: [f64; 2] = [1.0, 0.01];
/// How far random points are, in distances of the nearest misclassified image so far.
const FAR: f64 = 2.0;

/// Settings of FMN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fmn {
    /// The norm in which the nearest image is looked for.
    pub norm: Norm,
    /// Steps of a run, at least 1.
    pub steps: usize,
    /// How many wrong classes have a run of their own, the likeliest first. There is always one to any class.
    pub targets: usize,
    /// Runs from random points, to any class.
    pub starts: usize,
}

impl Fmn {
    /// Runs of 100 steps: to any class, to each of nine, and four from random points.
    pub fn new(norm: Norm) -> Self {
        Self { norm, steps: 100, targets: 9, starts: 4 }
    }

    /// Attacks every example that is classified right. [`Outcome::adversarial`] is the nearest misclassified image.
    ///
    /// # Errors
    /// When there is no step or the network fails.
    pub fn run<T: FloatDType>(
        &self,
        classifier: &Classifier<'_, T>,
        examples: &Examples<T>,
        seed: Seed,
    ) -> Result<Vec<Outcome<T>>> {
        let threat = Threat { norm: self.norm, eps: f64::MAX };
        check(threat, ("steps", self.steps), &[("runs from random points", self.starts.max(1))])?;
        run(classifier, examples, Goal::nearest(threat, Stop::Never), |example| {
            let source = Source { seed, attack: "fmn", example: example.index };
            Pursuit {
                example,
                settings: *self,
                runs: self.runs(example),
                source,
                stream: source.run(0),
                current: 0,
                made: 0,
                rise: 0.0,
                radius: 0.0,
                first_order: 0.0,
                nearest_of_run: f64::INFINITY,
                nearest: f64::INFINITY,
            }
        })
    }

    fn runs<T: FloatDType>(&self, example: Example<'_, T>) -> Vec<Run> {
        let away = Loss::away(Objective::Margin);
        let toward = example.targets().into_iter().take(self.targets);
        let toward = toward.map(|target| Loss::toward(Objective::Margin, target));
        let from_image = std::iter::once(away).chain(toward).map(|loss| Run { loss, start: Start::Image });
        let from_random = (0..self.starts).map(|_| Run { loss: away, start: Start::Random });
        from_image.chain(from_random).collect()
    }
}

/// Runs of FMN on one example, one after the other.
struct Pursuit<'e, T> {
    example: Example<'e, T>,
    settings: Fmn,
    runs: Vec<Run>,
    source: Source,
    stream: Stream,
    /// Which run.
    current: usize,
    /// Steps made in it.
    made: usize,
    /// f at the point observed last; not below 0 where it is misclassified.
    rise: f64,
    radius: f64,
    /// Distance of the boundary by the gradient at the image, in L2: the unit of steps.
    first_order: f64,
    /// Distance of the nearest misclassified point of this run.
    nearest_of_run: f64,
    /// The same over all runs.
    nearest: f64,
}

impl<T: FloatDType> Pursuit<'_, T> {
    /// A number that falls from the first to the last over the steps of a run.
    fn cosine(&self, [first, last]: [f64; 2]) -> f64 {
        let progress = self.made as f64 / self.settings.steps as f64;
        last + (first - last) * (1.0 + (PI * progress).cos()) / 2.0
    }

    /// The radius of the next ball.
    fn resize(&mut self, point: &[T], w: &[T]) {
        let (rate, norm, image) = (self.cosine(RATES), self.settings.norm, self.example.image);
        let distance = || Distance::between(image, point).in_norm(norm);
        if self.rise >= 0.0 {
            if Distance::is_below(image, point, norm, self.nearest_of_run) {
                self.nearest_of_run = distance();
                self.nearest = self.nearest.min(self.nearest_of_run);
            }
            self.radius = ((1.0 - rate) * self.radius).min(self.nearest_of_run);
        } else if self.nearest_of_run == f64::INFINITY {
            self.radius = distance() + self.rise.abs() / dual_size(norm, w).max(1e-12);
        } else {
            self.radius *= 1.0 + rate;
        }
    }
}

impl<T: FloatDType> Search<T> for Pursuit<'_, T> {
    fn begin(&mut self, point: &mut [T]) {
        (self.made, self.nearest_of_run) = (0, f64::INFINITY);
        self.stream = self.source.run(self.current);
        match self.runs[self.current].start {
            Start::Image => point.copy_from_slice(self.example.image),
            Start::Random => {
                // With nothing found yet, the last run's guess is all there is.
                let eps = if self.nearest.is_finite() { FAR * self.nearest } else { self.radius };
                at_rim(Threat { norm: self.settings.norm, eps }, &mut self.stream, self.example.image, point);
                self.radius = eps;
            }
        }
    }

    fn observe(&mut self, visit: &Visit<'_, T>, wanted: &mut Vec<f64>) -> Next {
        if self.made == self.settings.steps {
            self.current += 1;
            return if self.current < self.runs.len() { Next::Restart } else { Next::End };
        }
        let Run { loss, .. } = self.runs[self.current];
        self.rise = loss.value(visit.logits, self.example.label);
        loss.gradient(visit.logits, self.example.label, wanted);
        Next::Step
    }

    fn advance(&mut self, gradients: Gradients<'_, T>, point: &mut [T]) {
        let mut w = inward(point, gradients.get(0));
        if self.made == 0 && self.runs[self.current].start == Start::Image {
            self.first_order = self.rise.abs() / length(&w).max(1e-12);
        }
        self.resize(point, &w);
        if is_zero(&w) {
            direction(Norm::L2, &mut self.stream, &mut w);
        }
        let step = self.cosine(STEPS) * self.first_order / length(&w).max(1e-12);
        point.iter_mut().zip(&w).for_each(|(x, w)| *x = T::from_f64(x.to_f64() + step * w.to_f64()));
        project(Threat { norm: self.settings.norm, eps: self.radius }, self.example.image, point);
        self.made += 1;
    }
}

/// The gradient without what leads out of the box.
fn inward<T: FloatDType>(point: &[T], gradient: &[T]) -> Vec<T> {
    let leaves = |x: T, w: T| (x <= T::zero() && w < T::zero()) || (x >= T::one() && w > T::zero());
    point.iter().zip(gradient).map(|(x, w)| if leaves(*x, *w) { T::zero() } else { *w }).collect()
}
