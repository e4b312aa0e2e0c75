//! What was measured: figures over seeds, and figures of single seeds with their intervals.

use super::check::Robustness;
use super::rows::{CheckRow, EffortRow, ExampleRow, RADII};
use super::tables::{SeedColumns, SeedRow, Size, SummaryRow};
use super::{Facts, Findings};
use crate::engine::rows::{Figure, Proportion, Score, Scored, TableKey};
use crate::evaluate::attack::Norm;
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};

/// Everything that was measured, as tables and charts need it.
pub struct Measurements<'m> {
    pub experiment: &'m Robustness,
    /// The data set's name, or `sample`.
    pub data: &'static str,
    /// Networks of which a run is finished, in the order of the experiment.
    pub arms: Vec<ArmMeasurements>,
}

/// What was measured of a network.
#[derive(Default)]
pub struct ArmMeasurements {
    pub arm: String,
    /// Name on charts.
    pub label: String,
    pub scored: Scored,
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
pub fn measure<'m>(experiment: &'m Robustness, facts: &Facts, findings: &Findings) -> Result<Measurements<'m>> {
    let mut arms = Vec::new();
    for arm in &experiment.file.arm {
        let trainings: Vec<_> = findings.trainings.iter().filter(|run| run.spec.arm == arm.name).collect();
        let attacks: Vec<_> = findings.attacks.iter().filter(|run| run.spec.arm == arm.name).collect();
        if trainings.is_empty() && attacks.is_empty() {
            continue;
        }
        let (name, label) = (arm.name.clone(), arm.label.clone());
        let mut measured = ArmMeasurements { arm: name, label, ..ArmMeasurements::default() };
        trainings.into_iter().try_for_each(|run| measured.scored.add(run))?;
        for run in attacks {
            if run.diverged() {
                measured.scored.parameters = run.manifest.parameters;
                continue;
            }
            measured.scored.add(run)?;
            let examples: Vec<ExampleRow> = run.rows("per_example.csv")?;
            measured.images = examples.len();
            measured.examples.insert((run.spec.seed.0, run.spec.norm.name()), examples);
            measured.checks.extend(run.rows::<CheckRow>("checklist.csv")?);
            measured.effort.extend(run.rows::<EffortRow>("effort.csv")?);
        }
        arms.push(measured);
    }
    Ok(Measurements { experiment, data: facts.images.name(), arms })
}

impl Measurements<'_> {
    /// A network's measurements by its name.
    pub fn arm(&self, name: &str) -> Option<&ArmMeasurements> {
        self.arms.iter().find(|arm| arm.arm == name)
    }

    /// What the rows of a network begin with.
    pub fn key(&self, arm: &str) -> TableKey {
        let experiment = self.experiment.file.experiment.name.clone();
        TableKey { experiment, data: self.data.into(), arm: arm.into() }
    }

    /// Every figure over the seeds.
    pub fn summary_rows(&self) -> Vec<SummaryRow> {
        let of_arm = |arm: &ArmMeasurements| -> Vec<SummaryRow> {
            let row = |figure: Figure| {
                let (size, statistics) = (Size { parameters: arm.scored.parameters }, arm.scored.statistics(&figure));
                (self.key(&arm.arm), size, figure, statistics)
            };
            self.figures(arm).into_iter().map(row).collect()
        };
        self.arms.iter().flat_map(of_arm).collect()
    }

    /// What a network has scores of, or would have had: the figures of the table, and those of its rivals.
    fn figures(&self, arm: &ArmMeasurements) -> BTreeSet<Figure> {
        let of_table = table_figures(self.experiment).into_iter().map(|(_, figure)| figure);
        let of_any = self.arms.iter().flat_map(|arm| arm.scored.scored());
        arm.scored.figures(of_table.chain(of_any.filter(|figure| !OF_SOME.contains(&&*figure.metric)).cloned()))
    }

    /// Counts of every seed: clean, robust at the table's sizes, certified at the usual radii.
    pub fn seed_rows(&self) -> Vec<SeedRow> {
        let mut table = Vec::new();
        for arm in &self.arms {
            for (metric, figure) in table_figures(self.experiment) {
                let certified = metric == "certified_accuracy";
                let bounds = |part: Proportion| if certified { part.clopper_pearson() } else { part.wilson() };
                let row = |seed: u64, part: Option<Proportion>| {
                    let columns = SeedColumns {
                        seed,
                        metric: metric.into(),
                        norm: figure.norm.clone(),
                        epsilon: figure.epsilon.parse().ok(),
                        count: part.map(|part| part.successes),
                        n: part.map(|part| part.trials),
                        value: part.map(|part| part.estimate()),
                        low: part.map(|part| bounds(part).0),
                        high: part.map(|part| bounds(part).1),
                        interval: if certified { "clopper_pearson" } else { "wilson" }.into(),
                    };
                    (self.key(&arm.arm), columns)
                };
                let scores = arm.scored.of(&figure).iter();
                table.extend(scores.filter_map(|score| Some(row(score.seed, Some(counted(score)?)))));
                table.extend(arm.scored.diverged.iter().map(|seed| row(*seed, None)));
            }
        }
        table
    }
}

/// What not every network has that was trained and attacked.
const OF_SOME: [&str; 4] = ["lipschitz", "head_norm", "ties", "not_finite"];

/// The figures of single seeds, and what they are called there.
pub(super) fn table_figures(experiment: &Robustness) -> Vec<(&'static str, Figure)> {
    let mut figures = vec![("clean_accuracy", Figure::of("test", "accuracy"))];
    figures.push(("clean_accuracy_of_attacked", Figure::of("attacked", "accuracy")));
    for threat in &experiment.file.threat {
        let robust = |eps: &f64| ("robust_accuracy", Figure::under("worst_case", threat.norm, *eps));
        figures.extend(threat.eps.iter().map(robust));
        if threat.norm == Norm::L2 && experiment.file.attack.certify {
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
