//! Decision maps: what a classifier answers on every cell of a grid, beside the truth and beside other classifiers.

use anyhow::{Result, ensure};
use plotters::style::RGBColor;

use super::Image;
use super::axes::{Axis, Scale};
use super::canvas::{Align, Canvas};
use super::frame::Frame;
use super::grid::{Grid, Layout, Picture, whole_size};
use super::legend::Sign;
use super::marks::Mark;
use super::text::{Block, tallest};
use super::theme::{CLASSES, INK, NOTE, PANEL_TITLE, WRONG, WRONG_ALPHA, mixed};

/// One map of a grid over [-1, 1] x [-1, 1].
#[derive(Debug, Clone, PartialEq)]
pub struct DecisionPanel {
    /// What is shown: the truth, or the name of an arm.
    pub title: String,
    /// A line below the title, such as the test accuracy and the seed; may be empty.
    pub note: String,
    /// Number of rows and of columns.
    pub side: usize,
    /// Class of every cell, 0 or 1, row by row; the row index is x0, the column index x1.
    pub classes: Vec<u8>,
    /// (row, column) of the training points.
    pub train: Vec<(usize, usize)>,
    /// The cells that are misclassified, in the order of `classes`.
    pub wrong: Option<Vec<bool>>,
}

/// Room between two maps, and to the left of the first for the axis label.
const GAP: f64 = 76.0;
const LEFT: f64 = 100.0;
/// Room between a map and its note, and below it for its ticks, its axis label and the next row.
const HEAD: f64 = 14.0;
const BELOW: f64 = 128.0;

/// Draws a grid of maps with a common legend, x1 to the right and x0 upwards.
///
/// Fails if there is no panel, or if a panel's cells, points or marks do not fit its side length.
pub fn decision_maps(title: &str, rows: &[Vec<DecisionPanel>]) -> Result<Image> {
    ensure!(!rows.is_empty(), "decision maps {title:?}: no row of panels to draw");
    for (index, row) in rows.iter().enumerate() {
        ensure!(!row.is_empty(), "decision maps {title:?}: row {index} has no panel");
        row.iter().try_for_each(check)?;
    }
    let columns = rows.iter().map(Vec::len).max().unwrap_or(1);
    let side = rows.iter().flatten().map(|panel| panel.side).max().unwrap_or(1);
    let size = whole_size(side, [900.0, 730.0, 600.0, 500.0][columns.clamp(1, 4) - 1]);
    let head = |panel: &DecisionPanel| {
        Ok(Block::fit(&panel.title, size, 2, PANEL_TITLE)?.above(Block::fit(&panel.note, size, 2, NOTE)?))
    };
    let heads = rows.iter().map(|row| row.iter().map(head).collect()).collect::<Result<Vec<Vec<Block>>>>()?;
    let before = (0..columns).map(|column| if column == 0 { LEFT } else { GAP }).collect();
    let above = heads.iter().map(|row| tallest(row) + HEAD).collect();
    let mut grid = Grid::new(Layout {
        title,
        size: (size, size),
        before,
        above,
        below: BELOW,
        legend: entries(rows),
        ..Layout::default()
    })?;
    for (row, panels) in rows.iter().enumerate() {
        for (column, (panel, head)) in panels.iter().zip(&heads[row]).enumerate() {
            let (left, top) = grid.at(row, column);
            let canvas = &mut grid.canvas;
            head.draw(canvas, (left, top - HEAD - head.height()), Align::Left)?;
            let frame = Frame { area: (left, top, left + size, top + size), x: axis(), y: axis() };
            frame.draw(canvas, "x₁ (to the right)", Some(if column == 0 { "x₀ (upwards)" } else { "" }))?;
            draw_map(canvas, panel, (left, top), size);
        }
    }
    Ok(grid.canvas.finish())
}

fn check(panel: &DecisionPanel) -> Result<()> {
    let (name, side) = (&panel.title, panel.side);
    ensure!(side > 0, "decision map {name:?}: side is 0, there is no cell to draw");
    let cells = panel.classes.len();
    ensure!(cells == side * side, "decision map {name:?}: {cells} classes for {side} x {side} cells");
    if let Some(other) = panel.classes.iter().find(|&&class| class > 1) {
        anyhow::bail!("decision map {name:?}: class {other}, only 0 and 1 can be drawn");
    }
    if let Some(point) = panel.train.iter().find(|point| point.0 >= side || point.1 >= side) {
        anyhow::bail!("decision map {name:?}: training point {point:?} is outside {side} x {side} cells");
    }
    if let Some(wrong) = &panel.wrong {
        ensure!(wrong.len() == cells, "decision map {name:?}: {} misclassified marks for {cells} cells", wrong.len());
    }
    Ok(())
}

fn entries(rows: &[Vec<DecisionPanel>]) -> Vec<(Sign, String)> {
    let panels = || rows.iter().flatten();
    let cell = |class: usize| (Sign::Cells(vec![CLASSES[class]], 36.0), format!("class {class}"));
    let mut entries = vec![cell(0), cell(1)];
    if panels().any(|panel| !panel.train.is_empty()) {
        entries.push((Sign::mark(Mark::Solid(4.0), false), "training point".to_owned()));
    }
    if panels().any(|panel| panel.wrong.is_some()) {
        for (class, color) in CLASSES.into_iter().enumerate() {
            let text = format!("wrong: predicts class {class}, truth is {}", 1 - class);
            entries.push((Sign::Cells(vec![tinted(color)], 36.0), text));
        }
    }
    entries
}

/// The colour of a misclassified cell.
fn tinted(class: RGBColor) -> RGBColor {
    mixed(class, WRONG, WRONG_ALPHA)
}

fn draw_map(canvas: &mut Canvas, panel: &DecisionPanel, (left, top): (f64, f64), size: f64) {
    let side = panel.side;
    // The first row of the data is at the bottom.
    let upwards = (0..side).rev().flat_map(|row| (0..side).map(move |column| row * side + column));
    let color = |index: usize| {
        let class = CLASSES[usize::from(panel.classes[index])];
        if panel.wrong.as_ref().is_some_and(|wrong| wrong[index]) { tinted(class) } else { class }
    };
    Picture { side, colors: upwards.map(color).collect() }.draw(canvas, (left, top), size);
    let cell = size / side as f64;
    for &(row, column) in &panel.train {
        let middle = (left + (column as f64 + 0.5) * cell, top + size - (row as f64 + 0.5) * cell);
        canvas.line(middle, middle, (0.45 * cell).clamp(2.0, 8.0), INK, 0.75);
    }
}

/// One side of a map.
fn axis() -> Axis {
    let ticks = [(-1.0, "−1".to_owned()), (0.0, "0".to_owned()), (1.0, "1".to_owned())].to_vec();
    Axis { low: -1.0, high: 1.0, ticks, scale: Scale::Linear }
}
