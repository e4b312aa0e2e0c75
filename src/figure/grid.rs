//! The page of a chart: a title, plots or pictures in rows and columns, and a legend below.

use anyhow::Result;
use plotters::style::RGBColor;

use super::canvas::{Align, Canvas};
use super::legend::{Legend, Sign};
use super::text::Block;
use super::theme::{AXIS, AXIS_LABEL, TITLE};

/// Space around a chart, and between its title and what is below.
pub(super) const MARGIN: f64 = 48.0;
const BELOW_TITLE: f64 = 26.0;

/// A square of coloured pixels, row by row from the top.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Picture {
    pub side: usize,
    pub colors: Vec<RGBColor>,
}

impl Picture {
    /// Brightness from 0 (black) to 1 (white).
    pub fn grey(side: usize, pixels: &[f32]) -> Picture {
        let level = |pixel: &f32| (pixel.clamp(0.0, 1.0) * 255.0).round() as u8;
        Picture { side, colors: pixels.iter().map(level).map(|level| RGBColor(level, level, level)).collect() }
    }

    /// Draws the picture with its left upper corner at a whole pixel, without blur, and a thin frame around it.
    pub fn draw(&self, canvas: &mut Canvas, (left, top): (f64, f64), size: f64) {
        let edge = |index: usize| size * index as f64 / self.side as f64;
        for (row, colors) in self.colors.chunks(self.side).enumerate() {
            let mut column = 0;
            // Neighbours of one colour are one shape: a map has thousands of cells.
            for run in colors.chunk_by(|a, b| a == b) {
                let to = (left + edge(column + run.len()), top + edge(row + 1));
                canvas.rect((left + edge(column), top + edge(row)), to, run[0], 1.0);
                column += run.len();
            }
        }
        frame(canvas, (left, top), size, 1.5, AXIS);
    }
}

/// Draws a frame just outside a picture.
pub(super) fn frame(canvas: &mut Canvas, (left, top): (f64, f64), size: f64, width: f64, color: RGBColor) {
    let (near, far) = (-width / 2.0, size + width / 2.0);
    let corners = [(near, near), (far, near), (far, far), (near, far), (near, near)];
    canvas.path(&corners.map(|(dx, dy)| (left + dx, top + dy)), width, color);
}

/// The size on a page of a picture with so many pixels a side: a whole number for each pixel, so that all look equally
/// large, unless that would be one or less.
pub(super) fn whole_size(pixels: usize, wanted: f64) -> f64 {
    let pixels = pixels as f64;
    if 2.0 * pixels > wanted { wanted } else { pixels * (wanted / pixels).floor() }
}

/// What a page looks like.
#[derive(Default)]
pub(super) struct Layout<'a> {
    pub title: &'a str,
    /// Width and height of every plot or picture.
    pub size: (f64, f64),
    /// Room left of each column, for the first of them inside the margin, and right of all.
    pub before: Vec<f64>,
    pub after: f64,
    /// Room above each row, and below each.
    pub above: Vec<f64>,
    pub below: f64,
    pub legend: Vec<(Sign, String)>,
}

/// A page with title and legend, and the places of what it has yet to be filled with.
pub(super) struct Grid {
    pub canvas: Canvas,
    pub size: (f64, f64),
    /// Left edge of every column, and upper edge of every row, at whole pixels.
    pub lefts: Vec<f64>,
    pub tops: Vec<f64>,
}

impl Grid {
    pub fn new(layout: Layout) -> Result<Grid> {
        let size = layout.size;
        let places = |start: f64, rooms: &[f64], step: f64| {
            let mut next = start;
            let place = |room: &f64| {
                let place = (next + room).round();
                next = place + step;
                place
            };
            (rooms.iter().map(place).collect::<Vec<f64>>(), next)
        };
        let (lefts, right) = places(MARGIN, &layout.before, size.0);
        let width = right + layout.after + MARGIN;
        let title = Block::fit(layout.title, width - 2.0 * MARGIN, 2, TITLE)?;
        let below = if title.height() > 0.0 { BELOW_TITLE } else { 0.0 };
        let legend = Legend::new(layout.legend, width - 2.0 * MARGIN)?;
        let (tops, bottom) = places(MARGIN + title.height() + below, &layout.above, size.1 + layout.below);
        let mut canvas = Canvas::new(width, bottom + legend.height() + MARGIN)?;
        title.draw(&mut canvas, (width / 2.0, MARGIN), Align::Center)?;
        legend.draw(&mut canvas, width / 2.0, bottom)?;
        Ok(Grid { canvas, size, lefts, tops })
    }

    /// Left upper corner of a plot or picture.
    pub fn at(&self, row: usize, column: usize) -> (f64, f64) {
        (self.lefts[column], self.tops[row])
    }

    /// Writes what a row shows to the left of it.
    pub fn name_row(&mut self, row: usize, text: &str) -> Result<()> {
        let text = Block::fit(text, self.lefts[0] - MARGIN - 18.0, 3, AXIS_LABEL)?;
        text.draw_around(&mut self.canvas, (MARGIN, self.tops[row] + self.size.1 / 2.0), Align::Left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_enlarged_without_blur() -> Result<()> {
        let picture = Picture::grey(2, &[0.0, 1.0, 0.2, 0.6]);
        let mut canvas = Canvas::new(60.0, 60.0)?;
        picture.draw(&mut canvas, (10.0, 10.0), 40.0);
        let image = canvas.finish();
        let at = |x: usize, y: usize| image.pixels[3 * (y * image.width + x)];
        for (x, y, level) in [(0, 0, 0), (1, 0, 255), (0, 1, 51), (1, 1, 153)] {
            // The frame lies outside, so the first and the last pixel of the block have its colour too.
            for (dx, dy) in [(1, 1), (18, 18), (1, 18), (9, 9)] {
                assert_eq!(at(10 + 20 * x + dx, 10 + 20 * y + dy), level, "{x} {y} {dx} {dy}");
            }
        }
        Ok(())
    }

    #[test]
    fn a_picture_has_whole_pixels() {
        assert_eq!([1, 28, 32, 300].map(|side| whole_size(side, 252.0)), [252.0, 252.0, 224.0, 252.0]);
    }
}
