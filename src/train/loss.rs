//! What training minimises.

use crate::model::Model;
use crate::nn::loss::{self, Margin};
use candle_core::{DType, Result, Tensor};
use serde::{Deserialize, Serialize};

/// A loss by name; each is a mean over the batch.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LossConfig {
    /// Of outputs against targets of the same shape.
    #[default]
    MeanSquaredError,
    /// Of logits (batch, classes) against labels (batch), u32.
    CrossEntropy,
    /// The certified radius that is missing to a margin ([`loss::margin`]); for networks that are 1-Lipschitz up to
    /// their head. Logits and labels as for the cross-entropy.
    Margin(Margin),
}

impl LossConfig {
    /// Why the loss makes no sense, if so.
    pub fn problem(&self) -> Option<String> {
        match self {
            Self::Margin(margin) => margin.problem(),
            Self::MeanSquaredError | Self::CrossEntropy => None,
        }
    }

    /// Of a classifier, the number of labels with the largest logit (the first of equals).
    pub(super) fn right(&self, outputs: &Tensor, targets: &Tensor) -> Result<Option<usize>> {
        match self {
            Self::MeanSquaredError => return Ok(None),
            Self::CrossEntropy | Self::Margin(_) => {}
        }
        let (logits, labels) = (outputs.detach().to_dtype(DType::F32)?.to_vec2::<f32>()?, targets.to_vec1::<u32>()?);
        let answer =
            |logits: &[f32]| (1..logits.len()).fold(0, |best, at| if logits[at] > logits[best] { at } else { best });
        Ok(Some(logits.iter().zip(labels).filter(|(logits, label)| answer(logits) == *label as usize).count()))
    }

    /// Its value for a batch, a scalar.
    pub(super) fn of(&self, model: &Model, outputs: &Tensor, targets: &Tensor) -> Result<Tensor> {
        match self {
            Self::MeanSquaredError => loss::mse(outputs, targets),
            Self::CrossEntropy => loss::cross_entropy(outputs, targets),
            Self::Margin(margin) => {
                let distances = loss::row_distances(model.network.chain()?.head().weight())?;
                loss::margin(outputs, targets, &distances, *margin)
            }
        }
    }
}
