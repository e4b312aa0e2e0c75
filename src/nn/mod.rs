//! Layers, parameters and losses: what candle lacks or does slowly, each a small file.
//!
//! Every layer runs a fused kernel on the CPU (f32 and f64), most of them on NVIDIA GPUs too, and the same function composed of candle
//! operations elsewhere. Gradients follow PyTorch's conventions at kinks: |z| and ReLU have slope 0 at 0.

mod activation;
mod batch_norm;
mod conv;
mod conv_norm;
#[cfg(any(feature = "cuda", test))]
pub(crate) mod cuda;
mod dense;
mod dense_stack;
mod fused;
mod han;
mod han_blocks;
mod han_scope;
mod han_vars;
pub mod init;
pub mod kernels;
mod layer_norm;
pub mod loss;
mod mixer;
mod orthogonal;
pub mod params;
mod residual;
mod running;
mod scope;
pub mod spectral;
pub mod stiefel;
mod storage;
#[cfg(test)]
mod testing;
mod trace;

pub use activation::{activate, add_relu};
pub use batch_norm::{BatchNorm, batch_norm};
pub use conv::{Conv2d, ConvConfig, conv2d};
pub use conv_norm::{ConvBias, ConvNorm, conv_norm};
pub use dense::{Dense, DenseInit, bounded_dense, dense};
pub use dense_stack::{DenseStack, dense_stack};
pub use han::{Axis, HanLayer, HanStack};
pub use han_blocks::{HanBlocks, IdentityStart, han_blocks};
pub use han_scope::{HanInit, han_stack_from, scoped_han_stack};
pub use han_vars::{han_layer, han_stack};
pub use init::Init;
pub use kernels::activation::Activation;
pub use layer_norm::{LayerNorm, layer_norm, mean_of_tokens, mean_of_tokens_traced};
pub use mixer::{MixerStack, mixer_stack};
pub use orthogonal::{OrthogonalDense, orthogonal_dense};
pub use params::{Parameters, Role, Scope};
pub use residual::{ResidualBlock, residual_block};
pub use trace::Trace;

/// Whether a forward pass belongs to training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Batch statistics, and running statistics are updated.
    Train,
    /// Running statistics; the pass has no side effect.
    Eval,
}

impl Mode {
    /// As candle's [`ModuleT`](candle_nn::ModuleT) says it.
    fn of(train: bool) -> Self {
        if train { Self::Train } else { Self::Eval }
    }
}
