//! Accuracy against the effort of an attack: whether more steps or restarts would still have found more.

use anyhow::Result;

use super::axes::percent_axis;
use super::legend::Sign;
use super::page::{Page, Plot, Range};
use super::plot::{Line, some};
use super::quantity::{AxisScale, Quantity, once};
use super::{ACCURACY, Image};

/// One arm under growing effort.
#[derive(Debug, Clone, PartialEq)]
pub struct EffortCurve {
    /// Name of the arm, which fixes its colour.
    pub arm: String,
    /// Its text in the legend.
    pub label: String,
    /// Effort, which is above 0 and grows, and accuracy as a fraction.
    pub points: Vec<(f64, f64)>,
}

/// Arms under the same attack.
#[derive(Debug, Clone, PartialEq)]
pub struct EffortPanel {
    /// The attack, and the ball that it searched.
    pub title: String,
    /// Label of the horizontal axis, such as `number of steps`.
    pub x_label: String,
    /// The arms, each once.
    pub curves: Vec<EffortCurve>,
}

/// Most marks on a line.
const MARKS: usize = 8;

/// Draws the panels side by side with effort on a logarithmic axis and accuracy from 0 to 100 %; beside every line are its
/// last value and its change from the first.
///
/// Fails if there is no panel, curve or point, if a panel has an arm twice, if an accuracy is no fraction, or if efforts
/// are not above 0 or do not grow.
pub fn attack_effort(title: &str, panels: &[EffortPanel]) -> Result<Image> {
    let plot = |panel: &EffortPanel| {
        once(&panel.title, panel.curves.iter().map(|curve| &curve.arm))?;
        let whole = Range::Known(percent_axis([0.0, 1.0].into_iter()));
        Ok(Plot {
            title: panel.title.clone(),
            x: (Quantity::new(format!("{} (log scale)", panel.x_label), AxisScale::Log), Range::Own),
            y: (Quantity::new(ACCURACY, AxisScale::Percent), whole),
            lines: panel.curves.iter().map(line).collect(),
            level: None,
        })
    };
    let plots = panels.iter().map(plot).collect::<Result<Vec<Plot>>>()?;
    let text = "numbers: accuracy at the last point, and its change from the first, in percentage points";
    let notes = vec![(Sign::Text, text.to_owned())];
    Page { title, plots, notes, aligned: true, square: false }.draw()
}

fn line(curve: &EffortCurve) -> Line {
    let points = curve.points.clone();
    Line { marks: some(&points, MARKS), ending: ending(&points), ..Line::of(&curve.arm, &curve.label, points) }
}

/// The last accuracy, and how far it lies from the first.
fn ending(points: &[(f64, f64)]) -> Vec<String> {
    let Some(((_, first), (_, last))) = points.first().zip(points.last()) else { return Vec::new() };
    let change = 100.0 * (last - first);
    let sign = match change {
        change if change <= -0.005 => "−",
        change if change >= 0.005 => "+",
        _ => "±",
    };
    vec![format!("{:.2} %", 100.0 * last), format!("{sign}{:.2}", change.abs())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_change_is_told_with_its_sign() {
        let ending = |last| ending(&[(1.0, 0.92), (10.0, last)]);
        assert_eq!(ending(0.9158), ["91.58 %", "−0.42"]);
        assert_eq!(ending(0.92), ["92.00 %", "±0.00"]);
        assert_eq!(ending(0.93), ["93.00 %", "+1.00"]);
    }
}
