//! What a training run and an attack run leave.

use super::rows::{CheckRow, EffortRow, ExampleRow};
use crate::record::rows::{EpochRow, EvaluationRow};
use crate::record::run_dir::{Ending, Record, write_rows, write_weights};
use anyhow::Result;
use candle_core::Tensor;
use std::path::Path;

/// Everything that a training produced.
#[derive(Debug)]
pub struct TrainingRecord {
    /// How it ended.
    pub ending: Ending,
    /// The course of training.
    pub epochs: Vec<EpochRow>,
    /// Scores of the iterate that is kept; empty if training diverged.
    pub evaluations: Vec<EvaluationRow>,
    /// Named tensors of the iterate that is kept.
    pub weights: Vec<(String, Tensor)>,
}

/// Everything that the attacks on a network produced.
#[derive(Debug)]
pub struct AttackRecord {
    /// How it ended.
    pub ending: Ending,
    /// One row an image; empty if the network's training diverged.
    pub examples: Vec<ExampleRow>,
    /// Accuracies under every attack and size of the ball, certified accuracies, and costs.
    pub evaluations: Vec<EvaluationRow>,
    /// The masking checklist; empty where none was made.
    pub checks: Vec<CheckRow>,
    /// Accuracy against steps and restarts; empty where no checklist was made.
    pub effort: Vec<EffortRow>,
    /// Some clean images and the nearest misclassified ones, for a figure.
    pub images: Vec<(String, Tensor)>,
}

fn value(rows: &[EvaluationRow], split: &str, metric: &str, attack: &str) -> Option<f64> {
    rows.iter().find(|r| r.split == split && r.metric == metric && r.attack == attack).map(|row| row.value)
}

impl Record for TrainingRecord {
    fn ending(&self) -> &Ending {
        &self.ending
    }

    /// Validation and test accuracy.
    fn headline(&self) -> String {
        let accuracy = |split| 100.0 * value(&self.evaluations, split, "accuracy", "none").unwrap_or(f64::NAN);
        self.ending.divergence().unwrap_or_else(|| {
            format!("validation accuracy {:.2} %, test {:.2} %", accuracy("validation"), accuracy("test"))
        })
    }

    fn write(&self, directory: &Path) -> Result<()> {
        write_rows(&directory.join("epochs.csv"), &self.epochs)?;
        write_rows(&directory.join("evaluations.csv"), &self.evaluations)?;
        write_weights(&directory.join("weights.safetensors"), &self.weights)
    }
}

impl Record for AttackRecord {
    fn ending(&self) -> &Ending {
        &self.ending
    }

    /// Clean and worst-case accuracy.
    fn headline(&self) -> String {
        self.ending.divergence().unwrap_or_else(|| {
            let clean = 100.0 * value(&self.evaluations, "attacked", "accuracy", "none").unwrap_or(f64::NAN);
            let worst = self.evaluations.iter().filter(|r| r.attack == "worst_case" && r.epsilon > Some(0.0));
            let at = worst.map(|row| format!("{:.1} % at {}", 100.0 * row.value, row.epsilon.unwrap_or_default()));
            let sizes: Vec<String> = at.take(3).collect();
            format!("clean {clean:.2} %, worst case {}", sizes.join(", "))
        })
    }

    fn write(&self, directory: &Path) -> Result<()> {
        write_rows(&directory.join("per_example.csv"), &self.examples)?;
        write_rows(&directory.join("evaluations.csv"), &self.evaluations)?;
        write_rows(&directory.join("checklist.csv"), &self.checks)?;
        write_rows(&directory.join("effort.csv"), &self.effort)?;
        if !self.images.is_empty() {
            write_weights(&directory.join("images.safetensors"), &self.images)?;
        }
        Ok(())
    }
}
