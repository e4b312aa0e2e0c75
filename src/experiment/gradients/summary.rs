//! One table over all measurements.

use super::Findings;
use super::depth::Accuracies;
use super::file::Part;
use super::plan::Claims;
use super::rows::{CostRow, ExtentRow, FlowRow, JacobianRow, NeighbourRow, StretchRow};
use super::spec::Probe;
use super::spec::layers_of;
use crate::engine::rows::Sample;
use crate::figure::significant;
use crate::model::ModelConfig;
use anyhow::Result;
use serde::Serialize;

/// What is measured of the Jacobian of a network from the plane.
const SINGULAR_VALUES: [&str; 4] = [
    "largest_singular_value_to_hidden",
    "smallest_singular_value_to_hidden",
    "largest_singular_value_to_outputs",
    "smallest_singular_value_to_outputs",
];
/// A Lipschitz constant from below and from above.
const LIPSCHITZ: [&str; 2] = ["ratio_found", "log10_of_product_of_norms"];

/// `tables/<experiment>.csv`: one quantity over layers, points, seeds.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct ClaimRow {
    pub experiment: String,
    /// The claim that it belongs to.
    pub part: Part,
    /// Network, or layer-han, layer-dense.
    pub arm: String,
    /// What is measured; METHODOLOGY.md lists them.
    pub metric: String,
    /// start or trained, of a network.
    pub state: Option<String>,
    /// f32 or f64.
    pub precision: Option<String>,
    /// Number of layers, of a network.
    pub depth: Option<usize>,
    /// Values: layers, points of all seeds, or seeds.
    pub n: usize,
    /// Seeds without a value, because training diverged.
    pub diverged: usize,
    /// Mean of the values; none without a value, as all that follow.
    pub mean: Option<f64>,
    /// Standard deviation, n - 1 in the denominator.
    pub std: Option<f64>,
    pub min: Option<f64>,
    pub median: Option<f64>,
    pub max: Option<f64>,
}

impl ClaimRow {
    fn with(self, sample: Option<Sample>) -> Self {
        let Some(Sample { n, mean, deviation, min, median, max }) = sample else { return self };
        Self { n, mean: Some(mean), std: deviation, min: Some(min), median: Some(median), max: Some(max), ..self }
    }
}

/// The values of every quantity, in the order in which they were met.
#[derive(Default)]
struct Values(Vec<(ClaimRow, Vec<f64>)>);

impl Values {
    /// Adds a value; without one there is a row all the same.
    fn add(&mut self, key: ClaimRow, value: Option<f64>) {
        match self.0.iter_mut().find(|(known, _)| *known == key) {
            Some((_, values)) => values.extend(value),
            None => self.0.push((key, value.into_iter().collect())),
        }
    }

    /// Adds a value if there is one.
    fn add_some(&mut self, key: ClaimRow, value: Option<f64>) {
        if value.is_some() {
            self.add(key, value);
        }
    }
}

