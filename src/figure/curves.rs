//! Test accuracy over the iterations of training: the median seed as a line, all seeds as a band.

use anyhow::Result;

use super::Image;
use super::legend::Sign;
use super::page::{Page, Plot, Range};
use super::plot::{Line, SpanPoint, some};
use super::quantity::{AxisScale, Quantity};
use super::theme::Stroke;

/// One arm over the iterations.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Name of the arm, which fixes its colour.
    pub arm: String,
    /// Its text in the legend.
    pub label: String,
    /// Median accuracies at growing numbers of the iteration; a single one is drawn as a mark.
    pub points: Vec<SpanPoint>,
}

/// Arms that were trained under the same conditions.
#[derive(Debug, Clone, PartialEq)]
pub struct CurvePanel {
    /// What the arms have in common.
    pub title: String,
    /// The arms; one that is missing here keeps its place in the legend if another panel has it.
    pub curves: Vec<Curve>,
    /// A reference accuracy, drawn dashed, and what it stands for.
    pub baseline: Option<(f64, String)>,
}

/// Marks along a line, for readers who cannot go by its colour.
const MARKS: usize = 6;
/// Width of the line of a reference.
const BASELINE: f64 = 3.0;

/// Draws the panels side by side on one accuracy axis, with a legend below.
///
/// Fails if there is no panel, curve or point, if a number is no fraction, or if iterations do not grow.
pub fn accuracy_curves(title: &str, panels: &[CurvePanel]) -> Result<Image> {
    let y = Quantity::new("test accuracy (%)", AxisScale::Percent);
    let plot = |panel: &CurvePanel| Plot {
        title: panel.title.clone(),
        x: (Quantity::new("training iteration", AxisScale::Count), Range::Own),
        y: (y.clone(), Range::Shared),
        lines: panel.curves.iter().map(|curve| line(curve, &y)).collect(),
        level: panel.baseline.as_ref().map(|(value, _)| (*value, Stroke::Dashed, BASELINE)),
    };
    let mut notes = vec![(Sign::seeds(0.0), "lowest to highest seed; line and number: median seed".to_owned())];
    notes.extend(references(panels, &y));
    Page { title, plots: panels.iter().map(plot).collect(), notes, aligned: true, square: false }.draw()
}

fn line(curve: &Curve, y: &Quantity) -> Line {
    let line = Line::through(&curve.arm, &curve.label, &curve.points);
    let ending = line.points.last().map(|point| y.short(point.1)).into_iter().collect();
    Line { marks: some(&line.points, MARKS), ending, ..line }
}

/// Panels with the same kind of reference share an entry that lists their values from left to right.
fn references(panels: &[CurvePanel], y: &Quantity) -> Vec<(Sign, String)> {
    let mut references: Vec<(&str, Vec<String>)> = Vec::new();
    for (value, label) in panels.iter().filter_map(|panel| panel.baseline.as_ref()) {
        let value = y.short(*value);
        match references.iter_mut().find(|(known, _)| known == label) {
            Some((_, values)) if values.contains(&value) => {}
            Some((_, values)) => values.push(value),
            None => references.push((label, vec![value])),
        }
    }
    let entry = |(label, values): (&str, Vec<String>)| {
        (Sign::plain(Stroke::Dashed, BASELINE), format!("{label}: {}", values.join(", ")))
    };
    references.into_iter().map(entry).collect()
}
