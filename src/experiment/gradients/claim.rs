//! The claims, and what is expected of what is measured.

use serde::{Deserialize, Serialize};

/// A claim.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The Jacobian is orthogonal
    #[default]
    Jacobian,
    /// Gradients neither vanish nor explode
    Norms,
    /// Deep networks can be trained
    Depth,
    /// O(d) parameters and work
    Cost,
    /// The layer is 1-Lipschitz
    Lipschitz,
}

impl Part {
    /// What its rows of the table measure.
    pub(super) fn metrics(self) -> &'static [&'static str] {
        match self {
            Self::Jacobian => &[
                "deviation",
                "deviation_near_kink",
                "deviation_at_kink",
                "largest_singular_value_to_hidden",
                "smallest_singular_value_to_hidden",
                "largest_singular_value_to_outputs",
                "smallest_singular_value_to_outputs",
            ],
            Self::Norms => &["smallest_gradient_ratio", "largest_gradient_ratio"],
            Self::Depth => &["test_accuracy", "cosine_of_neighbours"],
            Self::Cost => &["exponent_of_forward_time", "exponent_of_training_time"],
            Self::Lipschitz => &["ratio_found", "log10_of_product_of_norms"],
        }
    }
}

/// `[[expect]]`: bounds for a row of the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    pub part: Part,
    /// The network or layer.
    pub arm: String,
    pub metric: String,
    /// start or trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// f32 or f64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<String>,
    /// Number of layers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depth: Option<usize>,
    /// Over what was measured.
    pub statistic: Extreme,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
}

impl Limit {
    /// Why no row of the table can be meant, if so: it would be missed whatever is measured.
    pub(super) fn problem(&self) -> Option<String> {
        let metrics = self.part.metrics();
        if !metrics.contains(&self.metric.as_str()) {
            return Some(format!("has the metric {:?}; use one of {}", self.metric, metrics.join(", ")));
        }
        for (key, word, known) in
            [("state", &self.state, ["start", "trained"]), ("precision", &self.precision, ["f32", "f64"])]
        {
            if let Some(word) = word.as_ref().filter(|word| !known.contains(&word.as_str())) {
                return Some(format!("has the {key} {word:?}; use one of {}", known.join(", ")));
            }
        }
        if self.at_least.is_none() && self.at_most.is_none() {
            return Some("lacks at_least and at_most".into());
        }
        let (least, most) = (self.at_least.unwrap_or(f64::MIN), self.at_most.unwrap_or(f64::MAX));
        let fits = least.is_finite() && most.is_finite() && least <= most;
        (!fits).then(|| format!("is from {least} to {most}; use finite numbers in growing order"))
    }
}

/// One number for many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Extreme {
    Max,
    Median,
    Min,
}

impl std::fmt::Display for Extreme {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Max => "largest",
            Self::Median => "median",
            Self::Min => "smallest",
        })
    }
}
