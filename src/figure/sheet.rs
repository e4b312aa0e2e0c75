//! The page of a chart: titles above, plots in rows and columns, the legend below.

use anyhow::Result;

use super::Image;
use super::canvas::{Align, Canvas};
use super::legend::{Legend, Sign};
use super::text::fit;
use super::theme::{PANEL_TITLE, TITLE, Type};

/// Room below a frame for its tick labels and axis label.
const BELOW: f64 = 112.0;
/// Space around a chart.
pub(super) const MARGIN: f64 = 48.0;
/// Height of a line of a title, as a multiple of its type size.
pub(super) const LEADING: f64 = 1.13;
/// More panels than this continue in a second row.
const COLUMNS: usize = 3;
/// Room between two rows of panels, and between the last and the legend.
const BETWEEN: f64 = 24.0;

/// A rectangle on the image: left, top, right, bottom.
pub(super) type Area = (f64, f64, f64, f64);

/// What the pages of the chart types differ in.
pub(super) struct Plan<'a> {
    pub title: &'a str,
    pub panels: Vec<&'a str>,
    /// Room left of the first plot, between two plots of a row, and right of the last.
    pub room: (f64, f64, f64),
    pub legend: Vec<(Sign, String)>,
}

/// A page with titles and legend, and the areas that its plots have yet to fill.
pub(super) struct Sheet {
    pub canvas: Canvas,
    pub columns: usize,
    pub plots: Vec<Area>,
}

impl Sheet {
    pub fn new(plan: Plan) -> Result<Sheet> {
        // Four panels are two by two: three and a single one below would leave a third of the page empty.
        let columns = if plan.panels.len() == 4 { 2 } else { plan.panels.len().clamp(1, COLUMNS) };
        let rows = plan.panels.len().div_ceil(columns);
        let (wide, tall) = [(1300.0, 780.0), (880.0, 740.0), (640.0, 680.0)][columns - 1];
        let (left, between, right) = plan.room;
        let width = left + columns as f64 * (wide + between) - between + right;
        let legend = Legend::new(plan.legend, width - 2.0 * MARGIN)?;
        let titles = plan.panels.iter().map(|title| fit(title, wide, 2, PANEL_TITLE)).collect::<Result<Vec<_>>>()?;
        let lines = titles.iter().map(|(_, lines)| lines.len()).max().unwrap_or(0);
        let head = lines as f64 * PANEL_TITLE.size * LEADING + 20.0;
        let row = head + tall + BELOW + BETWEEN;
        let top = title_height(plan.title, width)?;
        let height = top + rows as f64 * row + legend.height() + MARGIN;
        let mut canvas = Canvas::new(width, height)?;
        draw_title(&mut canvas, plan.title, width)?;
        let mut plots = Vec::new();
        for (index, title) in titles.iter().enumerate() {
            let x = left + (index % columns) as f64 * (wide + between);
            let y = top + (index / columns) as f64 * row;
            draw_lines(&mut canvas, title, (x, y))?;
            plots.push((x, y + head, x + wide, y + head + tall));
        }
        legend.draw(&mut canvas, width / 2.0, top + rows as f64 * row)?;
        Ok(Sheet { canvas, columns, plots })
    }

    pub fn finish(self) -> Image {
        self.canvas.finish()
    }
}

/// Writes lines of text below each other, the first at this left upper corner.
pub(super) fn draw_lines(canvas: &mut Canvas, text: &(Type, Vec<String>), (x, y): (f64, f64)) -> Result<()> {
    let (kind, lines) = text;
    for (index, line) in lines.iter().enumerate() {
        canvas.text(line, (x, y + (index as f64 + 0.5) * kind.size * LEADING), Align::Left, *kind)?;
    }
    Ok(())
}

/// Writes the title of the whole chart.
pub(super) fn draw_title(canvas: &mut Canvas, title: &str, width: f64) -> Result<()> {
    let (kind, lines) = fit(title, width - 2.0 * MARGIN, 2, TITLE)?;
    for (index, line) in lines.iter().enumerate() {
        let y = MARGIN + (index as f64 + 0.45) * kind.size * LEADING;
        canvas.text(line, (width / 2.0, y), Align::Center, kind)?;
    }
    Ok(())
}

/// The height at which the parts below the title begin; without a title it is the margin.
pub(super) fn title_height(title: &str, width: f64) -> Result<f64> {
    let (kind, lines) = fit(title, width - 2.0 * MARGIN, 2, TITLE)?;
    Ok(MARGIN + lines.len() as f64 * kind.size * LEADING + if lines.is_empty() { 0.0 } else { 26.0 })
}
