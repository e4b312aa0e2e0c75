//! Figures over the seeds of every network, and networks compared seed by seed.

use crate::config::image::{Arm, Comparison, ImageSpec};
use crate::record::FinishedRun;
use crate::record::scores::{self, Figure, Score, Scores};
use crate::record::statistics::Sample;
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What was measured of a network.
#[derive(Debug)]
pub struct ArmResults {
    /// Key in files and flags.
    pub arm: String,
    /// Trained scalars.
    pub parameters: usize,
    /// Seeds whose training diverged.
    pub diverged: Vec<u64>,
    /// Scores of the other seeds.
    pub scores: Scores,
    /// Mean wall-clock seconds for an epoch.
    pub epoch_seconds: Option<f64>,
}

/// `tables/<experiment>.csv`: a figure over the seeds, and its difference to that of another network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableRow {
    /// Experiment.
    pub experiment: String,
    /// The data set, or sample.
    pub data: String,
    /// Which network.
    pub arm: String,
    /// Trained scalars.
    pub parameters: usize,
    /// train (some of its images as they are), validation or test.
    pub split: String,
    /// accuracy, top5 or cross_entropy.
    pub metric: String,
    /// Seeds with a value.
    pub seeds: usize,
    /// Seeds without, because training diverged.
    pub diverged: usize,
    /// Mean over seeds; none without a value, as all statistics that follow.
    pub mean: Option<f64>,
    /// Standard deviation over seeds.
    pub std: Option<f64>,
    /// Lowest seed.
    pub min: Option<f64>,
    /// Highest seed.
    pub max: Option<f64>,
    /// 95 % interval of the mean over seeds, Student's t.
    pub ci95_low: Option<f64>,
    /// Its upper end.
    pub ci95_high: Option<f64>,
    /// The network that it is compared to.
    pub compared_to: Option<String>,
    /// Seeds that both have.
    pub pairs: usize,
    /// Mean over those seeds of its value less the other's.
    pub difference: Option<f64>,
    /// Standard deviation of the differences.
    pub difference_std: Option<f64>,
    /// 95 % interval of the mean difference, Student's t.
    pub difference_low: Option<f64>,
    /// Its upper end.
    pub difference_high: Option<f64>,
    /// The paper's figure.
    pub paper: Option<f64>,
}

/// `tables/<experiment>-seeds.csv`: what one seed scored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeedRow {
    /// Experiment.
    pub experiment: String,
    /// The data set, or sample.
    pub data: String,
    /// Which network.
    pub arm: String,
    /// Seed.
    pub seed: u64,
    /// train, validation or test.
    pub split: String,
    /// accuracy, top5 or cross_entropy.
    pub metric: String,
    /// The score; none if training diverged.
    pub value: Option<f64>,
    /// Images that it is over.
    pub n: Option<usize>,
}

/// Reads what finished runs have left, in the order of the experiment's arms.
///
/// # Errors
/// When a file of a run is missing or damaged.
pub fn measure(experiment: &Comparison, runs: &[FinishedRun<ImageSpec>]) -> Result<Vec<ArmResults>> {
    let mut results = Vec::new();
    for arm in &experiment.arms {
        let of_arm: Vec<_> = runs.iter().filter(|run| run.spec.arm == arm.name).collect();
        let Some(first) = of_arm.first() else { continue };
        let (finished, diverged): (Vec<&FinishedRun<ImageSpec>>, Vec<_>) =
            of_arm.iter().partition(|run| run.manifest.diverged_at_step.is_none());
        let mut scores = Scores::new();
        for run in &finished {
            scores::take(&mut scores, run.rows("evaluations.csv")?);
        }
        let seconds: Vec<f64> = finished.iter().filter_map(|run| run.manifest.epoch_seconds).collect();
        results.push(ArmResults {
            arm: arm.name.clone(),
            parameters: first.manifest.parameters,
            diverged: diverged.iter().map(|run| run.spec.seed.0).collect(),
            scores,
            epoch_seconds: Sample::of(&seconds).map(|sample| sample.mean),
        });
    }
    Ok(results)
}

