//! Scores of the seeds of an arm, by what they are of.

use super::rows::EvaluationRow;
use super::seeds::{Seeds, Statistics};
use super::statistics::Sample;
use crate::engine::runs::{FinishedRun, Spec};
use crate::evaluate::attack::Norm;
use anyhow::Result;
use serde::{Serialize, Serializer};
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
    #[serde(serialize_with = "as_number")]
    pub epsilon: String,
}

/// As other tables have it: 1.0 where a text is 1, and nothing for none.
fn as_number<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    text.parse::<f64>().ok().serialize(serializer)
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

    /// Whether it is a part of the images.
    fn is_fraction(&self) -> bool {
        self.metric.contains("accuracy") || ["top5", "success_rate"].contains(&&*self.metric)
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

/// Columns of `tables/<experiment>-seeds.csv`: what one seed scored. A row is a tuple of structs, of which this is the last.
#[derive(Serialize)]
pub struct SeedScore {
    pub seed: u64,
    /// train, validation or test.
    split: &'static str,
    metric: String,
    /// None if training diverged.
    value: Option<f64>,
    /// Images, or rows, that it is over.
    n: Option<usize>,
}

impl Scored {
    /// Takes in `evaluations.csv` of a run, or that it diverged.
    pub fn add<S: Spec>(&mut self, run: &FinishedRun<S>) -> Result<()> {
        self.parameters = run.manifest.parameters;
        let seed = run.spec.seed().0;
        if run.diverged() {
            self.diverged.push(seed);
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
            if values.iter().all(|score| score.seed != seed) {
                values.push(Score { seed, value: row.value, n: row.n });
            }
        }
        Ok(())
    }

    /// The scores of the seeds that have one.
    pub fn of(&self, figure: &Figure) -> &[Score] {
        self.scores.get(figure).map_or(&[], Vec::as_slice)
    }

    /// A figure of every seed, those that diverged as well.
    pub fn values(&self, figure: &Figure) -> Seeds {
        let scores = self.of(figure).iter().map(|score| (score.seed, Some(score.value)));
        scores.chain(self.diverged.iter().map(|seed| (*seed, None))).collect()
    }

    /// A figure over the seeds; None without a score.
    pub fn sample(&self, figure: &Figure) -> Option<Sample> {
        self.values(figure).sample()
    }

    /// A figure minus that of another network, seed by seed, over the seeds that both have.
    pub fn less(&self, other: &Self, figure: &Figure) -> Option<Sample> {
        self.values(figure).less(&other.values(figure))
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
        let statistics = self.values(figure).statistics();
        if figure.is_fraction() { statistics.of_fractions() } else { statistics }
    }

    /// Figures of every seed, without a value where its training diverged.
    pub fn seed_scores(&self, figures: impl IntoIterator<Item = Figure>) -> Vec<SeedScore> {
        let of_figure = |figure: Figure| -> Vec<SeedScore> {
            let score =
                |seed, value, n| SeedScore { seed, split: figure.split, metric: figure.metric.clone(), value, n };
            let scored = self.of(&figure).iter().map(|of| score(of.seed, Some(of.value), Some(of.n)));
            scored.chain(self.diverged.iter().map(|seed| score(*seed, None, None))).collect()
        };
        figures.into_iter().flat_map(of_figure).collect()
    }
}
