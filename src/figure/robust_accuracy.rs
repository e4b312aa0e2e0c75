//! Accuracy against the size of the perturbation, between what is proved and what random noise does.

use anyhow::Result;

use super::Image;
use super::axes::{Scale, size_axis};
use super::legend::Sign;
use super::lines::{Drawing, LinePanel, LineSeries, line, sign};
use super::page::{Page, Plot, Range};
use super::plot::Line;
use super::quantity::Quantity;
use super::theme::{LINE, Stroke};

/// The drawings of such a chart, those that lie above others first, and what the legend says of each.
const DRAWINGS: [(Drawing, &str); 3] = [
    (Drawing::Heavy, "worst case over all attacks, mean of the seeds"),
    (Drawing::Proved, "proved in real arithmetic, of the attacked images"),
    (Drawing::Dotted, "random noise of that size"),
];

/// The smallest size is at least this part of the largest on a linear axis; else the axis is a square root.
const LINEAR: f64 = 1.0 / 16.0;

/// Draws the panels side by side, each from size 0 to its largest size, with a legend below that explains the drawings.
/// Levels are not drawn.
///
/// A panel ends at the first size at which all of its lines are at 0. Where the smallest size would be lost in the
/// corner of a linear axis, the axes of all panels are square roots, and say so.
///
/// Fails if there is no panel, series or point, if a number cannot be shown on its axis, or if sizes fall.
pub fn robust_accuracy(title: &str, panels: &[LinePanel]) -> Result<Image> {
    let shown: Vec<Vec<f64>> = panels.iter().map(shown_sizes).collect();
    let (scale, addition) = match shown.iter().any(|sizes| crowded(sizes)) {
        true => (Scale::SquareRoot, ", square-root scale"),
        false => (Scale::Linear, ""),
    };
    let tinted = tints(panels);
    let plot = |(panel, sizes): (&LinePanel, &Vec<f64>)| {
        let mut series: Vec<&LineSeries> = panel.series.iter().collect();
        series.sort_by_key(|series| DRAWINGS.iter().position(|(drawing, _)| *drawing == series.drawing));
        let mut lines: Vec<Line> = series.into_iter().map(line).collect();
        lines.iter_mut().filter(|_| !tinted).for_each(|line| line.band.clear());
        let x = Quantity::new(panel.x.label.clone() + addition, panel.x.scale);
        let (x, y) = ((x, Range::Known(size_axis(sizes, scale))), (panel.y.clone(), Range::Own));
        Plot { title: panel.title.clone(), x, y, lines, level: None }
    };
    let has = |drawing: Drawing| panels.iter().flat_map(|panel| &panel.series).any(|series| series.drawing == drawing);
    let note = |(drawing, text): (Drawing, &str)| {
        let plain = drawing == Drawing::Proved && !tinted;
        (if plain { Sign::plain(Stroke::Dashed, LINE) } else { sign(drawing) }, text.to_owned())
    };
    let notes = DRAWINGS.into_iter().filter(|(drawing, _)| has(*drawing)).map(note).collect();
    let plots = panels.iter().zip(&shown).map(plot).collect();
    Page { title, plots, notes, aligned: true, square: false }.draw()
}

/// The sizes that a panel shows, growing: up to the first at which every line has reached 0. A certificate is known at
/// any size; where there is anything else, that says which sizes count.
fn shown_sizes(panel: &LinePanel) -> Vec<f64> {
    let points = || panel.series.iter().flat_map(|series| &series.points);
    let made = panel.series.iter().filter(|series| series.drawing != Drawing::Proved).flat_map(|series| &series.points);
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
fn tints(panels: &[LinePanel]) -> bool {
    let proved = |panel: &LinePanel| panel.series.iter().filter(|s| s.drawing == Drawing::Proved).count();
    panels.iter().all(|panel| proved(panel) <= 2)
}

fn crowded(sizes: &[f64]) -> bool {
    let least = sizes.iter().find(|&&size| size > 0.0);
    least.zip(sizes.last()).is_some_and(|(least, most)| *least < LINEAR * most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::AxisScale;

    fn sizes(points: &[(f64, f64)]) -> Vec<f64> {
        let (x, y) = (Quantity::new("Linf", AxisScale::Linear), Quantity::new("accuracy", AxisScale::Whole));
        let series = vec![LineSeries::of("a", "A", Drawing::Heavy, points.to_vec())];
        shown_sizes(&LinePanel { title: "t".to_owned(), x, y, series, level: None })
    }

    #[test]
    fn a_panel_ends_where_nothing_is_left() {
        assert_eq!(sizes(&[(0.0, 0.9), (0.1, 0.2), (0.2, 0.0), (0.3, 0.0)]), [0.0, 0.1, 0.2]);
        assert_eq!(sizes(&[(0.0, 0.9), (0.1, 0.0), (0.2, 0.1), (0.3, 0.1)]), [0.0, 0.1, 0.2, 0.3]);
        assert_eq!(sizes(&[(0.0, 0.0), (0.1, 0.0)]), [0.0, 0.1]);
    }
}
