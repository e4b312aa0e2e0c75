//! Stand-in until the data are there.
pub use super::source::Dataset;
use serde::{Deserialize, Serialize};

/// What is done to an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Augment {
    /// None
    None,
    /// Crop and flip
    Basic,
    /// All
    Autoaugment,
}
