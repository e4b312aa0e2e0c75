//! What the images of each class are taken for.

use anyhow::{Result, ensure};
use plotters::style::RGBColor;

use super::Image;
use super::canvas::{Align, Canvas};
use super::legend::{Legend, Sign};
use super::sheet::{MARGIN, draw_title, title_height};
use super::text::{fit, text_width};
use super::theme::{AXIS, AXIS_LABEL, DIRECT, INK, PAPER, SOFT_INK, Type, diverging};

/// Side of a cell.
const CELL: f64 = 118.0;
/// Room between names and cells.
const GAP: f64 = 18.0;
/// More classes than this are no chart.
const MOST: usize = 20;

/// What a cell counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Right,
    Mistake,
}

impl Kind {
    fn of(label: usize, answer: usize) -> Self {
        if label == answer { Self::Right } else { Self::Mistake }
    }
}

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
    let parts = parts(counts);
    let most = [Kind::Right, Kind::Mistake].map(|kind| largest(&parts, kind));
    let of_kind = |kind: Kind| most[kind as usize];

    let widest = names.iter().try_fold(0.0, |most: f64, name| anyhow::Ok(most.max(text_width(name, DIRECT.size)?)))?;
    let left = MARGIN + 60.0 + widest + GAP;
    let width = left + classes as f64 * CELL + MARGIN;
    let entries = vec![
        (
            Sign::Cell(shade(1.0, 1.0, Kind::Right)),
            format!("right, in percent of the true class, at most {:.1} %", 100.0 * of_kind(Kind::Right)),
        ),
        (
            Sign::Cell(shade(1.0, 1.0, Kind::Mistake)),
            format!("mistaken, likewise, at most {:.1} %", 100.0 * of_kind(Kind::Mistake)),
        ),
    ];
    let legend = Legend::new(entries, width - 2.0 * MARGIN)?;
    let top = title_height(title, width)?.round();
    let bottom = top + classes as f64 * CELL;
    let below = bottom + 132.0;
    let mut canvas = Canvas::new(width, below + legend.height() + MARGIN)?;
    draw_title(&mut canvas, title, width)?;
    for (row, parts) in parts.iter().enumerate() {
        for (column, part) in parts.iter().enumerate() {
            let at = (left + column as f64 * CELL, top + row as f64 * CELL);
            let kind = Kind::of(row, column);
            draw_cell(&mut canvas, at, *part, shade(*part, of_kind(kind), kind))?;
        }
    }
    let corners = [(left, top), (width - MARGIN, top), (width - MARGIN, bottom), (left, bottom), (left, top)];
    canvas.path(&corners, 2.0, AXIS);
    for (index, name) in names.iter().enumerate() {
        let middle = (index as f64 + 0.5) * CELL;
        canvas.text(name, (left - GAP, top + middle), Align::Right, DIRECT)?;
        let (kind, lines) = fit(name, CELL - 8.0, 1, DIRECT)?;
        for line in lines {
            canvas.text(&line, (left + middle, bottom + 34.0), Align::Center, kind)?;
        }
    }
    canvas.text("true class", (MARGIN + 20.0, (top + bottom) / 2.0), Align::Upwards, AXIS_LABEL)?;
    canvas.text("answer of the network", ((left + width - MARGIN) / 2.0, bottom + 86.0), Align::Center, AXIS_LABEL)?;
    legend.draw(&mut canvas, width / 2.0, below)?;
    Ok(canvas.finish())
}

/// Every row as parts of its sum; a class without images has none.
fn parts(counts: &[Vec<usize>]) -> Vec<Vec<f64>> {
    let part = |row: &Vec<usize>| {
        let all = row.iter().sum::<usize>().max(1) as f64;
        row.iter().map(|count| *count as f64 / all).collect()
    };
    counts.iter().map(part).collect()
}

fn largest(parts: &[Vec<f64>], kind: Kind) -> f64 {
    let mut most: f64 = 0.0;
    for (row, parts) in parts.iter().enumerate() {
        let of_kind = parts.iter().enumerate().filter(|(column, _)| Kind::of(row, *column) == kind);
        most = of_kind.fold(most, |most, (_, part)| most.max(*part));
    }
    most
}

/// The colour of a part of which the largest of its kind is `most`; the darkest shades are left out, so that numbers
/// stay readable.
fn shade(part: f64, most: f64, kind: Kind) -> RGBColor {
    let strength = if most > 0.0 { 0.75 * part / most } else { 0.0 };
    match kind {
        Kind::Right => diverging(-strength),
        Kind::Mistake => diverging(strength),
    }
}

fn draw_cell(canvas: &mut Canvas, (x, y): (f64, f64), part: f64, color: RGBColor) -> Result<()> {
    canvas.rect((x, y), (x + CELL, y + CELL), color, 1.0);
    if part == 0.0 {
        return Ok(());
    }
    let light = 0.3 * f64::from(color.0) + 0.6 * f64::from(color.1) + 0.1 * f64::from(color.2);
    let ink = if light < 130.0 { PAPER } else { INK };
    let kind = Type { color: if part < 0.01 { SOFT_INK } else { ink }, ..DIRECT };
    canvas.text(&format!("{:.1}", 100.0 * part), (x + CELL / 2.0, y + CELL / 2.0), Align::Center, kind)
}
