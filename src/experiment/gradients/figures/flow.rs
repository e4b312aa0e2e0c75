//! Gradients from layer to layer.

use super::{Results, layers, line, medians, panel};
use crate::experiment::gradients::rows::FlowRow;
use crate::experiment::gradients::spec::layers_of;
use crate::figure::{AxisScale, Drawing, Image, LinePanel, LineQuantity, line_panels};
use crate::model::{Activation, DenseInit, FcNetConfig, ModelConfig};
use anyhow::{Result, ensure};
use std::collections::BTreeMap;

/// Ratios beyond this and its inverse are drawn there.
const EDGE: f64 = 1e-200;

/// The activations of dense networks, in the order of their panels.
const ACTIVATIONS: [(Activation, &str); 3] =
    [(Activation::Relu, "ReLU"), (Activation::Abs, "|.|"), (Activation::Tanh, "tanh")];

fn hidden_layer() -> LineQuantity {
    LineQuantity::new("hidden layer, from the input", AxisScale::Count)
}

fn ratio(words: &str) -> LineQuantity {
    LineQuantity::new(words, AxisScale::Log)
}

/// A panel with a line where the gradient keeps its length.
fn levelled(panel: Option<LinePanel>) -> Option<LinePanel> {
    panel.map(|panel| LinePanel { level: Some((1.0, String::new())), ..panel })
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
                    return line(&key, &label, Drawing::Line, over_layers(&of_arm, shown));
                }
                let mut series = line(&key, &label, Drawing::Marked, over_depths(&of_arm));
                series.ending = series.points.last().map(|(_, ratio)| power(*ratio));
                series
            });
            let series = series.collect();
            panels.extend(levelled(if deep {
                let title = format!("FCNet with {name}: first layer, all depths");
                panel(title, layers(), ratio("gradient at the first / at the last layer"), series)
            } else {
                let title = format!("FCNet with {name}: {shown} layers");
                panel(title, hidden_layer(), ratio("gradient / that at the last layer"), series)
            }));
        }
    }
    let title = "Length of the loss's gradient in untrained networks, against depth";
    let notes = [(Drawing::Dots, "FCNet with its weights started by Kaiming, Xavier, or orthogonal; median seed")];
    line_panels(title, &panels, &notes)
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
            DenseInit::XavierNormal => ("Xavier", "Xavier"),
            DenseInit::Orthogonal => ("orthogonal", "orthogonal"),
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
    ratios.retain(|(_, ratio)| ratio.is_finite());
    medians(ratios).into_iter().map(|(layer, ratio)| (layer, ratio.clamp(EDGE, 1.0 / EDGE))).collect()
}

/// Median over seeds of the first layer's norm over the last's, at every depth.
fn over_depths(rows: &[&FlowRow]) -> Vec<(f64, f64)> {
    let mut depths: Vec<usize> = rows.iter().map(|row| row.depth).collect();
    depths.sort_unstable();
    depths.dedup();
    let first = |depth: usize| over_layers(rows, depth).first().map(|(_, ratio)| (depth as f64, *ratio));
    depths.into_iter().filter_map(first).collect()
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
            let label = if *moment == 0.0 { "at the start".into() } else { format!("after {:.0} %", 100.0 * moment) };
            line(&format!("moment {moment}"), &label, Drawing::Marked, points)
        });
        let (title, y) = (format!("{}, {depth} layers", arm.label), ratio("gradient / that at the last layer"));
        panels.extend(levelled(panel(title, hidden_layer(), y, series.collect())));
    }
    ensure!(!panels.is_empty(), "no network has been followed through a training");
    let title = "Length of the loss's gradient in the course of training on the checkerboard";
    line_panels(title, &panels, &[(Drawing::Dots, "median seed")])
}
