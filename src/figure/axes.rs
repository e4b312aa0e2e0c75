//! Axes of the line and scatter charts: ranges, ticks, and the frame they are drawn in.

use anyhow::Result;

use super::canvas::{Align, Canvas};
use super::sheet::Area;
use super::text::text_width;
use super::theme::{AXIS, AXIS_LABEL, GRID, TICK};

/// One axis: its range, the values with a label on it, and whether it is logarithmic.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    pub low: f64,
    pub high: f64,
    pub ticks: Vec<(f64, String)>,
    pub log: bool,
}

impl Axis {
    /// Where a value lies on the axis, 0 at its start and 1 at its end.
    pub fn place(&self, value: f64) -> f64 {
        let turn = |value: f64| if self.log { value.log10() } else { value };
        (turn(value) - turn(self.low)) / (turn(self.high) - turn(self.low))
    }
}

/// The largest of 1, 2 or 5 times a power of ten that gives at least `least` steps in `span`.
fn step(span: f64, least: f64) -> f64 {
    let rough = span / least;
    let power = 10f64.powf(rough.log10().floor());
    [5.0, 2.0, 1.0].into_iter().map(|part| part * power).find(|&step| step <= rough * (1.0 + 1e-9)).unwrap_or(power)
}

fn multiples(low: f64, high: f64, step: f64) -> impl Iterator<Item = f64> {
    let (first, last) = ((low / step - 1e-9).ceil() as i64, (high / step + 1e-9).floor() as i64);
    (first..=last).map(move |index| index as f64 * step)
}

/// An axis in percent around fractions 0..1: close to the data, so that 99.2 % and 99.9 % are apart, and with so little
/// room above 100 % that nobody looks for a value there.
pub(super) fn percent_axis(values: impl Iterator<Item = f64>) -> Axis {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(100.0 * value), high.max(100.0 * value))
    });
    let span = (high - low).max(0.5);
    let middle = (low + high) / 2.0;
    let pad = 0.07 * span;
    let (low, high) = (low.min(middle - span / 2.0) - pad, high.max(middle + span / 2.0) + pad);
    let (low, high) = (low.max(-0.03 * span), high.min(100.0 + 0.03 * span));
    let step = step(high - low, 5.0);
    let decimals = (-step.log10().floor()).max(0.0) as usize;
    let labelled = multiples(low.max(0.0), high.min(100.0), step);
    let ticks = labelled.map(|value| (value, format!("{value:.decimals$}"))).collect();
    Axis { low, high, ticks, log: false }
}

/// A count as a tick label: 500, 2k, 1.5M.
pub(super) fn short_count(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{}M", v / 1e6),
        v if v >= 1e3 => format!("{}k", v / 1e3),
        v => format!("{v}"),
    }
}

/// An axis of counts from 0 to the largest value.
pub(super) fn count_axis(most: f64) -> Axis {
    let high = if most > 0.0 { most } else { 1.0 };
    let step = step(high, 4.0);
    let ticks = multiples(0.0, high, step).map(|value| (value, short_count(value))).collect();
    Axis { low: 0.0, high, ticks, log: false }
}

/// A logarithmic axis of counts with a margin on both sides; 2 and 5 are labelled too where powers of ten are few.
pub(super) fn log_axis(least: f64, most: f64) -> Axis {
    let (low, high) = (least / 1.8, most * 1.8);
    let labels = |parts: &[f64]| -> Vec<(f64, String)> {
        (0..16)
            .flat_map(|power| parts.iter().map(move |part| part * 10f64.powi(power)))
            .filter(|&value| value >= low && value <= high)
            .map(|value| (value, short_count(value)))
            .collect()
    };
    let powers = labels(&[1.0]);
    let ticks = if powers.len() >= 3 { powers } else { labels(&[1.0, 2.0, 5.0]) };
    Axis { low, high, ticks, log: true }
}

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

    /// Draws grid, axis lines and labels; the accuracies are left out where the panel to the left has the same axis.
    pub fn draw(&self, canvas: &mut Canvas, x_label: &str, with_accuracies: bool) -> Result<()> {
        let (left, top, right, bottom) = self.area;
        for (value, _) in &self.y.ticks {
            let (_, y) = self.at(self.x.low, *value);
            canvas.line((left, y), (right, y), 1.5, GRID, 1.0);
        }
        for (value, label) in &self.x.ticks {
            let (x, _) = self.at(*value, self.y.low);
            canvas.line((x, top), (x, bottom), 1.5, GRID, 1.0);
            canvas.line((x, bottom), (x, bottom + 10.0), 2.0, AXIS, 1.0);
            canvas.text(label, (x, bottom + 32.0), Align::Center, TICK)?;
        }
        canvas.path(&[(left, top), (left, bottom), (right, bottom)], 2.0, AXIS);
        let middle = (left + right) / 2.0;
        canvas.text(x_label, (middle, bottom + 82.0), Align::Center, AXIS_LABEL)?;
        if with_accuracies {
            for (value, label) in &self.y.ticks {
                let (_, y) = self.at(self.x.low, *value);
                canvas.line((left - 10.0, y), (left, y), 2.0, AXIS, 1.0);
                canvas.text(label, (left - 18.0, y), Align::Right, TICK)?;
            }
            let x = left - 18.0 - tick_width(&self.y)? - 34.0;
            canvas.text("test accuracy (%)", (x, (top + bottom) / 2.0), Align::Upwards, AXIS_LABEL)?;
        }
        Ok(())
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

    #[test]
    fn close_accuracies_are_apart_and_nothing_lies_far_above_a_hundred() {
        let axis = percent_axis([0.992, 0.999].into_iter());
        assert!(axis.place(99.9) - axis.place(99.2) > 0.5);
        assert!(axis.high < 100.1 && axis.ticks.len() >= 3, "{axis:?}");
        let single = percent_axis([1.0].into_iter());
        assert!(single.low < 100.0 && single.high <= 100.1 && single.ticks.len() >= 3, "{single:?}");
        let wide = percent_axis([0.0, 1.0].into_iter());
        assert!(wide.ticks.len() <= 12 && wide.low <= 0.0, "{wide:?}");
    }

    #[test]
    fn counts_have_short_labels() {
        let label = |axis: Axis| axis.ticks.into_iter().map(|(_, label)| label).collect::<Vec<String>>();
        assert_eq!(label(count_axis(40000.0)), ["0", "10k", "20k", "30k", "40k"]);
        assert_eq!(label(log_axis(1000.0, 300000.0)), ["1k", "10k", "100k"]);
        assert_eq!(label(log_axis(40000.0, 50000.0)), ["50k"]);
        assert_eq!(label(count_axis(0.0)).first().map(String::as_str), Some("0"));
    }
}
