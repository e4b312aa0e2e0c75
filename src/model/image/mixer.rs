//! MLP-Mixer (Tolstikhin et al. 2021) behind a convolutional stem, with Han blocks (Yu and Zhang 2024) among its blocks.

use crate::model::Network;
use crate::nn::{
    Activation, Conv2d, ConvBias, ConvConfig, ConvNorm, Dense, DenseInit, HanBlocks, IdentityStart, LayerNorm,
    MixerStack, Mode, Scope, Trace, conv_norm, conv2d, dense, han_blocks, layer_norm, mean_of_tokens_traced,
    mixer_stack,
};
use candle_core::{Result, Tensor, bail};
use serde::{Deserialize, Serialize};

/// Convolutions of 3 x 3 pixels in the stem.
const STEM: usize = 4;
/// Most weights of a layer of every mixer block, 8 GB of them: in training they are there several times.
const MOST_WEIGHTS: usize = 1 << 31;

/// Sizes of a mixer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MixerConfig {
    /// Channels of a token, a multiple of 8: the stem begins with an eighth of them and doubles.
    pub channels: usize,
    /// Mixer blocks.
    pub mixer_blocks: usize,
    /// Han blocks.
    pub han_blocks: usize,
    /// Where they stand.
    #[serde(default, skip_serializing_if = "crate::files::is_default")]
    pub han_place: HanPlace,
    /// Their start; the paper's where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_start: Option<IdentityStart>,
}

/// Where Han blocks stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HanPlace {
    /// Behind all mixer blocks, as in the paper.
    #[default]
    Behind,
    /// Behind each mixer block a part of them, as equal as can be.
    Between,
    /// In front of all mixer blocks.
    InFront,
}

impl MixerConfig {
    /// As in the paper.
    pub fn new(channels: usize, mixer_blocks: usize, han_blocks: usize) -> Self {
        Self { channels, mixer_blocks, han_blocks, han_place: HanPlace::Behind, identity_start: None }
    }

    /// The blocks in order: how many mixer blocks, and then how many Han blocks, and so on.
    fn order(&self) -> Vec<[usize; 2]> {
        let &Self { mixer_blocks: mixer, han_blocks: han, .. } = self;
        match self.han_place {
            HanPlace::Behind => vec![[mixer, han]],
            HanPlace::Between if mixer > 0 => {
                (0..mixer).map(|block| [1, han * (block + 1) / mixer - han * block / mixer]).collect()
            }
            HanPlace::Between | HanPlace::InFront => vec![[0, han], [mixer, 0]],
        }
    }

    pub(super) fn problem(&self) -> Option<String> {
        let &Self { channels, mixer_blocks, han_blocks, identity_start, .. } = self;
        if channels == 0 || !channels.is_multiple_of(8) || channels > 4096 {
            return Some(format!("channels is {channels}; use a multiple of 8 up to 4096"));
        }
        if mixer_blocks.saturating_add(han_blocks) == 0 || mixer_blocks > 1000 || han_blocks > 1000 {
            return Some(format!(
                "mixer_blocks is {mixer_blocks} and han_blocks {han_blocks}; use at least 1 block, and at most 1000 of each"
            ));
        }
        let weights = mixer_blocks * channels * channels;
        let start = identity_start.and_then(|start| start.problem());
        start.or_else(|| {
            (weights > MOST_WEIGHTS).then(|| {
            format!(
                "channels is {channels} and mixer_blocks {mixer_blocks}; use fewer: that is {weights} weights and more"
            )
        })
        })
    }

    pub(super) fn cost(&self) -> usize {
        let (channels, tokens) = (self.channels, 64);
        let stem = channels.saturating_mul(22);
        let mixer = channels.saturating_add(tokens).saturating_mul(self.mixer_blocks);
        let han = self.han_blocks.saturating_mul(16);
        stem.saturating_add(mixer).saturating_add(han).saturating_mul(channels)
    }

    /// Steps of the stem's convolutions: a quarter of the width for small images, an eighth for large ones.
    fn strides(edge: usize) -> [usize; STEM] {
        if edge <= 64 { [1, 2, 1, 2] } else { [1, 2, 2, 2] }
    }

