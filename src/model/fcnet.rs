//! FCNet: dense layers with ReLU and a dense head, Kaiming-normal weights; the paper's baseline.

use super::Network;
use crate::nn::{Activation, Dense, DenseInit, Mode, Scope, dense};
use candle_core::{Result, Tensor};
use candle_nn::Module;
use serde::{Deserialize, Serialize};

/// `depth` hidden layers of one width.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FcNetConfig {
    /// Width of every hidden layer.
    pub width: usize,
    /// Number of hidden layers.
    pub depth: usize,
}

impl FcNetConfig {
    /// Names in a weights file are those of PyTorch's `Sequential(Linear, ReLU, .., Linear)`.
    pub(super) fn build(&self, inputs: usize, outputs: usize, scope: &Scope) -> Result<FcNet> {
        let mut layers = Vec::with_capacity(self.depth + 1);
        for layer in 0..=self.depth {
            let from = if layer == 0 { inputs } else { self.width };
            let (to, activation) = match layer == self.depth {
                true => (outputs, Activation::Identity),
                false => (self.width, Activation::Relu),
            };
            layers.push(dense(from, to, activation, DenseInit::KaimingNormal, &scope.enter(2 * layer))?);
        }
        Ok(FcNet { layers })
    }
}

/// See [`FcNetConfig`].
pub struct FcNet {
    layers: Vec<Dense>,
}

impl Network for FcNet {
    fn forward(&self, xs: &Tensor, _mode: Mode) -> Result<Tensor> {
        self.layers.iter().try_fold(xs.clone(), |h, layer| layer.forward(&h))
    }
}
