//! What an attack did to one example, over all points that it visited.

use super::threat::{Distance, Norm, Threat};
use candle_core::FloatDType;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Why a classification counts as broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Break {
    /// Another class has the largest logit.
    Misclassified,
    /// Another class has the same logit as the label. Counts against the network.
    Tie,
    /// A logit is NaN or infinite. Counts against the network.
    NotFinite,
}

impl Break {
    /// How logits with some margin are broken; None if they are not.
    pub(super) fn of(margin: f64) -> Option<Self> {
        if !margin.is_finite() {
            Some(Self::NotFinite)
        } else if margin < 0.0 {
            Some(Self::Misclassified)
        } else {
            (margin == 0.0).then_some(Self::Tie)
        }
    }
}

/// An image on which the classification is broken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Adversarial<T = f32> {
    /// Its pixels, as the network saw them.
    pub image: Vec<T>,
    /// How far it is from the original.
    pub distance: Distance,
    /// The class of its largest logit, the first of equals.
    pub predicted: usize,
    /// z_y less the largest other logit: 0 or below, or NaN.
    pub margin: f64,
    /// In which way it is broken.
    pub cause: Break,
    /// The run (restart or target) that found it, counted from 0.
    pub run: usize,
}

/// Passes of one image through the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Passes {
    /// Evaluations of the logits. The clean one is made once for all attacks and not counted.
    pub forward: usize,
    /// Evaluations of a gradient.
    pub backward: usize,
}

/// What an attack did to one example. Images are in the numbers in which the network computes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome<T = f32> {
    /// The example's place in the data set.
    pub index: usize,
    /// Its class.
    pub label: usize,
    /// Margin of the image as it is. Where it is not above 0 nothing is attacked, and the image itself is the
    /// adversarial one, at distance 0.
    pub clean_margin: f64,
    /// The broken image that was kept, the first or the nearest one. With [`super::Aim::Toward`] only images of the target's class
    /// count, and those whose logits are no finite numbers.
    pub adversarial: Option<Adversarial<T>>,
    /// The last iterate of the last run: what libraries return.
    pub last: Vec<T>,
    /// Whether the last iterate of some run was broken and within the ball (anywhere, for attacks that have none): how
    /// libraries judge success. A run that ends with its first success ([`super::Stop::AtSuccess`]) has that as its last
    /// iterate.
    pub broken_at_end: bool,
    /// The smallest margin seen at any point.
    pub lowest_margin: f64,
    /// Work done.
    pub passes: Passes,
    /// Gradients of which every entry was 0, or no number.
    pub zero_gradients: usize,
    /// Broken points that were not counted, because they were outside the ball or the box by more than the tolerance.
    pub outside: usize,
}

impl<T: FloatDType> Outcome<T> {
    /// Whether the classification is broken by the image as it is.
    pub fn is_clean_error(&self) -> bool {
        Break::of(self.clean_margin).is_some()
    }

    /// Whether a broken image within the ball was found. The image as it is counts.
    pub fn breaks(&self, threat: Threat) -> bool {
        self.adversarial.as_ref().is_some_and(|found| threat.allows(found.distance))
    }

    /// Distance of the broken image that was kept; infinite for none.
    pub fn distance(&self, norm: Norm) -> f64 {
        self.adversarial.as_ref().map_or(f64::INFINITY, |found| found.distance.in_norm(norm))
    }

    /// Adds what another attack did to the same example. Of two broken images the first within the ball is kept, and
    /// if there is none, the nearer one.
    pub fn join(&mut self, other: &Self, threat: Threat) {
        let nearer = other.distance(threat.norm) < self.distance(threat.norm);
        if !self.breaks(threat) && (other.breaks(threat) || nearer) {
            self.adversarial.clone_from(&other.adversarial);
        }
        self.last.clone_from(&other.last);
        self.broken_at_end |= other.broken_at_end;
        self.lowest_margin = self.lowest_margin.min(other.lowest_margin);
        self.passes.forward += other.passes.forward;
        self.passes.backward += other.passes.backward;
        self.zero_gradients += other.zero_gradients;
        self.outside += other.outside;
    }
}

/// The worst case of several attacks for each example. An attack may have been made on some of the examples only.
///
/// The result is in the order of the first attack, whose examples are all there are; what later ones say of others is
/// left out.
pub fn worst_case<T: FloatDType>(threat: Threat, attacks: &[&[Outcome<T>]]) -> Vec<Outcome<T>> {
    let Some((first, rest)) = attacks.split_first() else { return Vec::new() };
    let mut worst = first.to_vec();
    let places: BTreeMap<usize, usize> =
        worst.iter().enumerate().map(|(place, outcome)| (outcome.index, place)).collect();
    for outcome in rest.iter().flat_map(|attack| attack.iter()) {
        if let Some(place) = places.get(&outcome.index) {
            worst[*place].join(outcome, threat);
        }
    }
    worst
}

/// Counts over the outcomes of an attack, or of [`worst_case`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// All examples.
    pub examples: usize,
    /// Those classified right without an attack.
    pub correct: usize,
    /// Those with a broken image within the ball, clean errors included.
    pub broken: usize,
    /// Those broken at the last iterate of some run, clean errors included.
    pub broken_at_end: usize,
    /// Those of the broken ones where the label shares the largest logit.
    pub ties: usize,
    /// Those of the broken ones where a logit is not finite.
    pub not_finite: usize,
}

impl Counts {
    /// Counts what an attack did under a threat.
    pub fn of<T: FloatDType>(outcomes: &[Outcome<T>], threat: Threat) -> Self {
        let mut counts = Self { examples: outcomes.len(), ..Self::default() };
        for outcome in outcomes {
            counts.correct += usize::from(!outcome.is_clean_error());
            counts.broken_at_end += usize::from(outcome.is_clean_error() || outcome.broken_at_end);
            if let Some(found) = outcome.adversarial.as_ref().filter(|found| threat.allows(found.distance)) {
                counts.broken += 1;
                counts.ties += usize::from(found.cause == Break::Tie);
                counts.not_finite += usize::from(found.cause == Break::NotFinite);
            }
        }
        counts
    }

    /// Part of all examples that is classified right without an attack.
    pub fn clean_accuracy(self) -> f64 {
        self.correct as f64 / self.examples.max(1) as f64
    }

    /// Part of all examples that is classified right at every point visited.
    pub fn robust_accuracy(self) -> f64 {
        self.examples.saturating_sub(self.broken) as f64 / self.examples.max(1) as f64
    }

    /// Part of all examples that is classified right at the last iterates: what libraries report.
    pub fn accuracy_at_end(self) -> f64 {
        self.examples.saturating_sub(self.broken_at_end) as f64 / self.examples.max(1) as f64
    }

    /// Part of the examples classified right that the attack broke.
    pub fn success_rate(self) -> f64 {
        (self.broken + self.correct).saturating_sub(self.examples) as f64 / self.correct.max(1) as f64
    }
}
