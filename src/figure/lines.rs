//! Lines and clouds of points: the general charts of one quantity against another.

use anyhow::Result;

use super::Image;
use super::legend::Sign;
use super::marks::Mark;
use super::page::{Page, Plot, Range};
use super::plot::{Line, some};
use super::quantity::{AxisScale, Quantity};
use super::theme::{AREA_ALPHA, BAND_ALPHA, LINE, SMALL_MARK, Stroke, THICK, THIN};

/// How the points of a series are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drawing {
    /// A line with a mark at each point.
    Marked,
    /// A line with a few marks, for many points; of several that may lie on each other, those below are wider.
    Line,
    /// A line with a few marks, as wide as any other.
    Few,
    /// A thick line with a mark where it ends.
    Thick,
    /// A thick line with a mark at each point; where it falls it would hide a band.
    Heavy,
    /// A thin, pale line.
    Thin,
    /// A dotted line alone.
    Dotted,
    /// A dashed line with a tint from it down to 0: what is proved.
    Proved,
    /// Small marks, not joined.
    Dots,
    /// Marks, not joined; a single one has its band as a whisker, and is small so that it does not hide it.
    Spots,
    /// As spots, but rings: what others state.
    Rings,
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
    /// What stands where the line ends, in lines.
    pub ending: Vec<String>,
    /// What stands beside the first mark; empty for nothing.
    pub note: String,
}

impl LineSeries {
    /// A series without band, ending and note.
    pub fn of(arm: &str, label: &str, drawing: Drawing, points: Vec<(f64, f64)>) -> Self {
        let (arm, label) = (arm.to_owned(), label.to_owned());
        Self { arm, label, drawing, points, band: Vec::new(), ending: Vec::new(), note: String::new() }
    }
}

/// A plot.
#[derive(Debug, Clone, PartialEq)]
pub struct LinePanel {
    /// What it shows.
    pub title: String,
    /// The horizontal axis. Panels with equal ones of powers share the range.
    pub x: Quantity,
    /// The vertical axis. Panels with equal ones share the range.
    pub y: Quantity,
    /// The series; those before others are drawn over them.
    pub series: Vec<LineSeries>,
    /// A value with a thin line across, and its name.
    pub level: Option<(f64, String)>,
}

impl LinePanel {
    /// A panel of the series that have a point, without a level; none without any.
    pub fn of(title: impl Into<String>, x: Quantity, y: Quantity, mut series: Vec<LineSeries>) -> Option<Self> {
        series.retain(|series| !series.points.is_empty());
        (!series.is_empty()).then(|| Self { title: title.into(), x, y, series, level: None })
    }

    /// The same with a line across at a value; an empty name is not explained.
    pub fn with_level(self, value: f64, name: impl Into<String>) -> Self {
        Self { level: Some((value, name.into())), ..self }
    }
}

/// Most marks on a line of many points.
const MARKS: usize = 8;
/// By how much a line is wider than the one above it.
const WIDER: f64 = 3.0;
/// How much of its colour a thin line keeps.
const FAINT: f64 = 0.45;
/// Width of the line of a level.
const LEVEL: f64 = 2.0;

/// Draws the panels in rows, with a legend below: the arms, then `notes` for the drawings that need one. Where the panels of a
/// row have the same axis upwards and no powers on it, the first has the numbers for all.
///
/// Fails if there is no panel, series or point, if a number cannot be shown on its axis, or if x does not grow.
pub fn line_panels(title: &str, panels: &[LinePanel], notes: &[(Drawing, &str)]) -> Result<Image> {
    let mut notes = legend(panels.iter().flat_map(|panel| &panel.series), notes);
    let mut levels: Vec<&str> = Vec::new();
    for (_, name) in panels.iter().filter_map(|panel| panel.level.as_ref()).filter(|(_, name)| !name.is_empty()) {
        if !levels.contains(&name.as_str()) {
            levels.push(name);
            notes.push((Sign::plain(Stroke::Solid, LEVEL), name.clone()));
        }
    }
    let plot = |panel: &LinePanel| Plot {
        title: panel.title.clone(),
        x: (panel.x.clone(), if panel.x.scale == AxisScale::Log { Range::Shared } else { Range::Own }),
        y: (panel.y.clone(), Range::Shared),
        lines: apart(&panel.series),
        level: panel.level.as_ref().map(|(value, _)| (*value, Stroke::Solid, LEVEL)),
    };
    let aligned = panels.iter().all(|panel| ![AxisScale::Log, AxisScale::Exponent].contains(&panel.y.scale));
    Page { title, plots: panels.iter().map(plot).collect(), notes, aligned, square: false }.draw()
}

