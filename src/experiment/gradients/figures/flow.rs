//! Gradients from layer to layer.

use super::{Results, layers, medians, panel};
use crate::experiment::gradients::rows::FlowRow;
use crate::experiment::gradients::spec::layers_of;
use crate::experiment::gradients::summary::number;
use crate::figure::{AxisScale, Drawing, Image, LinePanel, LineQuantity, LineSeries, MOMENT, line_panels};
use crate::model::{Activation, DenseInit, FcNetConfig, ModelConfig};
use anyhow::{Result, ensure};
use std::collections::{BTreeMap, BTreeSet};

/// The activations of dense networks, in the order of their panels.
const ACTIVATIONS: [(Activation, &str); 3] =
    [(Activation::Relu, "ReLU"), (Activation::Abs, "|.|"), (Activation::Tanh, "tanh")];

fn hidden_layer() -> LineQuantity {
    LineQuantity::new("hidden layer, from the input", AxisScale::Count)
}

fn gradient() -> LineQuantity {
    LineQuantity::new("gradient / that at the last layer (log scale)", AxisScale::Log)
}

/// A panel with a line where the gradient keeps its length.
fn levelled(panel: Option<(LinePanel, f64)>) -> Option<LinePanel> {
    panel.map(|(panel, level)| LinePanel { level: Some((level, String::new())), ..panel })
}

/// Untrained networks: layer by layer at one depth, and first layer against last over the depths, a panel for each
/// activation of the dense networks.
pub(super) fn at_the_start(results: &Results<'_>) -> Result<Image> {
    let rows: Vec<FlowRow> = results.findings.rows("flow.csv")?;
    let shown = results.claims.file.norms.shown_depth;
    let rows: Vec<&FlowRow> = rows.iter().filter(|row| row.point != "course" && row.precision == "f64").collect();
    ensure!(!rows.is_empty(), "no gradient has been followed at the start");
    let mut panels = Vec::new();
    for deep in [false, true] {
        for (activation, name) in ACTIVATIONS {
            let series = arms(results, activation).into_iter().map(|(arm, key, label)| {
                let of_arm: Vec<&FlowRow> = rows.iter().copied().filter(|row| row.arm == arm).collect();
                if !deep {
                    return LineSeries::of(&key, &label, Drawing::Line, over_layers(&of_arm, shown));
                }
                let (band, ending) = extremes(&of_arm);
                LineSeries { band, ending, ..LineSeries::of(&key, &label, Drawing::Marked, over_depths(&of_arm)) }
            });
            let series = series.collect();
            panels.extend(levelled(if deep {
                let title = format!("FCNet with {name}: first layer, all depths");
                let y = LineQuantity::new("first / last layer (root of the exponent)", AxisScale::Exponent);
                panel(title, layers(), y, series).map(|panel| (panel, 0.0))
            } else {
                let title = format!("FCNet with {name}: {shown} layers");
                panel(title, hidden_layer(), gradient(), series).map(|panel| (panel, 1.0))
            }));
        }
    }
    let notes = [
        (Drawing::Dots, "FCNet with its weights started by Kaiming, Xavier, or orthogonal; lines: median seed"),
        (Drawing::Dots, "numbers: smallest and largest ratio of all samples and seeds, deepest network"),
        (Drawing::Dots, "lines that lie on each other are drawn in several widths"),
    ];
    line_panels(&seen(results, &rows), &panels, &notes)
}

/// The networks of a panel, by their names, with the colours and labels with which they are drawn: its dense ones by their
/// initialisation, so that each has one colour in all panels, and the others in every panel.
fn arms(results: &Results<'_>, of_panel: Activation) -> Vec<(String, String, String)> {
    let drawn = results.claims.file.arm.iter().filter_map(|arm| {
        let ModelConfig::Fcnet(FcNetConfig { activation, init, .. }) = &arm.model else {
            return Some((arm.name.clone(), arm.name.clone(), arm.label.clone()));
        };
        // The paper's baseline keeps its colour.
        let (key, init) = match init {
            DenseInit::KaimingNormal => ("fcnet", "Kaiming"),
            DenseInit::XavierNormal => ("fcnet-xavier", "Xavier"),
            DenseInit::Orthogonal => ("fcnet-orthogonal", "orthogonal"),
        };
        (*activation == of_panel).then(|| (arm.name.clone(), key.to_string(), format!("FCNet, {init}")))
    });
    drawn.collect()
}

