//! What a run of the checkerboard leaves.

use super::rows::{EpochRow, EvaluationRow, PredictionRow, TestCurveRow};
use super::run_dir::{Ending, Record, write_rows, write_weights};
use anyhow::Result;
use candle_core::Tensor;
use std::path::Path;

/// Everything that a run produced.
#[derive(Debug)]
pub struct RunRecord {
    /// How it ended.
    pub ending: Ending,
    /// The course of training.
    pub epochs: Vec<EpochRow>,
    /// Test accuracy during training; empty in a selection run.
    pub test_curve: Vec<TestCurveRow>,
    /// Scores of the last iterate; empty if it diverged.
    pub evaluations: Vec<EvaluationRow>,
    /// Answers of the last iterate; empty if it diverged and in a selection run.
    pub predictions: Vec<PredictionRow>,
    /// Named tensors of the last iterate.
    pub weights: Vec<(String, Tensor)>,
}

impl Record for RunRecord {
    fn ending(&self) -> &Ending {
        &self.ending
    }

    /// Validation accuracy of a selection run, test accuracy of a full run.
    fn headline(&self) -> String {
        let last = self.evaluations.iter().rev().find(|row| row.metric == "accuracy");
        let accuracy = last.map(|row| format!("{} accuracy {:.2} %", row.split, 100.0 * row.value));
        self.ending.divergence().or(accuracy).unwrap_or_default()
    }

    fn write(&self, directory: &Path) -> Result<()> {
        write_rows(&directory.join("epochs.csv"), &self.epochs)?;
        write_rows(&directory.join("evaluations.csv"), &self.evaluations)?;
        write_rows(&directory.join("test_curve.csv"), &self.test_curve)?;
        write_rows(&directory.join("predictions.csv"), &self.predictions)?;
        write_weights(&directory.join("weights.safetensors"), &self.weights)
    }
}
