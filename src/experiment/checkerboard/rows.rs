//! The rows of the CSV files of a run, beside `epochs.csv` and `evaluations.csv`.

use serde::{Deserialize, Serialize};

/// `test_curve.csv`: test accuracy during training. Only the `best_on_test` protocol reads it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TestCurveRow {
    /// Optimizer steps made.
    pub step: usize,
    /// Accuracy on the test points.
    pub test_accuracy: f64,
}

/// `predictions.csv`: the network's answer at every grid point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PredictionRow {
    pub row: usize,
    pub column: usize,
    /// train, test or unused.
    pub split: String,
    /// True class.
    pub label: u8,
    /// Mean of the outputs.
    pub output: f32,
    /// Class 1 where the output is above 0.5.
    pub prediction: u8,
}
