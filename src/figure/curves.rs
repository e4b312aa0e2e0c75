//! Test accuracy over the iterations of training: the median seed as a line, all seeds as a band.

use anyhow::{Context, Result, ensure};

use super::axes::{Frame, TEST_ACCURACY, beside, count_axis, percent_axis};
use super::canvas::Canvas;
use super::labels::{EndLabel, end_labels};
use super::legend::Sign;
use super::marks::{mark, whisker};
use super::sheet::{MARGIN, Plan, Sheet};
use super::theme::{ArmStyle, BAND_ALPHA, LINE, SOFT_INK, Stroke};
use super::{Arm, Image, arms_of, fraction, ordered};

/// Accuracies of all seeds of an arm at one moment, as fractions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BandPoint {
    /// Number of the iteration.
    pub step: f64,
    /// Median over the seeds.
    pub median: f64,
    /// Lowest seed.
    pub low: f64,
    /// Highest seed.
    pub high: f64,
}

/// One arm over the iterations.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Name of the arm, which fixes its colour.
    pub arm: String,
    /// Its text in the legend.
    pub label: String,
    /// Points with growing step; a single one is drawn as a mark.
    pub points: Vec<BandPoint>,
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

/// Room right of a plot for the last values, and between panels.
const VALUES: f64 = 132.0;
const GAP: f64 = 40.0;
/// Marks along a line, for readers who cannot go by its colour.
const MARKS: usize = 6;

/// Draws the panels side by side on one accuracy axis, with a legend below.
///
/// Fails if there is no panel, curve or point, if a number is no fraction, or if steps do not grow.
pub fn accuracy_curves(title: &str, panels: &[CurvePanel]) -> Result<Image> {
    ensure!(!panels.is_empty(), "accuracy curves {title:?}: no panel to draw");
    panels.iter().try_for_each(check)?;
    let points = || panels.iter().flat_map(|panel| &panel.curves).flat_map(|curve| &curve.points);
    let baselines = panels.iter().filter_map(|panel| panel.baseline.as_ref()).map(|(value, _)| *value);
    let y = percent_axis(points().flat_map(|point| [point.low, point.high]).chain(baselines));
    let arms = arms_of(panels.iter().flat_map(|panel| &panel.curves).map(|curve| curve.arm.as_str()));

    let room = (MARGIN + beside(&y)?, VALUES + GAP, VALUES + MARGIN / 2.0);
    let titles = panels.iter().map(|panel| panel.title.as_str()).collect();
    let mut sheet = Sheet::new(Plan { title, panels: titles, room, legend: entries(panels, &arms) })?;
    for (index, panel) in panels.iter().enumerate() {
        let steps = panel.curves.iter().flat_map(|curve| &curve.points).map(|point| point.step);
        let x = count_axis(steps.fold(0.0, f64::max));
        let frame = Frame { area: sheet.plots[index], x, y: y.clone() };
        frame.draw(&mut sheet.canvas, "training iteration", (index % sheet.columns == 0).then_some(TEST_ACCURACY))?;
        draw_panel(&mut sheet.canvas, panel, &frame, &arms)?;
    }
    Ok(sheet.finish())
}

fn check(panel: &CurvePanel) -> Result<()> {
    let name = &panel.title;
    ensure!(!panel.curves.is_empty(), "accuracy curves, panel {name:?}: no curve to draw");
    for curve in &panel.curves {
        let what = || format!("accuracy curves, panel {name:?}, curve {:?}", curve.label);
        ensure!(!curve.points.is_empty(), "{}: no point to draw", what());
        for point in &curve.points {
            let step = point.step;
            ensure!(step.is_finite() && step >= 0.0, "{}: {step} is no iteration", what());
            for (part, value) in [("median", point.median), ("lowest", point.low), ("highest", point.high)] {
                fraction(value, || format!("{}: {part} accuracy at iteration {step}", what()))?;
            }
            ordered(point.low, point.median, point.high, || format!("{} at iteration {step}", what()))?;
        }
        let grows = curve.points.windows(2).all(|pair| pair[0].step < pair[1].step);
        ensure!(grows, "{}: its iterations do not grow from point to point", what());
    }
    match &panel.baseline {
        Some((value, label)) => fraction(*value, || format!("accuracy curves, panel {name:?}: baseline {label:?}")),
        None => Ok(()),
    }
}

