//! ResNet-32 (He et al. 2016) with 64, 128 and 256 channels behind a stem of 16, and projections where they change.

use crate::model::Network;
use crate::nn::{
    Activation, ConvBias, ConvConfig, ConvNorm, Dense, DenseInit, Mode, Scope, add_relu, conv_norm, dense,
    mean_of_tokens,
};
use candle_core::{Result, Tensor};
use candle_nn::Module;

const STEM: usize = 16;
/// Channels of a stage, and the step of its first convolution.
const STAGES: [(usize, usize); 3] = [(64, 1), (128, 2), (256, 2)];
/// Blocks of a stage: 3 stages of 5 blocks of 2 convolutions, the stem and the head are 32 layers.
const BLOCKS: usize = 5;

/// Names in a weights file are those of the modules conv1, bn1, layer1.0.conv1, .., fc that PyTorch's ResNets have.
pub(super) fn build([_, _, colours]: [usize; 3], classes: usize, scope: &Scope) -> Result<ResNet> {
    let layer = |sizes: [usize; 3], stride: usize, names: [&str; 2], scope: &Scope| {
        let config = ConvConfig { stride, padding: sizes[2] / 2 };
        conv_norm(sizes, config, ConvBias::Without, names, scope)
    };
    let stem = layer([colours, STEM, 3], 1, ["conv1", "bn1"], scope)?.then_relu();
    let (mut blocks, mut from) = (Vec::new(), STEM);
    for (stage, (to, stride)) in STAGES.into_iter().enumerate() {
        for block in 0..BLOCKS {
            let scope = scope.enter(format!("layer{}.{block}", stage + 1));
            let stride = if block == 0 { stride } else { 1 };
            let projection =
                (from != to).then(|| layer([from, to, 1], stride, ["downsample.0", "downsample.1"], &scope));
            blocks.push(Block {
                first: layer([from, to, 3], stride, ["conv1", "bn1"], &scope)?.then_relu(),
                second: layer([to, to, 3], 1, ["conv2", "bn2"], &scope)?,
                projection: projection.transpose()?,
            });
            from = to;
        }
    }
    let head = dense(from, classes, Activation::Identity, DenseInit::KaimingNormal, &scope.enter("fc"))?;
    Ok(ResNet { stem, blocks, head })
}

/// See [`build`].
pub(super) struct ResNet {
    stem: ConvNorm,
    blocks: Vec<Block>,
    head: Dense,
}

/// y = max(skip(x) + BN(conv(max(BN(conv(x)), 0))), 0)
struct Block {
    first: ConvNorm,
    second: ConvNorm,
    /// Where the number of channels changes; elsewhere skip(x) is x.
    projection: Option<ConvNorm>,
}

impl Network for ResNet {
    fn forward(&self, xs: &Tensor, mode: Mode) -> Result<Tensor> {
        let stem = self.stem.forward(xs, mode)?;
        let h = self.blocks.iter().try_fold(stem, |h, block| {
            let skip = match &block.projection {
                Some(projection) => projection.forward(&h, mode)?,
                None => h.clone(),
            };
            add_relu(&skip, &block.second.forward(&block.first.forward(&h, mode)?, mode)?)
        })?;
        self.head.forward(&mean_of_tokens(&h.flatten(1, 2)?)?)
    }
}
