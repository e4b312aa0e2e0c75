//! The rows of the tables over all runs. Fractions are 0 to 1; `data` is mnist, fashion-mnist or sample.

use crate::engine::rows::{Figure, Statistics, TableKey};
use crate::figure::significant;
use serde::Serialize;

/// `tables/<experiment>.csv`: a figure over the seeds.
pub type SummaryRow = (TableKey, Size, Figure, Statistics);

#[derive(Serialize)]
pub struct Size {
    /// Trained scalars.
    pub parameters: usize,
}

/// `tables/<experiment>-seeds.csv`: a count of one seed with the interval that the number of images leaves.
pub type SeedRow = (TableKey, SeedColumns);

#[derive(Serialize)]
pub struct SeedColumns {
    pub seed: u64,
    /// clean_accuracy (all test images, or those attacked), robust_accuracy or certified_accuracy.
    pub metric: String,
    /// linf, l2, or nothing for the clean accuracy.
    pub norm: String,
    /// Size of the ball, or radius.
    pub epsilon: Option<f64>,
    /// Images for which it holds; none if training diverged, as all that follow.
    pub count: Option<u64>,
    pub n: Option<u64>,
    /// Their part.
    pub value: Option<f64>,
    /// 95 % interval.
    pub low: Option<f64>,
    /// Its upper end.
    pub high: Option<f64>,
    /// wilson, or clopper_pearson for what is certified.
    pub interval: String,
}

/// `tables/<experiment>-paired.csv`: two networks of one seed on the same images.
#[derive(PartialEq, Serialize)]
pub struct ComparisonRow {
    pub experiment: String,
    pub data: String,
    /// The network under study.
    pub arm: String,
    /// The other one.
    pub against: String,
    /// Seed of both.
    pub seed: u64,
    /// linf, l2, or nothing for the images as they are.
    pub norm: String,
    /// Size of the ball; 0 for the images as they are.
    pub epsilon: f64,
    /// Accuracy of the first, under all attacks.
    pub arm_accuracy: f64,
    /// Accuracy of the second.
    pub against_accuracy: f64,
    /// Images that the first alone gets right.
    pub arm_only: u64,
    /// Images that the second alone gets right.
    pub against_only: u64,
    pub n: u64,
    /// First accuracy less the second: 95 % interval (Agresti and Min).
    pub difference_low: f64,
    /// Its upper end.
    pub difference_high: f64,
    /// McNemar's exact test, two-sided.
    pub p_value: f64,
}

impl ComparisonRow {
    /// The ball in words; `none` is for the images as they are.
    pub fn ball(&self, none: &str) -> String {
        if self.norm.is_empty() { none.into() } else { format!("{} {}", self.norm, significant(self.epsilon)) }
    }
}
