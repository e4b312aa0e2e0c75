//! What a chain of layers is, in a line for people.

use super::chain::{Chain, Layer};
use crate::nn::{Activation, Dense};
use candle_core::Result;

impl Chain {
    /// `dense 2 -> 30 |.|, 19 x Han 30 |.|, dense 30 -> 2`
    pub(super) fn in_words(&self) -> Result<String> {
        let head = Layer::Dense(self.head().clone());
        let layers = self.hidden(self.head().weight().dtype())?.into_iter().chain([head]).map(|layer| match layer {
            Layer::Dense(layer) => dense(&layer),
            Layer::Han(layer) => Ok(format!("Han {} |.|", layer.bias().elem_count())),
        });
        let layers = layers.collect::<Result<Vec<_>>>()?;
        let equal = layers.chunk_by(|layer, next| layer == next).map(|equal| match equal {
            [layer] => layer.clone(),
            layers => format!("{} x {}", layers.len(), layers[0]),
        });
        Ok(equal.collect::<Vec<_>>().join(", "))
    }
}

fn dense(layer: &Dense) -> Result<String> {
    let (outputs, inputs) = layer.weight().dims2()?;
    let activation = match layer.activation() {
        Activation::Identity => "",
        Activation::Abs => " |.|",
        Activation::Relu => " ReLU",
        Activation::Tanh => " tanh",
    };
    Ok(format!("dense {inputs} -> {outputs}{activation}"))
}
