//! What the images of each class are taken for by one network and not by another.

use anyhow::{Result, ensure};
use plotters::style::RGBColor;

use super::Image;
use super::canvas::{Align, Canvas};
use super::glyphs::text_width;
use super::grid::{Grid, Layout, Picture};
use super::legend::Sign;
use super::text::Block;
use super::theme::{AXIS_LABEL, DIRECT, INK, PAPER, SOFT_INK, Type, diverging};

/// Side of a cell.
const CELL: f64 = 118.0;
/// Room between names and cells.
const GAP: f64 = 18.0;
/// More classes than this are no chart.
const MOST: usize = 20;
/// The darkest shades are left out, so that numbers stay readable.
const DARKEST: f64 = 0.75;
/// Colours in the legend.
const SHADES: usize = 48;

/// Draws the difference of two matrices of answers: a row for each class, a column for each answer, and in each cell the
/// part of the class's images that gets the answer from the first network minus the part that gets it from the second, in
/// percentage points. White is no difference; the colours end at the largest.
///
/// # Errors
/// When there are no classes or too many, or counts and names do not fit together.
pub fn confusion_difference(
    title: &str,
    names: &[&str],
    [first, second]: [&[Vec<usize>]; 2],
    labels: [&str; 2],
) -> Result<Image> {
    let classes = names.len();
    let what = format!("confusion matrix {title:?}");
    ensure!(classes > 1, "{what}: {classes} classes");
    ensure!(classes <= MOST, "{what}: {classes} classes are too many for a chart; see confusion.csv of the runs");
    for counts in [first, second] {
        let square = counts.len() == classes && counts.iter().all(|row| row.len() == classes);
        ensure!(square, "{what}: the counts are not {classes} x {classes}");
    }
    let cell = |index: usize| {
        let (row, column) = (index / classes, index % classes);
        part(first, row, column) - part(second, row, column)
    };
    let cells: Vec<f64> = (0..classes * classes).map(cell).collect();
    let most = cells.iter().fold(0.0, |most: f64, cell| most.max(cell.abs())).max(f64::MIN_POSITIVE);
    let widest = names.iter().try_fold(0.0, |most: f64, name| anyhow::Ok(most.max(text_width(name, DIRECT.size)?)))?;
    let size = classes as f64 * CELL;
    let mut grid = Grid::new(Layout {
        title,
        size: (size, size),
        before: vec![60.0 + widest + GAP],
        above: vec![0.0],
        below: 132.0,
        legend: legend(most, labels),
        ..Layout::default()
    })?;
    let ((left, top), canvas) = (grid.at(0, 0), &mut grid.canvas);
    let color = |cell: &f64| diverging(DARKEST * cell / most);
    Picture { side: classes, colors: cells.iter().map(color).collect() }.draw(canvas, (left, top), size);
    let middle = |index: usize| (index as f64 + 0.5) * CELL;
    for (index, cell) in cells.iter().enumerate() {
        write(canvas, (left + middle(index % classes), top + middle(index / classes)), *cell, color(cell))?;
    }
    let bottom = top + size;
    for (index, name) in names.iter().enumerate() {
        canvas.text(name, (left - GAP, top + middle(index)), Align::Right, DIRECT)?;
        let name = Block::fit(name, CELL - 8.0, 1, DIRECT)?;
        name.draw_around(canvas, (left + middle(index), bottom + 34.0), Align::Center)?;
    }
    canvas.text("true class", (left - GAP - widest - 40.0, top + size / 2.0), Align::Upwards, AXIS_LABEL)?;
    canvas.text("answer of the network", (left + size / 2.0, bottom + 86.0), Align::Center, AXIS_LABEL)?;
    Ok(grid.canvas.finish())
}

/// The part of a class that got an answer; 0 of a class without images.
fn part(counts: &[Vec<usize>], row: usize, column: usize) -> f64 {
    counts[row][column] as f64 / counts[row].iter().sum::<usize>().max(1) as f64
}

fn legend(most: f64, [first, second]: [&str; 2]) -> Vec<(Sign, String)> {
    let shade = |index: usize| diverging(DARKEST * (2.0 * index as f64 / (SHADES - 1) as f64 - 1.0));
    let most = 100.0 * most;
    let scale = format!("{first} minus {second}, −{most:.1} to +{most:.1} points of the true class");
    vec![
        (Sign::Cells((0..SHADES).map(shade).collect(), 64.0), scale),
        (Sign::Text, "above 0 is more right answers on the diagonal, more mistakes elsewhere".to_owned()),
    ]
}

/// Writes a difference in its cell of this colour; none has no number.
fn write(canvas: &mut Canvas, at: (f64, f64), cell: f64, color: RGBColor) -> Result<()> {
    let points = 100.0 * cell;
    if points.abs() < 0.05 {
        return Ok(());
    }
    let light = 0.3 * f64::from(color.0) + 0.6 * f64::from(color.1) + 0.1 * f64::from(color.2);
    let ink = if light < 130.0 { PAPER } else { INK };
    let kind = Type { color: if points.abs() < 1.0 && light > 200.0 { SOFT_INK } else { ink }, ..DIRECT };
    canvas.text(&format!("{points:+.1}").replace('-', "−"), at, Align::Center, kind)
}
