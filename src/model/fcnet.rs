//! FCNet: dense layers with ReLU and a dense head, Kaiming-normal weights; the paper's baseline.

use super::Network;
use crate::nn::{Activation, Dense, DenseInit, DenseStack, Mode, Scope, dense, dense_stack};
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
        let init = DenseInit::KaimingNormal;
        let name = |layer: usize| (2 * layer).to_string();
        let first = dense(inputs, self.width, Activation::Relu, init, &scope.enter(name(0)))?;
        let names: Vec<String> = (1..self.depth).map(name).collect();
        let hidden = (!names.is_empty()).then(|| dense_stack(self.width, &names, init, scope)).transpose()?;
        let head = dense(self.width, outputs, Activation::Identity, init, &scope.enter(name(self.depth)))?;
        Ok(FcNet { first, hidden, head })
    }
}

/// See [`FcNetConfig`].
pub struct FcNet {
    first: Dense,
    hidden: Option<DenseStack>,
    head: Dense,
}

impl Network for FcNet {
    fn forward(&self, xs: &Tensor, _mode: Mode) -> Result<Tensor> {
        let mut h = self.first.forward(xs)?;
        if let Some(hidden) = &self.hidden {
            h = hidden.forward(&h)?;
        }
        self.head.forward(&h)
    }
}
