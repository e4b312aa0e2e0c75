//! What the layer promises, measured: Jacobians, gradients from layer to layer, Lipschitz constants from below.
//!
//! A Han-layer's Jacobian is diag(sign z) H(u), orthogonal at every point with no z_i = 0 (Yu and Zhang 2024,
//! Section 2). From that follow the other promises: gradients keep their length through any number of layers, and no
//! two points move away from each other.

mod flow;
mod jacobian;
mod layers;
mod neighbours;
mod stretch;

use candle_core::{Result, Tensor};

/// A function of a batch that treats every row by itself.
pub type RowFunction<'f> = dyn Fn(&Tensor) -> Result<Tensor> + 'f;

pub use flow::{Flow, gradient_norms};
pub use jacobian::{Extent, deviation, extents, of_one_point};
pub use layers::{KinkedLayer, RandomLayer};
pub use neighbours::{Likeness, cosines, likeness};
pub use stretch::{Ascent, Found};
