//! ResNet of dense layers: dense, batch norm, ReLU, then residual blocks of two, and a dense head.

use super::Network;
use crate::nn::{Activation, BatchNorm, Dense, DenseInit, Mode, Scope, add_relu, batch_norm, dense};
use candle_core::{Result, Tensor};
use candle_nn::Module;
use serde::{Deserialize, Serialize};

/// `blocks` residual blocks of one width.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResNetConfig {
    /// Width of every hidden layer.
    pub width: usize,
    /// Number of residual blocks, two dense layers each.
    pub blocks: usize,
}

impl ResNetConfig {
    pub(super) fn build(&self, inputs: usize, outputs: usize, scope: &Scope) -> Result<ResNet> {
        let normed = |from: usize, dense_name: &str, norm_name: &str, scope: &Scope| -> Result<NormedDense> {
            let init = DenseInit::KaimingNormal;
            Ok(NormedDense {
                dense: dense(from, self.width, Activation::Identity, init, &scope.enter(dense_name))?,
                norm: batch_norm(self.width, &scope.enter(norm_name))?,
            })
        };
        let stem = normed(inputs, "0", "1", &scope.enter("0"))?.then_relu();
        let blocks = (1..=self.blocks)
            .map(|block| {
                let scope = scope.enter(block);
                Ok([normed(self.width, "0", "1", &scope)?.then_relu(), normed(self.width, "3", "4", &scope)?])
            })
            .collect::<Result<_>>()?;
        let head = scope.enter(self.blocks + 1);
        let head = dense(self.width, outputs, Activation::Identity, DenseInit::KaimingNormal, &head)?;
        Ok(ResNet { stem, blocks, head })
    }
}

/// See [`ResNetConfig`].
pub struct ResNet {
    stem: NormedDense,
    blocks: Vec<[NormedDense; 2]>,
    head: Dense,
}

/// Dense layer and batch norm, the latter perhaps with ReLU.
struct NormedDense {
    dense: Dense,
    norm: BatchNorm,
}

impl NormedDense {
    fn then_relu(self) -> Self {
        Self { norm: self.norm.then_relu(), ..self }
    }

    fn forward(&self, xs: &Tensor, mode: Mode) -> Result<Tensor> {
        self.norm.forward(&self.dense.forward(xs)?, mode)
    }
}

impl Network for ResNet {
    fn forward(&self, xs: &Tensor, mode: Mode) -> Result<Tensor> {
        let mut h = self.stem.forward(xs, mode)?;
        for [first, second] in &self.blocks {
            let inner = first.forward(&h, mode)?;
            h = add_relu(&h, &second.forward(&inner, mode)?)?;
        }
        self.head.forward(&h)
    }
}
