//! What an axis shows: its label and scale, the values that it can show, and the range that follows from them.

use anyhow::{Result, ensure};

use super::axes::{Axis, close_axis, exponent_axis, log_axis, percent_axis, root_axis, zero_axis};

/// What an axis shows, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantity {
    /// Its label.
    pub label: String,
    /// Its scale.
    pub scale: AxisScale,
}

/// The scale of an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AxisScale {
    /// From 0 on.
    Linear,
    /// Of counts, from 0 on.
    Count,
    /// Of any numbers, close to them.
    Close,
    /// Equal ratios are equally far apart; values are above 0.
    Log,
    /// Fractions, as percent, close to them.
    Percent,
    /// Fractions, as percent, always from 0 to 100.
    Whole,
    /// From 0 on, with more room for what is small.
    Root,
    /// Decimal logarithms of what is shown, which may be beyond every number; those near 0 have more room.
    Exponent,
}

impl Quantity {
    /// A quantity on a scale.
    pub fn new(label: impl Into<String>, scale: AxisScale) -> Self {
        Self { label: label.into(), scale }
    }

    /// The axis for some values, each of which [`Quantity::check`] has passed.
    pub(super) fn axis(&self, values: &[f64]) -> Axis {
        let values = || values.iter().copied();
        let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
        match self.scale {
            AxisScale::Linear => zero_axis(1.04 * high),
            AxisScale::Count => zero_axis(high),
            AxisScale::Close => close_axis(values(), (1e-3 * low.abs().max(high)).max(1e-9)),
            AxisScale::Log => log_axis(low, high),
            AxisScale::Percent => percent_axis(values()),
            AxisScale::Whole => percent_axis([0.0, 1.0].into_iter()),
            AxisScale::Root => root_axis(high),
            AxisScale::Exponent => exponent_axis(values()),
        }
    }

    /// Refuses a value before it becomes a point outside the plot, or none at all.
    pub(super) fn check(&self, value: f64, what: &str) -> Result<()> {
        let (fits, which) = match self.scale {
            AxisScale::Log => (value > 0.0, "takes numbers above 0"),
            AxisScale::Linear | AxisScale::Count | AxisScale::Root => (value >= 0.0, "takes numbers from 0 on"),
            AxisScale::Close | AxisScale::Exponent => (true, "takes numbers"),
            AxisScale::Percent | AxisScale::Whole => {
                ((-1e-9..=1.0 + 1e-9).contains(&value), "takes fractions between 0 and 1")
            }
        };
        ensure!(fits && value.is_finite(), "{what}: {value} cannot be shown as {:?}, which {which}", self.label);
        Ok(())
    }
}
