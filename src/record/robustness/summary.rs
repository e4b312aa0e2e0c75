//! What was measured: figures over seeds, and figures of single seeds with their intervals.

use super::comparison::compare;
use super::rows::{CheckRow, EffortRow, ExampleRow, RADII};
use super::tables::{ComparisonRow, SeedRow, SummaryRow};
use crate::config::Spec;
use crate::config::robustness::{AttackSpec, Robustness, TrainingSpec};
use crate::evaluate::attack::Norm;
use crate::record::FinishedRun;
use crate::record::proportion::{Confidence, Proportion};
use crate::record::scores::{self, Figure, Score, Scores};
use crate::record::statistics::Sample;
use anyhow::Result;
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
    pub diverged: Vec<u64>,
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
        let of_arm = trainings.iter().filter(|run| run.spec.arm == arm.name);
        let of_training = of_arm.clone().map(|run| &run.manifest);
        let of_attack = attacks.iter().filter(|run| run.spec.arm == arm.name).map(|run| &run.manifest);
        let Some(first) = of_training.chain(of_attack).next() else { continue };
        let mut measured = ArmMeasurements {
            arm: arm.name.clone(),
            parameters: first.parameters,
            diverged: of_arm
                .clone()
                .filter(|run| run.manifest.diverged_at_step.is_some())
                .map(|run| run.spec.seed.0)
                .collect(),
            values: BTreeMap::new(),
            images: 0,
            examples: BTreeMap::new(),
            checks: Vec::new(),
            effort: Vec::new(),
        };
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
            let row = |figure: &Figure| {
                let sample = arm.sample(figure);
                let interval = sample.and_then(|sample| sample.confidence_interval());
                SummaryRow {
                    experiment: experiment.name.clone(),
                    data: data.into(),
                    arm: arm.arm.clone(),
                    parameters: arm.parameters,
                    split: figure.split.into(),
                    metric: figure.metric.clone(),
                    attack: figure.attack.clone(),
                    norm: figure.norm.clone(),
                    epsilon: figure.epsilon.clone(),
                    seeds: sample.map_or(0, |sample| sample.n),
                    diverged: arm.diverged.len(),
                    mean: sample.map(|sample| sample.mean),
                    std: sample.and_then(|sample| sample.deviation),
                    min: sample.map(|sample| sample.min),
                    max: sample.map(|sample| sample.max),
                    ci95_low: interval.map(|interval| interval.0),
                    ci95_high: interval.map(|interval| interval.1),
                }
            };
            self.figures(experiment, arm).iter().map(row).collect()
        };
        self.arms.iter().flat_map(of_arm).collect()
    }

    /// What there are scores of. A network whose training diverged has none, but would have had those of the table and
    /// those of its rivals: a point that diverged is a row, never a gap.
    fn figures(&self, experiment: &Robustness, arm: &ArmMeasurements) -> BTreeSet<Figure> {
        let mut figures: BTreeSet<Figure> = arm.values.keys().cloned().collect();
        if !arm.diverged.is_empty() {
            figures.extend(table_figures(experiment).into_iter().map(|(_, figure)| figure));
            let of_any = self.arms.iter().flat_map(|arm| arm.values.keys());
            figures.extend(of_any.filter(|figure| !OF_SOME.contains(&&*figure.metric)).cloned());
        }
        figures
    }

    /// Counts of every seed: clean, robust at the table's sizes, certified at the usual radii.
    pub fn seed_rows(&self, experiment: &Robustness, data: &str) -> Vec<SeedRow> {
        let mut rows = Vec::new();
        for arm in &self.arms {
            for (metric, figure) in table_figures(experiment) {
                let row = |seed, score| seed_row((experiment, data), arm, metric, &figure, seed, score);
                let scores = arm.values.get(&figure).into_iter().flatten();
                rows.extend(scores.filter_map(|score| Some(row(score.seed, Some(counted(score)?)))));
                rows.extend(arm.diverged.iter().map(|seed| row(*seed, None)));
            }
        }
        rows
    }
}

/// What not every network has that was trained and attacked.
const OF_SOME: [&str; 4] = ["lipschitz", "head_norm", "ties", "not_finite"];

/// The figures of single seeds, and what they are called there.
fn table_figures(experiment: &Robustness) -> Vec<(&'static str, Figure)> {
    let mut figures = vec![("clean_accuracy", Figure::of("test", "accuracy"))];
    figures.push(("clean_accuracy_of_attacked", Figure::of("attacked", "accuracy")));
    for threat in &experiment.threats {
        let robust = |eps: &f64| ("robust_accuracy", Figure::under("worst_case", threat.norm, *eps));
        figures.extend(threat.eps.iter().map(robust));
        if threat.norm == Norm::L2 && experiment.file().attack.certify {
            let certified = |radius| ("certified_accuracy", Figure::certified("certified_accuracy", Norm::L2, radius));
            figures.extend(RADII.map(certified));
        }
    }
    figures
}

/// A share of images is a count of images.
fn counted(score: &Score) -> Option<Proportion> {
    Proportion::new((score.value * score.n as f64).round() as u64, score.n as u64)
}

fn seed_row(
    (experiment, data): (&Robustness, &str),
    arm: &ArmMeasurements,
    metric: &str,
    figure: &Figure,
    seed: u64,
    part: Option<Proportion>,
) -> SeedRow {
    let certified = metric == "certified_accuracy";
    let interval = part.map(|part| match certified {
        true => part.clopper_pearson(Confidence::P95),
        false => part.wilson(Confidence::P95),
    });
    SeedRow {
        experiment: experiment.name.clone(),
        data: data.into(),
        arm: arm.arm.clone(),
        seed,
        metric: metric.into(),
        norm: figure.norm.clone(),
        epsilon: figure.epsilon.parse().ok(),
        count: part.map(|part| part.successes()),
        n: part.map(|part| part.trials()),
        value: part.map(|part| part.estimate()),
        low: interval.map(|(low, _)| low),
        high: interval.map(|(_, high)| high),
        interval: if certified { "clopper_pearson" } else { "wilson" }.into(),
    }
}

impl ArmMeasurements {
    /// A figure over the seeds.
    pub fn sample(&self, figure: &Figure) -> Option<Sample> {
        scores::sample(self.values.get(figure)?)
    }
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
