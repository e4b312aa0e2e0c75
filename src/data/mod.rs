//! Data sets as tensors, and how they are cut into parts.

pub mod checkerboard;
pub mod images;
pub mod source;

use candle_core::{Result, Tensor};

/// What a network is trained on.
pub trait TrainingSet {
    /// Number of points.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Inputs and targets of the points at the given rows, in that order.
    ///
    /// # Errors
    /// When there is no such row.
    fn batch(&self, rows: &[u32]) -> Result<(Tensor, Tensor)>;
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
        self.inputs.dims()[0]
    }

    /// # Shapes
    /// -> (rows, features), (rows, outputs)
    fn batch(&self, rows: &[u32]) -> Result<(Tensor, Tensor)> {
        let rows = Tensor::new(rows, self.inputs.device())?;
        Ok((self.inputs.index_select(&rows, 0)?, self.targets.index_select(&rows, 0)?))
    }
}
