//! Figures over seeds, figures of single seeds with their intervals, and networks compared image by image.

use super::rows::{CheckRow, EffortRow, ExampleRow, RADII};
use crate::config::Spec;
use crate::config::robustness::{AttackSpec, Robustness, TrainingSpec};
use crate::evaluate::attack::{Norm, TOLERANCE};
use crate::record::FinishedRun;
use crate::record::proportion::{Confidence, Paired, Proportion};
use crate::record::scores::{self, Figure, Score, Scores};
use crate::record::statistics::Sample;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Everything that was measured, as tables and charts need it.
#[derive(Debug)]
pub struct Measurements {
    /// Networks of which a run is finished, in the order of the experiment.
    pub arms: Vec<ArmMeasurements>,
    /// One network against another on the same images.
    pub comparisons: Vec<ComparisonRow>,
}

/// What was measured of a network.
#[derive(Debug)]
pub struct ArmMeasurements {
    /// Key in files and flags.
    pub arm: String,
    /// Trained scalars.
    pub parameters: usize,
    /// Seeds whose training diverged.
    pub diverged: usize,
    /// Scores of every seed, by what they are of.
    pub values: Scores,
    /// Images that were attacked.
    pub images: usize,
    /// Single images, by seed and norm.
    pub examples: BTreeMap<(u64, &'static str), Vec<ExampleRow>>,
    /// The masking checklist.
    pub checks: Vec<CheckRow>,
    /// Accuracy against steps and restarts.
    pub effort: Vec<EffortRow>,
}

/// `tables/<experiment>.csv`: a figure over the seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SummaryRow {
    /// Experiment.
    pub experiment: String,
    /// mnist, fashion-mnist, or sample.
    pub data: String,
    /// Which network.
    pub arm: String,
    /// Trained scalars.
    pub parameters: usize,
    /// train, validation or test (all its images), attacked (those test images that were attacked).
    pub split: String,
    /// As in `evaluations.csv`.
    pub metric: String,
    /// The attack; worst_case for all of them; none.
    pub attack: String,
    /// linf or l2.
    pub norm: String,
    /// Size of the ball, or radius.
    pub epsilon: String,
    /// Seeds with a value.
    pub seeds: usize,
    /// Seeds without, because training diverged.
    pub diverged: usize,
    /// Mean over seeds.
    pub mean: f64,
    /// Standard deviation over seeds.
    pub std: Option<f64>,
    /// Lowest seed.
    pub min: f64,
    /// Highest seed.
    pub max: f64,
    /// 95 % interval of the mean over seeds, Student's t.
    pub ci95_low: Option<f64>,
    /// Its upper end.
    pub ci95_high: Option<f64>,
}

/// `tables/<experiment>-seeds.csv`: a count of one seed with the interval that the number of images leaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeedRow {
    /// Experiment.
    pub experiment: String,
    /// mnist, fashion-mnist, or sample.
    pub data: String,
    /// Which network.
    pub arm: String,
    /// Seed.
    pub seed: u64,
    /// clean_accuracy (all test images, or those attacked), robust_accuracy or certified_accuracy.
    pub metric: String,
    /// linf, l2, or nothing for the clean accuracy.
    pub norm: String,
    /// Size of the ball, or radius.
    pub epsilon: Option<f64>,
    /// Images for which it holds.
    pub count: u64,
    /// Images.
    pub n: u64,
    /// Their part.
    pub value: f64,
    /// 95 % interval.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// wilson, or clopper_pearson for what is certified.
    pub interval: String,
}

/// `tables/<experiment>-paired.csv`: two networks of one seed on the same images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparisonRow {
    /// Experiment.
    pub experiment: String,
    /// mnist, fashion-mnist, or sample.
    pub data: String,
    /// The network under study.
    pub first: String,
    /// The other one.
    pub second: String,
    /// Seed of both.
    pub seed: u64,
    /// linf, l2, or nothing for the images as they are.
    pub norm: String,
    /// Size of the ball; 0 for the images as they are.
    pub epsilon: f64,
    /// Accuracy of the first, under all attacks.
    pub first_accuracy: f64,
    /// Accuracy of the second.
    pub second_accuracy: f64,
    /// Images that the first alone gets right.
    pub first_only: u64,
    /// Images that the second alone gets right.
    pub second_only: u64,
    /// Images.
    pub n: u64,
    /// First accuracy less the second: 95 % interval (Agresti and Min).
    pub difference_low: f64,
    /// Its upper end.
    pub difference_high: f64,
    /// McNemar's exact test, two-sided.
    pub p_value: f64,
}

