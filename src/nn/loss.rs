//! Losses, averaged as PyTorch averages by default.
//!
//! candle's own agree with PyTorch in value and gradient (see `tests/golden.rs`); they are named here so that training
//! has one place to choose from.

pub use candle_nn::loss::{cross_entropy, mse};
