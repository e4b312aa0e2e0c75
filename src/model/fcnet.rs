//! FCNet: dense layers with ReLU and a dense head, Kaiming-normal weights; the paper's baseline.

use super::chain::{Chain, Link};
use crate::nn::{Activation, DenseInit, Scope, dense, dense_stack};
use candle_core::Result;
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
    pub(super) fn build(&self, inputs: usize, outputs: usize, scope: &Scope) -> Result<Chain> {
        let init = DenseInit::KaimingNormal;
        let name = |layer: usize| (2 * layer).to_string();
        let first = dense(inputs, self.width, Activation::Relu, init, &scope.enter(name(0)))?;
        let mut body = vec![Link::Dense(first)];
        let names: Vec<String> = (1..self.depth).map(name).collect();
        if !names.is_empty() {
            body.push(Link::DenseStack(dense_stack(self.width, &names, init, scope)?));
        }
        let head = dense(self.width, outputs, Activation::Identity, init, &scope.enter(name(self.depth)))?;
        Ok(Chain::new(body, head))
    }
}