/// Draws values, upwards, against what they should be: square panels in rows, in which both axes have the same range, on the
/// scale of `x`, and a line where both are equal. Levels are not drawn.
///
/// Fails as [`line_panels`] does.
pub fn scatter_panels(title: &str, panels: &[LinePanel]) -> Result<Image> {
    let mut notes = legend(panels.iter().flat_map(|panel| &panel.series), &[]);
    notes.push((Sign::plain(Stroke::Dashed, LEVEL), "both are equal".to_owned()));
    let plot = |panel: &LinePanel| {
        let mut lines: Vec<Line> = panel.series.iter().map(line).collect();
        let mut values: Vec<f64> = lines.iter().flat_map(Line::values).flat_map(|(x, y)| [x, y]).collect();
        values.sort_by(f64::total_cmp);
        let axis = Range::Known(panel.x.axis(&values));
        if let [low, .., high] = values[..] {
            let points = vec![(low, low), (high, high)];
            lines.push(Line { stroke: Some(Stroke::Dashed), width: LEVEL, points, ..Line::default() });
        }
        let (x, y) = ((panel.x.clone(), axis.clone()), (panel.y.clone(), axis));
        Plot { title: panel.title.clone(), x, y, lines, level: None }
    };
    Page { title, plots: panels.iter().map(plot).collect(), notes, aligned: false, square: true }.draw()
}

/// Lines of many points that may lie on each other: those below are wider, and each has its marks at other places.
fn apart(series: &[LineSeries]) -> Vec<Line> {
    let mut lines: Vec<Line> = series.iter().map(line).collect();
    let many = |series: &LineSeries| series.drawing == Drawing::Line && series.points.len() > MARKS;
    let count = series.iter().filter(|series| many(series)).count();
    let of_many = lines.iter_mut().zip(series).filter(|(_, series)| many(series));
    for (place, (line, _)) in of_many.enumerate() {
        let (shift, last) = (place as f64 / count as f64, line.points.len() - 1);
        let at = |mark: usize| ((mark as f64 + shift) / MARKS as f64 * last as f64).round() as usize;
        line.width += WIDER * place as f64;
        line.marks = (0..MARKS).map(|mark| line.points[at(mark).min(last)]).collect();
    }
    lines
}

/// A series as it is drawn.
pub(super) fn line(series: &LineSeries) -> Line {
    let first = series.points.first().filter(|_| !series.note.is_empty());
    let line = Line {
        band: series.band.clone(),
        ending: series.ending.clone(),
        notes: first.map(|at| (series.note.clone(), *at)).into_iter().collect(),
        ..Line::of(&series.arm, &series.label, series.points.clone())
    };
    let points = series.points.clone();
    match series.drawing {
        Drawing::Marked => Line { marks: points, ..line },
        Drawing::Line | Drawing::Few => Line { marks: some(&points, MARKS), ..line },
        Drawing::Thick => Line { width: THICK, marks: points.last().copied().into_iter().collect(), ..line },
        Drawing::Heavy => Line { width: THICK, marks: points, ..line },
        Drawing::Thin => Line { width: THIN, tone: FAINT, ..line },
        Drawing::Dotted => Line { stroke: Some(Stroke::Dotted), ..line },
        Drawing::Proved => {
            // A single point has no area below it.
            let band = points.iter().filter(|_| points.len() > 1).map(|&(x, y)| (x, 0.0, y)).collect();
            Line { stroke: Some(Stroke::Dashed), band, alpha: AREA_ALPHA, ..line }
        }
        Drawing::Dots => Line { mark: Mark::Dot, ..loose(line) },
        Drawing::Spots => Line { mark: Mark::Solid(SMALL_MARK), ..loose(line) },
        Drawing::Rings => Line { mark: Mark::Ring, ..loose(line) },
    }
}

/// Marks at the points, which are not joined.
fn loose(line: Line) -> Line {
    Line { width: 0.0, marks: line.points, points: Vec::new(), ..line }
}

/// What the legend says after the arms.
fn legend<'a>(mut series: impl Iterator<Item = &'a LineSeries>, notes: &[(Drawing, &str)]) -> Vec<(Sign, String)> {
    let bands = series.any(|series| !series.band.is_empty() && series.drawing != Drawing::Spots);
    let bands = bands.then(|| (Sign::band(1.5 * BAND_ALPHA), "lowest to highest".to_owned()));
    let notes = notes.iter().map(|(drawing, text)| (sign(*drawing), (*text).to_owned()));
    bands.into_iter().chain(notes).collect()
}

/// What the legend shows of a drawing.
pub(super) fn sign(drawing: Drawing) -> Sign {
    match drawing {
        Drawing::Marked | Drawing::Line | Drawing::Few => Sign::plain(Stroke::Solid, LINE),
        Drawing::Thick | Drawing::Heavy => Sign::plain(Stroke::Solid, THICK),
        Drawing::Thin => Sign::plain(Stroke::Solid, THIN),
        Drawing::Dotted => Sign::plain(Stroke::Dotted, LINE),
        Drawing::Proved => Sign::sample(Line {
            stroke: Some(Stroke::Dashed),
            points: vec![(0.0, 0.7), (1.0, 0.7)],
            band: vec![(0.0, 0.05, 0.7), (1.0, 0.05, 0.7)],
            alpha: 2.0 * AREA_ALPHA,
            ..Line::default()
        }),
        Drawing::Dots => Sign::Text,
        Drawing::Spots => Sign::mark(Mark::Solid(SMALL_MARK), true),
        Drawing::Rings => Sign::mark(Mark::Ring, false),
    }
}
