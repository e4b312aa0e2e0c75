//! The legend below the panels: it explains every sign of a chart and, outside the plot areas, covers no data.

use anyhow::Result;
use plotters::style::RGBColor;

use super::canvas::{Align, Canvas};
use super::marks::Mark;
use super::plot::{LAYERS, Line};
use super::text::Block;
use super::theme::{AXIS, ArmStyle, LEGEND, MARK, NO_ARM, Stroke};

/// Height of one line of the legend.
const LINE_HEIGHT: f64 = 58.0;
/// Width of a sign, and the gaps after it and after its text.
const SIGN: (f64, f64, f64) = (64.0, 16.0, 56.0);

/// Height of the piece of a plot that a sign shows, and half that of the cell of a picture.
const TALL: f64 = 40.0;
const CELL: f64 = 18.0;
/// The line across it, and the mark on that.
const ACROSS: [(f64, f64); 2] = [(0.0, 0.5), (1.0, 0.5)];
const MIDDLE: (f64, f64) = (0.5, 0.5);

/// The sign in front of a legend text.
#[derive(Debug, Clone)]
pub(super) enum Sign {
    /// What is drawn on the chart, on a piece of a plot from 0 to 1 along both axes.
    Sample(Box<Line>, ArmStyle),
    /// Nothing: the text explains numbers that are written on the chart.
    Text,
    /// Cells of a picture side by side, and the width of all.
    Cells(Vec<RGBColor>, f64),
    /// The frame of a picture, and its width.
    Frame(RGBColor, f64),
}

impl Sign {
    /// A line of the chart with one of its marks; a dot alone would be too faint.
    pub fn of(line: &Line, style: ArmStyle) -> Sign {
        let mark = if line.mark == Mark::Dot { Mark::Solid(MARK) } else { line.mark };
        let marks = line.marks.first().map(|_| MIDDLE).into_iter().collect();
        Sign::Sample(
            Box::new(Line { mark, marks, width: line.width, points: ACROSS.to_vec(), ..Line::default() }),
            style,
        )
    }

    /// A line of no particular arm.
    pub fn sample(line: Line) -> Sign {
        let style = line.style(|_| NO_ARM);
        Sign::Sample(Box::new(line), style)
    }

    /// A line without marks, and its width.
    pub fn plain(stroke: Stroke, width: f64) -> Sign {
        Sign::sample(Line { stroke: Some(stroke), width, points: ACROSS.to_vec(), ..Line::default() })
    }

    /// A mark that is on no line, with a whisker or without.
    pub fn mark(mark: Mark, whisker: bool) -> Sign {
        let band = if whisker { vec![(0.5, 0.0, 1.0)] } else { Vec::new() };
        Sign::sample(Line { mark, band, marks: vec![MIDDLE], ..Line::default() })
    }

    /// A band; small areas need more opacity than large ones.
    pub fn band(alpha: f64) -> Sign {
        Sign::sample(Line { band: vec![(0.0, 0.1, 0.9), (1.0, 0.1, 0.9)], alpha, width: 0.0, ..Line::default() })
    }

    /// What the sign and the gap after it take up.
    fn room(&self) -> f64 {
        match self {
            Sign::Text => 0.0,
            _ => SIGN.0 + SIGN.1,
        }
    }

    fn draw(&self, canvas: &mut Canvas, left: f64, y: f64) {
        let middle = left + SIGN.0 / 2.0;
        let mut outline = |half: f64, width: f64, color: RGBColor| {
            let corners = [(-half, -CELL), (half, -CELL), (half, CELL), (-half, CELL), (-half, -CELL)];
            canvas.path(&corners.map(|(dx, dy)| (middle + dx, y + dy)), width, color);
        };
        match self {
            Sign::Sample(line, style) => {
                for layer in LAYERS {
                    line.draw(canvas, layer, *style, |along, up| (left + along * SIGN.0, y + (0.5 - up) * TALL));
                }
            }
            Sign::Text => {}
            Sign::Cells(colors, width) => {
                outline(width / 2.0, 3.0, AXIS);
                let (start, each) = (middle - width / 2.0, width / colors.len() as f64);
                for (index, color) in colors.iter().enumerate() {
                    let x = start + index as f64 * each;
                    canvas.rect((x, y - CELL), (x + each, y + CELL), *color, 1.0);
                }
            }
            Sign::Frame(color, width) => outline(CELL, *width, *color),
        }
    }
}

/// An entry, and its width with the gap after it.
type Entry = (Sign, Block, f64);

/// Legend entries laid out in centred lines.
pub(super) struct Legend(Vec<Vec<Entry>>);

impl Legend {
    /// Distributes the entries over lines of at most this width.
    pub fn new(entries: Vec<(Sign, String)>, width: f64) -> Result<Legend> {
        let measure = |(sign, text): (Sign, String)| {
            let text = Block::fit(&text, width - sign.room(), 1, LEGEND)?;
            let room = sign.room() + text.width()? + SIGN.2;
            Ok((sign, text, room))
        };
        let entries = entries.into_iter().map(measure).collect::<Result<Vec<Entry>>>()?;
        let lines = |part: i32| filled_lines(&entries, width * f64::from(part) / 100.0);
        // Narrower lines as long as they are no more: else a last one may hold a single entry.
        let narrowest = (50..100).rev().take_while(|part| lines(*part).len() <= lines(100).len()).last();
        Ok(Legend(lines(narrowest.unwrap_or(100))))
    }

    pub fn height(&self) -> f64 {
        self.0.len() as f64 * LINE_HEIGHT
    }

    /// Draws the lines around a vertical centre line, from a height downwards.
    pub fn draw(&self, canvas: &mut Canvas, middle: f64, top: f64) -> Result<()> {
        for (index, line) in self.0.iter().enumerate() {
            let y = top + (index as f64 + 0.5) * LINE_HEIGHT;
            let mut left = middle - (width_of(line) - SIGN.2) / 2.0;
            for (sign, text, room) in line {
                sign.draw(canvas, left, y);
                text.draw_around(canvas, (left + sign.room(), y), Align::Left)?;
                left += room;
            }
        }
        Ok(())
    }
}

fn width_of(line: &[Entry]) -> f64 {
    line.iter().map(|entry| entry.2).sum()
}

/// Fills one line after the other.
fn filled_lines(entries: &[Entry], width: f64) -> Vec<Vec<Entry>> {
    let mut lines: Vec<Vec<Entry>> = Vec::new();
    for entry in entries {
        match lines.last_mut() {
            Some(line) if width_of(line) + entry.2 - SIGN.2 <= width => line.push(entry.clone()),
            _ => lines.push(vec![entry.clone()]),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dozen_long_entries_stay_within_the_page() -> Result<()> {
        let entry = |index: usize| {
            (Sign::plain(Stroke::Solid, 3.0), format!("HanNet, width {index}, {}", "x".repeat(9 * index)))
        };
        let legend = Legend::new((0..12).map(entry).collect(), 1300.0)?;
        assert_eq!(legend.0.iter().map(Vec::len).sum::<usize>(), 12);
        assert!(legend.0.iter().all(|line| width_of(line) - SIGN.2 <= 1300.0) && legend.0.len() < 12);
        assert_eq!(legend.height(), legend.0.len() as f64 * LINE_HEIGHT);
        Ok(())
    }
}
