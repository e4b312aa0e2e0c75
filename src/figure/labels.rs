//! Labels beside what they name: at the ends of lines, and near marks.

use anyhow::Result;
use plotters::style::RGBColor;

use super::axes::Frame;
use super::canvas::{Align, Canvas};
use super::sheet::Area;
use super::theme::{DIRECT, MARK, Type};

/// What stands to the right of a plot where a line ends.
pub(super) struct EndLabel {
    /// Height at which the line ends.
    pub y: f64,
    pub lines: Vec<String>,
    pub color: RGBColor,
}

impl EndLabel {
    fn height(&self) -> f64 {
        self.lines.len() as f64 * 1.05 * DIRECT.size
    }
}

/// Writes the labels beside the plot, moved apart where they would touch.
pub(super) fn end_labels(canvas: &mut Canvas, frame: &Frame, mut labels: Vec<EndLabel>) -> Result<()> {
    labels.sort_by(|a, b| a.y.total_cmp(&b.y));
    // Down until no label touches the one above, then up again from the lower end of the plot.
    let mut free = f64::NEG_INFINITY;
    for label in &mut labels {
        label.y = label.y.max(free + label.height() / 2.0);
        free = label.y + label.height() / 2.0;
    }
    let mut limit = frame.area.3 + DIRECT.size / 2.0;
    for label in labels.iter_mut().rev() {
        label.y = label.y.min(limit - label.height() / 2.0);
        limit = label.y - label.height() / 2.0;
    }
    for label in labels {
        let kind = Type { color: label.color, ..DIRECT };
        let each = label.height() / label.lines.len().max(1) as f64;
        for (index, line) in label.lines.iter().enumerate() {
            let y = label.y - label.height() / 2.0 + (index as f64 + 0.5) * each;
            canvas.text(line, (frame.area.2 + 22.0, y), Align::Left, kind)?;
        }
    }
    Ok(())
}

/// The place for a label near its mark that covers least of what is drawn already; nearer places are preferred.
pub(super) fn free_place((x, y): (f64, f64), width: f64, frame: &Frame, taken: &[Area]) -> Area {
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
