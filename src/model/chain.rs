//! Networks that are one layer after the other, and their layers one by one for what can be proved from that.

use super::Network;
use crate::nn::{Dense, DenseStack, HanLayer, HanStack, Mode, OrthogonalDense};
use candle_core::{DType, Result, Tensor};
use candle_nn::Module;

/// Hidden layers and a dense head without an activation.
#[derive(Debug, Clone)]
pub struct Chain {
    body: Vec<Link>,
    head: Dense,
}

/// One or several hidden layers that are computed as one operation.
#[derive(Debug, Clone)]
pub enum Link {
    /// Any weight.
    Dense(Dense),
    /// Equal layers.
    DenseStack(DenseStack),
    /// An orthonormal weight.
    Orthogonal(OrthogonalDense),
    /// Han-layers.
    Han(HanStack),
}

/// A single layer of a chain.
#[derive(Debug, Clone)]
pub enum Layer {
    /// act(x W^T + b) with |.|, ReLU, tanh or nothing, each 1-Lipschitz.
    Dense(Dense),
    /// A Han-layer, 1-Lipschitz.
    Han(HanLayer),
}

impl Chain {
    /// A network of these layers.
    pub fn new(body: Vec<Link>, head: Dense) -> Self {
        Self { body, head }
    }

    /// The last layer; margins between classes are measured by the distances of its rows.
    pub fn head(&self) -> &Dense {
        &self.head
    }

    /// The hidden layers in order, as constants of the given type.
    pub fn hidden(&self, dtype: DType) -> Result<Vec<Layer>> {
        let mut layers = Vec::new();
        let dense = |layer: &Dense| Ok(Layer::Dense(layer.constant(dtype)?));
        for link in &self.body {
            match link {
                Link::Dense(layer) => layers.push(dense(layer)?),
                Link::Orthogonal(layer) => layers.push(dense(&layer.dense()?)?),
                Link::DenseStack(stack) => {
                    layers.extend(stack.layers()?.iter().map(dense).collect::<Result<Vec<_>>>()?);
                }
                Link::Han(stack) => {
                    let han = |layer: &HanLayer| Ok(Layer::Han(layer.constant(dtype)?));
                    layers.extend(stack.layers()?.iter().map(han).collect::<Result<Vec<_>>>()?);
                }
            }
        }
        Ok(layers)
    }
}

impl Network for Chain {
    fn forward(&self, xs: &Tensor, _mode: Mode) -> Result<Tensor> {
        let hidden = self.body.iter().try_fold(xs.clone(), |h, link| match link {
            Link::Dense(layer) => layer.forward(&h),
            Link::DenseStack(stack) => stack.forward(&h),
            Link::Orthogonal(layer) => layer.forward(&h),
            Link::Han(stack) => stack.forward(&h),
        })?;
        self.head.forward(&hidden)
    }

    fn chain(&self) -> Result<&Chain> {
        Ok(self)
    }
}

impl Module for Layer {
    /// # Shapes
    /// - xs: (batch, inputs) -> (batch, outputs)
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        match self {
            Self::Dense(layer) => layer.forward(xs),
            Self::Han(layer) => layer.forward(xs),
        }
    }
}
