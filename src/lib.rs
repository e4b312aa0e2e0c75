//! The Han-layer and the experiments around it.
//!
//! ```text
//! y = | x - 2 (u.x) / (u.u) u + b |
//! ```
//!
//! from "A Lightweight and Gradient-Stable Neural Layer" (Yueyao Yu and Yin Zhang, Neural Networks 175, 2024): a
//! Householder reflection, a shift and the absolute value. 2 d parameters, O(d) work, an orthogonal Jacobian at any
//! depth, 1-Lipschitz.
//!
//! # Map
//!
//! Data flows one way, and a module uses only what stands before it:
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`rng`] | one seed, named streams |
//! | [`device`] | where tensors live |
//! | [`files`], [`console`] | reading and writing that fails cleanly |
//! | [`nn`] | the layer, its kernels, and the other parts that candle lacks |
//! | [`data`] | data sets, where they come from, and their splits |
//! | [`model`] | HanNet, FCNet, ResNet; reading foreign weights |
//! | [`baseline`] | other methods on tables of numbers |
//! | [`train`] | the training loop, optimizers, schedules |
//! | [`evaluate`] | scores |
//! | [`cli`] | the command line |
//!
//! Charts, the machine that makes runs, and the experiments stand before the last and are the program's own.
//!
//! # In another candle project
//!
//! ```
//! use candle_core::{Device, DType, Tensor};
//! use candle_nn::Module;
//! use han_exp::{nn::{Scope, han_stack}, rng::Seed};
//!
//! let scope = Scope::new(Seed(1), DType::F32, &Device::Cpu);
//! let names: Vec<String> = (0..8).map(|layer| layer.to_string()).collect();
//! let stack = han_stack(64, &names, &scope)?; // eight layers of width 64 as one operation
//! let y = stack.forward(&Tensor::ones((32, 64), DType::F32, &Device::Cpu)?)?;
//! assert_eq!(y.dims(), [32, 64]);
//! assert_eq!(scope.parameters().count(), 8 * 2 * 64);
//! # Ok::<(), candle_core::Error>(())
//! ```

#[cfg(feature = "program")]
pub mod baseline;
#[cfg(feature = "program")]
pub mod cli;
pub mod console;
pub mod data;
pub mod device;
#[cfg(feature = "program")]
mod engine;
pub mod evaluate;
#[cfg(feature = "program")]
mod experiment;
#[cfg(feature = "program")]
mod figure;
pub mod files;
#[cfg(feature = "program")]
#[doc(hidden)]
pub mod inputs;
pub mod model;
pub mod nn;
mod pickle;
pub mod rng;
pub mod train;
#[cfg(feature = "program")]
mod zipped;
