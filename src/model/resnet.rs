//! ResNet of dense layers: dense, batch norm, ReLU, then residual blocks of two, and a dense head.

use super::{Network, Part};
use crate::nn::{
    Activation, BatchNorm, Dense, DenseInit, Mode, ResidualBlock, Scope, batch_norm, dense, residual_block,
};
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
    /// Names in a weights file are those of PyTorch's `Sequential(stem, block, .., block, Linear)`, where stem and blocks
    /// are sequences themselves.
    pub(super) fn build(&self, inputs: usize, outputs: usize, scope: &Scope) -> Result<ResNet> {
        let init = DenseInit::KaimingNormal;
        let stem = scope.enter("0");
        let blocks = (1..=self.blocks).map(|block| residual_block(self.width, init, &scope.enter(block)));
        Ok(ResNet {
            stem: dense(inputs, self.width, Activation::Identity, init, &stem.enter("0"))?,
            norm: batch_norm(self.width, &stem.enter("1"))?.then_relu(),
            blocks: blocks.collect::<Result<_>>()?,
            head: dense(self.width, outputs, Activation::Identity, init, &scope.enter(self.blocks + 1))?,
        })
    }
}

/// See [`ResNetConfig`].
pub struct ResNet {
    stem: Dense,
    norm: BatchNorm,
    blocks: Vec<ResidualBlock>,
    head: Dense,
}

impl Network for ResNet {
    fn forward(&self, xs: &Tensor, mode: Mode) -> Result<Tensor> {
        let stem = self.norm.forward(&self.stem.forward(xs)?, mode)?;
        let h = self.blocks.iter().try_fold(stem, |h, block| block.forward(&h, mode))?;
        self.head.forward(&h)
    }

    fn in_words(&self) -> Result<String> {
        let (inputs, width, outputs) =
            (self.stem.weight().dim(1)?, self.head.weight().dim(1)?, self.head.weight().dim(0)?);
        let block = format!(
            "block of dense {width} -> {width}, batch norm, ReLU, dense {width} -> {width}, batch norm, plus its input, ReLU"
        );
        let (stem, blocks) = (format!("dense {inputs} -> {width}, batch norm, ReLU"), self.blocks.len());
        Ok(format!("{stem}, {blocks} x ({block}), dense {width} -> {outputs}"))
    }

    fn parts(&self) -> Result<Vec<Part<'_>>> {
        let mut parts: Vec<Part<'_>> = vec![Box::new(|xs, mode| self.norm.forward(&self.stem.forward(xs)?, mode))];
        parts.extend(self.blocks.iter().map(|block| -> Part<'_> { Box::new(|h, mode| block.forward(h, mode)) }));
        parts.push(Box::new(|h, _| self.head.forward(h)));
        Ok(parts)
    }
}
