//! The charts of gradients from layer to layer.

use super::Results;
use crate::config::gradients::Family;
use crate::figure::{AxisScale, Drawing, Image, LinePanel, LineQuantity, LineSeries, line_panels};
use crate::record::gradients::FlowRow;
use crate::record::statistics::Sample;
use anyhow::{Result, ensure};
use std::collections::BTreeMap;

/// Ratios beyond this and its inverse are drawn there.
const EDGE: f64 = 1e-200;

/// Untrained networks: layer by layer at one depth, and first layer against last over the depths, a panel for each
/// activation of the dense networks.
pub(super) fn at_the_start(results: &Results<'_>) -> Result<Image> {
    let rows: Vec<FlowRow> = results.finished.rows("flow.csv")?;
    let shown = results.claims.file().norms.shown_depth;
    let rows: Vec<&FlowRow> = rows.iter().filter(|row| row.point != "course" && row.precision == "f64").collect();
    ensure!(!rows.is_empty(), "no gradient has been followed at the start");
    let mut panels = Vec::new();
    for deep in [false, true] {
        for name in Family::ACTIVATIONS {
            let series: Vec<LineSeries> = arms(results, name)
                .into_iter()
                .filter_map(|(arm, key, label)| {
                    let of_arm: Vec<&FlowRow> = rows.iter().copied().filter(|row| row.arm == arm).collect();
                    let points = if deep { over_depths(&of_arm) } else { over_layers(&of_arm, shown) };
                    let drawing = if deep { Drawing::Marked } else { Drawing::Line };
                    let ending = points.last().filter(|_| deep).map(|(_, ratio)| power(*ratio));
                    let band = Vec::new();
                    (!points.is_empty()).then_some(LineSeries { arm: key, label, drawing, points, band, ending })
                })
                .collect();
            if series.is_empty() {
                continue;
            }
            let (title, x) = if deep {
                (
                    format!("FCNet with {name}: first layer, all depths"),
                    LineQuantity::new("number of layers (log scale)", AxisScale::Log),
                )
            } else {
                (
                    format!("FCNet with {name}: {shown} layers"),
                    LineQuantity::new("hidden layer, from the input", AxisScale::Count),
                )
            };
            let y =
                if deep { "gradient at the first / at the last layer" } else { "gradient / that at the last layer" };
            panels.push(LinePanel {
                title,
                x,
                y: LineQuantity::new(y, AxisScale::Log),
                series,
                level: Some((1.0, String::new())),
            });
        }
    }
    let title = "Length of the loss's gradient in untrained networks, against depth";
    let notes = [(Drawing::Dots, "FCNet with its weights started by Kaiming, Xavier, or orthogonal; median seed")];
    line_panels(title, &panels, &notes)
}

/// The networks of a panel, with the names under which they are drawn: its dense ones by their initialisation, so that
/// each has one colour in all panels, and the others in every panel.
fn arms(results: &Results<'_>, panel: &str) -> Vec<(String, String, String)> {
    let of_panel = results.claims.arms.iter().filter_map(|arm| match arm.family {
        Family::Dense { activation, init } if activation == panel => {
            // The paper's baseline keeps its colour.
            let key = if init == "Kaiming" { "fcnet" } else { init };
            Some((arm.name.clone(), key.to_string(), format!("FCNet, {init}")))
        }
        Family::Dense { .. } => None,
        Family::Other => Some((arm.name.clone(), arm.name.clone(), arm.label.clone())),
    });
    of_panel.collect()
}

/// Median over seeds of the norm at every layer over that at the last.
fn over_layers(rows: &[&FlowRow], depth: usize) -> Vec<(f64, f64)> {
    let mut seeds: BTreeMap<u64, Vec<(usize, f64)>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.depth == depth) {
        seeds.entry(row.seed).or_default().push((row.layer, row.norm));
    }
    let mut ratios: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for layers in seeds.values() {
        let last = layers.iter().max_by_key(|(layer, _)| *layer).map_or(0.0, |(_, norm)| *norm);
        for (layer, norm) in layers {
            ratios.entry(*layer).or_default().push(norm / last);
        }
    }
    medians(ratios.into_iter().map(|(layer, ratios)| (layer as f64, ratios)))
}

/// Median over seeds of the first layer's norm over the last's, at every depth.
fn over_depths(rows: &[&FlowRow]) -> Vec<(f64, f64)> {
    let mut depths: Vec<usize> = rows.iter().map(|row| row.depth).collect();
    depths.sort_unstable();
    depths.dedup();
    let first = |depth: usize| over_layers(rows, depth).first().map(|(_, ratio)| (depth as f64, *ratio));
    depths.into_iter().filter_map(first).collect()
}

fn medians(values: impl Iterator<Item = (f64, Vec<f64>)>) -> Vec<(f64, f64)> {
    let median = |(x, values): (f64, Vec<f64>)| {
        let finite: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        Some((x, Sample::of(&finite)?.median.clamp(EDGE, 1.0 / EDGE)))
    };
    values.filter_map(median).collect()
}

/// A ratio at the end of a line: 1 as it is, others as a power of ten.
fn power(ratio: f64) -> String {
    if (0.1..10.0).contains(&ratio) {
        return format!("{ratio:.2}");
    }
    format!("1e{}", ratio.log10().round()).replace('-', "\u{2212}")
}

/// Networks that are trained, a panel each, with a line for every moment.
pub(super) fn in_training(results: &Results<'_>) -> Result<Image> {
    let rows: Vec<FlowRow> = results.finished.rows("flow.csv")?;
    let file = results.claims.file();
    let mut panels = Vec::new();
    for arm in file.arm.iter().filter(|arm| arm.course) {
        let depth = crate::config::gradients::layers_of(&arm.model);
        let mut series = Vec::new();
        for moment in &file.course.moments {
            let at: Vec<&FlowRow> = rows
                .iter()
                .filter(|row| row.arm == arm.name && row.point == "course" && row.moment.to_bits() == moment.to_bits())
                .collect();
            let points = over_layers(&at, depth);
            if points.is_empty() {
                continue;
            }
            let label = if *moment == 0.0 { "at the start".into() } else { format!("after {:.0} %", 100.0 * moment) };
            let (name, band, ending) = (format!("moment {moment}"), Vec::new(), None);
            series.push(LineSeries { arm: name, label, drawing: Drawing::Marked, points, band, ending });
        }
        if !series.is_empty() {
            panels.push(LinePanel {
                title: format!("{}, {depth} layers", arm.label),
                x: LineQuantity::new("hidden layer, from the input", AxisScale::Count),
                y: LineQuantity::new("gradient / that at the last layer", AxisScale::Log),
                series,
                level: Some((1.0, String::new())),
            });
        }
    }
    ensure!(!panels.is_empty(), "no network has been followed through a training");
    let title = "Length of the loss's gradient in the course of training on the checkerboard";
    line_panels(title, &panels, &[(Drawing::Dots, "median seed")])
}