/// Median over seeds of the norm at every layer over that at the last.
fn over_layers(rows: &[&FlowRow], depth: usize) -> Vec<(f64, f64)> {
    let mut seeds: BTreeMap<u64, Vec<(usize, f64)>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.depth == depth) {
        seeds.entry(row.seed).or_default().push((row.layer, row.norm));
    }
    let mut ratios = Vec::new();
    for layers in seeds.values() {
        let last = layers.iter().max_by_key(|(layer, _)| *layer).map_or(0.0, |(_, norm)| *norm);
        ratios.extend(layers.iter().map(|(layer, norm)| (*layer as f64, norm / last)));
    }
    ratios.retain(|(_, ratio)| !ratio.is_nan());
    let mut medians = medians(ratios);
    // A gradient that has vanished altogether has no place on a logarithmic axis.
    medians.retain(|(_, ratio)| ratio.is_finite() && *ratio > 0.0);
    medians
}

/// Decimal logarithm of the median over seeds of the first layer's norm over the last's, at every depth.
fn over_depths(rows: &[&FlowRow]) -> Vec<(f64, f64)> {
    let depths: BTreeSet<usize> = rows.iter().map(|row| row.depth).collect();
    let first = |depth: usize| {
        let first = over_layers(rows, depth).into_iter().find(|(layer, _)| *layer == 1.0);
        first.map(|(_, ratio)| (depth as f64, ratio.log10()))
    };
    depths.into_iter().filter_map(first).collect()
}

/// The smallest and the largest ratio of all samples and seeds, which are numbers of the table.
fn ends<'r>(rows: impl Iterator<Item = &'r &'r FlowRow>) -> Option<(f64, f64)> {
    let ratios = rows.filter_map(|row| Some((row.least?, row.most?)));
    ratios.reduce(|all, (least, most)| (all.0.min(least), all.1.max(most)))
}

/// Their decimal logarithms at every depth, as an area, and what stands where the line ends.
fn extremes(rows: &[&FlowRow]) -> (Vec<(f64, f64, f64)>, Vec<String>) {
    let (mut band, mut ending) = (Vec::new(), Vec::new());
    for (depth, ratio) in over_depths(rows) {
        let at_first = rows.iter().filter(|row| row.layer == 1 && row.depth as f64 == depth);
        let Some((least, most)) = ends(at_first).filter(|(least, _)| *least > 0.0) else { continue };
        band.push((depth, least.log10().min(ratio), most.log10().max(ratio)));
        ending = vec![number(least), format!("to {}", number(most))];
    }
    (band, ending)
}

/// What the deepest networks of the first arm show, in a title.
fn seen(results: &Results<'_>, rows: &[&FlowRow]) -> String {
    let plain = "Length of the loss's gradient in untrained networks, against depth";
    let Some(arm) = results.claims.file.arm.first() else { return plain.into() };
    let at_first = || rows.iter().filter(|row| row.arm == arm.name && row.layer == 1);
    let Some(depth) = at_first().map(|row| row.depth).max() else { return plain.into() };
    let Some((least, most)) = ends(at_first().filter(|row| row.depth == depth)) else { return plain.into() };
    let (label, least, most) = (&arm.label, number(least), number(most));
    format!("Untrained: through {depth} layers {label} multiplies the gradient's length by {least} to {most}")
}

/// Networks that are trained, a panel each, with a line for every moment.
pub(super) fn in_training(results: &Results<'_>) -> Result<Image> {
    let rows: Vec<FlowRow> = results.findings.rows("flow.csv")?;
    let file = &results.claims.file;
    let mut panels = Vec::new();
    for arm in file.arm.iter().filter(|arm| arm.course) {
        let depth = layers_of(&arm.model);
        let series = file.course.moments.iter().map(|moment| {
            let of_moment = |row: &&FlowRow| {
                row.arm == arm.name && row.point == "course" && row.moment.to_bits() == moment.to_bits()
            };
            let points = over_layers(&rows.iter().filter(of_moment).collect::<Vec<_>>(), depth);
            let label = if *moment == 0.0 {
                "at the start".into()
            } else {
                format!("after {:.0} % of the steps", 100.0 * moment)
            };
            LineSeries::of(&format!("{MOMENT}{moment}"), &label, Drawing::Marked, points)
        });
        let series = panel(format!("{}, {depth} layers", arm.label), hidden_layer(), gradient(), series.collect());
        panels.extend(levelled(series.map(|panel| (panel, 1.0))));
    }
    ensure!(!panels.is_empty(), "no network has been followed through a training");
    let title = "Length of the loss's gradient, layer by layer, while networks learn the checkerboard";
    line_panels(title, &panels, &[(Drawing::Dots, "median seed")])
}
