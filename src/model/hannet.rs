//! HanNet: Han-layers, with dense layers followed by |.| where the width changes or the configuration asks for them.

use super::Size;
use super::chain::{Chain, Link};
use super::pass_through::PassThrough;
use crate::nn::{Activation, DenseInit, Scope, dense, han_stack_from, orthogonal_dense, scoped_han_stack};
use candle_core::Result;
use serde::{Deserialize, Serialize};

/// Hidden layers 1..=depth of one width, then a dense head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HanNetConfig {
    /// Width of every hidden layer.
    pub width: usize,
    /// Number of hidden layers, dense ones included.
    pub depth: usize,
    /// Which hidden layers are dense, counted from 1. The first always is: it changes the width. The paper's
    /// checkerboard network has 1, 2 and the last.
    #[serde(default = "first")]
    pub dense_at: Vec<usize>,
    /// Another start of the Han-layers than the paper's, for networks of hundreds of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pass_through: Option<PassThrough>,
}

fn first() -> Vec<usize> {
    vec![1]
}

impl HanNetConfig {
    /// A network with the paper's start.
    pub fn new(width: usize, depth: usize, dense_at: Vec<usize>) -> Self {
        Self { width, depth, dense_at, pass_through: None }
    }

    pub(super) fn resize(&mut self, size: Size) {
        for place in &mut self.dense_at {
            // The first layer is dense whatever the depth.
            if *place == self.depth && *place > 1 {
                *place = size.depth;
            }
        }
        self.dense_at.retain(|place| *place <= size.depth);
        self.dense_at.dedup();
        (self.width, self.depth) = (size.width, size.depth);
    }

    pub(super) fn problem(&self) -> Option<String> {
        let ordered = self.dense_at.windows(2).all(|pair| pair[0] < pair[1]);
        if !ordered || self.dense_at.first() != Some(&1) || self.dense_at.last() > Some(&self.depth) {
            let (places, depth) = (&self.dense_at, self.depth);
            return Some(format!("dense_at is {places:?}; use ascending layers from 1 to {depth} that begin with 1"));
        }
        self.pass_through.as_ref().and_then(|start| start.problem(self.width))
    }

    /// Names in a weights file are those of PyTorch's `Sequential(layer, Abs, layer, Abs, .., head)`.
    pub(super) fn build(&self, inputs: usize, outputs: usize, hidden: Hidden, scope: &Scope) -> Result<Chain> {
        let name = |layer: usize| (2 * (layer - 1)).to_string();
        let mut body = Vec::new();
        let mut layer = 1;
        while layer <= self.depth {
            if self.dense_at.contains(&layer) {
                let from = if layer == 1 { inputs } else { self.width };
                body.push(hidden.link(from, self.width, &scope.enter(name(layer)))?);
                layer += 1;
            } else {
                let end = (layer..=self.depth).find(|l| self.dense_at.contains(l)).unwrap_or(self.depth + 1);
                let names: Vec<String> = (layer..end).map(name).collect();
                body.push(Link::Han(match &self.pass_through {
                    None => scoped_han_stack(self.width, &names, scope)?,
                    Some(start) => han_stack_from(self.width, &start.layers(self.width, names), scope)?,
                }));
                layer = end;
            }
        }
        let head = scope.enter(name(self.depth + 1));
        Ok(Chain::new(body, dense(self.width, outputs, Activation::Identity, DenseInit::Orthogonal, &head)?))
    }
}

/// What the hidden dense layers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hidden {
    /// Any matrix; it starts orthogonal.
    Free,
    /// Orthonormal at all times, so that the layers before the head are 1-Lipschitz together.
    Orthonormal,
}

impl Hidden {
    fn link(self, inputs: usize, outputs: usize, scope: &Scope) -> Result<Link> {
        let act = Activation::Abs;
        Ok(match self {
            Self::Free => Link::Dense(dense(inputs, outputs, act, DenseInit::Orthogonal, scope)?),
            Self::Orthonormal => Link::Orthogonal(orthogonal_dense(inputs, outputs, act, scope)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_layer_stays_dense_at_any_depth() {
        for (dense_at, depth, deeper) in [(vec![1], 1, vec![1]), (vec![1, 2, 20], 20, vec![1, 2, 40])] {
            let mut network = HanNetConfig::new(30, depth, dense_at);
            network.resize(Size { width: 30, depth: 40 });
            assert_eq!((network.dense_at.clone(), network.problem()), (deeper, None));
        }
    }
}
