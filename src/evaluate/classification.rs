//! Accuracy and cross-entropy of a classifier of images.

use crate::data::TrainingSet;
use crate::model::Network;
use crate::nn::{Mode, loss};
use candle_core::{DType, Result};

/// Numbers in the images of one forward pass, 500 images of MNIST: few enough for their activations to stay in cache.
const CHUNK: usize = 500 * 784;
/// Classes that count as an answer of the kind "among the first".
const FIRST: usize = 5;

/// Scores on some images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Part of the images whose label has the largest logit, alone; 0 to 1. NaN counts as wrong.
    pub accuracy: f64,
    /// Part of the images whose label has one of the five largest logits; what is as large as the label's counts as
    /// larger.
    pub top5: f64,
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
    Ok(answers(network, images)?.0)
}

/// Scores a network on some images, and says for each its label and the class with the largest logit (the first of
/// equals).
///
/// # Errors
/// As [`score`].
pub fn answers(network: &dyn Network, images: &dyn TrainingSet) -> Result<(Score, Vec<(usize, usize)>)> {
    let count = images.len();
    if count == 0 {
        candle_core::bail!("there are no images to score");
    }
    let rows: Vec<u32> = (0..u32::try_from(count).map_err(candle_core::Error::wrap)?).collect();
    let features = images.batch(0, &rows[..1])?.0.elem_count().max(1);
    let (mut right, mut among, mut entropy, mut range) = (0, 0, 0.0, 0.0);
    let mut answers = Vec::with_capacity(count);
    for rows in rows.chunks((CHUNK / features).clamp(1, 500)) {
        let (inputs, labels) = images.batch(0, rows)?;
        let logits = network.forward(&inputs, Mode::Eval)?.detach();
        let mean = loss::cross_entropy(&logits, &labels)?.to_dtype(DType::F64)?.to_scalar::<f64>()?;
        entropy += mean * rows.len() as f64;
        let logits = logits.to_dtype(DType::F64)?.to_vec2::<f64>()?;
        for (logits, label) in logits.iter().zip(labels.to_vec1::<u32>()?) {
            let label = label as usize;
            let ahead = rank(logits, label);
            right += usize::from(ahead == Some(0));
            among += usize::from(ahead.is_some_and(|ahead| ahead < FIRST));
            let (low, high) =
                logits.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), z| (l.min(*z), h.max(*z)));
            range += high - low;
            answers.push((label, logits.iter().position(|z| *z == high).unwrap_or(0)));
        }
    }
    let n = count as f64;
    let score = Score {
        accuracy: right as f64 / n,
        top5: among as f64 / n,
        cross_entropy: entropy / n,
        logit_range: range / n,
        images: count,
    };
    Ok((score, answers))
}

/// Number of other classes whose logit is not smaller than the label's; None where the label's is no finite number.
fn rank(logits: &[f64], label: usize) -> Option<usize> {
    let own = logits[label];
    // Not `>=`: a NaN is not smaller either.
    let ahead = |(class, z): (usize, &f64)| class != label && (*z >= own || z.is_nan());
    own.is_finite().then(|| logits.iter().enumerate().filter(|place| ahead(*place)).count())
}

#[cfg(test)]
mod tests {
    use super::rank;

    #[test]
    fn ties_and_what_is_no_number_are_ahead() {
        let logits = [0.5, 2.0, 2.0, f64::NAN, -1.0];
        assert_eq!(rank(&logits, 1), Some(2));
        assert_eq!(rank(&logits, 0), Some(3));
        assert_eq!(rank(&logits, 4), Some(4));
        assert_eq!(rank(&logits, 3), None);
        assert_eq!(rank(&[3.0, 1.0], 0), Some(0));
    }
}
