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
//! | `memory` | what the program asks of its allocator (`program`) |
//! | [`nn`] | the layer, its kernels, and the other parts that candle lacks |
//! | [`data`] | data sets and their splits; with `program`, where they come from |
//! | [`model`] | HanNet, FCNet, ResNet; reading foreign weights |
//! | `baseline` | other methods on tables of numbers (`program`) |
//! | [`train`] | the training loop, optimizers, schedules |
//! | [`evaluate`] | scores, attacks, certificates |
//! | `cli` | the command line (`program`) |
//!
//! Charts, the machine that makes runs, and the experiments stand before the last and are the program's own.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! | --- | --- | --- |
//! | `program` | yes | the program `han-exp`, the readers of data sets, charts, baselines |
//! | `hub` | yes | data sets from the Hugging Face hub, in the program |
//! | `cuda` | no | tensors on an NVIDIA GPU |
//!
//! Without default features (`--no-default-features`) it is the science alone: candle, its matrix product, and little more.
//!
//! # In another candle project
//!
//! ```
//! use candle_core::{DType, Device, Tensor};
//! use candle_nn::{Module, VarBuilder, VarMap};
//! use han_exp::nn::han_stack;
//!
//! let vars = VarMap::new();
//! let vb = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
//! let stack = han_stack(64, 8, vb)?; // eight layers of width 64 as one operation
//! let y = stack.forward(&Tensor::ones((32, 64), DType::F32, &Device::Cpu)?)?;
//! assert_eq!(y.dims(), [32, 64]);
//! # Ok::<(), candle_core::Error>(())
//! ```
//!
//! [`nn::han_layer`] and [`nn::han_stack`] follow candle's conventions: `AdamW` trains them, `VarMap` saves and loads them, a
//! PyTorch `Sequential` has the same keys (`examples/train_mnist_sample.rs`). The program's own networks take their parameters
//! from an [`nn::Scope`], which draws them from a seed.

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
#[cfg(feature = "program")]
pub mod memory;
pub mod model;
pub mod nn;
mod pickle;
pub mod rng;
pub mod train;
#[cfg(feature = "program")]
mod zipped;

/// Of tests with random cases: the same ones on every run.
#[cfg(all(test, feature = "program"))]
fn same_cases() -> proptest::test_runner::Config {
    use proptest::test_runner::{Config, RngSeed};
    Config { rng_seed: RngSeed::Fixed(1215), failure_persistence: None, ..Config::default() }
}
