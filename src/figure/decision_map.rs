//! Decision maps: what a classifier answers on every cell of a grid, beside the truth and beside other classifiers.

use anyhow::{Result, ensure};

use super::Image;
use super::canvas::{Align, Canvas};
use super::legend::{Legend, Sign};
use super::sheet::{LEADING, MARGIN, draw_lines, draw_title, title_height};
use super::text::fit;
use super::theme::{AXIS, AXIS_LABEL, CLASSES, INK, NOTE, PANEL_TITLE, TICK, Type, WRONG, WRONG_ALPHA};

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
/// Room below a map for its ticks and axis label.
const BELOW: f64 = 104.0;
/// Room between two rows.
const BETWEEN: f64 = 30.0;

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
    let sides = map_side(rows, columns);
    let width = 2.0 * MARGIN + LEFT + columns as f64 * sides + (columns - 1) as f64 * GAP;
    let heads = rows.iter().map(|row| Head::new(row, sides)).collect::<Result<Vec<Head>>>()?;
    let legend = Legend::new(entries(rows), width - 2.0 * MARGIN)?;
    let body: f64 = heads.iter().map(|head| head.height + sides + BELOW).sum::<f64>();
    let between = (rows.len() - 1) as f64 * BETWEEN + 16.0;
    let top = title_height(title, width)?;
    let mut canvas = Canvas::new(width, top + body + between + legend.height() + MARGIN)?;
    draw_title(&mut canvas, title, width)?;
    let mut y = top;
    for (row, head) in rows.iter().zip(&heads) {
        for (column, panel) in row.iter().enumerate() {
            let x = MARGIN + LEFT + column as f64 * (sides + GAP);
            head.draw(&mut canvas, column, (x, y))?;
            draw_map(&mut canvas, panel, (x, y + head.height), sides);
            draw_axes(&mut canvas, (x, y + head.height), sides, column == 0)?;
        }
        y += head.height + sides + BELOW + BETWEEN;
    }
    legend.draw(&mut canvas, width / 2.0, y - BETWEEN + 16.0)?;
    Ok(canvas.finish())
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

/// Side of a map in pixels: a whole number per cell where possible, so that all cells look equally large.
fn map_side(rows: &[Vec<DecisionPanel>], columns: usize) -> f64 {
    let wanted: f64 = match columns {
        1 => 900.0,
        2 => 730.0,
        3 => 600.0,
        _ => 500.0,
    };
    let side = rows.iter().flatten().map(|panel| panel.side).max().unwrap_or(1) as f64;
    if side * 2.0 > wanted { wanted } else { side * (wanted / side).floor() }
}

fn entries(rows: &[Vec<DecisionPanel>]) -> Vec<(Sign, String)> {
    let mut entries =
        vec![(Sign::Cell(CLASSES[0]), "class 0".to_owned()), (Sign::Cell(CLASSES[1]), "class 1".to_owned())];
    if rows.iter().flatten().any(|panel| !panel.train.is_empty()) {
        entries.push((Sign::Dot, "training point".to_owned()));
    }
    if rows.iter().flatten().any(|panel| panel.wrong.is_some()) {
        entries.push((Sign::Wrong, "misclassified".to_owned()));
    }
    entries
}

/// Titles and notes above a row of maps, all in blocks of the same height.
struct Head {
    titles: Vec<(Type, Vec<String>)>,
    notes: Vec<(Type, Vec<String>)>,
    split: f64,
    height: f64,
}

impl Head {
    fn new(row: &[DecisionPanel], width: f64) -> Result<Head> {
        let titles = row.iter().map(|panel| fit(&panel.title, width, 2, PANEL_TITLE)).collect::<Result<Vec<_>>>()?;
        let notes = row.iter().map(|panel| fit(&panel.note, width, 2, NOTE)).collect::<Result<Vec<_>>>()?;
        let block = |texts: &[(Type, Vec<String>)], size: f64| {
            texts.iter().map(|(_, lines)| lines.len()).max().unwrap_or(0) as f64 * size * LEADING
        };
        let split = block(&titles, PANEL_TITLE.size);
        let height = split + block(&notes, NOTE.size) + 14.0;
        Ok(Head { titles, notes, split, height })
    }

    fn draw(&self, canvas: &mut Canvas, column: usize, (x, y): (f64, f64)) -> Result<()> {
        if let Some(title) = self.titles.get(column) {
            // A short title sits at the bottom of its block: next to its note, whatever the neighbours need.
            let used = title.1.len() as f64 * title.0.size * LEADING;
            draw_lines(canvas, title, (x, y + self.split - used))?;
        }
        if let Some(note) = self.notes.get(column) {
            draw_lines(canvas, note, (x, y + self.split))?;
        }
        Ok(())
    }
}

fn draw_map(canvas: &mut Canvas, panel: &DecisionPanel, (left, top): (f64, f64), size: f64) {
    let side = panel.side as f64;
    let edge = |index: usize| size * index as f64 / side;
    let corners = |row: usize, column: usize| {
        let (x, y) = (left + edge(column), top + edge(panel.side - 1 - row));
        ((x, y), (left + edge(column + 1), top + edge(panel.side - row)))
    };
    for (index, class) in panel.classes.iter().enumerate() {
        let (from, to) = corners(index / panel.side, index % panel.side);
        canvas.rect(from, to, CLASSES[usize::from(*class)], 1.0);
        if panel.wrong.as_ref().is_some_and(|wrong| wrong[index]) {
            canvas.rect(from, to, WRONG, WRONG_ALPHA);
        }
    }
    let dot = (0.45 * size / side).clamp(2.0, 8.0);
    for &(row, column) in &panel.train {
        let (from, to) = corners(row, column);
        let middle = ((from.0 + to.0) / 2.0, (from.1 + to.1) / 2.0);
        canvas.line(middle, middle, dot, INK, 0.75);
    }
    let (right, bottom) = (left + size, top + size);
    canvas.path(&[(left, top), (right, top), (right, bottom), (left, bottom), (left, top)], 2.0, AXIS);
}

fn draw_axes(canvas: &mut Canvas, (left, top): (f64, f64), size: f64, first: bool) -> Result<()> {
    let bottom = top + size;
    for (label, part) in [("−1", 0.0), ("0", 0.5), ("1", 1.0)] {
        let (x, y) = (left + part * size, bottom - part * size);
        canvas.line((x, bottom), (x, bottom + 8.0), 2.0, AXIS, 1.0);
        canvas.line((left - 8.0, y), (left, y), 2.0, AXIS, 1.0);
        canvas.text(label, (x, bottom + 28.0), Align::Center, TICK)?;
        canvas.text(label, (left - 14.0, y), Align::Right, TICK)?;
    }
    canvas.text("x₁ (to the right)", (left + size / 2.0, bottom + 70.0), Align::Center, AXIS_LABEL)?;
    if first {
        canvas.text("x₀ (upwards)", (left - 76.0, top + size / 2.0), Align::Upwards, AXIS_LABEL)?;
    }
    Ok(())
}
