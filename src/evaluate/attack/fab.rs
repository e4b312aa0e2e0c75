//! FAB-T, the fast adaptive boundary attack, targeted: it looks for the nearest misclassified image.
//!
//! At x the boundary between label y and class t is taken as the hyperplane f + w.(x' - x) = 0 with f = z_t - z_y and w
//! its gradient. d1 and d2 lead from x and from the original x0 to the nearest points of it inside the box:
//!
//! ```text
//! x <- clip((1 - a) (x + 1.05 d1) + a (x0 + 1.05 d2))      a = min(|d1| / (|d1| + |d2|), 0.1)
//! ```
//!
//! A misclassified x is kept if it is nearer than those before, and is then drawn back to x0 + 0.9 (x - x0). Croce and
//! Hein, "Minimally distorted Adversarial Examples with a Fast Adaptive Boundary Attack", 2020, Algorithm 1; constants
//! of the authors' code.

use super::ball::clip;
use super::classifier::Classifier;
use super::examples::{Example, Examples};
use super::goal::{Goal, Stop};
use super::hyperplane::step_to;
use super::loss::{Loss, Objective};
use super::outcome::Outcome;
use super::pgd::check;
use super::random::{Source, at_rim};
use super::record::Visit;
use super::search::{Gradients, Next, Search, run};
use super::threat::{Distance, Threat};
use crate::rng::Seed;
use candle_core::{FloatDType, Result};

/// How far a step goes beyond the plane.
const OVERSHOOT: f64 = 1.05;
/// Largest weight of the step from the original.
const LARGEST_BIAS: f64 = 0.1;
/// How much of a successful perturbation is kept.
const DRAW_BACK: f64 = 0.9;

/// Settings of FAB-T.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fab {
    /// The norm in which the nearest image is looked for. Its eps bounds random starts, and ends the search with
    /// [`Stop::AtSuccess`].
    pub threat: Threat,
    /// How many wrong classes are tried, the likeliest first.
    pub targets: usize,
    /// Steps for each, at least 1.
    pub steps: usize,
    /// Runs for each, at least 1: the first from the image, others from random points around it.
    pub restarts: usize,
    /// When to leave an example alone.
    pub stop: Stop,
}

impl Fab {
    /// 100 steps for each of nine classes, to the end: for distances.
    pub fn new(threat: Threat) -> Self {
        Self { threat, targets: 9, steps: 100, restarts: 1, stop: Stop::Never }
    }

    /// Attacks every example that is classified right. [`Outcome::adversarial`] is the nearest misclassified image.
    ///
    /// # Errors
    /// When a setting is out of range or the network fails.
    pub fn run<T: FloatDType>(
        &self,
        classifier: &Classifier<'_, T>,
        examples: &Examples<T>,
        seed: Seed,
    ) -> Result<Vec<Outcome<T>>> {
        let lists = [("runs", self.restarts), ("target classes", self.targets)];
        check(self.threat, ("steps", self.steps), &lists)?;
        run(classifier, examples, Goal::nearest(self.threat, self.stop), |example| {
            let targets = example.targets().into_iter().take(self.targets);
            let runs = targets.flat_map(|target| (0..self.restarts).map(move |restart| (target, restart)));
            Approach {
                example,
                threat: self.threat,
                steps: self.steps,
                runs: runs.collect(),
                source: Source { seed, attack: "fab-t", example: example.index },
                current: 0,
                made: 0,
                phase: Phase::Begin,
                excess: 0.0,
                nearest: f64::INFINITY,
                from_here: vec![T::zero(); example.image.len()],
                from_original: vec![T::zero(); example.image.len()],
            }
        })
    }
}

/// Where the next point comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It is the first of a run, which is not drawn back.
    Begin,
    /// A step from a point whose gradient is known.
    Step,
    /// The misclassified point before it, drawn back.
    DrawBack,
}

/// Runs of FAB on one example, one after the other.
struct Approach<'e, T> {
    example: Example<'e, T>,
    threat: Threat,
    steps: usize,
    /// Target and number of the restart.
    runs: Vec<(usize, usize)>,
    source: Source,
    current: usize,
    made: usize,
    phase: Phase,
    /// z_t - z_y at the point observed last.
    excess: f64,
    /// Distance of the nearest misclassified point.
    nearest: f64,
    from_here: Vec<T>,
    from_original: Vec<T>,
}

impl<T: FloatDType> Approach<'_, T> {
    fn step(&mut self, point: &mut [T], w: &[T]) {
        let (norm, x0) = (self.threat.norm, self.example.image);
        let way: f64 =
            w.iter().zip(point.iter().zip(x0)).map(|(w, (x, x0))| w.to_f64() * (x.to_f64() - x0.to_f64())).sum();
        let d1 = step_to(norm, point, w, -self.excess, &mut self.from_here).max(1e-8);
        let d2 = step_to(norm, x0, w, way - self.excess, &mut self.from_original).max(1e-8);
        let (a, overshoot) = (T::from_f64((d1 / (d1 + d2)).min(LARGEST_BIAS)), T::from_f64(OVERSHOOT));
        let steps = self.from_here.iter().zip(&self.from_original);
        for ((x, x0), (d1, d2)) in point.iter_mut().zip(x0).zip(steps) {
            *x = clip((T::one() - a) * (*x + overshoot * *d1) + a * (*x0 + overshoot * *d2));
        }
        self.made += 1;
    }
}

impl<T: FloatDType> Search<T> for Approach<'_, T> {
    fn begin(&mut self, point: &mut [T]) {
        let (_, restart) = self.runs[self.current];
        self.made = 0;
        if restart == 0 {
            point.copy_from_slice(self.example.image);
        } else {
            let radius = Threat { eps: self.nearest.min(self.threat.eps) / 2.0, ..self.threat };
            at_rim(radius, &mut self.source.run(self.current), self.example.image, point);
        }
    }

    fn observe(&mut self, visit: &Visit<'_, T>, wanted: &mut Vec<f64>) -> Next {
        let (image, norm) = (self.example.image, self.threat.norm);
        if visit.broken && Distance::is_below(image, visit.point, norm, self.nearest) {
            self.nearest = Distance::between(image, visit.point).in_norm(norm);
        }
        if self.made == self.steps {
            self.current += 1;
            self.phase = Phase::Begin;
            return if self.current < self.runs.len() { Next::Restart } else { Next::End };
        }
        if visit.broken && self.phase == Phase::Step {
            self.phase = Phase::DrawBack;
            return Next::Step;
        }
        self.phase = Phase::Step;
        let (target, _) = self.runs[self.current];
        let loss = Loss::toward(Objective::Margin, target);
        self.excess = loss.value(visit.logits, self.example.label);
        loss.gradient(visit.logits, self.example.label, wanted);
        Next::Step
    }

    fn advance(&mut self, gradients: Gradients<'_, T>, point: &mut [T]) {
        match self.phase {
            // Never: observing the first point of a run has made it a step.
            Phase::Begin => {}
            Phase::Step => self.step(point, gradients.get(0)),
            Phase::DrawBack => {
                let kept = T::from_f64(DRAW_BACK);
                point.iter_mut().zip(self.example.image).for_each(|(x, x0)| *x = *x0 + kept * (*x - *x0));
            }
        }
    }
}