impl ExampleRow {
    /// Whether no attack broke the image within a ball; with 0, whether the image itself is classified right.
    pub fn resists(&self, eps: f64) -> bool {
        if eps == 0.0 { self.margin > 0.0 } else { self.distance > eps + TOLERANCE }
    }
}

/// Reads what finished runs have left.
///
/// # Errors
/// When a file of a run is missing or damaged.
pub fn measure(
    experiment: &Robustness,
    trainings: &[FinishedRun<TrainingSpec>],
    attacks: &[FinishedRun<AttackSpec>],
) -> Result<Measurements> {
    let mut arms = Vec::new();
    for arm in &experiment.arms {
        let of_training = trainings.iter().filter(|run| run.spec.arm == arm.name).map(|run| &run.manifest);
        let of_attack = attacks.iter().filter(|run| run.spec.arm == arm.name).map(|run| &run.manifest);
        let Some(first) = of_training.clone().chain(of_attack).next() else { continue };
        let mut measured = ArmMeasurements {
            arm: arm.name.clone(),
            parameters: first.parameters,
            diverged: of_training.filter(|manifest| manifest.diverged_at_step.is_some()).count(),
            values: BTreeMap::new(),
            images: 0,
            examples: BTreeMap::new(),
            checks: Vec::new(),
            effort: Vec::new(),
        };
        let of_arm = trainings.iter().filter(|run| run.spec.arm == arm.name);
        for run in of_arm.filter(|run| run.manifest.diverged_at_step.is_none()) {
            scores::take(&mut measured.values, run.rows("evaluations.csv")?);
        }
        for run in attacks.iter().filter(|run| run.spec.arm == arm.name && run.manifest.diverged_at_step.is_none()) {
            scores::take(&mut measured.values, run.rows("evaluations.csv")?);
            let examples: Vec<ExampleRow> = run.rows("per_example.csv")?;
            measured.images = examples.len();
            measured.examples.insert((run.spec.seed().0, run.spec.norm.name()), examples);
            if run.spec.checklist_images > 0 {
                measured.checks.extend(run.rows::<CheckRow>("checklist.csv")?);
                measured.effort.extend(run.rows::<EffortRow>("effort.csv")?);
            }
        }
        arms.push(measured);
    }
    let data = attacks.first().map_or(experiment.dataset.name(), |run| run.spec.data.name());
    let comparisons = compare(experiment, data, &arms)?;
    Ok(Measurements { arms, comparisons })
}

impl Measurements {
    /// A network's measurements by its name.
    pub fn arm(&self, name: &str) -> Option<&ArmMeasurements> {
        self.arms.iter().find(|arm| arm.arm == name)
    }

    /// Every figure over the seeds.
    pub fn summary_rows(&self, experiment: &Robustness, data: &str) -> Vec<SummaryRow> {
        let of_arm = |arm: &ArmMeasurements| -> Vec<SummaryRow> {
            let row = |(figure, values): (&Figure, &Vec<Score>)| {
                let sample = scores::sample(values)?;
                let interval = sample.confidence_interval();
                Some(SummaryRow {
                    experiment: experiment.name.clone(),
                    data: data.into(),
                    arm: arm.arm.clone(),
                    parameters: arm.parameters,
                    split: figure.split.into(),
                    metric: figure.metric.clone(),
                    attack: figure.attack.clone(),
                    norm: figure.norm.clone(),
                    epsilon: figure.epsilon.clone(),
                    seeds: sample.n,
                    diverged: arm.diverged,
                    mean: sample.mean,
                    std: sample.deviation,
                    min: sample.min,
                    max: sample.max,
                    ci95_low: interval.map(|interval| interval.0),
                    ci95_high: interval.map(|interval| interval.1),
                })
            };
            arm.values.iter().filter_map(row).collect()
        };
        self.arms.iter().flat_map(of_arm).collect()
    }

    /// Counts of every seed: clean, robust at the table's sizes, certified at the usual radii.
    pub fn seed_rows(&self, experiment: &Robustness, data: &str) -> Vec<SeedRow> {
        let mut figures = vec![("clean_accuracy", Figure::of("test", "accuracy"))];
        figures.push(("clean_accuracy_of_attacked", Figure::of("attacked", "accuracy")));
        for threat in &experiment.threats {
            let robust = |eps: &f64| ("robust_accuracy", Figure::under("worst_case", threat.norm, *eps));
            figures.extend(threat.eps.iter().map(robust));
            if threat.norm == Norm::L2 {
                let certified =
                    |radius| ("certified_accuracy", Figure::certified("certified_accuracy", Norm::L2, radius));
                figures.extend(RADII.map(certified));
            }
        }
        let mut rows = Vec::new();
        for arm in &self.arms {
            for (metric, figure) in &figures {
                let scores = arm.values.get(figure).into_iter().flatten();
                rows.extend(scores.filter_map(|score| seed_row((experiment, data), arm, metric, figure, *score)));
            }
        }
        rows
    }
}

