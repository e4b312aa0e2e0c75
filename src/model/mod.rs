//! Networks, each built from its configuration with seeded parameters.
//!
//! A new network is a file with a configuration and a `build`, and an arm in [`ModelConfig`].

mod bounded;
mod chain;
mod described;
mod fcnet;
mod halt;
mod hannet;
pub mod image;
mod pass_through;
mod resnet;
pub mod weights;

pub use bounded::BoundedFcNetConfig;
pub use chain::{Chain, Layer, Link};
pub use fcnet::FcNetConfig;
pub use halt::{Halt, Halting};
pub use hannet::HanNetConfig;
pub use pass_through::PassThrough;
pub use resnet::ResNetConfig;

use crate::nn::{Mode, Parameters, Scope, Trace};

pub use crate::nn::{Activation, DenseInit};
use crate::rng::Seed;
use candle_core::{DType, Device, Result, Tensor, bail};
use candle_nn::Module;
use hannet::Hidden;
use serde::{Deserialize, Serialize};

/// Most weights of the dense layers of a network, 8 GB of them: in training they are there several times.
const MOST_WEIGHTS: usize = 1 << 31;

/// A piece of a network, from one hidden state to the next.
///
/// # Shapes
/// - (batch, inputs) -> (batch, outputs)
pub type Part<'n> = Box<dyn Fn(&Tensor, Mode) -> Result<Tensor> + 'n>;

/// A function of a batch that can be trained. Several threads may evaluate it at a time.
pub trait Network: Sync {
    /// # Shapes
    /// - xs: (batch, inputs), or for images (batch, height, width, channels) -> (batch, outputs)
    fn forward(&self, xs: &Tensor, mode: Mode) -> Result<Tensor>;

    /// [`Network::forward`] in [`Mode::Eval`] outside of candle's graph, and the way from a gradient of the outputs back to
    /// that of `xs`: the same numbers in less time. None for a network, type or device that has no such way.
    ///
    /// # Errors
    /// As [`Network::forward`].
    fn traced(&self, _xs: &Tensor) -> Result<Option<(Tensor, Trace)>> {
        Ok(None)
    }

    /// [`Network::forward`] in [`Mode::Train`] outside of candle's graph, and the way from a gradient of the outputs back to those of
    /// the variables: the same numbers in less time. None for a network, type or device that has no such way.
    ///
    /// # Errors
    /// As [`Network::forward`].
    fn traced_in_training(&self, _xs: &Tensor) -> Result<Option<(Tensor, Trace)>> {
        Ok(None)
    }

    /// The network cut between its hidden layers: every part but the last makes a hidden state, the last one the outputs.
    /// One after the other they are [`Network::forward`]. Take them from [`Model::frozen`], whose parameters are constants;
    /// running statistics are updated in [`Mode::Train`] as ever.
    fn parts(&self) -> Result<Vec<Part<'_>>> {
        let constant = |layer: Layer| -> Part<'_> { Box::new(move |xs, _| layer.forward(xs)) };
        let chain = self.chain()?;
        let (head, dtype) = (chain.head(), chain.head().weight().dtype());
        let head = Layer::Dense(head.constant(dtype)?);
        Ok(chain.hidden(dtype)?.into_iter().chain([head]).map(constant).collect())
    }

    /// Its layers, widths and activations in a line.
    fn in_words(&self) -> Result<String> {
        self.chain()?.in_words()
    }

    /// The network as a chain of layers, from which a Lipschitz constant can be read.
    ///
    /// # Errors
    /// When it is none.
    fn chain(&self) -> Result<&Chain> {
        bail!("this network is no chain of dense and Han-layers; HanNet, FCNet and the certified network are")
    }
}

/// Which network, and its size; what a task fixes (inputs, outputs) comes with [`ModelConfig::build`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ModelConfig {
    /// Han-layers with a few dense ones.
    Hannet(HanNetConfig),
    /// A HanNet whose hidden dense layers stay orthonormal: all before the head is 1-Lipschitz.
    Certified(HanNetConfig),
    /// Dense layers with ReLU.
    Fcnet(FcNetConfig),
    /// Dense layers with ReLU whose norms are bounded.
    BoundedFcnet(BoundedFcNetConfig),
    /// Dense layers with batch norm and skip connections.
    Resnet(ResNetConfig),
}

/// A network and the parameters that its layers share with the optimizer.
pub struct Model {
    /// The function, for training.
    pub network: Box<dyn Network>,
    /// The same function of the same parameters, for evaluation: the parameters are constants, so that no graph is
    /// recorded but for the gradient of an input that asks for it.
    pub frozen: Box<dyn Network>,
    /// Its parameters and buffers, in the order of its layers.
    pub parameters: Parameters,
}

