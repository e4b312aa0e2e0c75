//! One table over all measurements.

use super::depth::accuracies;
use super::exponent;
use super::rows::{CostRow, ExtentRow, FlowRow, JacobianRow, NeighbourRow, StretchRow};
use crate::config::RunSpec;
use crate::config::gradients::{Claims, Part, ProbeSpec};
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
    /// Their mean.
    pub mean: f64,
    /// Standard deviation, n - 1 in the denominator.
    pub std: Option<f64>,
    /// The smallest.
    pub min: f64,
    /// The middle one.
    pub median: f64,
    /// The largest.
    pub max: f64,
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

    /// Trainings that were followed and diverged: they have no measurements at their end.
    fn diverged_courses(&self, arm: &str) -> usize {
        let diverged = |run: &&FinishedRun<ProbeSpec>| run.spec.arm == arm && run.manifest.diverged_at_step.is_some();
        self.probes.iter().filter(diverged).count()
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

    fn rows(self) -> Vec<ClaimRow> {
        let row = |(key, values): (ClaimRow, Vec<f64>)| {
            let Sample { n, mean, deviation, min, median, max } = Sample::of(&values)?;
            Some(ClaimRow { n, mean, std: deviation, min, median, max, ..key })
        };
        self.0.into_iter().filter_map(row).collect()
    }
}

/// The whole table.
///
/// # Errors
/// When a file of a run is missing or damaged.
pub fn claim_rows(claims: &Claims, finished: &Finished) -> Result<Vec<ClaimRow>> {
    let key = |part: Part, arm: &str, metric: &str| ClaimRow {
        experiment: claims.name.clone(),
        part,
        arm: arm.into(),
        metric: metric.into(),
        state: None,
        precision: None,
        depth: None,
        n: 0,
        diverged: 0,
        mean: 0.0,
        std: None,
        min: 0.0,
        median: 0.0,
        max: 0.0,
    };
    let mut values = Values::default();
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
    for scores in accuracies(claims, &finished.finals)? {
        let diverged = scores.diverged();
        let depth = Some(scores.depth);
        let at = ClaimRow { depth, diverged, ..key(Part::Depth, &scores.arm, "test_accuracy") };
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
    // A training serves several parts: what of it belongs to others is not told.
    let mut rows = values.rows();
    rows.retain(|row| claims.parts.contains(&row.part));
    for row in rows.iter_mut().filter(|row| row.state.as_deref() == Some("trained")) {
        row.diverged = finished.diverged_courses(&row.arm);
    }
    Ok(rows)
}
