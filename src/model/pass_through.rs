//! A start for hundreds of Han-layers: a few of them fold, the others pass their input through.
//!
//! With the paper's start every layer folds: about half of the entries of z are negative, and |.| turns them over. Each
//! layer adds folds to the function of the whole network, so that after hundreds of layers it oscillates between
//! neighbouring points, although its gradient has kept its length. Besides, the biases of all layers learn together: a
//! step of the optimizer moves the last hidden state hundreds of times as far as that of one layer. Here
//!
//! - the layers come in groups. The first of a group lifts all entries by `offset`, so that none of z is negative in the
//!   layers that follow; there |.| does nothing and a layer is a reflection. The last of the group lowers them again and
//!   folds, as a layer of the paper does, but for `rest`.
//! - All directions have entries that add up to 0. Their reflections leave the vector (1, .., 1) where it is, so that the
//!   offset stays an offset through the whole group.
//! - The passing layers of a group learn, together, about as fast as one layer.

use crate::nn::{HanInit, Init};
use serde::{Deserialize, Serialize};

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PassThrough {
    /// Number of layers that fold at the start, of every run of Han-layers without a dense layer between them; with no
    /// more layers than that, all of them do.
    pub folding: usize,
    /// How far the entries of a passing layer are lifted: several times the size of an entry.
    pub offset: f64,
    /// How far a folding layer leaves them lifted, at most `offset`: fewer of its entries are negative.
    pub rest: f64,
    /// How fast the passing layers of a group learn, together, over the rate of one layer: directions and biases alike.
    pub pace: f64,
    /// |u| of the passing layers. A step of the optimizer turns a direction by its own length over this, so long ones
    /// keep almost still.
    pub length: f64,
}

impl PassThrough {
    pub(super) fn problem(&self, width: usize) -> Option<String> {
        let &Self { folding, offset, rest, pace, length } = self;
        if folding == 0 {
            return Some("pass_through.folding is 0; use at least 1".into());
        }
        if !(offset.is_finite() && (0.0..=offset).contains(&rest)) {
            return Some(format!("pass_through has offset {offset} and rest {rest}; use 0 <= rest <= offset"));
        }
        if !(length.is_finite() && length > 0.0 && pace.is_finite() && pace >= 0.0) {
            return Some(format!(
                "pass_through has length {length} and pace {pace}; use a positive length and a pace of 0 or more"
            ));
        }
        (width < 2).then(|| format!("pass_through needs directions of two entries, the width is {width}"))
    }

    /// The starts of layers with these names.
    pub(super) fn layers(&self, width: usize, names: Vec<String>) -> Vec<(String, HanInit)> {
        let (layers, groups) = (names.len(), self.folding.min(names.len()));
        let end = |group: usize| layers * (group + 1) / groups;
        let mut starts = Vec::with_capacity(layers);
        for group in 0..groups {
            let first = starts.len();
            starts.extend((first..end(group)).map(|layer| self.layer(width, group, layer - first, end(group) - first)));
        }
        names.into_iter().zip(starts).collect()
    }

    fn layer(&self, width: usize, group: usize, place: usize, size: usize) -> HanInit {
        let &Self { offset, rest, pace, length, .. } = self;
        let HanInit { bias: usual, .. } = HanInit::usual(width);
        let Init::Uniform { bound } = usual else { return HanInit::usual(width) };
        let (first, last) = (place == 0, place + 1 == size);
        // What the entries lie above 0 by when they come to the group.
        let before = if group == 0 { 0.0 } else { rest };
        let bias = match (first, last) {
            (true, true) => Init::UniformAround { center: rest - before, bound },
            (true, false) => Init::Constant { value: offset - before },
            (false, false) => Init::Zeros,
            (false, true) => Init::UniformAround { center: rest - offset, bound },
        };
        let pace = if last { 1.0 } else { pace / (size - 1) as f64 };
        let length = if last { 1.0 } else { length };
        HanInit { direction: Init::BalancedRows { length }, bias, pace }
    }
}
