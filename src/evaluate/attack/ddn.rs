//! DDN, decoupled direction and norm: gradient ascent of a loss, the cross-entropy in the paper, on a sphere whose radius shrinks by 5 %
//! while the point is misclassified and grows by 5 % while it is not. L2 alone.
//!
//! ```text
//! d <- d + s g / |g|      radius <- radius (1 -+ 0.05)      d <- radius d / |d|      x <- clip(x0 + d)
//! ```
//!
//! Rony et al., "Decoupling Direction and Norm for Efficient Gradient-Based L2 Adversarial Attacks and Defenses", 2019,
//! Algorithm 1. s falls from 1 to 0.01 along a cosine, in units of the first radius (1 in the paper): steps that are
//! long against the answer turn the direction to the end. The first radius has to be of the order of the answer; a wrong
//! one costs a third of the distance.

use super::ball::{clip, is_zero, length};
use super::classifier::Classifier;
use super::examples::{Example, Examples};
use super::goal::{Goal, Stop};
use super::loss::{Loss, Objective, runner_up};
use super::outcome::Outcome;
use super::pgd::{check, check_classes};
use super::random::{Source, direction};
use super::record::Visit;
use super::search::{Gradients, Next, Search, run};
use super::threat::{Norm, Threat};
use crate::rng::{Seed, Stream};
use candle_core::{FloatDType, Result};

/// Part by which the radius grows or shrinks.
const GAMMA: f64 = 0.05;
/// Steps at the start and at the end.
const STEPS: [f64; 2] = [1.0, 0.01];

/// Settings of DDN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ddn {
    /// Number of steps, at least 1.
    pub steps: usize,
    /// What is ascended. The cross-entropy of logits that are close together heads between several boundaries at once;
    /// the margin heads for that of the runner-up.
    pub objective: Objective,
}

impl Default for Ddn {
    fn default() -> Self {
        Self { steps: 100, objective: Objective::CrossEntropy }
    }
}

impl Ddn {
    /// Attacks every example that is classified right. [`Outcome::adversarial`] is the nearest misclassified image.
    ///
    /// # Errors
    /// When there is no step, the loss needs more classes, or the network fails.
    pub fn run<T: FloatDType>(
        &self,
        classifier: &Classifier<'_, T>,
        examples: &Examples<T>,
        seed: Seed,
    ) -> Result<Vec<Outcome<T>>> {
        let threat = Threat::l2(f64::MAX);
        check(threat, ("steps", self.steps), &[])?;
        check_classes(Loss::away(self.objective), classifier)?;
        run(classifier, examples, Goal::nearest(threat, Stop::Never), |example| {
            let worst =
                example.image.iter().map(|x| x.to_f64().max((T::one() - *x).to_f64()).powi(2)).sum::<f64>().sqrt();
            let source = Source { seed, attack: "ddn", example: example.index };
            Sphere {
                example,
                settings: *self,
                stream: source.run(0),
                worst,
                radius: 0.0,
                first_radius: 0.0,
                broken: false,
                margin: example.margin(),
                made: 0,
            }
        })
    }
}

struct Sphere<'e, T> {
    example: Example<'e, T>,
    settings: Ddn,
    stream: Stream,
    /// The distance of the farthest corner of the box.
    worst: f64,
    radius: f64,
    /// Unit of the steps.
    first_radius: f64,
    /// Whether the point observed last is misclassified.
    broken: bool,
    margin: f64,
    made: usize,
}

impl<T: FloatDType> Search<T> for Sphere<'_, T> {
    fn begin(&mut self, point: &mut [T]) {
        point.copy_from_slice(self.example.image);
    }

    fn observe(&mut self, visit: &Visit<'_, T>, wanted: &mut Vec<f64>) -> Next {
        if self.made == self.settings.steps {
            return Next::End;
        }
        let label = self.example.label;
        self.broken = visit.broken;
        Loss::away(self.settings.objective).gradient(visit.logits, label, wanted);
        if self.made == 0 {
            Loss::toward(Objective::Margin, runner_up(visit.logits, label)).gradient(visit.logits, label, wanted);
        }
        Next::Step
    }

    fn advance(&mut self, gradients: Gradients<'_, T>, point: &mut [T]) {
        if self.made == 0 {
            // The distance of the linearised boundary to the runner-up.
            self.radius = self.margin / length(gradients.get(1)).max(1e-12);
            self.first_radius = self.radius;
        }
        let mut random = Vec::new();
        let mut gradient = gradients.get(0);
        if is_zero(gradient) {
            random.resize(gradient.len(), T::zero());
            direction(Norm::L2, &mut self.stream, &mut random);
            gradient = &random;
        }
        let progress = self.made as f64 / self.settings.steps as f64;
        let step = STEPS[1] + (STEPS[0] - STEPS[1]) * (1.0 + (std::f64::consts::PI * progress).cos()) / 2.0;
        let scale = step * self.first_radius / length(gradient).max(1e-12);
        self.radius = (self.radius * if self.broken { 1.0 - GAMMA } else { 1.0 + GAMMA }).min(self.worst);
        let image = self.example.image;
        for ((x, x0), g) in point.iter_mut().zip(image).zip(gradient) {
            *x = T::from_f64(x.to_f64() - x0.to_f64() + scale * g.to_f64());
        }
        let onto_sphere = self.radius / length(point).max(1e-12);
        for (x, x0) in point.iter_mut().zip(image) {
            *x = clip(T::from_f64(x0.to_f64() + onto_sphere * x.to_f64()));
        }
        self.made += 1;
    }
}
