//! CUDA kernels of ours, compiled at run time for the shapes at hand. What has none is composed of candle's operations.

#![cfg_attr(not(feature = "cuda"), allow(dead_code, reason = "here to be tested without a GPU"))]

#[cfg(feature = "cuda")]
mod buffers;
#[cfg(feature = "cuda")]
mod compile;
#[cfg(feature = "cuda")]
mod graft;
#[cfg(feature = "cuda")]
mod han;
#[cfg(feature = "cuda")]
mod image;
#[cfg(feature = "cuda")]
pub mod layers;
#[cfg(feature = "cuda")]
pub mod optimizer;
mod plan;
mod variant;

#[cfg(feature = "cuda")]
pub use buffers::{Number, view};
#[cfg(feature = "cuda")]
pub use han::{apply, has_kernel};
#[cfg(feature = "cuda")]
pub use plan::{Part, Plan};
