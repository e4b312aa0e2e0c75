//! Data sets as tensors, and how they are cut into parts.

pub mod checkerboard;
pub mod images;
pub mod source;

use candle_core::{Result, Tensor};

/// Inputs with their targets.
#[derive(Debug, Clone)]
pub struct Points {
    /// (points, features)
    pub inputs: Tensor,
    /// (points, outputs)
    pub targets: Tensor,
}

impl Points {
    /// Number of points.
    pub fn len(&self) -> usize {
        self.inputs.dims()[0]
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The points at the given rows, in that order.
    ///
    /// # Shapes
    /// -> (rows, features), (rows, outputs)
    pub fn select(&self, rows: &[u32]) -> Result<(Tensor, Tensor)> {
        let rows = Tensor::new(rows, self.inputs.device())?;
        Ok((self.inputs.index_select(&rows, 0)?, self.targets.index_select(&rows, 0)?))
    }
}
