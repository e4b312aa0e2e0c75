//! What a training leaves.

use super::rows::{ConfusionRow, CurveRow};
use crate::record::rows::{EpochRow, EvaluationRow};
use crate::record::run_dir::{Ending, Record, write_rows, write_weights};
use anyhow::Result;
use candle_core::Tensor;
use std::path::Path;

/// Everything that a training produced.
#[derive(Debug)]
pub struct ImageRecord {
    /// How it ended.
    pub ending: Ending,
    /// The course of training.
    pub epochs: Vec<EpochRow>,
    /// The same for every part of the data.
    pub curves: Vec<CurveRow>,
    /// Scores of the last iterate; empty if it diverged.
    pub evaluations: Vec<EvaluationRow>,
    /// Answers of the last iterate on the test images; empty if it diverged.
    pub confusion: Vec<ConfusionRow>,
    /// Named tensors of the last iterate.
    pub weights: Vec<(String, Tensor)>,
}

impl Record for ImageRecord {
    fn ending(&self) -> &Ending {
        &self.ending
    }

    /// Test accuracy, and the time that an epoch took.
    fn headline(&self) -> String {
        let of_test = |row: &&EvaluationRow| row.split == "test" && row.metric == "accuracy";
        let accuracy = 100.0 * self.evaluations.iter().find(of_test).map_or(f64::NAN, |row| row.value);
        let seconds = self.ending.epoch_seconds.unwrap_or(f64::NAN);
        let finished = || format!("test accuracy {accuracy:.2} %, {seconds:.1} s an epoch");
        self.ending.divergence().unwrap_or_else(finished)
    }

    fn write(&self, directory: &Path) -> Result<()> {
        write_rows(&directory.join("epochs.csv"), &self.epochs)?;
        write_rows(&directory.join("curves.csv"), &self.curves)?;
        write_rows(&directory.join("evaluations.csv"), &self.evaluations)?;
        write_rows(&directory.join("confusion.csv"), &self.confusion)?;
        write_weights(&directory.join("weights.safetensors"), &self.weights)
    }
}
