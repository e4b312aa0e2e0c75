//! Projected gradient ascent of z_t - z_y for one wrong class t after the other, the likeliest first (Gowal et al., "An
//! Alternative Surrogate Loss for PGD-based Adversarial Testing", 2019). Any misclassification is a success.
//!
//! The margin does not saturate and each target is its own way up, so two or three targets find more than many
//! restarts of cross-entropy.

use super::classifier::Classifier;
use super::examples::{Example, Examples};
use super::goal::{Goal, Stop};
use super::loss::{Loss, Objective};
use super::outcome::Outcome;
use super::pgd::{Ascent, Plan, Run, Start, StepRule, check};
use super::random::Source;
use super::search::run;
use super::threat::Threat;
use crate::rng::Seed;
use candle_core::{FloatDType, Result};

/// Settings of the multi-target attack.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MultiTarget {
    /// The ball.
    pub threat: Threat,
    /// How many wrong classes are tried; more than there are means all.
    pub targets: usize,
    /// Steps for each, at least 1.
    pub steps: usize,
    /// Their length.
    pub step: StepRule,
    /// Runs for each target, at least 1: the first from the image, others from random points of the ball.
    pub restarts: usize,
    /// When to leave an example alone.
    pub stop: Stop,
}

impl MultiTarget {
    /// 40 steps for each of nine classes, from the image.
    pub fn new(threat: Threat) -> Self {
        Self { threat, targets: 9, steps: 40, step: StepRule::default(), restarts: 1, stop: Stop::AtSuccess }
    }

    /// Attacks every example that is classified right.
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
        self.step.check()?;
        run(classifier, examples, Goal::within(self.threat, self.stop), |example| {
            self.search(example, 0, Source { seed, attack: "mt-pgd", example: example.index })
        })
    }

    pub(super) fn search<'e, T: FloatDType>(
        &self,
        example: Example<'e, T>,
        first: usize,
        source: Source,
    ) -> Ascent<'e, T> {
        let targets = example.targets().into_iter().take(self.targets);
        let runs = targets.flat_map(|target| {
            let loss = Loss::toward(Objective::Margin, target);
            (0..self.restarts)
                .map(move |restart| Run { loss, start: if restart == 0 { Start::Image } else { Start::Random } })
        });
        let plan = Plan { threat: self.threat, steps: self.steps, step: self.step, first };
        Ascent::new(example, plan, runs.collect(), source)
    }
}
