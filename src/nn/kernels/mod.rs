//! CPU kernels on plain slices. They know nothing of tensors or graphs; the layers in [`crate::nn`] wrap them and check
//! what they are given: slices whose lengths do not fit a shape, or a size of 0, panic here.
//!
//! Instruction sets are chosen at run time (`pulp`). Work is cut into blocks whose size does not depend on the number
//! of threads and partial sums are added in block order, so a result has the same bits on one thread and on many.

pub mod activation;
pub mod batch_norm;
mod columns;
pub mod conv;
pub mod conv_norm;
pub mod dense;
pub mod dense_stack;
pub(crate) mod dispatch;
pub mod gelu;
pub mod han;
pub mod han_blocks;
pub mod lanes;
pub mod layer_norm;
pub mod loss;
pub mod matmul;
pub mod mixer;
mod normal;
pub mod optimizer;
pub mod orthogonal;
pub mod pieces;
pub mod residual;
mod rows;
pub mod threads;
