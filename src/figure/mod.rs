//! Charts of the experiments as PNG images: data in, pixels out.
//!
//! The functions read no file and depend on no other module; equal data gives equal bytes. All sizes are for an image
//! shown at about half its width.

mod axes;
mod canvas;
mod confusion;
mod contact_sheet;
mod curves;
mod decision_map;
mod labels;
mod learning;
mod legend;
mod lines;
mod marks;
mod parameters;
mod robustness;
mod sheet;
mod text;
pub mod theme;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use plotters::prelude::{BitMapBackend, DrawingBackend};

pub use axes::significant;
pub use confusion::confusion_matrix;
pub use contact_sheet::{SheetRow, contact_sheet};
pub use curves::{BandPoint, Curve, CurvePanel, accuracy_curves};
pub use decision_map::{DecisionPanel, decision_maps};
pub use learning::{Course, CoursePanel, Quantity, learning_curves};
pub use lines::{AxisScale, Drawing, LinePanel, LineSeries, Quantity as LineQuantity, line_panels};
pub use parameters::{Mark, MarkPanel, accuracy_against_parameters};
pub use robustness::{
    Answer, Attempt, DistanceCurve, DistancePanel, EffortCurve, EffortPanel, GridRow, Outcome, RobustnessPanel, Role,
    Series, SizePoint, adversarial_grid, attack_effort, distance_distribution, robust_accuracy,
};
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

/// Refuses an accuracy that is no fraction, before it becomes a point outside the chart or none at all.
fn fraction(value: f64, what: impl Fn() -> String) -> Result<()> {
    ensure!(value.is_finite(), "{} is {value}, not a number", what());
    ensure!((-1e-9..=1.0 + 1e-9).contains(&value), "{} is {value}, not a fraction between 0 and 1", what());
    Ok(())
}

/// Refuses seeds whose lowest value is above the middle one, or the middle one above the highest.
fn ordered(low: f64, middle: f64, high: f64, what: impl Fn() -> String) -> Result<()> {
    // A mean of equal values may differ from them in its last digit.
    let slack = 1e-9;
    let ordered = low <= middle + slack && middle <= high + slack;
    ensure!(ordered, "{}: lowest {low}, middle {middle} and highest {high} accuracy are not in this order", what());
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
mod tests;
