//! Data sets as tensors, and how they are cut into parts.

#[cfg(feature = "program")]
pub mod augment;
pub mod checkerboard;
#[cfg(feature = "program")]
mod found;
pub mod idx;
#[cfg(feature = "program")]
pub mod images;
#[cfg(feature = "program")]
pub mod known;
#[cfg(feature = "program")]
pub mod source;
#[cfg(feature = "program")]
pub mod split;
#[cfg(feature = "program")]
pub mod table;

use candle_core::{Result, Tensor, bail};

/// What a network is trained on. Batches may be asked for from several threads.
pub trait TrainingSet: Sync {
    /// Number of points.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Inputs and targets of the points at the given rows, in that order. What is random about them depends on the epoch
    /// and on each point alone: not on the other rows, the thread, or earlier batches.
    ///
    /// # Errors
    /// When there is no such row.
    fn batch(&self, epoch: usize, rows: &[u32]) -> Result<(Tensor, Tensor)>;

    /// Threads that prepare batches ahead of the training step; with 0 a batch is made when the step needs it.
    fn workers(&self) -> usize {
        0
    }
}

/// Inputs with their targets.
#[derive(Debug, Clone)]
pub struct Points {
    /// (points, features)
    pub inputs: Tensor,
    /// (points, outputs)
    pub targets: Tensor,
}

impl TrainingSet for Points {
    fn len(&self) -> usize {
        self.inputs.dims().first().copied().unwrap_or(0)
    }

    /// # Shapes
    /// -> (rows, features), (rows, outputs)
    fn batch(&self, _epoch: usize, rows: &[u32]) -> Result<(Tensor, Tensor)> {
        // candle gives zeros for the largest number there is.
        if let Some(row) = rows.iter().find(|row| **row as usize >= self.len()) {
            bail!("there is no row {row} of {}", self.len());
        }
        let rows = Tensor::new(rows, self.inputs.device())?;
        Ok((self.inputs.index_select(&rows, 0)?, self.targets.index_select(&rows, 0)?))
    }
}
