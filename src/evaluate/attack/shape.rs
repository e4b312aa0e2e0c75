//! The picture behind a flat image.

use serde::{Deserialize, Serialize};

/// How the pixels of a flat image lie: channel by channel, row by row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageShape {
    /// Colours.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl ImageShape {
    /// One channel.
    pub fn grey(height: usize, width: usize) -> Self {
        Self { channels: 1, height, width }
    }

    /// Number of pixels, each channel counted.
    pub fn pixels(self) -> usize {
        self.channels.saturating_mul(self.height).saturating_mul(self.width)
    }

    /// Place of a pixel in the flat image.
    pub(super) fn place(self, channel: usize, row: usize, column: usize) -> usize {
        (channel * self.height + row) * self.width + column
    }

    /// Side of the largest square that fits.
    pub(super) fn shorter_side(self) -> usize {
        self.height.min(self.width)
    }
}
