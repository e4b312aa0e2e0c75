//! A dense network whose Lipschitz constant before the head is bounded: what is left of FCNet's lack of robustness when
//! its weights may not grow.

use super::Size;
use super::chain::{Chain, Link};
use crate::nn::{Activation, DenseInit, Scope, bounded_dense, dense};
use candle_core::Result;
use serde::{Deserialize, Serialize};

/// `depth` hidden layers of one width with ReLU, then a dense head.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoundedFcNetConfig {
    /// Width of every hidden layer.
    pub width: usize,
    /// Number of hidden layers.
    pub depth: usize,
    /// The largest product of the spectral norms of all hidden layers; each may have the same part of it.
    pub lipschitz: f64,
}

impl BoundedFcNetConfig {
    pub(super) fn resize(&mut self, size: Size) {
        (self.width, self.depth) = (size.width, size.depth);
    }

    pub(super) fn problem(&self) -> Option<String> {
        let fits = self.lipschitz > 0.0 && self.lipschitz.is_finite();
        (!fits).then(|| format!("lipschitz is {}; use a positive number", self.lipschitz))
    }

    /// Names in a weights file are those of PyTorch's `Sequential(Linear, ReLU, .., Linear)`.
    pub(super) fn build(&self, inputs: usize, outputs: usize, scope: &Scope) -> Result<Chain> {
        let bound = self.lipschitz.powf(1.0 / self.depth as f64);
        let name = |layer: usize| (2 * layer).to_string();
        let mut body = Vec::new();
        for layer in 0..self.depth {
            let from = if layer == 0 { inputs } else { self.width };
            let scope = scope.enter(name(layer));
            body.push(Link::Dense(bounded_dense(from, self.width, Activation::Relu, bound, &scope)?));
        }
        let head = scope.enter(name(self.depth));
        Ok(Chain::new(body, dense(self.width, outputs, Activation::Identity, DenseInit::KaimingNormal, &head)?))
    }
}
