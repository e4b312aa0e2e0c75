//! What a layer costs.

use super::{Results, layers};
use crate::engine::page::counted;
use crate::experiment::gradients::rows::CostRow;
use crate::experiment::gradients::summary::exponent;
use crate::figure::{AxisScale, Drawing, Image, LinePanel, LineQuantity, LineSeries, line_panels};
use anyhow::{Result, ensure};

/// Kinds of layers: in the rows, by the arm whose colour they have, and on charts; time grows with that power of the width.
const LAYERS: [(&str, &str, &str, i32); 2] = [("han", "hannet", "Han-layer", 1), ("dense", "fcnet", "dense layer", 2)];

pub(super) fn of_layers(results: &Results<'_>) -> Result<Image> {
    let rows = &results.costs;
    ensure!(!rows.is_empty(), "no time has been taken");
    let file = &results.claims.file.cost;
    let of = |layer: &str, pass: &str, single: bool, point: &dyn Fn(&CostRow) -> (f64, f64)| -> Vec<(f64, f64)> {
        let fits = |row: &&CostRow| {
            let fits =
                if single { row.depth == 1 && file.widths.contains(&row.width) } else { row.width == file.depth_width };
            fits && row.layer == layer && row.pass == pass
        };
        let mut points: Vec<(f64, f64)> = rows.iter().filter(fits).map(point).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        points.dedup_by(|a, b| a.0 == b.0);
        points
    };
    let width = || LineQuantity::new("width d (log scale)", AxisScale::Log);
    let time = || LineQuantity::new("milliseconds (log scale)", AxisScale::Log);
    let parameters = LAYERS.map(|(layer, arm, label, _)| {
        let points = of(layer, "training", true, &|row| (row.width as f64, row.parameters as f64));
        LineSeries::of(arm, label, Drawing::Marked, points)
    });
    let y = LineQuantity::new("parameters (log scale)", AxisScale::Log);
    let parameters = LinePanel::of("Parameters of one layer", width(), y, parameters.into());
    let mut panels: Vec<LinePanel> = parameters.into_iter().collect();
    let mut grows = Vec::new();
    for (pass, title) in
        [("forward", "Time of one layer, forward"), ("training", "Time of one layer, forward and backward")]
    {
        let mut series = Vec::new();
        for (layer, arm, label, power) in LAYERS {
            let points = of(layer, pass, true, &|row| (row.width as f64, 1e3 * row.seconds));
            let fitted: Vec<(f64, f64)> = points.iter().copied().filter(|p| p.0 >= file.fitted_from as f64).collect();
            if let Some(&(x, y)) = fitted.last() {
                // Through the widest layer, as far down as the axis of the others goes.
                let guide = points.iter().map(|p| (p.0, y * (p.0 / x).powi(power))).collect();
                series.push(LineSeries::of(arm, label, Drawing::Dotted, guide));
            }
            let mut measured = LineSeries::of(arm, label, Drawing::Marked, points);
            let power = exponent(&fitted).map(|exponent| format!("~ d^{exponent:.2}"));
            grows.extend(power.iter().map(|power| (pass, format!("{label} {power}"))));
            measured.ending = power.into_iter().collect();
            series.insert(0, measured);
        }
        panels.extend(LinePanel::of(title, width(), time(), series));
    }
    let deep = LAYERS.map(|(layer, arm, label, _)| {
        let points = of(layer, "training", false, &|row| (row.depth as f64, 1e3 * row.seconds));
        LineSeries::of(arm, label, Drawing::Marked, points)
    });
    let deep = deep.into_iter().filter(|series| series.points.len() > 1).collect();
    let title = format!("Time of a stack of width {}, forward and backward", file.depth_width);
    panels.extend(LinePanel::of(title, layers(), time(), deep));
    let threads = results.findings.probes.first().map_or(1, |run| run.manifest.environment.threads);
    let pass = format!("{} samples a pass, {}", file.batch, counted(threads, "thread"));
    let note =
        format!("in proportion to d (Han) and to d² (dense); exponents are fitted from d = {}", file.fitted_from);
    line_panels(&seen(&grows), &panels, &[(Drawing::Dotted, note.as_str()), (Drawing::Dots, pass.as_str())])
}

/// How the time of training grows, in a title.
fn seen(grows: &[(&str, String)]) -> String {
    let powers: Vec<&str> = grows.iter().filter(|grows| grows.0 == "training").map(|grows| grows.1.as_str()).collect();
    if powers.is_empty() {
        return "What a layer costs".into();
    }
    format!("Time of a forward and backward pass: {}", powers.join(", "))
}
