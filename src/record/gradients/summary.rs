//! One table over all measurements.

use super::depth::{accuracies, ended};
use super::exponent;
use super::rows::{CostRow, ExtentRow, FlowRow, JacobianRow, NeighbourRow, StretchRow};
use crate::config::RunSpec;
use crate::config::gradients::{Claims, Part, Probe, ProbeSpec, Runs, layers_of};
use crate::record::FinishedRun;
use crate::record::statistics::Sample;
use anyhow::Result;
use serde::{Deserialize, Serialize};

/// `tables/<experiment>.csv`: one quantity over layers, points, seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClaimRow {
    /// Experiment.
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
    /// The smallest.
    pub min: Option<f64>,
    /// The middle one.
    pub median: Option<f64>,
    /// The largest.
    pub max: Option<f64>,
}

impl ClaimRow {
    /// A row without values.
    fn empty(claims: &Claims, part: Part, arm: &str, metric: &str) -> Self {
        Self {
            experiment: claims.name.clone(),
            part,
            arm: arm.into(),
            metric: metric.into(),
            state: None,
            precision: None,
            depth: None,
            n: 0,
            diverged: 0,
            mean: None,
            std: None,
            min: None,
            median: None,
            max: None,
        }
    }

    fn with(self, sample: Option<Sample>) -> Self {
        let Some(Sample { n, mean, deviation, min, median, max }) = sample else { return self };
        Self { n, mean: Some(mean), std: deviation, min: Some(min), median: Some(median), max: Some(max), ..self }
    }
}

/// What is finished of an experiment.
#[derive(Debug, Clone, Default)]
pub struct Finished {
    /// Measurements, timings among them.
    pub probes: Vec<FinishedRun<ProbeSpec>>,
    /// Trainings that choose a learning rate.
    pub selections: Vec<FinishedRun<RunSpec>>,
    /// Trainings at the chosen rate.
    pub finals: Vec<FinishedRun<RunSpec>>,
}

impl Finished {
    /// Number of runs.
    pub fn len(&self) -> usize {
        self.probes.len() + self.selections.len() + self.finals.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many of the runs there have to be: a repetition whose selections all diverged has no final training.
    pub fn planned(&self, runs: &Runs) -> usize {
        runs.len() - ended(&runs.selections, &self.selections).len()
    }

    /// Trainings that were followed and diverged: they have no measurements at their end.
    fn diverged_courses(&self) -> impl Iterator<Item = &ProbeSpec> {
        self.probes.iter().filter(|run| run.manifest.diverged_at_step.is_some()).map(|run| &run.spec)
    }

    /// The rows of a file of all measurements that have it.
    ///
    /// # Errors
    /// When one is damaged.
    pub fn rows<Row: serde::de::DeserializeOwned>(&self, file: &str) -> Result<Vec<Row>> {
        let with = self.probes.iter().filter(|run| run.directory.join(file).exists());
        let rows = with.map(|run| run.rows(file)).collect::<Result<Vec<Vec<Row>>>>()?;
        Ok(rows.into_iter().flatten().collect())
    }
}

/// The values of every quantity, in the order in which they were met.
#[derive(Default)]
struct Values(Vec<(ClaimRow, Vec<f64>)>);

impl Values {
    fn add(&mut self, key: ClaimRow, value: f64) {
        match self.0.iter_mut().find(|(known, _)| *known == key) {
            Some((_, values)) => values.push(value),
            None => self.0.push((key, vec![value])),
        }
    }

    /// Makes sure that there is a row, if without a value.
    fn expect(&mut self, key: &ClaimRow) {
        if self.0.iter().all(|(known, _)| known != key) {
            self.0.push((key.clone(), Vec::new()));
        }
    }

    fn rows(self) -> Vec<ClaimRow> {
        self.0.into_iter().map(|(key, values)| key.with(Sample::of(&values))).collect()
    }
}

/// What the trainings that diverged would have measured at their ends: a point that diverged is a row, never a gap.
fn lost(claims: &Claims, finished: &Finished) -> Vec<ClaimRow> {
    let mut rows = Vec::new();
    for spec in finished.diverged_courses() {
        let Probe::Course(course) = &spec.probe else { continue };
        let trained = |part: Part, metric: &&'static str, depth, precision: Option<&str>| ClaimRow {
            state: Some("trained".into()),
            depth,
            precision: precision.map(str::to_string),
            ..ClaimRow::empty(claims, part, &spec.arm, metric)
        };
        let depth = Some(layers_of(&course.model));
        let of_network = |metric: &&&str| metric.contains("singular_value");
        let jacobian = Part::Jacobian.metrics().iter().filter(of_network);
        rows.extend(jacobian.map(|metric| trained(Part::Jacobian, metric, None, None)));
        if course.moments.contains(&1.0) {
            let norms = Part::Norms.metrics().iter();
            rows.extend(norms.map(|metric| trained(Part::Norms, metric, depth, Some("f64"))));
        }
        let bounded = course.has_product_of_norms();
        let lipschitz = Part::Lipschitz.metrics().iter().filter(|metric| bounded || **metric == "ratio_found");
        rows.extend(lipschitz.map(|metric| trained(Part::Lipschitz, metric, depth, None)));
    }
    rows
}