/// Sizes of a network that the user chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Width of the hidden layers.
    pub width: usize,
    /// Number of hidden layers (of residual blocks in a ResNet).
    pub depth: usize,
}

impl ModelConfig {
    /// Width and depth.
    pub fn size(&self) -> Size {
        let (width, depth) = match self {
            Self::Hannet(config) | Self::Certified(config) => (config.width, config.depth),
            Self::Fcnet(config) => (config.width, config.depth),
            Self::BoundedFcnet(config) => (config.width, config.depth),
            Self::Resnet(config) => (config.width, config.blocks),
        };
        Size { width, depth }
    }

    /// Changes width and depth. Dense layers of a HanNet that stood at its end stay at its end.
    pub fn resize(&mut self, size: Size) {
        match self {
            Self::Hannet(config) | Self::Certified(config) => config.resize(size),
            Self::Fcnet(config) => (config.width, config.depth) = (size.width, size.depth),
            Self::BoundedFcnet(config) => config.resize(size),
            Self::Resnet(config) => *config = ResNetConfig { width: size.width, blocks: size.depth },
        }
    }

    /// Roughly proportional to the time of a training step.
    pub fn cost(&self) -> usize {
        let Size { width, depth } = self.size();
        let of_a_layer = match self {
            Self::Hannet(_) | Self::Certified(_) => width.saturating_mul(2),
            Self::Fcnet(_) | Self::BoundedFcnet(_) => width.saturating_mul(width),
            Self::Resnet(_) => width.saturating_mul(width).saturating_mul(2),
        };
        of_a_layer.saturating_mul(depth)
    }

    /// Why the network cannot be built, if so: which key, its value, the cure.
    pub fn problem(&self) -> Option<String> {
        let Size { width, depth } = self.size();
        if width == 0 || width > 16_384 {
            return Some(format!("width is {width}; use 1 to 16384"));
        }
        if depth == 0 || depth > 10_000 {
            return Some(format!("depth is {depth}; use 1 to 10000"));
        }
        let (problem, dense) = match self {
            Self::Hannet(config) | Self::Certified(config) => (config.problem(), config.dense_at.len()),
            Self::BoundedFcnet(config) => (config.problem(), depth),
            Self::Fcnet(_) => (None, depth),
            Self::Resnet(_) => (None, 2 * depth),
        };
        problem.or_else(|| {
            let weights = dense.saturating_mul(width * width);
            (weights > MOST_WEIGHTS).then(|| {
                format!("width {width} and depth {depth} make {weights} weights; use a smaller width or fewer layers")
            })
        })
    }

    /// Builds the network with f32 parameters.
    ///
    /// # Errors
    /// When the configuration has a [`ModelConfig::problem`], or there are no inputs or no outputs.
    pub fn build(&self, inputs: usize, outputs: usize, seed: Seed, device: &Device) -> Result<Model> {
        self.build_as(DType::F32, inputs, outputs, seed, device)
    }

    /// Builds the network with parameters of the given type.
    ///
    /// # Errors
    /// As [`ModelConfig::build`].
    pub fn build_as(&self, dtype: DType, inputs: usize, outputs: usize, seed: Seed, device: &Device) -> Result<Model> {
        if let Some(problem) = self.problem() {
            bail!("{problem}");
        }
        let scope = Scope::new(seed, dtype, device);
        let network = self.network(inputs, outputs, &scope)?;
        let frozen = self.network(inputs, outputs, &scope.frozen())?;
        let parameters = scope.parameters();
        parameters.retract()?;
        Ok(Model { network, frozen, parameters })
    }

    fn network(&self, inputs: usize, outputs: usize, scope: &Scope) -> Result<Box<dyn Network>> {
        Ok(match self {
            Self::Hannet(config) => Box::new(config.build(inputs, outputs, Hidden::Free, scope)?),
            Self::Certified(config) => Box::new(config.build(inputs, outputs, Hidden::Orthonormal, scope)?),
            Self::Fcnet(config) => Box::new(config.build(inputs, outputs, scope)?),
            Self::BoundedFcnet(config) => Box::new(config.build(inputs, outputs, scope)?),
            Self::Resnet(config) => Box::new(config.build(inputs, outputs, scope)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_of_what_nobody_can_build_are_numbers_as_well() {
        assert_eq!(ModelConfig::Fcnet(FcNetConfig::new(100, 6)).cost(), 60_000);
        assert_eq!(ModelConfig::Fcnet(FcNetConfig::new(usize::MAX, 2)).cost(), usize::MAX);
        assert_eq!(ModelConfig::Resnet(ResNetConfig { width: 100, blocks: usize::MAX }).cost(), usize::MAX);
    }
}