/// The whole table of what is finished.
pub(super) fn claim_rows(
    claims: &Claims,
    findings: &Findings,
    accuracies: &[Accuracies],
    costs: &[CostRow],
) -> Result<Vec<ClaimRow>> {
    let experiment = &claims.file.experiment.name;
    let key = |part: Part, arm: &str, metric: &str| {
        let (experiment, arm, metric) = (experiment.clone(), arm.into(), metric.into());
        ClaimRow { experiment, part, arm, metric, ..ClaimRow::default() }
    };
    let mut values = Values::default();
    let lost = lost(findings, key);
    let add_lost = |values: &mut Values, part: Part| {
        lost.iter().filter(|row| row.part == part).for_each(|row| values.add(row.clone(), None));
    };
    for row in findings.rows::<JacobianRow>("jacobian.csv")? {
        let metric = match row.z {
            None => "deviation",
            Some(0.0) => "deviation_at_kink",
            Some(_) => "deviation_near_kink",
        };
        let of_layer = key(Part::Jacobian, "layer-han", metric);
        values.add(ClaimRow { precision: Some(row.precision), ..of_layer }, Some(row.deviation));
    }
    for row in findings.rows::<ExtentRow>("extents.csv")? {
        for (what, value) in [("largest", row.most), ("smallest", row.least)] {
            let of_network = key(Part::Jacobian, &row.arm, &format!("{what}_singular_value_to_{}", row.to));
            values.add(ClaimRow { state: Some(row.state.clone()), ..of_network }, Some(value));
        }
    }
    add_lost(&mut values, Part::Jacobian);
    // At the first layer, of untrained networks and of those at the end of a training.
    let is_told = |row: &FlowRow| row.layer == 1 && (row.point != "course" || row.moment == 1.0);
    for row in findings.rows::<FlowRow>("flow.csv")?.into_iter().filter(is_told) {
        let state = Some(if row.point == "course" { "trained" } else { "start" }.to_string());
        for (what, ratio) in [("smallest", row.least), ("largest", row.most)] {
            let of_network = key(Part::Norms, &row.arm, &format!("{what}_gradient_ratio"));
            let (state, precision, depth) = (state.clone(), Some(row.precision.clone()), Some(row.depth));
            values.add_some(ClaimRow { state, precision, depth, ..of_network }, ratio);
        }
    }
    add_lost(&mut values, Part::Norms);
    for scores in accuracies {
        let (depth, diverged) = (Some(scores.depth), scores.values.diverged());
        for value in scores.values.values() {
            values.add(ClaimRow { depth, diverged, ..key(Part::Depth, &scores.arm, "test_accuracy") }, value);
        }
    }
    for row in findings.rows::<NeighbourRow>("neighbours.csv")? {
        let (state, depth) = (Some("start".into()), Some(row.depth));
        let of_network = key(Part::Depth, &row.arm, "cosine_of_neighbours");
        values.add_some(ClaimRow { state, depth, ..of_network }, row.cosine);
    }
    let file = &claims.file.cost;
    for layer in ["han", "dense"] {
        for pass in ["forward", "training"] {
            let is_fitted =
                |row: &&CostRow| row.depth == 1 && row.width >= file.fitted_from && file.widths.contains(&row.width);
            let of = costs.iter().filter(|row| row.layer == layer && row.pass == pass).filter(is_fitted);
            let points: Vec<(f64, f64)> = of.map(|row| (row.width as f64, row.seconds)).collect();
            let of_layer = key(Part::Cost, &format!("layer-{layer}"), &format!("exponent_of_{pass}_time"));
            values.add_some(of_layer, exponent(&points));
        }
    }
    // The start of a training is an untrained network too, of other inputs: it is on the chart alone.
    let is_told = |row: &StretchRow| row.point != "course" || row.state == "trained";
    for row in findings.rows::<StretchRow>("stretch.csv")?.into_iter().filter(is_told) {
        for (metric, value) in LIPSCHITZ.into_iter().zip([row.found, row.log10_of_norms]) {
            let of_network = key(Part::Lipschitz, &row.arm, metric);
            values.add_some(ClaimRow { state: Some(row.state.clone()), depth: Some(row.depth), ..of_network }, value);
        }
    }
    add_lost(&mut values, Part::Lipschitz);
    let mut rows: Vec<_> = values.0.into_iter().map(|(key, values)| key.with(Sample::of(&values))).collect();
    // A training serves several parts: what of it belongs to others is not told.
    rows.retain(|row| claims.file.parts.contains(&row.part));
    for row in rows.iter_mut().filter(|row| row.state.as_deref() == Some("trained")) {
        row.diverged = findings.probes.iter().filter(|run| run.diverged() && run.spec.arm == row.arm).count();
    }
    Ok(rows)
}

/// What the trainings that diverged would have measured at their ends: a point that diverged is a row, never a gap.
fn lost(findings: &Findings, key: impl Fn(Part, &str, &str) -> ClaimRow) -> Vec<ClaimRow> {
    let mut rows = Vec::new();
    for run in findings.probes.iter().filter(|run| run.diverged()) {
        let Probe::Course(course) = &run.spec.probe else { continue };
        let mut add = |part: Part, metrics: &[&str], depth: Option<usize>, precision: Option<&str>| {
            rows.extend(metrics.iter().map(|metric| ClaimRow {
                state: Some("trained".into()),
                depth,
                precision: precision.map(str::to_string),
                ..key(part, &run.spec.arm, metric)
            }));
        };
        let depth = Some(layers_of(&course.model));
        add(Part::Jacobian, &SINGULAR_VALUES, None, None);
        if course.moments.contains(&1.0) {
            add(Part::Norms, &["smallest_gradient_ratio", "largest_gradient_ratio"], depth, Some("f64"));
        }
        // With batch norm and skip connections there is no product of the layers' spectral norms.
        let bounded = if matches!(course.model, ModelConfig::Resnet(_)) { 1 } else { 2 };
        add(Part::Lipschitz, &LIPSCHITZ[..bounded], depth, None);
    }
    rows
}

/// k of y = a x^k by least squares on the logarithms; None for fewer than two different x.
pub(super) fn exponent(points: &[(f64, f64)]) -> Option<f64> {
    let logs: Vec<(f64, f64)> = points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    let n = logs.len() as f64;
    let (mean_x, mean_y) = (logs.iter().map(|p| p.0).sum::<f64>() / n, logs.iter().map(|p| p.1).sum::<f64>() / n);
    let across: f64 = logs.iter().map(|p| (p.0 - mean_x).powi(2)).sum();
    let along: f64 = logs.iter().map(|p| (p.0 - mean_x) * (p.1 - mean_y)).sum();
    (across > 0.0 && along.is_finite()).then(|| along / across)
}

/// A number of any size in a table, and on charts.
pub(super) fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let off = (value - 1.0).abs();
    match value.abs() {
        _ if off > 0.0 && off < 5e-4 => format!("1 {} {off:.1e}", if value < 1.0 { "-" } else { "+" }),
        size if (10.0..1e4).contains(&size) => significant(value),
        size if (1e-2..10.0).contains(&size) => format!("{value:.4}"),
        _ => format!("{value:.2e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_power_law_has_its_exponent() {
        let points: Vec<(f64, f64)> = [2.0, 3.0, 7.0, 11.0].into_iter().map(|x: f64| (x, 5.0 * x.powf(1.75))).collect();
        assert!(exponent(&points).is_some_and(|k| (k - 1.75).abs() < 1e-12));
        assert_eq!((exponent(&points[..1]), exponent(&[])), (None, None));
    }
}
