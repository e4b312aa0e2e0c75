//! The fast gradient sign method: one step of the size of the ball.
//!
//! ```text
//! x' = clip(x + eps sign(dl/dx))  for Linf        x' = clip(x + eps g / |g|)  for L2
//! ```
//!
//! Goodfellow, Shlens and Szegedy, "Explaining and Harnessing Adversarial Examples", 2015, Section 4. It is the first
//! step of [`Pgd`] from the image. Towards a target the cross-entropy of the target falls.

use super::classifier::Classifier;
use super::examples::Examples;
use super::goal::{Aim, Stop};
use super::loss::Objective;
use super::outcome::Outcome;
use super::pgd::{Pgd, Start, StepRule};
use super::threat::Threat;
use crate::rng::Seed;
use candle_core::{FloatDType, Result};

/// Settings of the fast gradient sign method.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fgsm {
    /// The ball.
    pub threat: Threat,
    /// Where to.
    pub aim: Aim,
}

impl Fgsm {
    /// Away from the label.
    pub fn new(threat: Threat) -> Self {
        Self { threat, aim: Aim::Away }
    }

    /// Attacks every example that is classified right. [`Outcome::last`] is the image that libraries return.
    ///
    /// # Errors
    /// When eps is out of range or the network fails.
    pub fn run<T: FloatDType>(
        &self,
        classifier: &Classifier<'_, T>,
        examples: &Examples<T>,
        seed: Seed,
    ) -> Result<Vec<Outcome<T>>> {
        let step = Pgd {
            threat: self.threat,
            objective: Objective::CrossEntropy,
            aim: self.aim,
            steps: 1,
            step: StepRule::Length(self.threat.eps),
            start: Start::Image,
            restarts: 1,
            stop: Stop::AtSuccess,
        };
        step.run_as("fgsm", classifier, examples, seed)
    }
}
