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

impl Augment {
    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Basic => "basic",
            Self::Autoaugment => "autoaugment",
        }
    }
}

/// Images for a network.
pub struct Photos<'a>(pub crate::data::images::Subset<'a>);

impl crate::data::TrainingSet for Photos<'_> {
    fn len(&self) -> usize {
        self.0.rows.len()
    }

    fn batch(&self, rows: &[u32]) -> candle_core::Result<(candle_core::Tensor, candle_core::Tensor)> {
        let (xs, ys) = self.0.batch(rows)?;
        Ok((xs.reshape((rows.len(), 28, 28, 1))?, ys))
    }
}
