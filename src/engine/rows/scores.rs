//! Scores of the seeds of an arm, by what they are of.

use super::rows::EvaluationRow;
use super::statistics::Sample;
use crate::evaluate::attack::Norm;
use std::collections::BTreeMap;

/// Scores of every seed, by what they are of.
pub type Scores = BTreeMap<Figure, Vec<Score>>;

/// What one seed scored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    pub seed: u64,
    pub value: f64,
    /// Images that it is over.
    pub n: usize,
}

/// What a score is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Figure {
    /// train, validation or test (all test images), attacked (those that were attacked).
    pub split: &'static str,
    /// As in `evaluations.csv`.
    pub metric: String,
    /// The attack, or none.
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

/// Adds the rows of a run.
pub fn take(scores: &mut Scores, rows: Vec<EvaluationRow>) {
    for row in rows {
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
        let values = scores.entry(figure).or_default();
        // What several runs say of a seed, such as its clean accuracy, is said once.
        if values.iter().all(|score| score.seed != row.seed) {
            values.push(Score { seed: row.seed, value: row.value, n: row.n });
        }
    }
}

/// A figure over the seeds; None without one.
pub fn sample(scores: &[Score]) -> Option<Sample> {
    Sample::of(&scores.iter().map(|score| score.value).collect::<Vec<_>>())
}
