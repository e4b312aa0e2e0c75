//! Upper bounds of the distance to the nearest misclassified image, by bisection over the size of the ball.
//!
//! Each ball is attacked with [`MultiTarget`]. A success makes the distance of the image found the new upper end, a
//! failure makes eps the lower end. The lower end proves nothing; the upper one does, it has an image. Failures are
//! what costs, all steps towards all classes, and what is known when the bisection begins is mostly near the answer: so
//! until the first failure the lower end is a guess a little below the upper one, after every success twice as far.

use super::classifier::Classifier;
use super::examples::{Example, Examples};
use super::goal::{Goal, Stop};
use super::multi_target::MultiTarget;
use super::outcome::Outcome;
use super::pgd::{Ascent, StepRule, check};
use super::random::Source;
use super::record::Visit;
use super::search::{Gradients, Next, Search, run};
use super::threat::{Distance, Threat};
use crate::rng::Seed;
use candle_core::{FloatDType, Result};
use std::collections::BTreeMap;

/// Settings of a bisection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bisection {
    /// The norm, and the largest distance that is looked at.
    pub threat: Threat,
    /// How often the interval is halved.
    pub halvings: usize,
    /// How many wrong classes are tried in each ball, the likeliest first.
    pub targets: usize,
    /// Steps for each, at least 1.
    pub steps: usize,
}

impl Bisection {
    /// Passes of an image through the network under [`Bisection::new`], nearly.
    pub const PASSES: usize = Self::HALVINGS * Self::TARGETS * Self::STEPS;
    const HALVINGS: usize = 6;
    const TARGETS: usize = 3;
    const STEPS: usize = 40;

    /// Six halvings with 40 steps for each of three classes.
    pub fn new(threat: Threat) -> Self {
        Self { threat, halvings: Self::HALVINGS, targets: Self::TARGETS, steps: Self::STEPS }
    }

    /// Attacks every example that is classified right. [`Outcome::adversarial`] is the nearest misclassified image.
    /// `known` has distances of misclassified images that other attacks found, by the examples' indices; the bisection of
    /// an example begins there. Those images are not repeated in the result.
    ///
    /// # Errors
    /// When a setting is out of range or the network fails.
    pub fn run<T: FloatDType>(
        &self,
        classifier: &Classifier<'_, T>,
        examples: &Examples<T>,
        known: &BTreeMap<usize, f64>,
        seed: Seed,
    ) -> Result<Vec<Outcome<T>>> {
        check(self.threat, ("steps", self.steps), &[("target classes", self.targets)])?;
        run(classifier, examples, Goal::nearest(self.threat, Stop::Never), |example| {
            let source = Source { seed, attack: "bisection", example: example.index };
            let upper = known.get(&example.index).copied().unwrap_or(f64::INFINITY);
            let proved = upper <= self.threat.eps;
            let mut halving = Halving {
                example,
                settings: *self,
                source,
                lower: None,
                gap: GUESS,
                upper: upper.min(self.threat.eps),
                eps: self.threat.eps,
                round: 0,
                runs: 0,
                ascent: self.ascent(example, self.threat.eps, 0, source),
            };
            if proved {
                halving.halve();
            }
            halving
        })
    }

    fn ascent<'e, T: FloatDType>(
        &self,
        example: Example<'e, T>,
        eps: f64,
        first: usize,
        source: Source,
    ) -> Ascent<'e, T> {
        let attack = MultiTarget {
            threat: Threat { eps, ..self.threat },
            targets: self.targets,
            steps: self.steps,
            step: StepRule::default(),
            restarts: 1,
            stop: Stop::AtSuccess,
        };
        attack.search(example, first, source)
    }
}

/// How far below the upper end the lower one is guessed at first, as a part of it.
const GUESS: f64 = 0.1;

struct Halving<'e, T> {
    example: Example<'e, T>,
    settings: Bisection,
    source: Source,
    /// No ball up to here was broken, if one was tried at all.
    lower: Option<f64>,
    /// Where the lower end is guessed before any failure: that part below the upper one.
    gap: f64,
    /// There is a misclassified image at this distance, but for the first round.
    upper: f64,
    eps: f64,
    round: usize,
    /// Runs made before this round.
    runs: usize,
    ascent: Ascent<'e, T>,
}

impl<T: FloatDType> Halving<'_, T> {
    /// Takes the middle of the interval.
    fn halve(&mut self) {
        self.round += 1;
        self.runs += self.ascent.runs();
        let lower = self.lower.unwrap_or((1.0 - self.gap.min(1.0)) * self.upper);
        self.eps = (lower + self.upper) / 2.0;
        self.ascent = self.settings.ascent(self.example, self.eps, self.runs, self.source);
    }
}

impl<T: FloatDType> Search<T> for Halving<'_, T> {
    fn begin(&mut self, point: &mut [T]) {
        self.ascent.begin(point);
    }

    fn observe(&mut self, visit: &Visit<'_, T>, wanted: &mut Vec<f64>) -> Next {
        if visit.broken {
            let distance = Distance::between(self.example.image, visit.point).in_norm(self.settings.threat.norm);
            self.upper = self.upper.min(distance);
            self.gap *= 2.0;
        } else {
            let next = self.ascent.observe(visit, wanted);
            if next != Next::End {
                return next;
            }
            if self.round == 0 {
                return Next::End;
            }
            self.lower = Some(self.eps);
        }
        if self.round == self.settings.halvings {
            return Next::End;
        }
        self.halve();
        Next::Restart
    }

    fn advance(&mut self, gradients: Gradients<'_, T>, point: &mut [T]) {
        self.ascent.advance(gradients, point);
    }
}
