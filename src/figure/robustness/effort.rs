//! Accuracy against the effort of an attack: whether more steps or restarts would still have found more.

use anyhow::{Context, Result, ensure};

use super::{ACCURACY, labelled_arms};
use crate::figure::axes::{Axis, Frame, beside, log_axis, percent_axis};
use crate::figure::canvas::Canvas;
use crate::figure::labels::{EndLabel, end_labels};
use crate::figure::legend::Sign;
use crate::figure::marks::mark;
use crate::figure::sheet::{MARGIN, Plan, Sheet};
use crate::figure::text::text_width;
use crate::figure::theme::{ArmStyle, DIRECT, LINE};
use crate::figure::{Image, fraction};

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

/// Room between what stands right of a plot and the next axis.
const GAP: f64 = 72.0;

/// Draws the panels side by side with effort on a logarithmic axis. Every panel has its own accuracy axis close to its
/// data, and says how many points it spans; beside every line are its last value and its change from the first.
///
/// Fails if there is no panel, curve or point, if a panel has an arm twice, if an accuracy is no fraction, or if efforts
/// are not above 0 or do not grow.
pub fn attack_effort(title: &str, panels: &[EffortPanel]) -> Result<Image> {
    ensure!(!panels.is_empty(), "attack effort {title:?}: no panel to draw");
    panels.iter().try_for_each(check)?;
    let curves = panels.iter().flat_map(|panel| &panel.curves);
    let arms = labelled_arms(curves.clone().map(|curve| (curve.arm.as_str(), curve.label.as_str())));
    let style = |name: &str| arms.iter().find(|(arm, _)| arm.name == name).map(|(_, style)| *style);
    let axes: Vec<Axis> = panels
        .iter()
        .map(|panel| percent_axis(panel.curves.iter().flat_map(|curve| &curve.points).map(|point| point.1)))
        .collect();

    let beside = axes.iter().try_fold(0.0, |widest: f64, axis| anyhow::Ok(widest.max(beside(axis)?)))?;
    let values = curves
        .filter_map(ending)
        .flatten()
        .try_fold(0.0, |widest: f64, text| anyhow::Ok(widest.max(text_width(&text, DIRECT.size)?)))?;
    let room = (MARGIN + beside, values + GAP + beside, values + GAP);
    let titles = panels.iter().map(|panel| panel.title.as_str()).collect();
    let mut legend: Vec<(Sign, String)> =
        arms.iter().map(|(arm, style)| (Sign::Line(*style), arm.label.clone())).collect();
    legend.push((
        Sign::Text,
        "numbers: accuracy at the last point, and its change from the first, in percentage points".to_owned(),
    ));
    let mut sheet = Sheet::new(Plan { title, panels: titles, room, legend })?;
    for ((panel, y), index) in panels.iter().zip(axes).zip(0..) {
        let frame = Frame { area: sheet.plots[index], x: effort_axis(panel), y };
        let span = frame.y.high.min(100.0) - frame.y.low.max(0.0);
        let span = format!("{ACCURACY}; the axis spans {span:.1} points");
        frame.draw(&mut sheet.canvas, &format!("{} (log scale)", panel.x_label), Some(&span))?;
        let mut labels = Vec::new();
        for curve in panel.curves.iter().rev() {
            let style = style(&curve.arm).with_context(|| format!("no style for the arm {:?}", curve.arm))?;
            labels.extend(draw_curve(&mut sheet.canvas, curve, style, &frame));
        }
        end_labels(&mut sheet.canvas, &frame, labels)?;
    }
    Ok(sheet.finish())
}

fn check(panel: &EffortPanel) -> Result<()> {
    let name = &panel.title;
    ensure!(!panel.curves.is_empty(), "attack effort, panel {name:?}: no curve to draw");
    for (index, curve) in panel.curves.iter().enumerate() {
        let what = format!("attack effort, panel {name:?}, curve {:?}", curve.label);
        let twice = panel.curves[..index].iter().any(|other| other.arm == curve.arm);
        ensure!(!twice, "{what}: the arm {:?} is there twice", curve.arm);
        ensure!(!curve.points.is_empty(), "{what}: no point to draw");
        for &(effort, accuracy) in &curve.points {
            let shown = effort.is_finite() && effort > 0.0;
            ensure!(shown, "{what}: {effort} {} cannot be shown on a logarithmic axis", panel.x_label);
            fraction(accuracy, || format!("{what}: accuracy at {effort}"))?;
        }
        let grows = curve.points.windows(2).all(|pair| pair[0].0 < pair[1].0);
        ensure!(grows, "{what}: its efforts do not grow from point to point");
    }
    Ok(())
}

fn effort_axis(panel: &EffortPanel) -> Axis {
    let efforts = || panel.curves.iter().flat_map(|curve| &curve.points).map(|point| point.0);
    log_axis(efforts().fold(f64::INFINITY, f64::min), efforts().fold(0.0, f64::max))
}

/// The last accuracy, and how far it lies from the first.
fn ending(curve: &EffortCurve) -> Option<[String; 2]> {
    let ((_, first), (_, last)) = (curve.points.first()?, curve.points.last()?);
    let change = 100.0 * (last - first);
    let sign = match change {
        change if change <= -0.005 => "−",
        change if change >= 0.005 => "+",
        _ => "±",
    };
    Some([format!("{:.2} %", 100.0 * last), format!("{sign}{:.2}", change.abs())])
}

fn draw_curve(canvas: &mut Canvas, curve: &EffortCurve, style: ArmStyle, frame: &Frame) -> Option<EndLabel> {
    let line: Vec<(f64, f64)> = curve.points.iter().map(|&(x, accuracy)| frame.at(x, 100.0 * accuracy)).collect();
    canvas.path(&line, LINE, style.color);
    line.iter().for_each(|&at| mark(canvas, at, style));
    Some(EndLabel { y: line.last()?.1, lines: ending(curve)?.into(), color: style.color })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_change_is_told_with_its_sign() {
        let ending = |first, last| {
            let points = vec![(1.0, first), (10.0, last)];
            ending(&EffortCurve { arm: String::new(), label: String::new(), points })
        };
        let texts = |last: &str, change: &str| Some([last.to_owned(), change.to_owned()]);
        assert_eq!(ending(0.92, 0.9158), texts("91.58 %", "−0.42"));
        assert_eq!(ending(0.92, 0.92), texts("92.00 %", "±0.00"));
        assert_eq!(ending(0.92, 0.93), texts("93.00 %", "+1.00"));
    }
}
