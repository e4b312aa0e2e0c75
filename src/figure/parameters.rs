//! Accuracy against the number of parameters: what was measured, beside what the paper states.

use anyhow::{Context, Result, ensure};

use super::axes::{BELOW, Frame, beside, log_axis, percent_axis};
use super::canvas::{Align, Canvas, fit, text_width};
use super::legend::{Legend, Sign, hollow, mark, whisker};
use super::theme::{ArmStyle, DIRECT, MARK, PANEL_TITLE, Type};
use super::{Arm, Image, MARGIN, arms_of, draw_title, fraction, title_height};

/// One network: its size, and its accuracies as fractions.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// Name of the arm, which fixes colour and shape.
    pub arm: String,
    /// Text beside the mark; left out where all marks of an arm have the same, which then stands in the legend.
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

/// More panels than this continue in a second row.
const COLUMNS: usize = 3;
const GAP: f64 = 60.0;

/// Draws the panels side by side, each on its own accuracy axis, because tasks differ in difficulty.
///
/// Fails if there is no panel or mark, if a number is no fraction, or if a network has no parameters.
pub fn accuracy_against_parameters(title: &str, panels: &[MarkPanel]) -> Result<Image> {
    ensure!(!panels.is_empty(), "accuracy against parameters {title:?}: no panel to draw");
    panels.iter().try_for_each(check)?;
    let marks = || panels.iter().flat_map(|panel| &panel.marks);
    let arms = arms_of(marks().map(|mark| mark.arm.as_str()));
    let least = marks().map(|mark| mark.parameters).min().unwrap_or(1) as f64;
    let most = marks().map(|mark| mark.parameters).max().unwrap_or(1) as f64;
    let axes = panels.iter().map(|panel| percent_axis(panel.marks.iter().flat_map(values))).collect::<Vec<_>>();

    let columns = if panels.len() == 4 { 2 } else { panels.len().min(COLUMNS) };
    let rows = panels.len().div_ceil(columns);
    let (plot_width, plot_height) = [(1300.0, 800.0), (900.0, 760.0), (640.0, 680.0)][columns - 1];
    let beside = axes.iter().try_fold(0.0, |widest: f64, axis| anyhow::Ok(widest.max(beside(axis)?)))?;
    let pitch = beside + plot_width + GAP;
    let width = 2.0 * MARGIN + columns as f64 * pitch - GAP;
    let legend = Legend::new(entries(panels, &arms), width - 2.0 * MARGIN)?;
    let titles = panels.iter().map(|panel| fit(&panel.title, plot_width, 2, PANEL_TITLE));
    let titles = titles.collect::<Result<Vec<(Type, Vec<String>)>>>()?;
    let head = titles.iter().map(|(_, lines)| lines.len()).max().unwrap_or(0) as f64 * PANEL_TITLE.size * 1.12 + 20.0;
    let row_height = head + plot_height + BELOW + 24.0;
    let height = title_height(title, width)? + rows as f64 * row_height + legend.height() + MARGIN;
    let mut canvas = Canvas::new(width, height)?;
    let top = draw_title(&mut canvas, title, width)?;
    for (index, ((panel, y), (kind, lines))) in panels.iter().zip(axes).zip(&titles).enumerate() {
        let left = MARGIN + beside + (index % columns) as f64 * pitch;
        let above = top + (index / columns) as f64 * row_height;
        for (line, text) in lines.iter().enumerate() {
            canvas.text(text, (left, above + (line as f64 + 0.5) * kind.size * 1.12), Align::Left, *kind)?;
        }
        let (top, bottom) = (above + head, above + head + plot_height);
        let frame = Frame { left, top, right: left + plot_width, bottom, x: log_axis(least, most), y };
        let y_label = (index % columns == 0).then_some("test accuracy (%)");
        frame.draw(&mut canvas, "number of parameters (logarithmic)", y_label)?;
        draw_panel(&mut canvas, panel, &frame, &arms, panels)?;
    }
    legend.draw(&mut canvas, width / 2.0, height - MARGIN - legend.height())?;
    Ok(canvas.finish())
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
    }
    Ok(())
}