fn seed_row(
    (experiment, data): (&Robustness, &str),
    arm: &ArmMeasurements,
    metric: &str,
    figure: &Figure,
    score: Score,
) -> Option<SeedRow> {
    // A share of images is a count of images.
    let (count, n) = ((score.value * score.n as f64).round() as u64, score.n as u64);
    let part = Proportion::new(count, n)?;
    let certified = metric == "certified_accuracy";
    let (low, high) = if certified { part.clopper_pearson(Confidence::P95) } else { part.wilson(Confidence::P95) };
    Some(SeedRow {
        experiment: experiment.name.clone(),
        data: data.into(),
        arm: arm.arm.clone(),
        seed: score.seed,
        metric: metric.into(),
        norm: figure.norm.clone(),
        epsilon: figure.epsilon.parse().ok(),
        count,
        n,
        value: part.estimate(),
        low,
        high,
        interval: if certified { "clopper_pearson" } else { "wilson" }.into(),
    })
}

impl ArmMeasurements {
    /// A figure over the seeds.
    pub fn sample(&self, figure: &Figure) -> Option<Sample> {
        scores::sample(self.values.get(figure)?)
    }
}

/// Every network against the one that it is compared to, seed by seed.
fn compare(experiment: &Robustness, data: &str, arms: &[ArmMeasurements]) -> Result<Vec<ComparisonRow>> {
    let measured = |name: &str| arms.iter().find(|arm| arm.arm == name);
    let mut rows = Vec::new();
    for arm in &experiment.arms {
        let first = arm.compared_to.as_deref().and_then(measured);
        let (Some(first), Some(second)) = (first, measured(&arm.name)) else { continue };
        for ((seed, norm), examples) in &first.examples {
            let Some(against) = second.examples.get(&(*seed, *norm)) else { continue };
            let threat = experiment.threats.iter().find(|threat| threat.norm.name() == *norm);
            let sizes: Vec<f64> = std::iter::once(0.0).chain(threat.iter().flat_map(|t| t.eps.clone())).collect();
            for eps in sizes {
                let (a, b) = paired(examples, against, eps);
                let pair = Paired::of(&a, &b).context("two networks were attacked on no common image")?;
                let (difference_low, difference_high) = pair.difference(Confidence::P95);
                let part = |right: &[bool]| right.iter().filter(|right| **right).count() as f64 / right.len() as f64;
                let row = ComparisonRow {
                    experiment: experiment.name.clone(),
                    data: data.into(),
                    first: first.arm.clone(),
                    second: second.arm.clone(),
                    seed: *seed,
                    norm: if eps == 0.0 { String::new() } else { (*norm).into() },
                    epsilon: eps,
                    first_accuracy: part(&a),
                    second_accuracy: part(&b),
                    first_only: pair.first_only,
                    second_only: pair.second_only,
                    n: pair.images,
                    difference_low,
                    difference_high,
                    p_value: pair.p_value(),
                };
                // The images as they are come with every norm.
                if !rows.contains(&row) {
                    rows.push(row);
                }
            }
        }
    }
    rows.sort_by(|a, b| {
        let key = |row: &ComparisonRow| (row.second.clone(), row.norm.clone());
        key(a).cmp(&key(b)).then(a.epsilon.total_cmp(&b.epsilon)).then(a.seed.cmp(&b.seed))
    });
    Ok(rows)
}

/// Which of the images that both were attacked on each network gets right.
fn paired(first: &[ExampleRow], second: &[ExampleRow], eps: f64) -> (Vec<bool>, Vec<bool>) {
    let others: BTreeMap<usize, &ExampleRow> = second.iter().map(|row| (row.index, row)).collect();
    let both =
        first.iter().filter_map(|row| others.get(&row.index).map(|other| (row.resists(eps), other.resists(eps))));
    both.unzip()
}

/// Attacks of which there is a figure at some size of the ball, in the order of their columns.
pub fn attacks_made(arms: &[ArmMeasurements]) -> Vec<String> {
    let made: BTreeSet<&str> = arms
        .iter()
        .flat_map(|arm| arm.values.keys())
        .filter(|figure| figure.metric == "accuracy" && !figure.epsilon.is_empty())
        .map(|figure| figure.attack.as_str())
        .collect();
    super::ATTACKS.iter().filter(|name| made.contains(**name)).map(|name| (*name).to_string()).collect()
}