/// The whole table of what is finished of the runs.
///
/// # Errors
/// When a file of a run is missing or damaged.
pub fn claim_rows(claims: &Claims, runs: &Runs, finished: &Finished) -> Result<Vec<ClaimRow>> {
    let key = |part: Part, arm: &str, metric: &str| ClaimRow::empty(claims, part, arm, metric);
    let mut values = Values::default();
    let lost = lost(claims, finished);
    let expect = |values: &mut Values, part: Part| {
        lost.iter().filter(|row| row.part == part).for_each(|row| values.expect(row));
    };
    for row in finished.rows::<JacobianRow>("jacobian.csv")? {
        let metric = match row.z {
            None => "deviation",
            Some(0.0) => "deviation_at_kink",
            Some(_) => "deviation_near_kink",
        };
        let precision = Some(row.precision);
        values.add(ClaimRow { precision, ..key(Part::Jacobian, "layer-han", metric) }, row.deviation);
    }
    for row in finished.rows::<ExtentRow>("extents.csv")? {
        for (what, value) in [("largest", row.most), ("smallest", row.least)] {
            let metric = format!("{what}_singular_value_to_{}", row.to);
            let state = Some(row.state.clone());
            values.add(ClaimRow { state, ..key(Part::Jacobian, &row.arm, &metric) }, value);
        }
    }
    expect(&mut values, Part::Jacobian);
    // At the first layer, of untrained networks and of those at the end of a training.
    let is_told = |row: &FlowRow| row.layer == 1 && (row.point != "course" || row.moment == 1.0);
    for row in finished.rows::<FlowRow>("flow.csv")?.into_iter().filter(is_told) {
        let state = Some(if row.point == "course" { "trained" } else { "start" }.to_string());
        let of_moment = ClaimRow {
            state,
            precision: Some(row.precision.clone()),
            depth: Some(row.depth),
            ..key(Part::Norms, &row.arm, "")
        };
        for (what, ratio) in [("smallest", row.least), ("largest", row.most)] {
            let metric = format!("{what}_gradient_ratio");
            if let Some(ratio) = ratio {
                values.add(ClaimRow { metric, ..of_moment.clone() }, ratio);
            }
        }
    }
    expect(&mut values, Part::Norms);
    for scores in accuracies(claims, &runs.selections, finished)? {
        let diverged = scores.diverged();
        let depth = Some(scores.depth);
        let at = ClaimRow { depth, diverged, ..key(Part::Depth, &scores.arm, "test_accuracy") };
        values.expect(&at);
        scores.seeds.iter().filter_map(|score| score.accuracy).for_each(|value| values.add(at.clone(), value));
    }
    for row in finished.rows::<NeighbourRow>("neighbours.csv")? {
        let at = ClaimRow {
            state: Some("start".into()),
            depth: Some(row.depth),
            ..key(Part::Depth, &row.arm, "cosine_of_neighbours")
        };
        if let Some(cosine) = row.cosine {
            values.add(at, cosine);
        }
    }
    let fitted_from = claims.file().cost.fitted_from;
    let costs: Vec<CostRow> = finished.rows("cost.csv")?;
    for layer in ["han", "dense"] {
        for pass in ["forward", "training"] {
            let of = costs.iter().filter(|row| row.layer == layer && row.pass == pass && row.depth == 1);
            let of = of.filter(|row| row.width >= fitted_from && claims.file().cost.widths.contains(&row.width));
            let points = of.map(|row| (row.width as f64, row.seconds));
            if let Some(exponent) = exponent(&points.collect::<Vec<_>>()) {
                let metric = format!("exponent_of_{pass}_time");
                values.add(key(Part::Cost, &format!("layer-{layer}"), &metric), exponent);
            }
        }
    }
    // The start of a training is an untrained network too, of other inputs: it is on the chart alone.
    let is_told = |row: &StretchRow| row.point != "course" || row.state == "trained";
    for row in finished.rows::<StretchRow>("stretch.csv")?.into_iter().filter(is_told) {
        let of = |metric: &str| ClaimRow {
            state: Some(row.state.clone()),
            depth: Some(row.depth),
            ..key(Part::Lipschitz, &row.arm, metric)
        };
        if let Some(found) = row.found {
            values.add(of("ratio_found"), found);
        }
        if let Some(norms) = row.log10_of_norms {
            values.add(of("log10_of_product_of_norms"), norms);
        }
    }
    expect(&mut values, Part::Lipschitz);
    // A training serves several parts: what of it belongs to others is not told.
    let mut rows = values.rows();
    rows.retain(|row| claims.parts.contains(&row.part));
    for row in rows.iter_mut().filter(|row| row.state.as_deref() == Some("trained")) {
        row.diverged = finished.diverged_courses().filter(|spec| spec.arm == row.arm).count();
    }
    Ok(rows)
}
