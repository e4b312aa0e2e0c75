//! The frame of a plot: axis lines, grid, numbers and labels.

use anyhow::Result;

use super::axes::{Axis, Scale};
use super::canvas::{Align, Area, Canvas};
use super::glyphs::text_width;
use super::text::Block;
use super::theme::{AXIS, AXIS_LABEL, GRID, TICK};

/// What the label of an upright axis may be longer than it: there is room above and below.
const BELOW: f64 = 200.0;
/// Least room between two tick labels of a horizontal axis.
const APART: f64 = 14.0;

/// The rectangle in which data is drawn, and the meaning of its two sides.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub area: Area,
    pub x: Axis,
    pub y: Axis,
}

impl Frame {
    pub fn at(&self, x: f64, y: f64) -> (f64, f64) {
        let (left, top, right, bottom) = self.area;
        let (across, up) = (self.x.place(x), self.y.place(y));
        (left + across * (right - left), bottom - up * (bottom - top))
    }

    /// Draws grid, axis lines and labels; without a label for y, because the panel to the left has the same axis, the
    /// numbers on it are left out too.
    pub fn draw(&self, canvas: &mut Canvas, x_label: &str, y_label: Option<&str>) -> Result<()> {
        let (left, top, right, bottom) = self.area;
        for (value, _) in &self.y.ticks {
            let (_, y) = self.at(self.x.low, *value);
            canvas.line((left, y), (right, y), 1.5, GRID, 1.0);
        }
        if self.x.scale == Scale::Names {
            self.draw_names(canvas)?;
        } else {
            for (x, label) in self.apart()? {
                canvas.line((x, top), (x, bottom), 1.5, GRID, 1.0);
                canvas.line((x, bottom), (x, bottom + 10.0), 2.0, AXIS, 1.0);
                canvas.text(label, (x, bottom + 32.0), Align::Center, TICK)?;
            }
        }
        canvas.path(&[(left, top), (left, bottom), (right, bottom)], 2.0, AXIS);
        let x_label = Block::fit(x_label, right - left, 1, AXIS_LABEL)?;
        x_label.draw_around(canvas, ((left + right) / 2.0, bottom + 82.0), Align::Center)?;
        if let Some(y_label) = y_label {
            for (value, label) in &self.y.ticks {
                let (_, y) = self.at(self.x.low, *value);
                canvas.line((left - 10.0, y), (left, y), 2.0, AXIS, 1.0);
                canvas.text(label, (left - 18.0, y), Align::Right, TICK)?;
            }
            let x = left - 18.0 - tick_width(&self.y)? - 34.0;
            let y_label = Block::fit(y_label, bottom - top + BELOW, 1, AXIS_LABEL)?;
            y_label.draw_around(canvas, (x, (top + bottom) / 2.0), Align::Upwards)?;
        }
        Ok(())
    }

    /// Names below the axis, with lines between them.
    fn draw_names(&self, canvas: &mut Canvas) -> Result<()> {
        let (left, top, right, bottom) = self.area;
        let width = (right - left) / self.x.ticks.len() as f64;
        for (index, (_, name)) in self.x.ticks.iter().enumerate() {
            let start = left + index as f64 * width;
            if index > 0 {
                canvas.line((start, top), (start, bottom + 10.0), 1.5, GRID, 1.0);
            }
            let name = Block::fit(name, width - APART, 2, TICK)?;
            name.draw(canvas, (start + width / 2.0, bottom + 14.0), Align::Center)?;
        }
        Ok(())
    }

    /// Places and labels of the horizontal axis, less those whose labels would touch; the ends are always there.
    fn apart(&self) -> Result<Vec<(f64, &str)>> {
        let mut shown: Vec<(f64, &str)> = Vec::new();
        let mut free = f64::NEG_INFINITY;
        for (index, (value, label)) in self.x.ticks.iter().enumerate() {
            let (x, half) = (self.at(*value, self.y.low).0, (text_width(label, TICK.size)? + APART) / 2.0);
            while x - half < free && index + 1 == self.x.ticks.len() && shown.len() > 1 {
                shown.pop();
                let (before, label) = shown[shown.len() - 1];
                free = before + (text_width(label, TICK.size)? + APART) / 2.0;
            }
            if x - half >= free {
                shown.push((x, label));
                free = x + half;
            }
        }
        Ok(shown)
    }
}

fn tick_width(axis: &Axis) -> Result<f64> {
    axis.ticks.iter().try_fold(0.0, |widest: f64, (_, label)| Ok(widest.max(text_width(label, TICK.size)?)))
}

/// Room to the left of a frame for its tick labels and axis label.
pub(super) fn beside(axis: &Axis) -> Result<f64> {
    Ok(tick_width(axis)? + 76.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::axes::{percent_axis, size_axis};

    #[test]
    fn sizes_are_ticks_unless_their_labels_touch() -> Result<()> {
        let sizes = [0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.96, 0.98, 1.0];
        let labels = |scale, width| -> Result<Vec<String>> {
            let (x, y) = (size_axis(&sizes, scale), percent_axis([0.0, 1.0].into_iter()));
            let frame = Frame { area: (0.0, 0.0, width, 100.0), x, y };
            Ok(frame.apart()?.into_iter().map(|(_, label)| label.to_owned()).collect())
        };
        assert_eq!(labels(Scale::SquareRoot, 9000.0)?.len(), sizes.len());
        let few = labels(Scale::Linear, 400.0)?;
        assert_eq!((few[0].as_str(), few[few.len() - 1].as_str()), ("0", "1"));
        assert!(few.len() > 3 && !few.contains(&"0.98".to_owned()), "{few:?}");
        let root = size_axis(&sizes, Scale::SquareRoot);
        assert!(root.place(0.0) == 0.0 && root.place(1.0) == 1.0 && (root.place(0.25) - 0.5).abs() < 1e-12);
        Ok(())
    }
}
