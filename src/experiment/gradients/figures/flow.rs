//! Gradients from layer to layer.

use super::{Results, layers, medians};
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

/// A network in a panel: its name in the rows, and the key of its colour and its label.
type Drawn = [String; 3];

/// The axis of the first layer's gradient over that of the last, and where a ratio lies on it.
type FirstLayer = (LineQuantity, fn(f64) -> f64);

fn hidden_layer() -> LineQuantity {
    // With room for the marks of the last layer.
    LineQuantity::new("hidden layer, from the input", AxisScale::Linear)
}

fn gradient() -> LineQuantity {
    LineQuantity::new("gradient at each layer (last = 1, log scale)", AxisScale::Log)
}

/// Gradients of untrained networks.
fn untrained(results: &Results<'_>) -> Result<Vec<FlowRow>> {
    let mut rows: Vec<FlowRow> = results.findings.rows("flow.csv")?;
    rows.retain(|row| row.point != "course" && row.precision == "f64");
    Ok(rows)
}

/// Untrained networks as the paper starts them.
pub(super) fn at_the_start(results: &Results<'_>) -> Result<Image> {
    let rows = untrained(results)?;
    let shown = results.claims.file.norms.shown_depth;
    let titles = [format!("{shown} layers, layer by layer"), "First layer, all depths".to_string()];
    let y = LineQuantity::new("gradient at the first layer (last = 1, log scale)", AxisScale::Log);
    let first: FirstLayer = (y, |ratio| ratio);
    let panels = panels(&rows, shown, &[(titles, arms(results, as_in_the_paper))], &first);
    ensure!(!panels.is_empty(), "no gradient has been followed at the paper's starts");
    let notes = [
        (Drawing::Dots, "lines: median seed; numbers: smallest and largest ratio of all samples and seeds"),
        (Drawing::Dots, "lines that lie on each other are drawn in several widths"),
    ];
    line_panels(&seen(results, &rows), &panels, &notes)
}

/// The same with other starts and activations of dense networks, a pair of panels for each activation; none without rows of
/// such a network.
pub(super) fn at_other_starts(results: &Results<'_>) -> Result<Option<Image>> {
    let rows = untrained(results)?;
    let shown = results.claims.file.norms.shown_depth;
    let has_other = |activation: Activation| {
        results.claims.file.arm.iter().any(|arm| {
            let ModelConfig::Fcnet(dense) = &arm.model else { return false };
            let is_other = dense.activation == activation && !as_in_the_paper(dense);
            is_other && rows.iter().any(|row| row.arm == arm.name)
        })
    };
    let mut groups = Vec::new();
    for (activation, name) in ACTIVATIONS {
        if has_other(activation) {
            let titles = [format!("{shown} layers"), "first layer, all depths".to_string()];
            let titles = titles.map(|title| format!("FCNet with {name}: {title}"));
            groups.push((titles, arms(results, |dense| dense.activation == activation)));
        }
    }
    if groups.is_empty() {
        return Ok(None);
    }
    let y = LineQuantity::new("gradient at the first layer (last = 1, scale wider near 1)", AxisScale::Exponent);
    let first: FirstLayer = (y, f64::log10);
    let panels = panels(&rows, shown, &groups, &first);
    let notes = [
        (Drawing::Dots, "FCNet with its weights started by Kaiming, Xavier, or orthogonal; lines: median seed"),
        (Drawing::Dots, "numbers: smallest and largest ratio of all samples and seeds"),
        (Drawing::Dots, "lines that lie on each other are drawn in several widths"),
    ];
    line_panels("Untrained networks, FCNet with other starts and activations", &panels, &notes).map(Some)
}

/// For each group of networks a panel from layer to layer at one depth, and then one of first layer against last over the
/// depths, with lines across where the gradient keeps its length.
fn panels(
    rows: &[FlowRow],
    shown: usize,
    groups: &[([String; 2], Vec<Drawn>)],
    (y, place): &FirstLayer,
) -> Vec<LinePanel> {
    let of = |arm: &str| rows.iter().filter(|row| row.arm == arm).collect::<Vec<&FlowRow>>();
    let one_depth = |(titles, arms): &([String; 2], Vec<Drawn>)| {
        let series = arms.iter().map(|[arm, key, label]| {
            let points = over_layers(&of(arm), shown);
            LineSeries::of(key, label, Drawing::Line, points)
        });
        let panel = LinePanel::of(&titles[0], hidden_layer(), gradient(), series.collect())?;
        Some(panel.with_level(1.0, ""))
    };
    let all_depths = |(titles, arms): &([String; 2], Vec<Drawn>)| {
        let series = arms.iter().map(|[arm, key, label]| {
            let of_arm = of(arm);
            let points = over_depths(&of_arm).into_iter().map(|(depth, ratio)| (depth, place(ratio))).collect();
            let (band, ending) = extremes(&of_arm, *place);
            LineSeries { band, ending, ..LineSeries::of(key, label, Drawing::Marked, points) }
        });
        let panel = LinePanel::of(&titles[1], layers(), y.clone(), series.collect())?;
        Some(panel.with_level(place(1.0), ""))
    };
    groups.iter().filter_map(one_depth).chain(groups.iter().filter_map(all_depths)).collect()
}

fn as_in_the_paper(dense: &FcNetConfig) -> bool {
    matches!((dense.activation, dense.init), (Activation::Relu, DenseInit::KaimingNormal))
}

