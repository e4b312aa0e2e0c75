//! Loss and accuracy over the epochs of training: every seed as a thin line, their mean as a thick one.

use anyhow::{Result, ensure};

use super::Image;
use super::legend::Sign;
use super::page::{Page, Plot, Range};
use super::plot::Line;
use super::quantity::{AxisScale, Quantity};
use super::theme::{Stroke, THICK, THIN};

/// One arm over the epochs.
#[derive(Debug, Clone, PartialEq)]
pub struct Course {
    /// Name of the arm, which fixes its colour.
    pub arm: String,
    /// Its text in the legend.
    pub label: String,
    /// Epoch and value, for each seed; all seeds have the same epochs, which grow.
    pub seeds: Vec<Vec<(f64, f64)>>,
}

/// Arms under the same measure.
#[derive(Debug, Clone, PartialEq)]
pub struct CoursePanel {
    /// What was measured on which part of the data.
    pub title: String,
    /// The vertical axis, such as a loss or an accuracy. Panels with equal ones share the range.
    pub y: Quantity,
    /// The arms, each once.
    pub courses: Vec<Course>,
}

/// How much of its colour a thin line keeps.
const FAINT: f64 = 0.45;

/// Draws the panels in rows, with a legend below.
///
/// Fails if there is no panel, arm, seed or epoch, if seeds differ in their epochs, if epochs do not grow, or if a value
/// cannot be shown on its axis.
pub fn learning_curves(title: &str, panels: &[CoursePanel]) -> Result<Image> {
    let plot = |panel: &CoursePanel| {
        let (mut lines, mut thin) = (Vec::new(), Vec::new());
        for course in &panel.courses {
            lines.push(mean(course, &panel.y)?);
            let seeds = course.seeds.iter().map(|seed| Line::of(&course.arm, &course.label, seed.clone()));
            thin.extend(seeds.map(|line| Line { width: THIN, tone: FAINT, ..line }));
        }
        lines.extend(thin);
        let x = (Quantity::new("epoch", AxisScale::Count), Range::Own);
        Ok(Plot { title: panel.title.clone(), x, y: (panel.y.clone(), Range::Shared), lines, level: None })
    };
    let plots = panels.iter().map(plot).collect::<Result<Vec<Plot>>>()?;
    let mean = (Sign::plain(Stroke::Solid, THICK), "mean of the seeds; number: its last value".into());
    let notes = vec![(Sign::plain(Stroke::Solid, THIN), "one seed".into()), mean];
    Page { title, plots, notes, aligned: true, square: false }.draw()
}

/// The mean over the seeds at every epoch, and its last value.
fn mean(course: &Course, y: &Quantity) -> Result<Line> {
    let first = course.seeds.first().map(Vec::as_slice).unwrap_or_default();
    let same = |seed: &Vec<(f64, f64)>| seed.iter().map(|point| point.0).eq(first.iter().map(|point| point.0));
    ensure!(course.seeds.iter().all(same), "{:?}: its seeds differ in their epochs", course.label);
    let at = |place: usize| course.seeds.iter().map(|seed| seed[place].1).sum::<f64>() / course.seeds.len() as f64;
    let points: Vec<(f64, f64)> = first.iter().enumerate().map(|(place, point)| (point.0, at(place))).collect();
    let marks: Vec<(f64, f64)> = points.last().copied().into_iter().collect();
    let ending = marks.iter().map(|point| y.short(point.1)).collect();
    Ok(Line { width: THICK, marks, ending, ..Line::of(&course.arm, &course.label, points) })
}
