//! Charts of adversarial robustness: how accuracy falls with the size of the perturbation, how far the nearest
//! misclassified image is, how much effort the attacks needed, and what their images look like.

mod accuracy;
mod columns;
mod distance;
mod effort;
mod examples;
mod layer;
mod picture;
mod steps;

pub use accuracy::{RobustnessPanel, Role, Series, SizePoint, robust_accuracy};
pub use distance::{DistanceCurve, DistancePanel, distance_distribution};
pub use effort::{EffortCurve, EffortPanel, attack_effort};
pub use examples::{Answer, Attempt, GridRow, Outcome, adversarial_grid};

use super::labelled_arms;

/// What every axis of accuracies here is called.
const ACCURACY: &str = "accuracy (%)";

#[cfg(test)]
mod synthetic;
#[cfg(test)]
mod tests;
