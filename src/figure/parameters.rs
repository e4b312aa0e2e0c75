//! Accuracy against the number of parameters: what was measured, beside what the paper states.

use anyhow::{Context, Result, ensure};

use super::axes::{Frame, TEST_ACCURACY, beside, log_axis, percent_axis};
use super::canvas::{Align, Canvas};
use super::labels::free_place;
use super::legend::Sign;
use super::marks::{hollow, mark, whisker};
use super::sheet::{Area, MARGIN, Plan, Sheet};
use super::text::{shortened, text_width};
use super::theme::{ArmStyle, DIRECT, MARK, Type};
use super::{Arm, Image, arms_of, fraction, ordered};

/// One network: its size, and its accuracies as fractions.
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
    /// The accuracy that the paper states, if any.
    pub paper: Option<f64>,
}

/// Networks that solve the same task.
#[derive(Debug, Clone, PartialEq)]
pub struct MarkPanel {
    /// Name of the task.
    pub title: String,
    /// The networks.
    pub marks: Vec<Mark>,
}

/// Widest label of a mark as a part of its plot.
const WIDEST: f64 = 0.7;
/// Room between a plot and the labels of its neighbour.
const GAP: f64 = 60.0;

/// Draws the panels side by side, each on its own accuracy axis, because tasks differ in difficulty.
///
/// Fails if there is no panel or mark, if a number is no fraction, or if a network has no parameters.
pub fn accuracy_against_parameters(title: &str, panels: &[MarkPanel]) -> Result<Image> {
    ensure!(!panels.is_empty(), "accuracy against parameters {title:?}: no panel to draw");
    panels.iter().try_for_each(check)?;
    let marks = || panels.iter().flat_map(|panel| &panel.marks);
    let mut arms = arms_of(marks().map(|mark| mark.arm.as_str()));
    arms.iter_mut().for_each(|(arm, _)| arm.label = legend_label(panels, arm));
    let least = marks().map(|mark| mark.parameters).min().unwrap_or(1) as f64;
    let most = marks().map(|mark| mark.parameters).max().unwrap_or(1) as f64;
    let axes = panels.iter().map(|panel| percent_axis(panel.marks.iter().flat_map(values))).collect::<Vec<_>>();

    let beside = axes.iter().try_fold(0.0, |widest: f64, axis| anyhow::Ok(widest.max(beside(axis)?)))?;
    let room = (MARGIN + beside, beside + GAP, 1.5 * MARGIN);
    let titles = panels.iter().map(|panel| panel.title.as_str()).collect();
    let mut sheet = Sheet::new(Plan { title, panels: titles, room, legend: entries(panels, &arms) })?;
    for ((panel, y), index) in panels.iter().zip(axes).zip(0..) {
        let frame = Frame { area: sheet.plots[index], x: log_axis(least, most), y };
        frame.draw(&mut sheet.canvas, "number of parameters (log scale)", Some(TEST_ACCURACY))?;
        draw_panel(&mut sheet.canvas, panel, &frame, &arms)?;
    }
    Ok(sheet.finish())
}

fn values(mark: &Mark) -> impl Iterator<Item = f64> {
    [mark.mean, mark.low, mark.high].into_iter().chain(mark.paper)
}

fn check(panel: &MarkPanel) -> Result<()> {
    let name = &panel.title;
    ensure!(!panel.marks.is_empty(), "accuracy against parameters, panel {name:?}: no mark to draw");
    for mark in &panel.marks {
        let what = format!("accuracy against parameters, panel {name:?}, mark {:?}", mark.label);
        ensure!(mark.parameters > 0, "{what}: it has 0 parameters, which a logarithmic axis cannot show");
        let parts = [("mean", mark.mean), ("lowest", mark.low), ("highest", mark.high)].into_iter();
        for (part, value) in parts.chain(mark.paper.map(|value| ("the paper's", value))) {
            fraction(value, || format!("{what}: {part} accuracy"))?;
        }
        ordered(mark.low, mark.mean, mark.high, || what.clone())?;
    }
    Ok(())
}

/// Text of an arm in the legend; an arm that is none of the paper's is called what all its marks are called.
fn legend_label(panels: &[MarkPanel], arm: &Arm) -> String {
    let mut labels = panels.iter().flat_map(|panel| &panel.marks).filter(|mark| mark.arm == arm.name);
    let first = labels.next().map_or(&arm.label, |mark| &mark.label);
    let shared = arm.label == arm.name && labels.all(|mark| mark.label == *first);
    if shared { first.clone() } else { arm.label.clone() }
}

fn entries(panels: &[MarkPanel], arms: &[(Arm, ArmStyle)]) -> Vec<(Sign, String)> {
    let mut entries: Vec<(Sign, String)> =
        arms.iter().map(|(arm, style)| (Sign::Filled(*style), arm.label.clone())).collect();
    entries.push((Sign::Measured, "measured: mean, lowest and highest seed".to_owned()));
    if panels.iter().flat_map(|panel| &panel.marks).any(|mark| mark.paper.is_some()) {
        entries.push((Sign::Hollow, "the paper's figure".to_owned()));
    }
    entries
}

fn draw_panel(canvas: &mut Canvas, panel: &MarkPanel, frame: &Frame, arms: &[(Arm, ArmStyle)]) -> Result<()> {
    let mut taken: Vec<Area> = Vec::new();
    let mut labels: Vec<(String, (f64, f64), ArmStyle)> = Vec::new();
    for point in &panel.marks {
        let (arm, style) = arms.iter().find(|(arm, _)| arm.name == point.arm).context("an arm without a style")?;
        let at = |value: f64| frame.at(point.parameters as f64, 100.0 * value);
        mark(canvas, at(point.mean), *style);
        whisker(canvas, at(point.high), at(point.low).1, style.color);
        if let Some(paper) = point.paper {
            hollow(canvas, at(paper), *style);
        }
        for value in [Some(point.mean), point.paper].into_iter().flatten() {
            let ((x, y), reach) = (at(value), MARK + 9.0);
            taken.push((x - reach, y - reach, x + reach, y + reach));
        }
        let (x, top) = at(point.high);
        taken.push((x - 10.0, top - 2.0, x + 10.0, at(point.low).1 + 2.0));
        if point.label != arm.label {
            let width = WIDEST * (frame.area.2 - frame.area.0);
            labels.push((shortened(&point.label, width, DIRECT.size)?, at(point.mean), *style));
        }
    }
    for (label, at, style) in labels {
        let area = free_place(at, text_width(&label, DIRECT.size)?, frame, &taken);
        let kind = Type { color: style.color, ..DIRECT };
        canvas.text(&label, (area.0, (area.1 + area.3) / 2.0), Align::Left, kind)?;
        taken.push(area);
    }
    Ok(())
}