impl ArmResults {
    /// What there are scores of. A training that diverged has none, but would have had these: a point that diverged is a
    /// row, never a gap.
    fn figures(&self, experiment: &Comparison) -> BTreeSet<Figure> {
        let mut figures: BTreeSet<Figure> = self.scores.keys().cloned().collect();
        if !self.diverged.is_empty() {
            let validation = (experiment.file().data.validation_images > 0).then_some("validation");
            for split in ["train", "test"].into_iter().chain(validation) {
                figures.extend(["accuracy", "top5", "cross_entropy"].map(|metric| Figure::of(split, metric)));
            }
        }
        figures
    }

    /// Scores of the seeds.
    pub fn of(&self, split: &'static str, metric: &str) -> &[Score] {
        self.scores.get(&Figure::of(split, metric)).map_or(&[], Vec::as_slice)
    }

    /// A figure over the seeds.
    pub fn sample(&self, split: &'static str, metric: &str) -> Option<Sample> {
        scores::sample(self.of(split, metric))
    }

    /// Its values less another's, over the seeds that both have.
    pub fn difference(&self, other: &Self, split: &'static str, metric: &str) -> Option<Sample> {
        let others = other.of(split, metric);
        let pairs = self.of(split, metric).iter().filter_map(|score| {
            others.iter().find(|other| other.seed == score.seed).map(|other| score.value - other.value)
        });
        Sample::of(&pairs.collect::<Vec<_>>())
    }
}

/// Every figure of every network.
pub fn table_rows(experiment: &Comparison, data: &str, results: &[ArmResults]) -> Vec<TableRow> {
    let of_arm = |result: &ArmResults| -> Vec<TableRow> {
        let Some(arm) = experiment.arm(&result.arm) else { return Vec::new() };
        let other = results.iter().find(|other| Some(&other.arm) == arm.compared_to.as_ref());
        let figures = result.figures(experiment);
        figures.iter().map(|figure| row(experiment, data, arm, result, other, figure)).collect()
    };
    results.iter().flat_map(of_arm).collect()
}

fn row(
    experiment: &Comparison,
    data: &str,
    arm: &Arm,
    result: &ArmResults,
    other: Option<&ArmResults>,
    figure: &Figure,
) -> TableRow {
    let (split, metric) = (figure.split, figure.metric.as_str());
    let sample = result.sample(split, metric);
    let interval = sample.and_then(|sample| sample.confidence_interval());
    let difference = other.and_then(|other| result.difference(other, split, metric));
    let of_difference = difference.and_then(|sample| sample.confidence_interval());
    TableRow {
        experiment: experiment.name.clone(),
        data: data.into(),
        arm: arm.name.clone(),
        parameters: result.parameters,
        split: split.into(),
        metric: metric.into(),
        seeds: sample.map_or(0, |sample| sample.n),
        diverged: result.diverged.len(),
        mean: sample.map(|sample| sample.mean),
        std: sample.and_then(|sample| sample.deviation),
        min: sample.map(|sample| sample.min),
        max: sample.map(|sample| sample.max),
        ci95_low: interval.map(|interval| interval.0),
        ci95_high: interval.map(|interval| interval.1),
        compared_to: other.map(|other| other.arm.clone()),
        pairs: difference.map_or(0, |sample| sample.n),
        difference: difference.map(|sample| sample.mean),
        difference_std: difference.and_then(|sample| sample.deviation),
        difference_low: of_difference.map(|interval| interval.0),
        difference_high: of_difference.map(|interval| interval.1),
        // The paper has no figure for the sample.
        paper: arm.paper.filter(|_| (data, split, metric) == (experiment.dataset.name(), "test", "accuracy")),
    }
}

/// Every score of every seed, without a value where its training diverged.
pub fn seed_rows(experiment: &Comparison, data: &str, results: &[ArmResults]) -> Vec<SeedRow> {
    let mut rows = Vec::new();
    for result in results {
        for figure in result.figures(experiment) {
            let row = |seed: u64, value: Option<f64>, n: Option<usize>| SeedRow {
                experiment: experiment.name.clone(),
                data: data.into(),
                arm: result.arm.clone(),
                seed,
                split: figure.split.into(),
                metric: figure.metric.clone(),
                value,
                n,
            };
            let scores = result.scores.get(&figure).into_iter().flatten();
            rows.extend(scores.map(|score| row(score.seed, Some(score.value), Some(score.n))));
            rows.extend(result.diverged.iter().map(|seed| row(*seed, None, None)));
        }
    }
    rows
}
