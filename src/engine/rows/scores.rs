//! Scores of the seeds of an arm, by what they are of.

use super::paired::differences;
use super::rows::EvaluationRow;
use super::statistics::Sample;
use crate::engine::runs::{FinishedRun, Spec};
use crate::evaluate::attack::Norm;
use anyhow::Result;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What one seed scored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    pub seed: u64,
    pub value: f64,
    /// Images that it is over.
    pub n: usize,
}

/// What a score is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Figure {
    /// train, validation or test (all test images), attacked (those that were attacked).
    pub split: &'static str,
    /// As in `evaluations.csv`.
    pub metric: String,
    /// The attack; worst_case for all of them; none.
    pub attack: String,
    /// linf, l2, or empty.
    pub norm: String,
    /// Size of the ball or radius, as its decimal text: a key has to have an order.
    pub epsilon: String,
}

impl Figure {
    /// A score of the network as it is.
    pub fn of(split: &'static str, metric: &str) -> Self {
        Self { split, metric: metric.into(), attack: "none".into(), norm: String::new(), epsilon: String::new() }
    }

    /// Accuracy of the attacked images under an attack.
    pub fn under(attack: &str, norm: Norm, eps: f64) -> Self {
        Self::at("attacked", "accuracy", attack, norm, eps)
    }

    /// Part of all test images that is certified beyond a radius.
    pub fn certified(metric: &str, norm: Norm, radius: f64) -> Self {
        Self::at("test", metric, "none", norm, radius)
    }

    fn at(split: &'static str, metric: &str, attack: &str, norm: Norm, eps: f64) -> Self {
        let (metric, attack) = (metric.into(), attack.into());
        Self { split, metric, attack, norm: norm.name().into(), epsilon: eps.to_string() }
    }
}

/// What was measured of a network.
#[derive(Default)]
pub struct Scored {
    /// Trained scalars.
    pub parameters: usize,
    /// Seeds whose training diverged.
    pub diverged: Vec<u64>,
    scores: BTreeMap<Figure, Vec<Score>>,
}

/// Columns of a table over all runs: statistics over the seeds of a network. A row may be a tuple of structs, of which this is
/// one.
#[derive(Serialize)]
pub struct Statistics {
    /// Seeds with a value.
    seeds: usize,
    /// Seeds without, because training diverged.
    diverged: usize,
    /// None without a value, as all that follow.
    mean: Option<f64>,
    std: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
    /// 95 % interval of the mean over seeds, Student's t.
    ci95_low: Option<f64>,
    ci95_high: Option<f64>,
}

impl Scored {
    /// Takes in `evaluations.csv` of a run, or that it diverged.
    pub fn add<S: Spec>(&mut self, run: &FinishedRun<S>) -> Result<()> {
        self.parameters = run.manifest.parameters;
        if run.diverged() {
            self.diverged.push(run.spec.seed().0);
            return Ok(());
        }
        for row in run.rows::<EvaluationRow>("evaluations.csv")? {
            let split = match row.split.as_str() {
                "train" => "train",
                "validation" => "validation",
                "attacked" => "attacked",
                _ => "test",
            };
            let figure = Figure {
                split,
                metric: row.metric,
                attack: row.attack,
                norm: row.norm.unwrap_or_default(),
                epsilon: row.epsilon.map_or_else(String::new, |epsilon| epsilon.to_string()),
            };
            let values = self.scores.entry(figure).or_default();
            // What several runs say of a seed, such as its clean accuracy, is said once.
            if values.iter().all(|score| score.seed != row.seed) {
                values.push(Score { seed: row.seed, value: row.value, n: row.n });
            }
        }
        Ok(())
    }

    /// The scores of the seeds that have one.
    pub fn of(&self, figure: &Figure) -> &[Score] {
        self.scores.get(figure).map_or(&[], Vec::as_slice)
    }

    /// A figure over the seeds; None without a score.
    pub fn sample(&self, figure: &Figure) -> Option<Sample> {
        Sample::of(&self.of(figure).iter().map(|score| score.value).collect::<Vec<_>>())
    }

    /// A figure minus that of another network, seed by seed, over the seeds that both have.
    pub fn less(&self, other: &Self, figure: &Figure) -> Option<Sample> {
        differences(self.values(figure), other.values(figure))
    }

    /// The same as seeds with their values.
    pub fn values(&self, figure: &Figure) -> impl Iterator<Item = (u64, f64)> {
        self.of(figure).iter().map(|score| (score.seed, score.value))
    }

    /// What there are scores of.
    pub fn scored(&self) -> impl Iterator<Item = &Figure> {
        self.scores.keys()
    }

    /// What there are scores of, and what a training that diverged would have had: a point that diverged is a row, never a gap.
    pub fn figures(&self, of_all: impl IntoIterator<Item = Figure>) -> BTreeSet<Figure> {
        let lost = of_all.into_iter().filter(|_| !self.diverged.is_empty());
        self.scored().cloned().chain(lost).collect()
    }

    /// Seeds that have any score.
    pub fn seeds(&self) -> usize {
        self.scores.values().map(Vec::len).max().unwrap_or(0)
    }

    /// The columns of a figure.
    pub fn statistics(&self, figure: &Figure) -> Statistics {
        let sample = self.sample(figure);
        let interval = sample.and_then(|sample| sample.confidence_interval());
        Statistics {
            seeds: sample.map_or(0, |sample| sample.n),
            diverged: self.diverged.len(),
            mean: sample.map(|sample| sample.mean),
            std: sample.and_then(|sample| sample.deviation),
            min: sample.map(|sample| sample.min),
            max: sample.map(|sample| sample.max),
            ci95_low: interval.map(|(low, _)| low),
            ci95_high: interval.map(|(_, high)| high),
        }
    }
}