fn entries(panels: &[CurvePanel], arms: &[(Arm, ArmStyle)]) -> Vec<(Sign, String)> {
    let curves = || panels.iter().flat_map(|panel| &panel.curves);
    let mut entries: Vec<(Sign, String)> = Vec::new();
    for (arm, style) in arms {
        let label = curves().find(|curve| curve.arm == arm.name).map_or(&arm.label, |curve| &curve.label);
        entries.push((Sign::Line(*style), label.clone()));
    }
    entries.push((Sign::Band, "lowest to highest seed; line and number: median seed".to_owned()));
    // Panels with the same kind of reference share an entry that lists their values from left to right.
    let mut references: Vec<(&str, Vec<String>)> = Vec::new();
    for (value, label) in panels.iter().filter_map(|panel| panel.baseline.as_ref()) {
        let value = format!("{:.1} %", 100.0 * value);
        match references.iter_mut().find(|(known, _)| known == label) {
            Some((_, values)) if values.contains(&value) => {}
            Some((_, values)) => values.push(value),
            None => references.push((label, vec![value])),
        }
    }
    entries.extend(references.iter().map(|(label, values)| (Sign::Dashes, format!("{label}: {}", values.join(", ")))));
    entries
}

fn draw_panel(canvas: &mut Canvas, panel: &CurvePanel, frame: &Frame, arms: &[(Arm, ArmStyle)]) -> Result<()> {
    let mut styled: Vec<(&Curve, ArmStyle)> = Vec::new();
    for curve in &panel.curves {
        let style = arms.iter().find(|(arm, _)| arm.name == curve.arm).map(|(_, style)| *style);
        styled.push((curve, style.with_context(|| format!("no style for the arm {:?}", curve.arm))?));
    }
    for (curve, style) in &styled {
        draw_band(canvas, curve, *style, frame);
    }
    if let Some((value, _)) = &panel.baseline {
        let (_, y) = frame.at(frame.x.low, 100.0 * value);
        canvas.stroke(&[(frame.area.0, y), (frame.area.2, y)], Stroke::Dashed, 3.0, SOFT_INK);
    }
    // The first arm is drawn last: where lines meet, the one the chart is about stays visible.
    for (curve, style) in styled.iter().rev() {
        let line: Vec<(f64, f64)> =
            curve.points.iter().map(|point| frame.at(point.step, 100.0 * point.median)).collect();
        canvas.path(&line, LINE, style.color);
        let last = line.len() - 1;
        let marks = MARKS.min(line.len());
        for index in 1..=marks {
            mark(canvas, line[last * index / marks], *style);
        }
        if let [only] = curve.points.as_slice() {
            let (top, bottom) = (frame.at(only.step, 100.0 * only.high), frame.at(only.step, 100.0 * only.low));
            whisker(canvas, top, bottom.1, style.color);
        }
    }
    draw_values(canvas, &styled, frame)
}

fn draw_band(canvas: &mut Canvas, curve: &Curve, style: ArmStyle, frame: &Frame) {
    for pair in curve.points.windows(2) {
        let at =
            |point: &BandPoint| (frame.at(point.step, 100.0 * point.high), frame.at(point.step, 100.0 * point.low).1);
        canvas.band(at(&pair[0]), at(&pair[1]), style.color, BAND_ALPHA);
    }
}

/// Writes the last value of every curve beside the plot.
fn draw_values(canvas: &mut Canvas, styled: &[(&Curve, ArmStyle)], frame: &Frame) -> Result<()> {
    let last = |(curve, style): &(&Curve, ArmStyle)| {
        let point = curve.points.last()?;
        let lines = vec![format!("{:.1} %", 100.0 * point.median)];
        Some(EndLabel { y: frame.at(point.step, 100.0 * point.median).1, lines, color: style.color })
    };
    end_labels(canvas, frame, styled.iter().filter_map(last).collect())
}
