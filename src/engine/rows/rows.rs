//! The rows of the CSV files of a run, one type a file. Fractions are 0 to 1. Nothing here depends on time or threads:
//! durations are in `manifest.json`.

use crate::engine::runs::{FinishedRun, Spec};
use anyhow::Result;
use serde::{Deserialize, Serialize};

/// What every row of these files begins with: a row is written as a tuple of structs, of which this is the first. Readers know the
/// run, and read the rest.
#[derive(Serialize)]
pub struct RunKey {
    experiment: String,
    arm: String,
    /// What tells the run from the arm's others, such as recipe, learning rate and phase; or training, attack-linf, attack-l2.
    point: String,
    seed: u64,
}

impl RunKey {
    pub fn of(spec: &impl Spec) -> Self {
        let (experiment, arm) = (spec.experiment().into(), spec.arm().into());
        Self { experiment, arm, point: spec.point(), seed: spec.seed().0 }
    }
}

/// Rows as they stand in a file of a run.
pub fn keyed<'r, Row>(spec: &impl Spec, rows: &'r [Row]) -> Vec<(RunKey, &'r Row)> {
    rows.iter().map(|row| (RunKey::of(spec), row)).collect()
}

/// `epochs.csv`: the course of training. Empty validation columns: the run keeps no validation points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRow {
    /// Points seen over points in the training set.
    pub epoch: f64,
    /// Optimizer steps made.
    pub step: usize,
    /// Of the last step.
    pub learning_rate: f64,
    /// Mean of what is minimised over the points seen since the last row.
    pub train_loss: f64,
    /// Mean squared error (of a classifier the cross-entropy) on the validation points.
    pub validation_loss: Option<f64>,
    /// Accuracy on the validation points; of a regression their root mean squared error.
    pub validation_metric: Option<f64>,
}

/// `evaluations.csv`: scores of the last iterate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvaluationRow {
    /// train, validation or test.
    pub split: String,
    /// What `value` is; METHODOLOGY.md lists the metrics of each experiment.
    pub metric: String,
    /// none: the inputs are as they are.
    pub attack: String,
    /// Norm of the attack, or of the certified radius: linf or l2.
    pub norm: Option<String>,
    /// Size of the ball of the attack, or the certified radius.
    pub epsilon: Option<f64>,
    pub value: f64,
    /// Points scored.
    pub n: usize,
}

impl EvaluationRow {
    /// A score for inputs as they are.
    pub fn of(split: &str, metric: &str, value: f64, n: usize) -> Self {
        Self { split: split.into(), metric: metric.into(), attack: "none".into(), norm: None, epsilon: None, value, n }
    }

    /// A score of a run for inputs as they are; none of one that diverged.
    pub fn read<S: Spec>(run: &FinishedRun<S>, split: &str, metric: &str) -> Result<Option<f64>> {
        if run.diverged() {
            return Ok(None);
        }
        let rows: Vec<Self> = run.rows("evaluations.csv")?;
        Ok(rows.iter().find(|row| row.split == split && row.metric == metric).map(|row| row.value))
    }

    /// The accuracies of a run in a line: `validation accuracy 97.10 %, test accuracy 96.80 %`. Validation comes first: it is the
    /// one to tune by.
    pub fn accuracies(rows: &[Self]) -> String {
        let of = |split: &str| rows.iter().find(|row| row.split == split && row.metric == "accuracy");
        let shown = |row: &Self| format!("{} accuracy {:.2} %", row.split, 100.0 * row.value);
        ["validation", "test"].into_iter().filter_map(of).map(shown).collect::<Vec<_>>().join(", ")
    }
}
