//! A quantity against the number of parameters: what was measured, beside what the paper states.

use anyhow::Result;

use super::Image;
use super::legend::Sign;
use super::marks::Mark as Shape;
use super::page::{Page, Plot, Range};
use super::plot::Line;
use super::quantity::{AxisScale, Quantity};
use super::theme::{MARK, Stroke};

/// Width of the line of a level.
const LEVEL: f64 = 3.0;

/// One network: its size, and its values; accuracies are fractions.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// Name of the arm, which fixes colour and shape.
    pub arm: String,
    /// Text beside the mark; left out where it is what the legend calls the arm.
    pub label: String,
    /// Number of trainable parameters.
    pub parameters: usize,
    /// Mean over the seeds.
    pub mean: f64,
    /// Lowest seed.
    pub low: f64,
    /// Highest seed.
    pub high: f64,
    /// The value that the paper states, if any.
    pub paper: Option<f64>,
}

/// Networks that solve the same task.
#[derive(Debug, Clone, PartialEq)]
pub struct ValuePanel {
    /// Name of the task.
    pub title: String,
    /// What was measured.
    pub y: Quantity,
    /// The networks.
    pub marks: Vec<Mark>,
    /// The value of what has no parameters, as a line across, and its name.
    pub level: Option<(f64, String)>,
}

/// Draws the panels side by side; those of one quantity share its axis. Levels are of one thing, which has the name of the
/// first.
///
/// Fails if there is no panel or mark, if a number cannot be shown on its axis, or if a network has no parameters.
pub fn against_parameters(title: &str, panels: &[ValuePanel]) -> Result<Image> {
    let x = Quantity::new("number of parameters (log scale)", AxisScale::Log);
    let plot = |panel: &ValuePanel| Plot {
        title: panel.title.clone(),
        x: (x.clone(), Range::Shared),
        y: (panel.y.clone(), Range::Shared),
        lines: panel.marks.iter().flat_map(|mark| lines(mark, label(panels, &mark.arm))).collect(),
        level: panel.level.as_ref().map(|(value, _)| (*value, Stroke::Dashed, LEVEL)),
    };
    let mut notes = vec![(Sign::mark(Shape::Solid(MARK), true), "measured: mean, lowest and highest seed".to_owned())];
    if panels.iter().flat_map(|panel| &panel.marks).any(|mark| mark.paper.is_some()) {
        notes.push((Sign::mark(Shape::Ring, false), "the paper's figure".to_owned()));
    }
    if let Some((_, name)) = panels.iter().find_map(|panel| panel.level.as_ref()) {
        notes.push((Sign::plain(Stroke::Dashed, LEVEL), name.clone()));
    }
    Page { title, plots: panels.iter().map(plot).collect(), notes, aligned: true, square: false }.draw()
}

/// What was measured, and the ring of the paper's value.
fn lines(mark: &Mark, label: &str) -> Vec<Line> {
    let size = mark.parameters as f64;
    let line = |shape, value| Line {
        width: 0.0,
        mark: shape,
        marks: vec![(size, value)],
        ..Line::of(&mark.arm, label, Vec::new())
    };
    let measured = Line {
        band: vec![(size, mark.low, mark.high)],
        notes: if mark.label == label { Vec::new() } else { vec![(mark.label.clone(), (size, mark.mean))] },
        ..line(Shape::Solid(MARK), mark.mean)
    };
    [measured].into_iter().chain(mark.paper.map(|value| line(Shape::Ring, value))).collect()
}

/// Text of an arm in the legend; an arm that is none of the paper's is called what all its marks are called.
fn label<'a>(panels: &'a [ValuePanel], arm: &'a str) -> &'a str {
    match arm {
        "hannet" => return "HanNet",
        "fcnet" => return "FCNet",
        "resnet" => return "ResNet",
        _ => {}
    }
    let mut labels =
        panels.iter().flat_map(|panel| &panel.marks).filter(|mark| mark.arm == arm).map(|mark| &mark.label);
    let first = labels.next().filter(|first| labels.all(|label| label == *first));
    first.map_or(arm, String::as_str)
}
