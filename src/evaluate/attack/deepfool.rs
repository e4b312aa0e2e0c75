//! DeepFool: steps to the nearest of the linearised boundaries, until one is crossed.
//!
//! ```text
//! j = argmin |f_j| / |w_j|_q      f_j = z_j - z_y, w_j its gradient, q = 2 for L2, 1 for Linf
//! r <- r + |f_j| / |w_j|_2 w_j / |w_j|_2     (L2)        r <- r + |f_j| / |w_j|_1 sign(w_j)     (Linf)
//! x <- clip(x0 + 1.02 r)
//! ```
//!
//! Moosavi-Dezfooli, Fawzi and Frossard, "DeepFool", 2016, Algorithm 2 and equations 10 and 11. As in Foolbox, 1e-4 is
//! added to the distance of a boundary, and steps are added up before they are stretched and clipped: an attack that
//! goes on from the clipped point stalls just before the boundary.

use super::ball::{clip, dual_size};
use super::classifier::Classifier;
use super::examples::{Example, Examples};
use super::goal::{Goal, Stop};
use super::loss::{Loss, Objective};
use super::outcome::Outcome;
use super::pgd::check;
use super::record::Visit;
use super::search::{Gradients, Next, Search, run};
use super::threat::{Norm, Threat};
use candle_core::{FloatDType, Result, bail};

/// Added to the distance of a boundary.
const BEYOND: f64 = 1e-4;
/// Added to norms of gradients before a division.
const GUARD: f64 = 1e-8;

/// Settings of DeepFool.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeepFool {
    /// The norm in which a near image is looked for.
    pub norm: Norm,
    /// Most steps, at least 1.
    pub steps: usize,
    /// How much longer the way is made than to the boundary.
    pub overshoot: f64,
    /// How many boundaries are considered, those of the likeliest wrong classes.
    pub candidates: usize,
}

impl DeepFool {
    /// 50 steps, 2 % further than the boundary, nine boundaries.
    pub fn new(norm: Norm) -> Self {
        Self { norm, steps: 50, overshoot: 0.02, candidates: 9 }
    }

    /// Attacks every example that is classified right. [`Outcome::adversarial`] is the misclassified image found.
    ///
    /// # Errors
    /// When a setting is out of range or the network fails.
    pub fn run<T: FloatDType>(
        &self,
        classifier: &Classifier<'_, T>,
        examples: &Examples<T>,
    ) -> Result<Vec<Outcome<T>>> {
        let threat = Threat { norm: self.norm, eps: f64::MAX };
        check(threat, ("steps", self.steps), &[("candidate classes", self.candidates)])?;
        if !(self.overshoot.is_finite() && self.overshoot >= 0.0) {
            bail!("overshoot is {}; use a number from 0", self.overshoot);
        }
        run(classifier, examples, Goal::nearest(threat, Stop::AtSuccess), |example| {
            let candidates = example.targets().into_iter().take(self.candidates);
            Fool {
                example,
                settings: *self,
                losses: candidates.map(|class| Loss::toward(Objective::Margin, class)).collect(),
                differences: Vec::new(),
                way: vec![0.0; example.image.len()],
                made: 0,
            }
        })
    }
}

struct Fool<'e, T> {
    example: Example<'e, T>,
    settings: DeepFool,
    losses: Vec<Loss>,
    /// f_j of the candidates.
    differences: Vec<f64>,
    /// r
    way: Vec<f64>,
    made: usize,
}

impl<T: FloatDType> Search<T> for Fool<'_, T> {
    fn begin(&mut self, point: &mut [T]) {
        point.copy_from_slice(self.example.image);
    }

    fn observe(&mut self, visit: &Visit<'_, T>, wanted: &mut Vec<f64>) -> Next {
        if visit.broken || self.made == self.settings.steps {
            return Next::End;
        }
        self.differences.clear();
        for loss in &self.losses {
            self.differences.push(loss.value(visit.logits, self.example.label));
            loss.gradient(visit.logits, self.example.label, wanted);
        }
        Next::Step
    }

    fn advance(&mut self, gradients: Gradients<'_, T>, point: &mut [T]) {
        let boundaries = self.differences.iter().enumerate().map(|(place, difference)| {
            let w = gradients.get(place);
            let size = dual_size(self.settings.norm, w);
            (difference.abs() / (size + GUARD), size, w)
        });
        if let Some((distance, size, w)) = boundaries.min_by(|a, b| a.0.total_cmp(&b.0)) {
            let distance = distance + BEYOND;
            for (r, w) in self.way.iter_mut().zip(w) {
                *r += match self.settings.norm {
                    Norm::Linf if *w == T::zero() => 0.0,
                    Norm::Linf => distance * w.to_f64().signum(),
                    Norm::L2 => distance / (size + GUARD) * w.to_f64(),
                };
            }
        }
        let stretch = 1.0 + self.settings.overshoot;
        for ((x, x0), r) in point.iter_mut().zip(self.example.image).zip(&self.way) {
            *x = clip(T::from_f64(x0.to_f64() + stretch * r));
        }
        self.made += 1;
    }
}
