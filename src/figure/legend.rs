//! The legend below the panels: it explains every sign of a chart and, outside the plot areas, covers no data.

use anyhow::Result;
use plotters::style::RGBColor;

use super::canvas::{Align, Canvas};
use super::text::text_width;
use super::theme::{
    AXIS, ArmStyle, BAND_ALPHA, CLASSES, INK, LEGEND, LINE, MARK, Marker, PAPER, SOFT_INK, WRONG, WRONG_ALPHA,
};

/// Height of one line of the legend.
const LINE_HEIGHT: f64 = 58.0;
/// Width of a sign, and the gaps after it and after its text.
const SIGN: (f64, f64, f64) = (64.0, 16.0, 56.0);

/// The sign in front of a legend text.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sign {
    Line(ArmStyle),
    Filled(ArmStyle),
    Measured,
    Hollow,
    Band,
    Dashes,
    Cell(RGBColor),
    Dot,
    Wrong,
}

impl Sign {
    fn draw(self, canvas: &mut Canvas, left: f64, y: f64) {
        let (right, middle) = (left + SIGN.0, left + SIGN.0 / 2.0);
        match self {
            Sign::Line(style) => {
                canvas.path(&[(left, y), (right, y)], LINE, style.color);
                mark(canvas, (middle, y), style);
            }
            Sign::Filled(style) => mark(canvas, (middle, y), style),
            Sign::Measured => {
                whisker(canvas, (middle, y - 20.0), y + 20.0, SOFT_INK);
                canvas.line((middle, y), (middle, y), 2.0 * MARK, SOFT_INK, 1.0);
            }
            Sign::Hollow => hollow(canvas, (middle, y), ArmStyle { color: SOFT_INK, marker: Marker::Disc }),
            Sign::Band => canvas.rect((left, y - 16.0), (right, y + 16.0), SOFT_INK, 1.5 * BAND_ALPHA),
            Sign::Dashes => canvas.dashed((left, y), (right, y), 3.0, SOFT_INK),
            Sign::Cell(color) => cell(canvas, middle, y, color),
            Sign::Dot => canvas.line((middle, y), (middle, y), 8.0, INK, 1.0),
            Sign::Wrong => {
                // Half on each class, because the tint leaves the class below it visible.
                canvas.rect((middle - 18.0, y - 18.0), (middle, y + 18.0), CLASSES[0], 1.0);
                canvas.rect((middle, y - 18.0), (middle + 18.0, y + 18.0), CLASSES[1], 1.0);
                canvas.rect((middle - 18.0, y - 18.0), (middle + 18.0, y + 18.0), WRONG, WRONG_ALPHA);
                outline(canvas, middle, y);
            }
        }
    }
}

fn cell(canvas: &mut Canvas, middle: f64, y: f64, color: RGBColor) {
    canvas.rect((middle - 18.0, y - 18.0), (middle + 18.0, y + 18.0), color, 1.0);
    outline(canvas, middle, y);
}

fn outline(canvas: &mut Canvas, x: f64, y: f64) {
    let corners = [(-18.0, -18.0), (18.0, -18.0), (18.0, 18.0), (-18.0, 18.0), (-18.0, -18.0)];
    canvas.path(&corners.map(|(dx, dy)| (x + dx, y + dy)), 1.5, AXIS);
}

fn around(center: (f64, f64), style: ArmStyle, radius: f64) -> Vec<(f64, f64)> {
    style.marker.outline(radius).into_iter().map(|(dx, dy)| (center.0 + dx, center.1 + dy)).collect()
}

/// A filled mark with a thin white rim, so that marks on top of each other stay countable.
pub(super) fn mark(canvas: &mut Canvas, center: (f64, f64), style: ArmStyle) {
    canvas.fill(&around(center, style, MARK + 2.5), PAPER);
    canvas.fill(&around(center, style, MARK), style.color);
}

/// A ring in the shape of the mark, wide enough to be seen around a filled mark of the same value.
pub(super) fn hollow(canvas: &mut Canvas, center: (f64, f64), style: ArmStyle) {
    let mut corners = around(center, style, MARK + 6.0);
    corners.extend(corners.first().copied());
    canvas.path(&corners, 3.0, style.color);
}

/// A vertical line with caps, from its upper end down to a height.
pub(super) fn whisker(canvas: &mut Canvas, top: (f64, f64), bottom: f64, color: RGBColor) {
    canvas.line(top, (top.0, bottom), 3.0, color, 1.0);
    for y in [top.1, bottom] {
        canvas.line((top.0 - 8.0, y), (top.0 + 8.0, y), 3.0, color, 1.0);
    }
}

/// The width of a line of the legend, and its entries with the width of each.
type LegendLine = (f64, Vec<(Sign, String, f64)>);

/// Legend entries laid out in centred lines.
pub(super) struct Legend {
    lines: Vec<LegendLine>,
}

impl Legend {
    /// Distributes the entries over lines of at most this width.
    pub fn new(entries: Vec<(Sign, String)>, width: f64) -> Result<Legend> {
        let mut lines: Vec<LegendLine> = Vec::new();
        for (sign, text) in entries {
            let room = SIGN.0 + SIGN.1 + text_width(&text, LEGEND.size)? + SIGN.2;
            match lines.last_mut() {
                Some((used, line)) if *used + room - SIGN.2 <= width => {
                    *used += room;
                    line.push((sign, text, room));
                }
                _ => lines.push((room, vec![(sign, text, room)])),
            }
        }
        Ok(Legend { lines })
    }

    pub fn height(&self) -> f64 {
        self.lines.len() as f64 * LINE_HEIGHT
    }

    /// Draws the lines around a vertical centre line, from a height downwards.
    pub fn draw(&self, canvas: &mut Canvas, middle: f64, top: f64) -> Result<()> {
        for (index, (used, line)) in self.lines.iter().enumerate() {
            let y = top + (index as f64 + 0.5) * LINE_HEIGHT;
            let mut left = middle - (used - SIGN.2) / 2.0;
            for (sign, text, room) in line {
                sign.draw(canvas, left, y);
                canvas.text(text, (left + SIGN.0 + SIGN.1, y), Align::Left, LEGEND)?;
                left += room;
            }
        }
        Ok(())
    }
}
