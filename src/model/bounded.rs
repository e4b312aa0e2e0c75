//! A dense network whose Lipschitz constant is bounded, head included: what is left of FCNet's lack of robustness when its
//! weights may not grow.

use super::Size;
use super::chain::{Chain, Link};
use crate::nn::{Activation, Scope, bounded_dense};
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
    /// The largest product of the spectral norms of all layers, head included; each may have the same part of it.
    pub norm_product: f64,
}

impl BoundedFcNetConfig {
    pub(super) fn resize(&mut self, size: Size) {
        (self.width, self.depth) = (size.width, size.depth);
    }

    pub(super) fn problem(&self) -> Option<String> {
        let fits = self.norm_product > 0.0 && self.norm_product.is_finite();
        (!fits).then(|| format!("norm_product is {}; use a positive number", self.norm_product))
    }

    /// Names in a weights file are those of PyTorch's `Sequential(Linear, ReLU, .., Linear)`.
    pub(super) fn build(&self, inputs: usize, outputs: usize, scope: &Scope) -> Result<Chain> {
        let bound = self.norm_product.powf(1.0 / (self.depth + 1) as f64);
        let name = |layer: usize| (2 * layer).to_string();
        let mut body = Vec::new();
        for layer in 0..self.depth {
            let from = if layer == 0 { inputs } else { self.width };
            let scope = scope.enter(name(layer));
            body.push(Link::Dense(bounded_dense(from, self.width, Activation::Relu, bound, &scope)?));
        }
        let head = scope.enter(name(self.depth));
        Ok(Chain::new(body, bounded_dense(self.width, outputs, Activation::Identity, bound, &head)?))
    }
}
