//! Pictures of few pixels, enlarged without blur, and the difference of two of them.

use plotters::style::RGBColor;

use crate::figure::canvas::Canvas;
use crate::figure::theme::{AXIS, diverging};

/// Side of a picture on the chart, before it is rounded down to a whole number for each of its pixels.
const SIDE: f64 = 252.0;

/// Side on the chart of a picture with this many pixels a side.
pub(super) fn picture_side(pixels: usize) -> f64 {
    pixels as f64 * (SIDE / pixels as f64).floor().max(1.0)
}

/// A square of coloured pixels, row by row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Picture {
    side: usize,
    colors: Vec<RGBColor>,
}

impl Picture {
    /// Brightness from 0 (black) to 1 (white).
    pub fn grey(side: usize, pixels: &[f32]) -> Picture {
        let grey = |pixel: &f32| {
            let level = (pixel.clamp(0.0, 1.0) * 255.0).round() as u8;
            RGBColor(level, level, level)
        };
        Picture { side, colors: pixels.iter().map(grey).collect() }
    }
}

/// What was added to every pixel, and its norms.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Changes {
    values: Vec<f64>,
    pub l2: f64,
    pub linf: f64,
}

impl Changes {
    pub fn between(before: &[f32], after: &[f32]) -> Changes {
        let values: Vec<f64> = before.iter().zip(after).map(|(a, b)| f64::from(*b) - f64::from(*a)).collect();
        let l2 = values.iter().map(|value| value * value).sum::<f64>().sqrt();
        let linf = values.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
        Changes { values, l2, linf }
    }

    /// The changes in colours whose range is the largest of them.
    pub fn picture(&self, side: usize) -> Picture {
        let range = if self.linf > 0.0 { self.linf } else { 1.0 };
        Picture { side, colors: self.values.iter().map(|value| diverging(value / range)).collect() }
    }
}

/// Draws a picture with its left upper corner at whole pixels, and a thin frame around it.
pub(super) fn draw_picture(canvas: &mut Canvas, picture: &Picture, (left, top): (f64, f64), side: f64) {
    let each = side / picture.side as f64;
    for (index, color) in picture.colors.iter().enumerate() {
        let (column, row) = ((index % picture.side) as f64, (index / picture.side) as f64);
        let from = (left + column * each, top + row * each);
        canvas.rect(from, (from.0 + each, from.1 + each), *color, 1.0);
    }
    frame(canvas, (left, top), side, 1.5, AXIS);
}

/// Draws a frame just outside a picture.
pub(super) fn frame(canvas: &mut Canvas, (left, top): (f64, f64), side: f64, width: f64, color: RGBColor) {
    let (near, far) = (-width / 2.0, side + width / 2.0);
    let corners = [(near, near), (far, near), (far, far), (near, far), (near, near)];
    canvas.path(&corners.map(|(dx, dy)| (left + dx, top + dy)), width, color);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::theme::PAPER;

    #[test]
    fn a_change_is_measured_and_fills_the_range_of_colours() {
        let changes = Changes::between(&[0.0, 0.5, 0.5, 1.0], &[0.25, 0.25, 0.5, 1.0]);
        assert_eq!((changes.l2, changes.linf), (0.125f64.sqrt(), 0.25));
        assert_eq!(changes.picture(2).colors, [diverging(1.0), diverging(-1.0), PAPER, PAPER]);
        let none = Changes::between(&[0.3], &[0.3]);
        assert_eq!((none.linf, none.picture(1).colors), (0.0, vec![PAPER]));
    }

    #[test]
    fn pixels_are_enlarged_without_blur() -> anyhow::Result<()> {
        let picture = Picture::grey(2, &[0.0, 1.0, 0.2, 0.6]);
        let mut canvas = Canvas::new(60.0, 60.0)?;
        draw_picture(&mut canvas, &picture, (10.0, 10.0), 40.0);
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
        assert_eq!([1, 28, 32, 300].map(picture_side), [252.0, 252.0, 224.0, 300.0]);
    }
}
