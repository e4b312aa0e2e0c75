//! The rows of the CSV files of a training, beside `epochs.csv` and `evaluations.csv`.

use serde::{Deserialize, Serialize};

/// `curves.csv`: loss and accuracy after every epoch, a row for each part of the data; of test images after at most a hundred of the
/// epochs, the last among them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CurveRow {
    /// Images seen over images in the training set.
    pub epoch: f64,
    /// Optimizer steps made.
    pub step: usize,
    /// train: mean over the augmented images of the epoch, each before the step that it was part of. validation, test:
    /// all their images as they are, after the epoch.
    pub split: String,
    /// Cross-entropy.
    pub loss: f64,
    /// Part of the images whose class has the largest logit, 0 to 1.
    pub accuracy: f64,
    /// Part of the images whose class is among the five largest logits; not counted for train.
    pub top5: Option<f64>,
}

/// `confusion.csv`: what the test images of a class are taken for by the last iterate. Pairs that never occur are left
/// out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConfusionRow {
    /// The class, from 0.
    pub label: usize,
    /// The class with the largest logit.
    pub prediction: usize,
    /// Test images.
    pub count: usize,
}