/// The label that all marks of an arm share: it belongs in the legend, not beside each of them.
fn shared_label<'a>(panels: &'a [MarkPanel], arm: &str) -> Option<&'a str> {
    let mut labels =
        panels.iter().flat_map(|panel| &panel.marks).filter(|mark| mark.arm == arm).map(|mark| &mark.label);
    let first = labels.next()?;
    labels.all(|label| label == first).then_some(first)
}

fn entries(panels: &[MarkPanel], arms: &[(Arm, ArmStyle)]) -> Vec<(Sign, String)> {
    let name = |arm: &Arm| shared_label(panels, &arm.name).unwrap_or(&arm.label).to_owned();
    let mut entries: Vec<(Sign, String)> = arms.iter().map(|(arm, style)| (Sign::Filled(*style), name(arm))).collect();
    entries.push((Sign::Measured, "measured: mean, lowest and highest seed".to_owned()));
    if panels.iter().flat_map(|panel| &panel.marks).any(|mark| mark.paper.is_some()) {
        entries.push((Sign::Hollow, "stated in the paper".to_owned()));
    }
    entries
}

/// A rectangle on the image: left, top, right, bottom.
type Area = (f64, f64, f64, f64);

fn draw_panel(
    canvas: &mut Canvas,
    panel: &MarkPanel,
    frame: &Frame,
    arms: &[(Arm, ArmStyle)],
    panels: &[MarkPanel],
) -> Result<()> {
    let mut taken: Vec<Area> = Vec::new();
    for point in &panel.marks {
        let (_, style) = arms.iter().find(|(arm, _)| arm.name == point.arm).context("an arm without a style")?;
        let at = |value: f64| frame.at(point.parameters as f64, 100.0 * value);
        whisker(canvas, at(point.high), at(point.low).1, style.color);
        mark(canvas, at(point.mean), *style);
        if let Some(paper) = point.paper {
            hollow(canvas, at(paper), *style);
        }
        let reach = MARK + 9.0;
        for value in [Some(point.mean), point.paper].into_iter().flatten() {
            let (x, y) = at(value);
            taken.push((x - reach, y - reach, x + reach, y + reach));
        }
        let (x, top) = at(point.high);
        taken.push((x - 10.0, top - 2.0, x + 10.0, at(point.low).1 + 2.0));
    }
    for point in panel.marks.iter().filter(|point| shared_label(panels, &point.arm).is_none()) {
        let (_, style) = arms.iter().find(|(arm, _)| arm.name == point.arm).context("an arm without a style")?;
        let at = frame.at(point.parameters as f64, 100.0 * point.mean);
        let area = free_place(at, text_width(&point.label, DIRECT.size)?, frame, &taken);
        let kind = Type { color: style.color, ..DIRECT };
        canvas.text(&point.label, (area.0, (area.1 + area.3) / 2.0), Align::Left, kind)?;
        taken.push(area);
    }
    Ok(())
}

/// The place for a label near its mark that covers least of what is drawn already; nearer places are preferred.
fn free_place((x, y): (f64, f64), width: f64, frame: &Frame, taken: &[Area]) -> Area {
    let (height, side) = (DIRECT.size, MARK + 12.0);
    let mut best = (f64::INFINITY, (x, y, x, y));
    for (ring, lift) in [0.0, 1.0, -1.0, 1.6, -1.6, 2.4, -2.4, 3.4, -3.4].into_iter().enumerate() {
        for left in [x + side, x - side - width, x - width / 2.0] {
            let middle = y - lift * height;
            let area = (left, middle - height / 2.0, left + width, middle + height / 2.0);
            let covered: f64 = taken.iter().map(|other| overlap(area, *other)).sum();
            let inside = overlap(area, (frame.left + 4.0, frame.top - 30.0, frame.right - 4.0, frame.bottom - 4.0));
            let cost = covered + 4.0 * (width * height - inside).max(0.0) + ring as f64 * 10.0;
            if cost < best.0 {
                best = (cost, area);
            }
        }
    }
    best.1
}

fn overlap(a: Area, b: Area) -> f64 {
    (a.2.min(b.2) - a.0.max(b.0)).max(0.0) * (a.3.min(b.3) - a.1.max(b.1)).max(0.0)
}