    /// Names in a weights file are those of the PyTorch model in `tests/golden/make_golden.py`.
    pub(super) fn build(&self, [height, width, colours]: [usize; 3], classes: usize, scope: &Scope) -> Result<Mixer> {
        let mut size = [height, width];
        let mut stem = Vec::with_capacity(STEM);
        let mut channels = [colours, self.channels >> (STEM - 1)];
        for (layer, stride) in Self::strides(height.min(width)).into_iter().enumerate() {
            let (config, [from, to]) = (ConvConfig { stride, padding: 1 }, channels);
            let names = [3 * layer, 3 * layer + 1].map(|module| format!("stem.{module}"));
            let conv = conv_norm([from, to, 3], config, ConvBias::With, names.each_ref().map(String::as_str), scope)?;
            stem.push(conv.then_relu());
            size = size.map(|edge| edge.div_ceil(stride));
            channels = [to, 2 * to];
        }
        let tokens = size[0].saturating_mul(size[1]);
        if tokens < 2 {
            bail!(
                "images of {height} x {width} pixels are too small for this network: the stem leaves {tokens} tokens"
            );
        }
        let [stem_end, channels] = [STEM * 3, self.channels];
        let pointwise = ConvConfig { stride: 1, padding: 0 };
        let widen = conv2d(channels, channels, 1, pointwise, &scope.enter(format!("stem.{stem_end}")))?;
        let named = |kind: &str, count: usize| (0..count).map(|i| format!("{kind}.{i}")).collect::<Vec<_>>();
        let (mixer, han) = (named("mixer", self.mixer_blocks), named("han", self.han_blocks));
        let (mut mixer, mut han) = (mixer.as_slice(), han.as_slice());
        let mut blocks = Vec::new();
        for [of_mixer, of_han] in self.order() {
            if let Some(names) = mixer.split_off(..of_mixer).filter(|names| !names.is_empty()) {
                blocks.push(Blocks::Mixer(mixer_stack(tokens, channels, names, scope)?));
            }
            if let Some(names) = han.split_off(..of_han).filter(|names| !names.is_empty()) {
                blocks.push(Blocks::Han(han_blocks(tokens, channels, names, self.identity_start, scope)?));
            }
        }
        Ok(Mixer {
            stem,
            widen,
            blocks,
            norm: layer_norm(channels, &scope.enter("ln"))?,
            head: dense(channels, classes, Activation::Identity, DenseInit::Orthogonal, &scope.enter("head"))?,
        })
    }
}

/// See [`MixerConfig`].
pub(super) struct Mixer {
    stem: Vec<ConvNorm>,
    widen: Conv2d,
    blocks: Vec<Blocks>,
    norm: LayerNorm,
    head: Dense,
}

/// Blocks of one kind that follow each other.
enum Blocks {
    Mixer(MixerStack),
    Han(HanBlocks),
}

impl Mixer {
    fn pass(&self, xs: &Tensor, mode: Mode, mut trace: Option<&mut Trace>) -> Result<Tensor> {
        let mut h = xs.clone();
        for conv in &self.stem {
            h = conv.forward_traced(&h, mode, trace.as_deref_mut())?;
        }
        h = self.widen.forward_traced(&h, trace.as_deref_mut())?.flatten(1, 2)?; // (batch, tokens, channels)
        for blocks in &self.blocks {
            h = match blocks {
                Blocks::Mixer(mixer) => mixer.forward_traced(&h, trace.as_deref_mut())?,
                Blocks::Han(han) => han.forward_traced(&h, trace.as_deref_mut())?,
            };
        }
        h = self.norm.forward_traced(&h, trace.as_deref_mut())?;
        self.head.forward_traced(&mean_of_tokens_traced(&h, trace.as_deref_mut())?, trace)
    }
}

impl Network for Mixer {
    fn forward(&self, xs: &Tensor, mode: Mode) -> Result<Tensor> {
        self.pass(xs, mode, None)
    }

    fn traced_in_training(&self, xs: &Tensor) -> Result<Option<(Tensor, Trace)>> {
        let Some(mut trace) = Trace::of_training(xs)? else { return Ok(None) };
        Ok(Some((self.pass(xs, Mode::Train, Some(&mut trace))?, trace)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_of_what_nobody_can_build_are_numbers_as_well() {
        assert_eq!(MixerConfig::new(256, 4, 12).cost(), (22 * 256 + (256 + 64) * 4 + 16 * 12) * 256);
        assert_eq!(MixerConfig::new(usize::MAX, 4, 12).cost(), usize::MAX);
    }

    #[test]
    fn han_blocks_stand_where_they_are_asked_to() {
        let order = |han_place, mixer, han| MixerConfig { han_place, ..MixerConfig::new(8, mixer, han) }.order();
        assert_eq!(order(HanPlace::Behind, 4, 12), [[4, 12]]);
        assert_eq!(order(HanPlace::InFront, 4, 12), [[0, 12], [4, 0]]);
        assert_eq!(order(HanPlace::Between, 4, 12), [[1, 3]; 4]);
        assert_eq!(order(HanPlace::Between, 3, 4), [[1, 1], [1, 1], [1, 2]]);
        assert_eq!(order(HanPlace::Between, 4, 6), [[1, 1], [1, 2], [1, 1], [1, 2]]);
        assert_eq!(order(HanPlace::Between, 0, 2), [[0, 2], [0, 0]]);
    }
}
