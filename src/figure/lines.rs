//! Lines and clouds of points on linear, logarithmic and percent axes: the general chart for one quantity against another.

use anyhow::{Context, Result, ensure};

use super::axes::{Axis, Frame, beside, count_axis, length_axis, log_axis, percent_axis, power_axis};
use super::canvas::Canvas;
use super::labels::{EndLabel, end_labels};
use super::legend::Sign;
use super::marks::mark;
use super::sheet::{MARGIN, Plan, Sheet};
use super::text::text_width;
use super::theme::{ArmStyle, BAND_ALPHA, DIRECT, LINE, SOFT_INK, Stroke};
use super::{Image, labelled_arms};

/// What an axis shows, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantity {
    /// Its label.
    pub label: String,
    /// Its scale.
    pub scale: AxisScale,
}

impl Quantity {
    /// A quantity on a scale.
    pub fn new(label: impl Into<String>, scale: AxisScale) -> Self {
        Self { label: label.into(), scale }
    }
}

/// The scale of an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AxisScale {
    /// From 0 on.
    Linear,
    /// Of counts, from 0 on.
    Count,
    /// Equal ratios are equally far apart; values are above 0.
    Log,
    /// Fractions, as percent.
    Percent,
}

/// How the points of a series are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drawing {
    /// A line with a mark at each point.
    Marked,
    /// A line alone, for many points.
    Line,
    /// A dashed line alone.
    Dashed,
    /// A dotted line alone.
    Dotted,
    /// Small dots, not joined.
    Dots,
}

/// Points of one arm.
#[derive(Debug, Clone, PartialEq)]
pub struct LineSeries {
    /// Name of the arm, which fixes its colour.
    pub arm: String,
    /// Its text in the legend.
    pub label: String,
    /// How it is drawn.
    pub drawing: Drawing,
    /// Points; x grows, but of dots.
    pub points: Vec<(f64, f64)>,
    /// Lowest and highest value at each x, as a band; empty for none.
    pub band: Vec<(f64, f64, f64)>,
    /// What stands where the line ends.
    pub ending: Option<String>,
}

/// A plot.
#[derive(Debug, Clone, PartialEq)]
pub struct LinePanel {
    /// What it shows.
    pub title: String,
    /// The horizontal axis.
    pub x: Quantity,
    /// The vertical axis. Panels with equal ones share the range.
    pub y: Quantity,
    /// The series; those before others are drawn over them.
    pub series: Vec<LineSeries>,
    /// A value with a thin line across, and its name.
    pub level: Option<(f64, String)>,
}

/// Room between a plot and its neighbour.
const GAP: f64 = 44.0;
/// Diameter of a dot.
const DOT: f64 = 11.0;
/// Marks on a line.
const MARKS: usize = 12;

/// Draws the panels in rows, with a legend below: the arms, then `notes` for the drawings that need one.
///
/// Fails if there is no panel, series or point, if a number cannot be shown on its axis, or if x does not grow.
pub fn line_panels(title: &str, panels: &[LinePanel], notes: &[(Drawing, &str)]) -> Result<Image> {
    ensure!(!panels.is_empty(), "lines {title:?}: no panel to draw");
    panels.iter().try_for_each(check)?;
    let series = panels.iter().flat_map(|panel| &panel.series);
    let arms = labelled_arms(series.clone().map(|series| (series.arm.as_str(), series.label.as_str())));
    let axes: Vec<Axis> = panels.iter().map(|panel| y_axis(panels, &panel.y)).collect();

    let beside = axes.iter().try_fold(0.0, |widest: f64, axis| anyhow::Ok(widest.max(beside(axis)?)))?;
    let ending = series
        .filter_map(|series| series.ending.as_ref())
        .try_fold(0.0, |widest: f64, text| anyhow::Ok(widest.max(text_width(text, DIRECT.size)?)))?;
    let ending = if ending > 0.0 { ending + 22.0 } else { 0.0 };
    let room = (MARGIN + beside, ending + GAP + beside, ending + MARGIN);
    let titles = panels.iter().map(|panel| panel.title.as_str()).collect();
    let mut sheet = Sheet::new(Plan { title, panels: titles, room, legend: legend(panels, &arms, notes) })?;
    for ((panel, y), index) in panels.iter().zip(axes).zip(0..) {
        let frame = Frame { area: sheet.plots[index], x: x_axis(panel), y };
        frame.draw(&mut sheet.canvas, &panel.x.label, Some(&panel.y.label))?;
        let style = |name: &str| arms.iter().find(|(arm, _)| arm.name == name).map(|(_, style)| *style);
        draw_panel(&mut sheet.canvas, panel, &frame, style)?;
    }
    Ok(sheet.finish())
}

fn check(panel: &LinePanel) -> Result<()> {
    let name = &panel.title;
    ensure!(!panel.series.is_empty(), "lines, panel {name:?}: nothing to draw");
    for series in &panel.series {
        let what = format!("lines, panel {name:?}, {:?}", series.label);
        ensure!(!series.points.is_empty(), "{what}: no point to draw");
        let band = series.band.iter().flat_map(|&(x, low, high)| [(x, low), (x, high)]);
        for (x, y) in series.points.iter().copied().chain(band) {
            for (value, quantity) in [(x, &panel.x), (y, &panel.y)] {
                let fits = match quantity.scale {
                    AxisScale::Log => value > 0.0,
                    AxisScale::Linear | AxisScale::Count => value >= 0.0,
                    AxisScale::Percent => (-1e-9..=1.0 + 1e-9).contains(&value),
                };
                ensure!(fits && value.is_finite(), "{what}: {value} cannot be shown as {:?}", quantity.label);
            }
        }
        let grows = series.drawing == Drawing::Dots || series.points.windows(2).all(|pair| pair[0].0 <= pair[1].0);
        ensure!(grows, "{what}: its points do not go on to the right");
    }
    Ok(())
}