/// The networks of a panel: the dense ones that are shown, by their initialisation, so that each has one colour in all
/// panels, and the others in every panel.
fn arms(results: &Results<'_>, is_shown: impl Fn(&FcNetConfig) -> bool) -> Vec<Drawn> {
    let drawn = results.claims.file.arm.iter().filter_map(|arm| {
        let ModelConfig::Fcnet(dense) = &arm.model else {
            return Some([arm.name.clone(), arm.name.clone(), arm.label.clone()]);
        };
        // The paper's baseline keeps its colour.
        let (key, init) = match dense.init {
            DenseInit::KaimingNormal => ("fcnet", "Kaiming"),
            DenseInit::XavierNormal => ("fcnet-xavier", "Xavier"),
            DenseInit::Orthogonal => ("fcnet-orthogonal", "orthogonal"),
        };
        is_shown(dense).then(|| [arm.name.clone(), key.to_string(), format!("FCNet, {init}")])
    });
    drawn.collect()
}

/// Median over seeds of the norm at every layer over that at the last.
fn over_layers(rows: &[&FlowRow], depth: usize) -> Vec<(f64, f64)> {
    // Blocks of two layers have an even number.
    let depth = depth - usize::from(rows.iter().all(|row| row.depth != depth) && depth > 0);
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

/// The median over seeds of the first layer's norm over the last's, at every depth.
fn over_depths(rows: &[&FlowRow]) -> Vec<(f64, f64)> {
    let depths: BTreeSet<usize> = rows.iter().map(|row| row.depth).collect();
    let first = |depth: usize| {
        let first = over_layers(rows, depth).into_iter().find(|(layer, _)| *layer == 1.0);
        first.map(|(_, ratio)| (depth as f64, ratio))
    };
    depths.into_iter().filter_map(first).collect()
}

/// The smallest and the largest ratio of all samples and seeds, which are numbers of the table.
fn ends<'r>(rows: impl Iterator<Item = &'r FlowRow>) -> Option<(f64, f64)> {
    let ratios = rows.filter_map(|row| Some((row.least?, row.most?)));
    ratios.reduce(|all, (least, most)| (all.0.min(least), all.1.max(most)))
}

/// As in the table, with the sign that charts have.
fn written(ratio: f64) -> String {
    number(ratio).replace('-', "\u{2212}")
}

/// Where they lie at every depth, as an area, and what stands where the line ends.
fn extremes(rows: &[&FlowRow], place: fn(f64) -> f64) -> (Vec<(f64, f64, f64)>, Vec<String>) {
    let (mut band, mut ending) = (Vec::new(), Vec::new());
    for (depth, ratio) in over_depths(rows) {
        // What stands at the end is of the last depth or of none.
        ending.clear();
        let at_first = rows.iter().copied().filter(|row| row.layer == 1 && row.depth as f64 == depth);
        let Some((least, most)) = ends(at_first).filter(|(least, _)| *least > 0.0) else { continue };
        band.push((depth, place(least.min(ratio)), place(most.max(ratio))));
        ending = vec![written(least), format!("to {}", written(most))];
    }
    (band, ending)
}

/// What the deepest networks of the first arm show, in a title.
fn seen(results: &Results<'_>, rows: &[FlowRow]) -> String {
    let plain = "Length of the loss's gradient in untrained networks, against depth";
    let Some(arm) = results.claims.file.arm.first() else { return plain.into() };
    let at_first = || rows.iter().filter(|row| row.arm == arm.name && row.layer == 1);
    let Some(depth) = at_first().map(|row| row.depth).max() else { return plain.into() };
    let Some((least, most)) = ends(at_first().filter(|row| row.depth == depth)) else { return plain.into() };
    let (label, least, most) = (&arm.label, written(least), written(most));
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
        let title = format!("{}, {depth} layers", arm.label);
        let panel = LinePanel::of(title, hidden_layer(), gradient(), series.collect());
        panels.extend(panel.map(|panel| panel.with_level(1.0, "")));
    }
    ensure!(!panels.is_empty(), "no network has been followed through a training");
    let title = "Length of the loss's gradient, layer by layer, while networks learn the checkerboard";
    line_panels(title, &panels, &[(Drawing::Dots, "median seed")])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_of_zero_leaves_no_number_of_a_shallower_network() {
        let row = |depth: usize, layer: usize, least: f64| FlowRow {
            arm: "a".into(),
            point: String::new(),
            seed: 0,
            depth,
            moment: 0.0,
            precision: "f64".into(),
            layer,
            norm: 1.0,
            least: Some(least),
            most: Some(2.0),
        };
        let rows = [row(10, 1, 0.5), row(10, 2, 1.0), row(20, 1, 0.0), row(20, 2, 1.0)];
        let (all, band) = (rows.iter().collect::<Vec<&FlowRow>>(), vec![(10.0, 0.5, 2.0)]);
        let numbers = ["0.5000", "to 2.0000"].map(str::to_string).to_vec();
        assert_eq!(extremes(&all[..2], |ratio| ratio), (band.clone(), numbers));
        assert_eq!(extremes(&all, |ratio| ratio), (band, Vec::new()));
        assert_eq!(over_layers(&all, 11), over_layers(&all, 10));
        assert!(!over_layers(&all, 11).is_empty());
    }
}
