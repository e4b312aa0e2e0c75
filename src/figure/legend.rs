//! The legend below the panels: it explains every sign of a chart and, outside the plot areas, covers no data.

use anyhow::Result;
use plotters::style::RGBColor;

use super::canvas::{Align, Canvas};
use super::marks::{attack_mark, hollow, mark, whisker};
use super::text::{shortened, text_width};
use super::theme::{
    AREA_ALPHA, AXIS, ArmStyle, AttackStyle, BAND_ALPHA, CLASSES, FRAME, INK, LEGEND, LINE, MARK, Marker, SOFT_INK,
    Stroke, THICK, THIN, WRONG, WRONG_ALPHA, WRONG_INK, diverging,
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
    /// A line of no particular arm, and its width.
    Plain(Stroke, f64),
    /// A thick line in its band.
    ThickInBand,
    /// A dashed line over a tinted area.
    Under,
    /// A tinted area between a line and a dashed one.
    Between,
    Attack(AttackStyle),
    /// Nothing: the text explains numbers that are written on the chart.
    Text,
    /// A bar with the colours of signed numbers.
    Signed,
    /// The frame of a picture that is taken for something else.
    Mistaken,
    Cell(RGBColor),
    Dot,
    Wrong,
}

impl Sign {
    /// What the sign and the gap after it take up.
    fn room(self) -> f64 {
        match self {
            Sign::Text => 0.0,
            _ => SIGN.0 + SIGN.1,
        }
    }

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
            Sign::Dashes => canvas.stroke(&[(left, y), (right, y)], Stroke::Dashed, 3.0, SOFT_INK),
            Sign::Plain(stroke, width) => canvas.stroke(&[(left, y), (right, y)], stroke, width, SOFT_INK),
            Sign::ThickInBand => {
                Sign::Band.draw(canvas, left, y);
                canvas.path(&[(left, y), (right, y)], THICK, SOFT_INK);
            }
            Sign::Under => {
                canvas.rect((left, y - 8.0), (right, y + 18.0), SOFT_INK, 2.0 * AREA_ALPHA);
                canvas.stroke(&[(left, y - 8.0), (right, y - 8.0)], Stroke::Dashed, LINE, SOFT_INK);
            }
            Sign::Between => canvas.rect((left, y - 16.0), (right, y + 16.0), SOFT_INK, 2.0 * AREA_ALPHA),
            Sign::Text => {}
            Sign::Attack(style) => {
                canvas.stroke(&[(left, y), (right, y)], style.stroke, THIN, style.style.color);
                attack_mark(canvas, (middle, y), style);
            }
            Sign::Signed => {
                for index in 0..64 {
                    let x = left + f64::from(index) * SIGN.0 / 64.0;
                    let color = diverging(f64::from(index) / 31.5 - 1.0);
                    canvas.rect((x, y - 14.0), (x + SIGN.0 / 64.0, y + 14.0), color, 1.0);
                }
                let corners = [(left, -14.0), (right, -14.0), (right, 14.0), (left, 14.0), (left, -14.0)];
                canvas.path(&corners.map(|(x, dy)| (x, y + dy)), 1.5, AXIS);
            }
            Sign::Mistaken => outline(canvas, (middle, y), FRAME, WRONG_INK),
            Sign::Cell(color) => cell(canvas, middle, y, color),
            Sign::Dot => canvas.line((middle, y), (middle, y), 8.0, INK, 1.0),
            Sign::Wrong => {
                // Half on each class, because the tint leaves the class below it visible.
                canvas.rect((middle - 18.0, y - 18.0), (middle, y + 18.0), CLASSES[0], 1.0);
                canvas.rect((middle, y - 18.0), (middle + 18.0, y + 18.0), CLASSES[1], 1.0);
                canvas.rect((middle - 18.0, y - 18.0), (middle + 18.0, y + 18.0), WRONG, WRONG_ALPHA);
                outline(canvas, (middle, y), 1.5, AXIS);
            }
        }
    }
}

fn cell(canvas: &mut Canvas, middle: f64, y: f64, color: RGBColor) {
    canvas.rect((middle - 18.0, y - 18.0), (middle + 18.0, y + 18.0), color, 1.0);
    outline(canvas, (middle, y), 1.5, AXIS);
}

fn outline(canvas: &mut Canvas, (x, y): (f64, f64), width: f64, color: RGBColor) {
    let corners = [(-18.0, -18.0), (18.0, -18.0), (18.0, 18.0), (-18.0, 18.0), (-18.0, -18.0)];
    canvas.path(&corners.map(|(dx, dy)| (x + dx, y + dy)), width, color);
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
        let measure = |(sign, text): (Sign, String)| {
            let text = shortened(&text, width - sign.room(), LEGEND.size)?;
            let room = sign.room() + text_width(&text, LEGEND.size)? + SIGN.2;
            Ok((sign, text, room))
        };
        let entries = entries.into_iter().map(measure).collect::<Result<Vec<_>>>()?;
        // Narrower lines as long as they are no more: else a last one may hold a single entry.
        let mut lines = filled_lines(&entries, width);
        for part in (50..100).rev() {
            let narrower = filled_lines(&entries, width * f64::from(part) / 100.0);
            if narrower.len() > lines.len() {
                break;
            }
            lines = narrower;
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
                canvas.text(text, (left + sign.room(), y), Align::Left, LEGEND)?;
                left += room;
            }
        }
        Ok(())
    }
}

/// Fills one line after the other.
fn filled_lines(entries: &[(Sign, String, f64)], width: f64) -> Vec<LegendLine> {
    let mut lines: Vec<LegendLine> = Vec::new();
    for entry in entries {
        match lines.last_mut() {
            Some((used, line)) if *used + entry.2 - SIGN.2 <= width => {
                *used += entry.2;
                line.push(entry.clone());
            }
            _ => lines.push((entry.2, vec![entry.clone()])),
        }
    }
    lines
}
