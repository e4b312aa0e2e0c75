//! The standard cascade of AutoAttack: APGD-CE, APGD-T, FAB-T and Square, each on what the ones before left.
//!
//! Croce and Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free attacks",
//! 2020, Section 5. With fewer than four classes the targeted ratio is undefined; the targeted margin takes its place.

use super::Attack;
use super::apgd::{Apgd, Direction};
use super::classifier::Classifier;
use super::examples::Examples;
use super::fab::Fab;
use super::goal::Stop;
use super::loss::{Loss, Objective};
use super::outcome::{Outcome, worst_case};
use super::shape::ImageShape;
use super::square::Square;
use super::threat::Threat;
use crate::rng::Seed;
use candle_core::{FloatDType, Result};
use std::collections::BTreeSet;

/// Settings of the cascade.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cascade {
    /// The ball.
    pub threat: Threat,
    /// How pixels lie, for Square.
    pub image: ImageShape,
    /// Steps of APGD and FAB.
    pub steps: usize,
    /// Wrong classes of APGD-T and FAB-T.
    pub targets: usize,
    /// Proposals of Square.
    pub queries: usize,
}

/// One attack of the cascade.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage<T = f32> {
    /// Which.
    pub attack: Attack,
    /// What it did to the examples that it was given.
    pub outcomes: Vec<Outcome<T>>,
}

impl Cascade {
    /// The standard numbers: 100 steps, nine classes, 5,000 proposals.
    pub fn new(threat: Threat, image: ImageShape) -> Self {
        Self { threat, image, steps: 100, targets: 9, queries: 5000 }
    }

    /// Makes the attacks. The first stage has all examples; see [`Cascade::worst_case`].
    ///
    /// # Errors
    /// When a setting is out of range or the network fails.
    pub fn run<T: FloatDType>(
        &self,
        classifier: &Classifier<'_, T>,
        examples: &Examples<T>,
        seed: Seed,
    ) -> Result<Vec<Stage<T>>> {
        let (threat, steps, targets) = (self.threat, self.steps, self.targets);
        let apgd = Apgd { steps, ..Apgd::cross_entropy(threat) };
        let ratio_exists = classifier.classes() >= Loss::toward(Objective::Dlr, 0).fewest_classes();
        let objective = if ratio_exists { Objective::Dlr } else { Objective::Margin };
        let targeted = Apgd { objective, direction: Direction::Targets(targets), ..apgd };
        let fab = Fab { targets, steps, stop: Stop::AtSuccess, ..Fab::new(threat) };
        let square = Square { queries: self.queries, ..Square::new(threat, self.image) };

        let mut stages = vec![Stage { attack: Attack::ApgdCe, outcomes: apgd.run(classifier, examples, seed)? }];
        let mut left = self.survivors(examples, &stages);
        for attack in [Later::Targeted(targeted), Later::Fab(fab), Later::Square(square)] {
            if left.is_empty() {
                break;
            }
            stages.push(attack.stage(classifier, &left, seed)?);
            left = self.survivors(&left, &stages);
        }
        Ok(stages)
    }

    /// What all stages did to each example.
    pub fn worst_case<T: FloatDType>(&self, stages: &[Stage<T>]) -> Vec<Outcome<T>> {
        worst_case(self.threat, &stages.iter().map(|stage| stage.outcomes.as_slice()).collect::<Vec<_>>())
    }

    fn survivors<T: FloatDType>(&self, examples: &Examples<T>, stages: &[Stage<T>]) -> Examples<T> {
        let outcomes = stages.iter().flat_map(|stage| &stage.outcomes);
        let broken: BTreeSet<usize> =
            outcomes.filter(|outcome| outcome.breaks(self.threat)).map(|outcome| outcome.index).collect();
        examples.filter(|example| !broken.contains(&example.index))
    }
}

/// The attacks after the first.
enum Later {
    Targeted(Apgd),
    Fab(Fab),
    Square(Square),
}

impl Later {
    fn stage<T: FloatDType>(
        &self,
        classifier: &Classifier<'_, T>,
        examples: &Examples<T>,
        seed: Seed,
    ) -> Result<Stage<T>> {
        let (attack, outcomes) = match self {
            Self::Targeted(apgd) => (Attack::ApgdT, apgd.run(classifier, examples, seed)?),
            Self::Fab(fab) => (Attack::FabT, fab.run(classifier, examples, seed)?),
            Self::Square(square) => (Attack::Square, square.run(classifier, examples, seed)?),
        };
        Ok(Stage { attack, outcomes })
    }
}
