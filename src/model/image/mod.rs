//! Networks for colour images, each built from its configuration with seeded parameters.
//!
//! Images are `(batch, height, width, channels)`, channels last as they lie in a file of pixels: a position with its
//! channels is a token with its entries, and nothing is ever transposed.

mod mixer;
mod resnet;

pub use mixer::{HanPlace, MixerConfig};

use super::{Model, Network};
use crate::nn::Scope;
use crate::rng::Seed;
use candle_core::{DType, Device, Result, bail};
use serde::{Deserialize, Serialize};

/// Which network, and its size; what the data fix (size of the images, classes) comes with [`ImageModelConfig::build`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ImageModelConfig {
    /// MLP-Mixer behind a convolutional stem, with Han blocks behind, between or in front of its blocks.
    Mixer(MixerConfig),
    /// ResNet-32 with 64, 128 and 256 channels.
    Resnet32,
}

impl ImageModelConfig {
    /// Why the network cannot be built, if so: which key, its value, the cure.
    pub fn problem(&self) -> Option<String> {
        match self {
            Self::Mixer(config) => config.problem(),
            Self::Resnet32 => None,
        }
    }

    /// Roughly proportional to the time of a training step for one image.
    pub fn cost(&self) -> usize {
        match self {
            Self::Mixer(config) => config.cost(),
            // 1.1 billion multiply-adds against the mixer's 89 million with 4 blocks of 256 channels.
            Self::Resnet32 => 40_000_000,
        }
    }

    /// Builds the network with f32 parameters, for images of (height, width, channels).
    ///
    /// # Errors
    /// When the configuration has a [`ImageModelConfig::problem`], there are no classes, or images of that size do not go
    /// through it.
    pub fn build(&self, image: [usize; 3], classes: usize, seed: Seed, device: &Device) -> Result<Model> {
        self.build_as(DType::F32, image, classes, seed, device)
    }

    /// Builds the network with parameters of the given type.
    ///
    /// # Errors
    /// As [`ImageModelConfig::build`].
    pub fn build_as(
        &self,
        dtype: DType,
        image: [usize; 3],
        classes: usize,
        seed: Seed,
        device: &Device,
    ) -> Result<Model> {
        if let Some(problem) = self.problem() {
            bail!("{problem}");
        }
        let scope = Scope::new(seed, dtype, device);
        let make = |scope: &Scope| -> Result<Box<dyn Network>> {
            Ok(match self {
                Self::Mixer(config) => Box::new(config.build(image, classes, scope)?),
                Self::Resnet32 => Box::new(resnet::build(image, classes, scope)?),
            })
        };
        let (network, frozen) = (make(&scope)?, make(&scope.frozen())?);
        Ok(Model { network, frozen, parameters: scope.parameters() })
    }
}
