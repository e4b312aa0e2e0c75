//! The charts of the layer's claims.

mod accuracy;
mod cost;
mod flow;
mod jacobian;
mod lipschitz;

use super::Findings;
use super::depth::Accuracies;
use super::file::{ArmFile, Part};
use super::plan::Claims;
use super::rows::CostRow;
use crate::engine::page::Page;
use crate::engine::rows::Sample;
use crate::figure::{AxisScale, Body, Entry, LineQuantity};
use std::collections::BTreeMap;

/// What was measured.
pub(super) struct Results<'r> {
    pub claims: &'r Claims,
    pub findings: &'r Findings,
    pub accuracies: Vec<Accuracies>,
    pub costs: Vec<CostRow>,
}

/// Draws every chart of the parts that were asked for.
pub(super) fn draw(page: &mut Page, results: &Results<'_>) {
    for part in &results.claims.file.parts {
        match part {
            Part::Jacobian => {
                page.chart("Jacobians of random Han-layers", "jacobian", jacobian::of_layers(results));
                let image = jacobian::singular_values(results);
                page.chart("Singular values of whole networks", "singular-values", image);
            }
            Part::Norms => {
                page.chart("Gradients of untrained networks", "norms", flow::at_the_start(results));
                if let Some(image) = flow::at_other_starts(results).transpose() {
                    page.chart("Gradients of untrained networks, other starts", "norms-others", image);
                }
                page.chart("Gradients in training", "norms-training", flow::in_training(results));
            }
            Part::Depth => page.chart("Accuracy against depth", "depth", accuracy::against_depth(results)),
            Part::Cost => page.chart("Parameters and time", "cost", cost::of_layers(results)),
            Part::Lipschitz => page.chart("Lipschitz constants", "lipschitz", lipschitz::from_below(results)),
        }
    }
}

/// Number of layers, as an axis.
fn layers() -> LineQuantity {
    LineQuantity::new("number of layers (log scale)", AxisScale::Log)
}

/// The median of the values at each place; places are not negative.
fn medians(values: impl IntoIterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let mut places: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for (place, value) in values {
        // The bits of such numbers have their order.
        places.entry(place.to_bits()).or_default().push(value);
    }
    let median = |(place, values): (u64, Vec<f64>)| Some((f64::from_bits(place), Sample::of(&values)?.median));
    places.into_iter().filter_map(median).collect()
}

/// Lowest, middle and highest of some values of a network; none without a value.
fn interval(
    arm: &ArmFile,
    category: usize,
    (body, open): (Body, bool),
    values: impl Iterator<Item = f64>,
) -> Option<Entry> {
    let Sample { min, median, max, .. } = Sample::of(&values.collect::<Vec<_>>())?;
    Some(Entry { range: Some([min, median, max]), open, ..Entry::of(&arm.name, &arm.label, category, body) })
}
