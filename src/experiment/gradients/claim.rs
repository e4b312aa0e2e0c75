//! The claims, and what is measured for each.

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
