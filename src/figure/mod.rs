//! Charts of the experiments as PNG images: data in, pixels out.
//!
//! The functions read no file and depend on no other module; equal data gives equal bytes. All sizes are for an image
//! shown at about half its width.

mod axes;
mod canvas;
mod curves;
mod decision_map;
mod legend;
mod parameters;
pub mod theme;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use plotters::prelude::{BitMapBackend, DrawingBackend};

use canvas::{Align, Canvas};
pub use curves::{BandPoint, Curve, CurvePanel, accuracy_curves};
pub use decision_map::{DecisionPanel, decision_maps};
pub use parameters::{Mark, MarkPanel, accuracy_against_parameters};
pub use theme::{ArmStyle, Marker};

/// Identity of an arm on every chart; [`Arm::style`] is the same wherever the name is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arm {
    /// Short name: `hannet`, `fcnet`, `resnet`, or any other.
    pub name: String,
    /// What a reader sees.
    pub label: String,
}

impl Arm {
    /// An arm with its usual label; an unknown name is its own label.
    pub fn new(name: &str) -> Arm {
        let label = match name {
            "hannet" => "HanNet",
            "fcnet" => "FCNet",
            "resnet" => "ResNet",
            other => other,
        };
        Arm { name: name.to_owned(), label: label.to_owned() }
    }

    /// Colour and marker of the arm where no other arm but the three of the paper is shown.
    pub fn style(&self) -> ArmStyle {
        theme::style(&self.name)
    }
}

/// A finished chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Pixels per row.
    pub width: usize,
    /// Number of rows.
    pub height: usize,
    /// Red, green and blue of every pixel, row by row from the top.
    pub pixels: Vec<u8>,
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

/// Space around the chart and between its parts.
const MARGIN: f64 = 48.0;

/// Writes the title of the whole chart and returns the height at which the rest begins.
fn draw_title(canvas: &mut Canvas, title: &str, width: f64) -> Result<f64> {
    let (kind, lines) = canvas::fit(title, width - 2.0 * MARGIN, 2, theme::TITLE)?;
    for (index, line) in lines.iter().enumerate() {
        canvas.text(line, (width / 2.0, MARGIN + (index as f64 + 0.45) * kind.size * 1.15), Align::Center, kind)?;
    }
    title_height(title, width)
}

/// The height at which the parts below the title begin.
fn title_height(title: &str, width: f64) -> Result<f64> {
    let (kind, lines) = canvas::fit(title, width - 2.0 * MARGIN, 2, theme::TITLE)?;
    Ok(MARGIN + lines.len() as f64 * kind.size * 1.15 + if lines.is_empty() { 0.0 } else { 26.0 })
}

/// Refuses an accuracy that is no fraction, before it becomes a point outside the chart or none at all.
fn fraction(value: f64, what: impl Fn() -> String) -> Result<()> {
    ensure!(value.is_finite(), "{} is {value}, not a number", what());
    ensure!((-1e-9..=1.0 + 1e-9).contains(&value), "{} is {value}, not a fraction between 0 and 1", what());
    Ok(())
}

/// Arms in the order in which they first appear, each with its style.
fn arms_of<'a>(names: impl Iterator<Item = &'a str>) -> Vec<(Arm, ArmStyle)> {
    let mut seen: Vec<&str> = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    let styles = theme::styles(&seen);
    seen.into_iter().map(Arm::new).zip(styles).collect()
}

#[cfg(test)]
mod tests;
