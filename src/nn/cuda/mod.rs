//! CUDA kernels of ours, compiled at run time for the shapes at hand. What has none is composed of candle's operations.

#[cfg(feature = "cuda")]
mod compile;
#[cfg(feature = "cuda")]
mod han;
mod variant;

#[cfg(feature = "cuda")]
pub(super) use han::{Part, Plan, apply, has_kernel};
