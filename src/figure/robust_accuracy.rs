//! Accuracy against the size of the perturbation, between what is proved and what random noise does.

use anyhow::Result;

use super::axes::{Scale, size_axis};
use super::legend::Sign;
use super::marks::Mark;
use super::page::{Page, Plot, Range};
use super::plot::Line;
use super::quantity::{AxisScale, Quantity};
use super::theme::{AREA_ALPHA, LINE, SMALL_MARK, Stroke, THICK};
use super::{ACCURACY, Image};

/// What a line shows, which decides how it is drawn and what it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Random perturbations of that size: dotted.
    Noise,
    /// The part of the images that is proved to be right everywhere in the ball: dashed, with a tint below it if no
    /// panel has more than two.
    Certificate,
    /// The images that no attack has changed the answer for: a thick line. A band of seeds would be hidden by it where it
    /// falls.
    WorstCase,
}

/// One line of a panel.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Name of the arm, which fixes the colour.
    pub arm: String,
    /// Its text in the legend. The chart itself explains the roles.
    pub label: String,
    /// What the line shows.
    pub role: Role,
    /// Mean accuracies at growing radii of the ball around every image, in the norm of the panel.
    pub points: Vec<(f64, f64)>,
}

/// Lines over the sizes of one ball.
#[derive(Debug, Clone, PartialEq)]
pub struct RobustnessPanel {
    /// What the lines have in common.
    pub title: String,
    /// Label of the horizontal axis, such as `size of the perturbation (Linf)`.
    pub norm_label: String,
    /// The lines, one for each arm and role.
    pub series: Vec<Series>,
}

/// The smallest size is at least this part of the largest on a linear axis; else the axis is a square root.
const LINEAR: f64 = 1.0 / 16.0;
/// Most points of a certificate that are marked: it is known at every size, and marks on each would hide the line.
const MOST_MARKS: usize = 12;
/// Draws the panels side by side, each from size 0 to its largest size and from 0 to 100 %, with a legend below.
///
/// A panel ends at the first size at which all of its lines are at 0. Where the smallest size would be lost in the
/// corner of a linear axis, the axes of all panels are square roots, and say so.
///
/// Fails if there is no panel, series or point, if an accuracy is no fraction, or if sizes are negative or do not grow.
pub fn robust_accuracy(title: &str, panels: &[RobustnessPanel]) -> Result<Image> {
    let shown: Vec<Vec<f64>> = panels.iter().map(shown_sizes).collect();
    let (scale, note) = match shown.iter().any(|sizes| crowded(sizes)) {
        true => (Scale::SquareRoot, ", square-root scale"),
        false => (Scale::Linear, ""),
    };
    let plot = |(panel, sizes): (&RobustnessPanel, &Vec<f64>)| Plot {
        title: panel.title.clone(),
        x: (Quantity::new(panel.norm_label.clone() + note, AxisScale::Linear), Range::Known(size_axis(sizes, scale))),
        y: (Quantity::new(ACCURACY, AxisScale::Whole), Range::Own),
        lines: lines(&panel.series, tints(panels)),
        level: None,
    };
    let plots = panels.iter().zip(&shown).map(plot).collect();
    Page { title, plots, notes: roles(panels), aligned: true, square: false }.draw()
}

/// The lines of a panel, whatever the order of its roles: worst cases above certificates and noise.
fn lines(series: &[Series], tinted: bool) -> Vec<Line> {
    let mut sorted: Vec<&Series> = series.iter().collect();
    sorted.sort_by_key(|series| std::cmp::Reverse(series.role));
    sorted.into_iter().map(|series| line(series, tinted)).collect()
}

fn line(series: &Series, tinted: bool) -> Line {
    let points = series.points.clone();
    let line = Line::of(&series.arm, &series.label, points.clone());
    match series.role {
        Role::Noise => Line { stroke: Some(Stroke::Dotted), ..line },
        Role::Certificate => Line {
            stroke: Some(Stroke::Dashed),
            open: true,
            mark: Mark::Solid(SMALL_MARK),
            marks: if points.len() <= MOST_MARKS { points.clone() } else { Vec::new() },
            // A single point has no area below it.
            band: points.iter().filter(|_| tinted && points.len() > 1).map(|&(eps, mean)| (eps, 0.0, mean)).collect(),
            alpha: AREA_ALPHA,
            ..line
        },
        Role::WorstCase => Line { width: THICK, marks: points, ..line },
    }
}

