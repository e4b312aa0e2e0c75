//! FCNet: dense layers with ReLU and a dense head, Kaiming-normal weights; the paper's baseline, and its variants.

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
    /// What follows every hidden layer.
    #[serde(default = "relu", skip_serializing_if = "is_relu")]
    pub activation: Activation,
    /// How the weights start.
    #[serde(default, skip_serializing_if = "crate::files::is_default")]
    pub init: DenseInit,
}

fn relu() -> Activation {
    Activation::Relu
}

fn is_relu(activation: &Activation) -> bool {
    *activation == relu()
}

impl FcNetConfig {
    /// The paper's network of that size.
    pub fn new(width: usize, depth: usize) -> Self {
        Self { width, depth, activation: relu(), init: DenseInit::default() }
    }

    /// Names in a weights file are those of PyTorch's `Sequential(Linear, ReLU, .., Linear)`.
    pub(super) fn build(&self, inputs: usize, outputs: usize, scope: &Scope) -> Result<Chain> {
        let &Self { width, depth, activation, init } = self;
        let name = |layer: usize| (2 * layer).to_string();
        let hidden = |layer, from| Ok(Link::Dense(dense(from, width, activation, init, &scope.enter(name(layer)))?));
        let mut body = vec![hidden(0, inputs)?];
        if activation == Activation::Relu && depth > 1 {
            let names: Vec<String> = (1..depth).map(name).collect();
            body.push(Link::DenseStack(dense_stack(width, &names, init, scope)?));
        } else {
            body.extend((1..depth).map(|layer| hidden(layer, width)).collect::<Result<Vec<_>>>()?);
        }
        let head = dense(width, outputs, Activation::Identity, init, &scope.enter(name(depth)))?;
        Ok(Chain::new(body, head))
    }
}
