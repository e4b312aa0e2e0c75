//! What the images of each class are taken for.

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

/// Draws a matrix of answers: a row for each class, a column for each answer, and in each cell the part of the class's
/// images in percent. Right answers and mistakes have colours of their own, each as dark as the largest of its kind.
///
/// # Errors
/// When there are no classes or too many, or counts and names do not fit together.
pub fn confusion_matrix(title: &str, names: &[&str], counts: &[Vec<usize>]) -> Result<Image> {
    let classes = names.len();
    let what = format!("confusion matrix {title:?}");
    ensure!(classes > 1, "{what}: {classes} classes");
    ensure!(classes <= MOST, "{what}: {classes} classes are too many for a chart; see confusion.csv of the runs");
    let square = counts.len() == classes && counts.iter().all(|row| row.len() == classes);
    ensure!(square, "{what}: the counts are not {classes} x {classes}");
    let cells: Vec<Cell> =
        (0..classes * classes).map(|index| Cell::of(counts, index / classes, index % classes)).collect();
    let most = |right: bool| cells.iter().filter(|cell| cell.right == right).map(|cell| cell.part).fold(0.0, f64::max);
    let color = |cell: &Cell| shade(cell.part / most(cell.right).max(f64::MIN_POSITIVE), cell.right);
    let widest = names.iter().try_fold(0.0, |most: f64, name| anyhow::Ok(most.max(text_width(name, DIRECT.size)?)))?;
    let entry = |right, text: &str| {
        (Sign::Cells(vec![shade(1.0, right)], 36.0), format!("{text}, at most {:.1} %", 100.0 * most(right)))
    };
    let size = classes as f64 * CELL;
    let mut grid = Grid::new(Layout {
        title,
        size: (size, size),
        before: vec![60.0 + widest + GAP],
        above: vec![0.0],
        below: 132.0,
        legend: vec![entry(true, "right, in percent of the true class"), entry(false, "mistaken, likewise")],
        ..Layout::default()
    })?;
    let ((left, top), canvas) = (grid.at(0, 0), &mut grid.canvas);
    Picture { side: classes, colors: cells.iter().map(color).collect() }.draw(canvas, (left, top), size);
    let middle = |index: usize| (index as f64 + 0.5) * CELL;
    for (index, cell) in cells.iter().enumerate() {
        write(canvas, (left + middle(index % classes), top + middle(index / classes)), cell.part, color(cell))?;
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

/// The part of a class that got an answer, and whether that is right; a class without images has none.
struct Cell {
    part: f64,
    right: bool,
}

impl Cell {
    fn of(counts: &[Vec<usize>], row: usize, column: usize) -> Cell {
        let all = counts[row].iter().sum::<usize>().max(1);
        Cell { part: counts[row][column] as f64 / all as f64, right: row == column }
    }
}

/// The colour of a part of the largest of its kind; the darkest shades are left out, so that numbers stay readable.
fn shade(part: f64, right: bool) -> RGBColor {
    diverging(if right { -0.75 * part } else { 0.75 * part })
}

/// Writes a part in its cell of this colour; what never happened has no number.
fn write(canvas: &mut Canvas, at: (f64, f64), part: f64, color: RGBColor) -> Result<()> {
    if part == 0.0 {
        return Ok(());
    }
    let light = 0.3 * f64::from(color.0) + 0.6 * f64::from(color.1) + 0.1 * f64::from(color.2);
    let ink = if light < 130.0 { PAPER } else { INK };
    let kind = Type { color: if part < 0.01 { SOFT_INK } else { ink }, ..DIRECT };
    canvas.text(&format!("{:.1}", 100.0 * part), at, Align::Center, kind)
}