/// The sizes that a panel shows, growing: up to the first at which every line has reached 0. A certificate is known at
/// any size; where there is anything else, that says which sizes count.
fn shown_sizes(panel: &RobustnessPanel) -> Vec<f64> {
    let points = || panel.series.iter().flat_map(|series| &series.points);
    let made = panel.series.iter().filter(|series| series.role != Role::Certificate).flat_map(|series| &series.points);
    let mut sizes: Vec<f64> = made.map(|point| point.0).collect();
    if sizes.is_empty() {
        sizes = points().map(|point| point.0).collect();
    }
    sizes.sort_by(f64::total_cmp);
    sizes.dedup();
    let last = points().filter(|point| point.1 > 0.0).map(|point| point.0).fold(f64::NEG_INFINITY, f64::max);
    if let Some(end) = sizes.iter().position(|&size| size > last && size > 0.0)
        && last >= 0.0
    {
        sizes.truncate(end + 1);
    }
    sizes
}

/// Whether the areas below the certificates are tinted: nobody could tell apart more than two on top of each other.
fn tints(panels: &[RobustnessPanel]) -> bool {
    let proved = |panel: &RobustnessPanel| panel.series.iter().filter(|s| s.role == Role::Certificate).count();
    panels.iter().all(|panel| proved(panel) <= 2)
}

fn crowded(sizes: &[f64]) -> bool {
    let least = sizes.iter().find(|&&size| size > 0.0);
    least.zip(sizes.last()).is_some_and(|(least, most)| *least < LINEAR * most)
}

/// What the legend says of the roles that there are.
fn roles(panels: &[RobustnessPanel]) -> Vec<(Sign, String)> {
    let of = |role| panels.iter().flat_map(|panel| &panel.series).filter(move |series| series.role == role);
    let under = Line {
        stroke: Some(Stroke::Dashed),
        points: vec![(0.0, 0.7), (1.0, 0.7)],
        band: vec![(0.0, 0.05, 0.7), (1.0, 0.05, 0.7)],
        alpha: 2.0 * AREA_ALPHA,
        ..Line::default()
    };
    let proved = if tints(panels) { Sign::sample(under) } else { Sign::plain(Stroke::Dashed, LINE) };
    let roles = [
        (Role::Noise, (Sign::plain(Stroke::Dotted, LINE), "random noise of that size")),
        (Role::WorstCase, (Sign::plain(Stroke::Solid, THICK), "worst case over all attacks, mean of the seeds")),
        (Role::Certificate, (proved, "proved in real arithmetic, of the attacked images")),
    ];
    let roles = roles.into_iter().filter(|(role, _)| of(*role).next().is_some());
    roles.map(|(_, (sign, text))| (sign, text.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(points: &[(f64, f64)]) -> Vec<f64> {
        let (arm, label) = ("a".to_owned(), "A".to_owned());
        let series = Series { arm, label, role: Role::WorstCase, points: points.to_vec() };
        let panel = RobustnessPanel { title: "t".to_owned(), norm_label: "Linf".to_owned(), series: vec![series] };
        shown_sizes(&panel)
    }

    #[test]
    fn a_panel_ends_where_nothing_is_left() {
        assert_eq!(sizes(&[(0.0, 0.9), (0.1, 0.2), (0.2, 0.0), (0.3, 0.0)]), [0.0, 0.1, 0.2]);
        assert_eq!(sizes(&[(0.0, 0.9), (0.1, 0.0), (0.2, 0.1), (0.3, 0.1)]), [0.0, 0.1, 0.2, 0.3]);
        assert_eq!(sizes(&[(0.0, 0.0), (0.1, 0.0)]), [0.0, 0.1]);
    }
}
