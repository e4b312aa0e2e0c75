//! MLP-Mixer (Tolstikhin et al. 2021) with Han blocks (Yu and Zhang 2024).

use crate::model::Network;
use crate::nn::{Activation, Dense, DenseInit, Mode, Scope, dense};
use candle_core::{Result, Tensor};
use candle_nn::Module;
use serde::{Deserialize, Serialize};

/// Sizes of a mixer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MixerConfig {
    /// Channels of a token, a multiple of 8.
    pub channels: usize,
    /// Mixer blocks, which come first.
    pub mixer_blocks: usize,
    /// Han blocks, after them.
    pub han_blocks: usize,
}

impl MixerConfig {
    pub(super) fn problem(&self) -> Option<String> {
        let Self { channels, .. } = self;
        (*channels == 0 || !channels.is_multiple_of(8)).then(|| format!("channels is {channels}; use a multiple of 8"))
    }

    pub(super) fn cost(&self) -> usize {
        self.channels * self.channels * (self.mixer_blocks + 4) + 64 * self.channels * self.han_blocks
    }

    pub(super) fn build(&self, image: [usize; 3], classes: usize, scope: &Scope) -> Result<Box<dyn Network>> {
        let head = dense(image[2], classes, Activation::Identity, DenseInit::Orthogonal, scope)?;
        Ok(Box::new(Stub(head)))
    }
}

struct Stub(Dense);

impl Network for Stub {
    fn forward(&self, xs: &Tensor, _mode: Mode) -> Result<Tensor> {
        self.0.forward(&xs.mean((1, 2))?)
    }
}
