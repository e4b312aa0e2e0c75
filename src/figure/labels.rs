//! Labels beside what they name: at the ends of lines, and near marks.

use anyhow::Result;
use plotters::style::RGBColor;

use super::canvas::{Align, Area, Canvas};
use super::frame::Frame;
use super::glyphs::text_width;
use super::text::Block;
use super::theme::{DIRECT, MARK, PAPER, Type};

/// Room between the end of a line and its label.
pub(super) const ENDING: f64 = 22.0;
/// Height of a line of a label.
const HEIGHT: f64 = 1.05 * DIRECT.size;
/// What the axis below takes up of a plot.
const AXIS_ROOM: f64 = 1.5;
/// Widest label of a mark as a part of its plot.
const WIDEST: f64 = 0.7;

/// What stands to the right of a line's end: the height there, the text, and its colour.
type EndLabel = (f64, Vec<String>, RGBColor);

/// Writes the labels of lines that end there along x, moved apart where they would touch, and says where they are. They stay above
/// the axis unless the plot is too low for all of them. Marks come after them.
pub(super) fn end_labels(canvas: &mut Canvas, frame: &Frame, end: f64, mut labels: Vec<EndLabel>) -> Result<Vec<Area>> {
    labels.sort_by(|a, b| a.0.total_cmp(&b.0));
    let half = |lines: &[String]| lines.len() as f64 * HEIGHT / 2.0;
    // Down until no label touches the one above, then up again from the lower end of the plot.
    let mut free = f64::NEG_INFINITY;
    for (y, lines, _) in &mut labels {
        *y = y.max(free + half(lines));
        free = *y + half(lines);
    }
    let (_, top, _, bottom) = frame.area;
    let tall: f64 = labels.iter().map(|(_, lines, _)| 2.0 * half(lines)).sum();
    let mut limit = if tall <= bottom - top { bottom - AXIS_ROOM } else { bottom + DIRECT.size / 2.0 };
    for (y, lines, _) in labels.iter_mut().rev() {
        *y = y.min(limit - half(lines));
        limit = *y - half(lines);
    }
    let (left, mut taken) = (end + ENDING, Vec::new());
    for (y, lines, color) in labels {
        for (index, line) in lines.iter().enumerate() {
            let (top, right) = (y - half(&lines) + index as f64 * HEIGHT, left + text_width(line, DIRECT.size)?);
            // The grid and a level would go through it, or stand before it like a sign; the axis below stays whole.
            canvas.rect((end + 3.0, top), (right, (top + HEIGHT).min(bottom - AXIS_ROOM)), PAPER, 1.0);
            canvas.text(line, (left, top + HEIGHT / 2.0), Align::Left, Type { color, ..DIRECT })?;
            taken.push((left, top, right, top + HEIGHT));
        }
    }
    Ok(taken)
}

/// Writes a label near its mark where it covers least of what is drawn already, and says where that is.
pub(super) fn beside_mark(
    canvas: &mut Canvas,
    text: &str,
    at: (f64, f64),
    color: RGBColor,
    frame: &Frame,
    taken: &[Area],
) -> Result<Area> {
    let text = Block::fit(text, WIDEST * (frame.area.2 - frame.area.0), 1, Type { color, ..DIRECT })?;
    let area = free_place(at, text.width()?, frame, taken);
    text.draw_around(canvas, (area.0, (area.1 + area.3) / 2.0), Align::Left)?;
    Ok(area)
}

/// The place for a label near its mark that covers least of what is drawn already; nearer places are preferred.
fn free_place((x, y): (f64, f64), width: f64, frame: &Frame, taken: &[Area]) -> Area {
    let (height, side) = (DIRECT.size, MARK + 12.0);
    let (frame_left, frame_top, frame_right, frame_bottom) = frame.area;
    let plot = (frame_left + 6.0, frame_top, frame_right - 4.0, frame_bottom - 6.0);
    let mut best = (f64::INFINITY, (x, y, x, y));
    for lift in [0.0, 0.6, -0.6, 1.3, -1.3, 2.0, -2.0, 3.0, -3.0, 4.0, -4.0, 5.0, -5.0] {
        for left in [x + side, x - side - width, x - width / 2.0, x - 12.0, x + 12.0 - width] {
            let middle = y - lift * height;
            let area = (left, middle - height / 2.0, left + width, middle + height / 2.0);
            let covered: f64 = taken.iter().map(|other| overlap(area, *other)).sum();
            let outside = (width * height - overlap(area, plot)).max(0.0);
            let (across, up) = ((x.clamp(area.0, area.2) - x).abs(), (y.clamp(area.1, area.3) - y).abs());
            let cost = 4.0 * covered + 8.0 * outside + across.hypot(up) + 0.2 * (left + width / 2.0 - x).abs();
            if cost < best.0 {
                best = (cost, area);
            }
        }
    }
    best.1
}

fn overlap(a: Area, b: Area) -> f64 {
    (a.2.min(b.2) - a.0.max(b.0)).max(0.0) * (a.3.min(b.3) - a.1.max(b.1)).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::axes::zero_axis;

    #[test]
    fn labels_stay_above_the_axis_where_there_is_room_for_all() -> Result<()> {
        let frame = Frame { area: (10.0, 10.0, 200.0, 10.0 + 5.0 * HEIGHT), x: zero_axis(1.0), y: zero_axis(1.0) };
        let lowest = |count: usize| -> Result<f64> {
            let labels = vec![(frame.area.3, vec!["99 %".to_owned()], PAPER); count];
            let taken = end_labels(&mut Canvas::new(400.0, 400.0)?, &frame, 200.0, labels)?;
            Ok(taken.iter().map(|area| area.3).fold(0.0, f64::max))
        };
        assert!(lowest(1)? < frame.area.3 && lowest(4)? < frame.area.3 && lowest(6)? > frame.area.3);
        Ok(())
    }
}
