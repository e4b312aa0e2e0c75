//! Jacobians of single layers and of whole networks.

use super::{Results, line, panel};
use crate::experiment::gradients::rows::{ExtentRow, JacobianRow};
use crate::figure::{AxisScale, Drawing, Image, LineQuantity, LineSeries, line_panels};
use anyhow::{Result, ensure};

/// What is exactly 0, or below, lies at this height of a logarithmic axis.
const FLOOR: f64 = 1e-17;
/// Where a kink itself lies beside the distances from it.
const AT_KINK: f64 = 1e-13;

pub(super) fn of_layers(results: &Results<'_>) -> Result<Image> {
    let rows: Vec<JacobianRow> = results.findings.rows("jacobian.csv")?;
    ensure!(!rows.is_empty(), "no Jacobian has been measured");
    let series = |at: &dyn Fn(&JacobianRow) -> Option<f64>| -> Vec<LineSeries> {
        let precisions = [("f64", "double precision (f64)"), ("f32", "single precision (f32)")];
        let of = |(precision, label): (&str, &str)| {
            let of = rows.iter().filter(|row| row.precision == precision);
            let points = of.filter_map(|row| Some((at(row)?, row.deviation.max(FLOOR))));
            line(precision, label, Drawing::Dots, points.collect())
        };
        precisions.map(of).into()
    };
    let random = |row: &JacobianRow| row.z.is_none().then_some(row.width as f64);
    let near = |row: &JacobianRow| row.z.map(|z| if z == 0.0 { AT_KINK } else { z.abs() });
    let y = LineQuantity::new("largest entry of |J'J − I| (log scale)", AxisScale::Log);
    let layers = rows.iter().filter(|row| row.z.is_none() && row.precision == "f64").count();
    let width = LineQuantity::new("width of the layer (log scale)", AxisScale::Log);
    let distance = LineQuantity::new("|z| of that entry (log scale; 0 at the left edge)", AxisScale::Log);
    let panels = [
        panel(format!("{layers} random layers and points"), width, y.clone(), series(&random)),
        panel("One entry of z near 0; leftmost: z = 0", distance, y, series(&near)),
    ];
    let notes = [
        (Drawing::Dots, "J: Jacobian of one Han-layer; what is exactly 0 lies at the lower edge"),
        (Drawing::Dots, "at z = 0 the layer has no derivative, and |.| gets slope 0: one direction is lost"),
    ];
    let panels: Vec<_> = panels.into_iter().flatten().collect();
    line_panels("How far the Jacobian of a Han-layer is from orthogonal", &panels, &notes)
}

/// Points of a distribution that are drawn.
const QUANTILES: usize = 60;
/// Singular values below are drawn there.
const SMALLEST: f64 = 1e-5;

pub(super) fn singular_values(results: &Results<'_>) -> Result<Image> {
    let rows: Vec<ExtentRow> = results.findings.rows("extents.csv")?;
    ensure!(!rows.is_empty(), "no network has been followed through a training");
    let mut panels = Vec::new();
    for (to, what) in [("hidden", "to the last hidden layer"), ("outputs", "to the outputs")] {
        for (state, when) in [("start", "at the start"), ("trained", "trained")] {
            let mut series = Vec::new();
            for arm in &results.claims.file.arm {
                let of = || rows.iter().filter(|row| row.arm == arm.name && row.to == to && row.state == state);
                let (most, least) = (of().map(|row| row.most).collect(), of().map(|row| row.least).collect());
                series.push(line(&arm.name, &arm.label, Drawing::Line, distribution(most)));
                series.push(line(&arm.name, &arm.label, Drawing::Dashed, distribution(least)));
            }
            let x = LineQuantity::new("singular value of the Jacobian (log scale)", AxisScale::Log);
            let y = LineQuantity::new("points with less (%)", AxisScale::Percent);
            panels.extend(panel(format!("Input {what}, {when}"), x, y, series));
        }
    }
    let notes = [
        (Drawing::Line, "largest singular value: the direction in which a small step grows most"),
        (Drawing::Dashed, "smallest: the direction in which it grows least"),
    ];
    line_panels("By how much networks stretch small steps, over points of the checkerboard", &panels, &notes)
}

/// The part of the values below each of some of them.
fn distribution(mut values: Vec<f64>) -> Vec<(f64, f64)> {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    if last == 0 {
        return Vec::new();
    }
    let point = |place: usize| (values[place].max(SMALLEST), place as f64 / last as f64);
    (0..=QUANTILES).map(|quantile| point(last * quantile / QUANTILES)).collect()
}
