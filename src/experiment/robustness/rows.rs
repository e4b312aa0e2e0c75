//! The rows of the CSV files of an attack run. Fractions are 0 to 1, distances in units of the pixels' range.

use crate::evaluate::attack::TOLERANCE;
use serde::{Deserialize, Serialize};

/// Radii (L2) that the literature prints: 36, 72 and 108 of 255, and the pair 0.3 and 1.58 of MNIST.
pub const RADII: [f64; 8] = [36.0 / 255.0, 72.0 / 255.0, 0.3, 108.0 / 255.0, 0.5, 1.0, 1.58, 2.0];

/// The columns of [`ExampleRow`] that belong to an attack, in their order there and in [`Ledger`](super::ledger::Ledger).
pub const ATTACKS: [&str; 13] = [
    "fgsm", "pgd", "mt-pgd", "deepfool", "ddn", "fmn", "apgd-ce", "apgd-dlr", "apgd-t", "fab-t", "square", "auto",
    "bisection",
];

/// `per_example.csv`: one image. The column of an attack holds the distance, in the run's norm, of the nearest
/// misclassified image that it found, over all sizes of the ball; `inf` where it found none, nothing where it was not
/// made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ExampleRow {
    /// Place in the test set.
    pub index: usize,
    pub label: usize,
    /// The network's answer, the first of equals.
    pub prediction: usize,
    /// Logit of the label less the largest other one.
    pub margin: f64,
    pub norm: String,
    /// Of the nearest misclassified image that any attack found; 0 where the image itself is one.
    pub distance: f64,
    /// The attack that found it; `none` if no attack did, or none was needed.
    pub attack: String,
    /// The class that the network sees there.
    pub adversarial_class: Option<usize>,
    /// The smallest distance in L2 of any misclassified image that was found.
    pub distance_l2: f64,
    pub fgsm: Option<f64>,
    pub pgd: Option<f64>,
    /// Towards one class after the other.
    pub mt_pgd: Option<f64>,
    pub deepfool: Option<f64>,
    pub ddn: Option<f64>,
    #[serde(default)]
    pub fmn: Option<f64>,
    /// APGD on the cross-entropy.
    pub apgd_ce: Option<f64>,
    /// APGD on the difference of logits ratio.
    pub apgd_dlr: Option<f64>,
    /// APGD on the targeted ratio.
    pub apgd_t: Option<f64>,
    /// FAB, targeted.
    pub fab_t: Option<f64>,
    pub square: Option<f64>,
    /// The standard cascade.
    pub auto: Option<f64>,
    /// Multi-target attacks in balls of ever better size, after all others.
    pub bisection: Option<f64>,
    /// Certified radius (L2) in real arithmetic, pair form; 0 for a wrong answer.
    pub certified_pair: Option<f64>,
    /// The same from the norm of the head.
    pub certified_global: Option<f64>,
    /// The pair form less the rounding that was seen.
    pub certified_measured: Option<f64>,
    /// The pair form less a bound of the rounding: for the f32 program.
    pub certified_rounded: Option<f64>,
}

impl ExampleRow {
    /// Whether no attack broke the image within a ball; with 0, whether the image itself is classified right.
    pub fn resists(&self, eps: f64) -> bool {
        if eps == 0.0 { self.margin > 0.0 } else { self.distance > eps + TOLERANCE }
    }
}

/// `checklist.csv`: a sign that the network hides its gradients rather than resists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckRow {
    /// What should hold.
    pub check: String,
    /// linf or l2: the ball of the checklist. Rows about other balls say so in their name.
    pub norm: String,
    pub epsilon: f64,
    /// What was found.
    pub measured: f64,
    /// The largest value that passes.
    pub threshold: f64,
    /// Whether it does.
    pub passed: bool,
    /// Images of the checklist; a few rows look at some of them only.
    pub n: usize,
}

/// `effort.csv`: robust accuracy against the work that an attack may do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EffortRow {
    /// steps or restarts.
    pub kind: String,
    pub amount: usize,
    pub norm: String,
    pub epsilon: f64,
    pub accuracy: f64,
    /// Mean over the images of the lowest margin seen, a broken one counting as 0; nothing for restarts.
    pub mean_margin: Option<f64>,
    /// Images looked at.
    pub n: usize,
}
