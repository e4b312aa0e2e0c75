//! Charts of the experiments as PNG images and as SVG: data in, pixels and shapes out.
//!
//! The functions read no file and depend on no other module; equal data gives equal bytes. All sizes are for an image
//! shown at about half its width.

mod adversarial;
mod axes;
mod canvas;
mod categories;
mod confusion;
mod contact_sheet;
mod decision_map;
mod differences;
mod distance;
mod frame;
mod glyphs;
mod grid;
mod labels;
mod legend;
mod lines;
mod marks;
mod page;
mod plot;
mod quantity;
mod robust_accuracy;
mod stamp;
mod svg;
mod text;
mod theme;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use plotters::prelude::{BitMapBackend, DrawingBackend};

pub use adversarial::{Answer, Attempt, GridRow, adversarial_grid};
pub use axes::significant;
pub use categories::{Body, CategoryPanel, Entry, Key, category_panels};
pub use confusion::confusion_difference;
pub use contact_sheet::{SheetRow, contact_sheet};
pub use decision_map::{DecisionPanel, decision_maps};
pub use differences::{DifferenceRow, paired_differences};
pub use distance::{DistanceCurve, DistancePanel, distance_distribution};
pub use lines::{Drawing, LinePanel, LineSeries, line_panels, scatter_panels};
pub use quantity::{AxisScale, Quantity as LineQuantity};
pub use robust_accuracy::robust_accuracy;
pub use theme::MOMENT;

/// What axes of accuracies are called.
const ACCURACY: &str = "accuracy (%)";

/// A finished chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Pixels per row.
    pub width: usize,
    /// Number of rows.
    pub height: usize,
    /// Red, green and blue of every pixel, row by row from the top.
    pub pixels: Vec<u8>,
    /// The same as an SVG file.
    pub svg: String,
}

impl Image {
    /// Writes the image as a PNG file; the folder must exist.
    pub fn save(&self, path: &Path) -> Result<()> {
        let name = path.display();
        ensure!(path.extension().is_some_and(|end| end == "png"), "{name}: a figure is saved as .png");
        let whole = self.pixels.len() == 3 * self.width * self.height;
        ensure!(whole, "{name}: {} bytes for {} x {} pixels", self.pixels.len(), self.width, self.height);
        let size = (u32::try_from(self.width)?, u32::try_from(self.height)?);
        let mut file = BitMapBackend::new(path, size);
        file.blit_bitmap((0, 0), size, &self.pixels).with_context(|| format!("drawing {name}"))?;
        file.present().with_context(|| format!("writing {name}"))
    }
}

#[cfg(test)]
mod tests;