/// The value as its axis counts it.
fn shown(quantity: &Quantity, value: f64) -> f64 {
    if quantity.scale == AxisScale::Percent { 100.0 * value } else { value }
}

fn axis(scale: AxisScale, values: &[f64]) -> Axis {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(0.0, f64::max);
    match scale {
        AxisScale::Linear => length_axis(1.04 * high),
        AxisScale::Count => count_axis(high),
        AxisScale::Log if low < 1e-3 || high / low > 1e7 => power_axis(low, high),
        AxisScale::Log => log_axis(low, high),
        AxisScale::Percent => percent_axis(values.iter().copied()),
    }
}

fn x_axis(panel: &LinePanel) -> Axis {
    let values: Vec<f64> = panel.series.iter().flat_map(|series| &series.points).map(|point| point.0).collect();
    axis(panel.x.scale, &values)
}

/// The axis of all panels that show the same quantity.
fn y_axis(panels: &[LinePanel], quantity: &Quantity) -> Axis {
    let same = || panels.iter().filter(|panel| panel.y == *quantity);
    let series = || same().flat_map(|panel| &panel.series);
    let mut values: Vec<f64> = series().flat_map(|series| &series.points).map(|point| point.1).collect();
    values.extend(series().flat_map(|series| &series.band).flat_map(|&(_, low, high)| [low, high]));
    values.extend(same().filter_map(|panel| panel.level.as_ref()).map(|(value, _)| *value));
    axis(quantity.scale, &values)
}

fn legend(panels: &[LinePanel], arms: &[(super::Arm, ArmStyle)], notes: &[(Drawing, &str)]) -> Vec<(Sign, String)> {
    let marked = |name: &str| {
        let of = panels.iter().flat_map(|panel| &panel.series).filter(|series| series.arm == name);
        of.into_iter().any(|series| matches!(series.drawing, Drawing::Marked | Drawing::Line))
    };
    let arm = |(arm, style): &(super::Arm, ArmStyle)| {
        (if marked(&arm.name) { Sign::Line(*style) } else { Sign::Filled(*style) }, arm.label.clone())
    };
    let mut entries: Vec<(Sign, String)> = arms.iter().map(arm).collect();
    if panels.iter().flat_map(|panel| &panel.series).any(|series| !series.band.is_empty()) {
        entries.push((Sign::Band, "lowest to highest".into()));
    }
    for (drawing, text) in notes {
        let sign = match drawing {
            Drawing::Marked | Drawing::Line => Sign::Plain(Stroke::Solid, LINE),
            Drawing::Dashed => Sign::Plain(Stroke::Dashed, LINE),
            Drawing::Dotted => Sign::Plain(Stroke::Dotted, LINE),
            Drawing::Dots => Sign::Text,
        };
        entries.push((sign, (*text).to_string()));
    }
    let mut levels: Vec<&str> = Vec::new();
    for (_, name) in panels.iter().filter_map(|panel| panel.level.as_ref()) {
        if !name.is_empty() && !levels.contains(&name.as_str()) {
            levels.push(name);
            entries.push((Sign::Plain(Stroke::Solid, 2.0), name.clone()));
        }
    }
    entries
}

fn draw_panel(
    canvas: &mut Canvas,
    panel: &LinePanel,
    frame: &Frame,
    style: impl Fn(&str) -> Option<ArmStyle>,
) -> Result<()> {
    let at = |x: f64, y: f64| frame.at(shown(&panel.x, x), shown(&panel.y, y));
    let mut styled = Vec::new();
    for series in &panel.series {
        let style = style(&series.arm).with_context(|| format!("no style for the arm {:?}", series.arm))?;
        styled.push((series, style));
    }
    for (series, style) in &styled {
        for pair in series.band.windows(2) {
            let ends = |&(x, low, high): &(f64, f64, f64)| (at(x, high), at(x, low).1);
            canvas.band(ends(&pair[0]), ends(&pair[1]), style.color, BAND_ALPHA);
        }
    }
    if let Some((value, _)) = &panel.level {
        let (_, y) = at(panel.series[0].points[0].0, *value);
        canvas.line((frame.area.0, y), (frame.area.2, y), 2.0, SOFT_INK, 1.0);
    }
    let mut labels = Vec::new();
    for (series, style) in styled.iter().rev() {
        let points: Vec<(f64, f64)> = series.points.iter().map(|&(x, y)| at(x, y)).collect();
        match series.drawing {
            Drawing::Marked => {
                canvas.path(&points, LINE, style.color);
                for &point in &points {
                    mark(canvas, point, *style);
                }
            }
            Drawing::Line => {
                canvas.path(&points, LINE, style.color);
                let last = points.len() - 1;
                for index in 0..MARKS.min(points.len()) {
                    mark(canvas, points[last * index / MARKS.min(points.len()).max(2).saturating_sub(1)], *style);
                }
            }
            Drawing::Dashed => canvas.stroke(&points, Stroke::Dashed, LINE, style.color),
            Drawing::Dotted => canvas.stroke(&points, Stroke::Dotted, LINE, style.color),
            Drawing::Dots => points.iter().for_each(|&point| canvas.line(point, point, DOT, style.color, 0.6)),
        }
        if let (Some(text), Some(point)) = (&series.ending, points.last()) {
            labels.push(EndLabel { y: point.1, lines: vec![text.clone()], color: style.color });
        }
    }
    end_labels(canvas, frame, labels)
}
