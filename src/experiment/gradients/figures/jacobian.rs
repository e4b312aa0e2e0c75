//! Jacobians of single layers and of whole networks.

use super::{Results, interval};
use crate::engine::page::counted;
use crate::experiment::gradients::rows::{ExtentRow, JacobianRow};
use crate::experiment::gradients::summary::number;
use crate::figure::{
    AxisScale, Body, CategoryPanel, Drawing, Image, Key, LinePanel, LineQuantity, LineSeries, category_panels,
    line_panels,
};
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
            LineSeries::of(precision, label, Drawing::Dots, points.collect())
        };
        // Edges are marked, or what is 0 there would be read as a small number. Of random layers the note has to do: no word finds room
        // beside the few that are 0.
        let edge = |note: &str, is: fn(&JacobianRow) -> bool| {
            let (x, row) = rows.iter().filter(|row| is(row)).find_map(|row| Some((at(row)?, row)))?;
            let point = (x, row.deviation.max(FLOOR));
            Some(LineSeries { note: note.into(), ..LineSeries::of(&row.precision, "", Drawing::Dots, vec![point]) })
        };
        let edges =
            [edge("exactly 0", |row| row.deviation == 0.0 && row.z.is_some()), edge("z = 0", |row| row.z == Some(0.0))];
        precisions.map(of).into_iter().chain(edges.into_iter().flatten()).collect()
    };
    let random = |row: &JacobianRow| row.z.is_none().then_some(row.width as f64);
    let near = |row: &JacobianRow| row.z.map(|z| if z == 0.0 { AT_KINK } else { z.abs() });
    let y = LineQuantity::new("largest entry of |J'J − I| (log scale)", AxisScale::Log);
    let layers = rows.iter().filter(|row| row.z.is_none() && row.precision == "f64").count();
    let width = LineQuantity::new("width of the layer (log scale)", AxisScale::Log);
    let distance = LineQuantity::new("|z| of that entry (log scale; 0 at the left edge)", AxisScale::Log);
    let panels = [
        LinePanel::of(format!("{layers} random layers and points"), width, y.clone(), series(&random)),
        LinePanel::of("One entry of z near 0; leftmost: z = 0", distance, y, series(&near)),
    ];
    let notes = [
        (
            Drawing::Dots,
            "J: Jacobian of one Han-layer; what is exactly 0 lies at the lower edge; right: the marks of f64 cover those of f32",
        ),
        (Drawing::Dots, "at z = 0 the layer has no derivative, and |.| gets slope 0: one direction is lost"),
    ];
    let panels: Vec<_> = panels.into_iter().flatten().collect();
    line_panels(&seen(&rows), &panels, &notes)
}

pub(super) fn singular_values(results: &Results<'_>) -> Result<Image> {
    let rows: Vec<ExtentRow> = results.findings.rows("extents.csv")?;
    ensure!(!rows.is_empty(), "no network has been followed through a training");
    let (mut panels, mut left_out) = (Vec::new(), 0);
    for (to, what) in [("hidden", "to the last hidden layer"), ("outputs", "to the outputs")] {
        let mut entries = Vec::new();
        for (category, state) in ["start", "trained"].into_iter().enumerate() {
            for arm in &results.claims.file.arm {
                let of = || rows.iter().filter(|row| row.arm == arm.name && row.to == to && row.state == state);
                // What is 0 has no place on a logarithmic axis.
                let is_seen = |value: &f64| *value > 0.0;
                let seen = |value: fn(&ExtentRow) -> f64| of().map(value).filter(is_seen);
                left_out += of().flat_map(|row| [row.most, row.least]).filter(|value| !is_seen(value)).count();
                entries.extend(interval(arm, category, (Body::Interval, false), seen(|row| row.most)));
                entries.extend(interval(arm, category, (Body::Interval, true), seen(|row| row.least)));
            }
        }
        if !entries.is_empty() {
            let (title, states) =
                (format!("Jacobian from the input {what}"), vec!["at the start".into(), "trained".into()]);
            let y = LineQuantity::new("singular value (log scale)", AxisScale::Log);
            let level = Some((1.0, "1: a small step keeps its length".into()));
            panels.push(CategoryPanel { entries, level, ..CategoryPanel::of(title, states, y) });
        }
    }
    let zeros = format!("mark and bar leave out {} of 0, which a log scale cannot show", counted(left_out, "value"));
    let mut notes = vec![
        (Key::Filled, "largest singular value: the direction in which a small step grows most"),
        (Key::Open, "smallest: the direction in which it grows least"),
        (Key::Text, "mark: median, bar: all points of the checkerboard and seeds that were measured"),
    ];
    if left_out > 0 {
        notes.push((Key::Text, zeros.as_str()));
    }
    category_panels("By how much networks stretch small steps", &panels, &notes)
}

/// The largest deviations of random layers, in a title.
fn seen(rows: &[JacobianRow]) -> String {
    let most = |precision: &str| {
        let of = rows.iter().filter(|row| row.z.is_none() && row.precision == precision);
        of.map(|row| row.deviation).reduce(f64::max).map(|most| format!("{} in {precision}", number(most)))
    };
    let most: Vec<String> = ["f64", "f32"].into_iter().filter_map(most).collect();
    if most.is_empty() {
        return "How far the Jacobian of a Han-layer is from orthogonal".into();
    }
    format!("The Jacobian of a Han-layer is orthogonal up to {}", most.join(" and "))
}
