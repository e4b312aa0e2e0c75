//! Differences between two networks, a row for each: every seed, their mean and its interval, beside 0.

use anyhow::{Result, ensure};

use super::Image;
use super::axes::{Axis, Scale, close_axis};
use super::canvas::{Align, Canvas};
use super::frame::Frame;
use super::glyphs::text_width;
use super::grid::{Grid, Layout};
use super::legend::Sign;
use super::marks::Mark;
use super::plot::Line;
use super::text::Block;
use super::theme::{AXIS, ArmStyle, DIRECT, INK, LINE, MARK, NO_ARM};

/// Height of a row, and width of the plot.
const ROW: f64 = 62.0;
const WIDE: f64 = 1100.0;
/// Most room for the names of rows.
const NAMES: f64 = 760.0;
const GAP: f64 = 22.0;
/// Room below the plot for its axis.
const BELOW: f64 = 136.0;
/// More rows than this are a table.
const MOST: usize = 60;

/// One difference.
#[derive(Debug, Clone, PartialEq)]
pub struct DifferenceRow {
    /// What differs.
    pub label: String,
    /// The difference of every seed, at least one.
    pub seeds: Vec<f64>,
    pub mean: f64,
    /// Of the mean; none of a single seed.
    pub interval: Option<(f64, f64)>,
}

/// Draws the rows below one another on one axis, which `label` names.
///
/// Fails without a row, with too many, or if a row has no seed or a value that is no number.
pub fn paired_differences(title: &str, label: &str, rows: &[DifferenceRow]) -> Result<Image> {
    ensure!(!rows.is_empty(), "{title:?}: no difference to draw");
    ensure!(rows.len() <= MOST, "{title:?}: {} differences are too many for a chart; see the table", rows.len());
    let ends = |row: &DifferenceRow| row.interval.map_or([row.mean; 2], |(low, high)| [low, high]);
    let values = || rows.iter().flat_map(|row| row.seeds.iter().copied().chain(ends(row))).chain([0.0]);
    ensure!(values().all(f64::is_finite), "{title:?}: a difference is not a number");
    ensure!(rows.iter().all(|row| !row.seeds.is_empty()), "{title:?}: a difference has no seed");
    let counts: Vec<String> = rows.iter().map(|row| format!("n = {}", row.seeds.len())).collect();
    let names = rows.iter().try_fold(0.0, |most, row| widest(most, &row.label))?.min(NAMES);
    let tall = rows.len() as f64 * ROW;
    let mut grid = Grid::new(Layout {
        title,
        size: (WIDE, tall),
        before: vec![names + GAP],
        after: counts.iter().try_fold(0.0, |most, count| widest(most, count))? + GAP,
        above: vec![0.0],
        below: BELOW,
        legend: legend(),
    })?;
    let ((left, top), canvas) = (grid.at(0, 0), &mut grid.canvas);
    let (right, bottom) = (left + WIDE, top + tall);
    let y = Axis { low: 0.0, high: 1.0, ticks: Vec::new(), scale: Scale::Linear };
    let frame = Frame { area: (left, top, right, bottom), x: close_axis(values(), 1e-9), y };
    frame.draw(canvas, label, None)?;
    let across = |value: f64| frame.at(value, 0.0).0;
    canvas.line((across(0.0), top), (across(0.0), bottom), 3.0, AXIS, 1.0);
    for (place, (row, count)) in rows.iter().zip(&counts).enumerate() {
        let y = top + (place as f64 + 0.5) * ROW;
        let name = Block::fit(&row.label, names, 1, DIRECT)?;
        name.draw_around(canvas, (left - GAP, y), Align::Right)?;
        canvas.text(count, (right + GAP, y), Align::Left, DIRECT)?;
        draw(canvas, row, y, across);
    }
    Ok(grid.canvas.finish())
}

fn widest(most: f64, text: &str) -> Result<f64> {
    Ok(most.max(text_width(text, DIRECT.size)?))
}

/// The interval, the seeds a little below it, so that they stay countable, and the mean above both.
fn draw(canvas: &mut Canvas, row: &DifferenceRow, y: f64, across: impl Fn(f64) -> f64) {
    if let Some((low, high)) = row.interval {
        canvas.line((across(low), y), (across(high), y), LINE, INK, 1.0);
        for end in [low, high] {
            canvas.line((across(end), y - 9.0), (across(end), y + 9.0), LINE, INK, 1.0);
        }
    }
    row.seeds.iter().for_each(|seed| Mark::Dot.draw(canvas, (across(*seed), y + ROW / 4.0), NO_ARM));
    Mark::Solid(MARK).draw(canvas, (across(row.mean), y), ArmStyle { color: INK, ..NO_ARM });
}

fn legend() -> Vec<(Sign, String)> {
    let mean = Line { marks: vec![(0.0, 0.0)], ..Line::default() };
    let mean = Sign::of(&mean, ArmStyle { color: INK, ..NO_ARM });
    vec![
        (mean, "mean over seeds, 95 % interval (Student's t)".to_owned()),
        (Sign::mark(Mark::Dot, false), "one seed".to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(seeds: &[f64], mean: f64) -> DifferenceRow {
        let interval = (seeds.len() > 1).then_some((mean - 0.5, mean + 0.5));
        DifferenceRow { label: "robust accuracy".into(), seeds: seeds.to_vec(), mean, interval }
    }

    #[test]
    fn a_chart_grows_with_its_rows_and_refuses_what_it_cannot_show() -> Result<()> {
        let rows = [row(&[1.0, 2.0], 1.5), row(&[-0.25], -0.25)];
        let [one, two] = [1, 2].map(|count| paired_differences("A minus B", "points", &rows[..count]));
        let (one, two) = (one?, two?);
        assert_eq!((one.width, one.height + ROW as usize), (two.width, two.height));
        for wrong in [vec![], vec![row(&[], 1.0)], vec![row(&[f64::NAN], 0.0)], vec![row(&[1.0], 1.0); MOST + 1]] {
            assert!(paired_differences("A minus B", "points", &wrong).is_err(), "{} rows", wrong.len());
        }
        Ok(())
    }
}
