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

use super::{Arm, ArmStyle, arms_of};

/// What every axis of accuracies here is called.
const ACCURACY: &str = "accuracy (%)";

/// The arms of a chart in the order in which they first appear, under the label that came with the name.
fn labelled_arms<'a>(curves: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Vec<(Arm, ArmStyle)> {
    let mut arms = arms_of(curves.clone().map(|(name, _)| name));
    for (arm, _) in &mut arms {
        if let Some((_, label)) = curves.clone().find(|(name, _)| *name == arm.name) {
            arm.label = label.to_owned();
        }
    }
    arms
}

#[cfg(test)]
mod synthetic;
#[cfg(test)]
mod tests;
