//! Lipschitz constants, from below and from above.

use super::{Results, line, medians, panel};
use crate::experiment::gradients::rows::StretchRow;
use crate::experiment::gradients::spec::layers_of;
use crate::figure::{AxisScale, Drawing, Image, LinePanel, LineQuantity, LineSeries, line_panels};
use anyhow::{Result, ensure};

/// Products of norms beyond are drawn there: those of deep dense networks would leave no room for all else.
const LARGEST: f64 = 1e15;

pub(super) fn from_below(results: &Results<'_>) -> Result<Image> {
    let rows: Vec<StretchRow> = results.findings.rows("stretch.csv")?;
    ensure!(!rows.is_empty(), "no Lipschitz constant has been searched for");
    let file = &results.claims.file;
    let y = || LineQuantity::new("|f(x) − f(y)| / |x − y| (log scale)", AxisScale::Log);
    let (trained, alone): (Vec<&StretchRow>, Vec<&StretchRow>) = rows.iter().partition(|row| row.point == "course");
    let title = format!("Untrained, width {}", file.lipschitz.width);
    let x = LineQuantity::new("number of hidden layers (log scale)", AxisScale::Log);
    let untrained = panel(title, x, y(), curves(results, &alone, |row| row.depth as f64));
    let sizes = file.arm.iter().filter(|arm| arm.course).map(|arm| {
        let (layers, width) = (layers_of(&arm.model), arm.model.size().width);
        format!("{} {layers} x {width}", arm.label)
    });
    let title = format!("Trained: {}", sizes.collect::<Vec<_>>().join(", "));
    let x = LineQuantity::new("part of the training that is done (0: the start)", AxisScale::Linear);
    let moment = |row: &StretchRow| if row.state == "trained" { 1.0 } else { 0.0 };
    let in_training = panel(title, x, y(), curves(results, &trained, moment));
    let level = Some((1.0, "1: no two points move apart".to_string()));
    let panels: Vec<LinePanel> = [untrained, in_training]
        .into_iter()
        .flatten()
        .map(|panel| LinePanel { level: level.clone(), ..panel })
        .collect();
    ensure!(!panels.is_empty(), "no network with a Lipschitz constant");
    let notes = [
        (Drawing::Marked, "largest ratio that gradient ascent found, median seed"),
        (Drawing::Dashed, "product of the layers' spectral norms, which it cannot pass; drawn up to 1e15"),
    ];
    line_panels("How far apart the hidden layers can move two points", &panels, &notes)
}

/// Found ratios and products of norms of every network, medians over seeds.
fn curves(results: &Results<'_>, rows: &[&StretchRow], x: impl Fn(&StretchRow) -> f64) -> Vec<LineSeries> {
    let mut series = Vec::new();
    for arm in &results.claims.file.arm {
        let median = |value: &dyn Fn(&StretchRow) -> Option<f64>| {
            let of_arm = rows.iter().filter(|row| row.arm == arm.name);
            medians(of_arm.filter_map(|row| Some((x(row), value(row).filter(|value| *value > 0.0)?))))
        };
        let product = |row: &StretchRow| row.log10_of_norms.map(|log10| 10f64.powf(log10).min(LARGEST));
        series.push(line(&arm.name, &arm.label, Drawing::Marked, median(&|row| row.found)));
        series.push(line(&arm.name, &arm.label, Drawing::Dashed, median(&product)));
    }
    series
}
