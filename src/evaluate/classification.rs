//! Accuracy and cross-entropy of a classifier of images.

use crate::data::TrainingSet;
use crate::model::Network;
use crate::nn::{Mode, loss};
use candle_core::{DType, Result};

/// Images in one forward pass: few enough for their activations to stay in cache.
const CHUNK: usize = 500;

/// Scores on some images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Part of the images whose label has the largest logit, alone; 0 to 1. NaN counts as wrong.
    pub accuracy: f64,
    /// Mean cross-entropy.
    pub cross_entropy: f64,
    /// Mean over the images of the largest logit less the smallest: the scale of the logits.
    pub logit_range: f64,
    /// Number of images.
    pub images: usize,
}

/// Scores a network on some images.
///
/// # Errors
/// When there are no images, or the network does not take them.
pub fn score(network: &dyn Network, images: &dyn TrainingSet) -> Result<Score> {
    let count = images.len();
    if count == 0 {
        candle_core::bail!("there are no images to score");
    }
    let rows: Vec<u32> = (0..count as u32).collect();
    let (mut right, mut entropy, mut range) = (0, 0.0, 0.0);
    for rows in rows.chunks(CHUNK) {
        let (inputs, labels) = images.batch(0, rows)?;
        let logits = network.forward(&inputs, Mode::Eval)?.detach();
        let mean = loss::cross_entropy(&logits, &labels)?.to_dtype(DType::F64)?.to_scalar::<f64>()?;
        entropy += mean * rows.len() as f64;
        let logits = logits.to_dtype(DType::F64)?.to_vec2::<f64>()?;
        for (logits, label) in logits.iter().zip(labels.to_vec1::<u32>()?) {
            let right_one = logits[label as usize];
            let above = |(class, z): (usize, &f64)| class == label as usize || *z < right_one;
            right += usize::from(logits.iter().enumerate().all(above) && right_one.is_finite());
            let (low, high) =
                logits.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), z| (l.min(*z), h.max(*z)));
            range += high - low;
        }
    }
    let n = count as f64;
    Ok(Score { accuracy: right as f64 / n, cross_entropy: entropy / n, logit_range: range / n, images: count })
}
