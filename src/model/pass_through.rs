//! A start for hundreds of Han-layers: a few of them fold, the others pass their input through.
//!
//! With the paper's start every layer folds: of the entries of z about half are negative, and |.| turns them over. Each
//! layer adds folds to the function of the whole network, so that after hundreds of layers it oscillates between
//! neighbouring points, although its gradient has kept its length. Here the layers come in groups. The first of a group
//! lifts all entries by `offset`, so that none of z is negative in the layers that follow; there |.| does nothing and a
//! layer is a reflection. The last of the group lowers them again and folds, as a layer of the paper does.
//!
//! All directions have entries that add up to 0. Their reflections leave the vector (1, .., 1) where it is, so that the
//! offset stays an offset through the whole group.

use crate::nn::{HanInit, Init};
use serde::{Deserialize, Serialize};

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PassThrough {
    /// Number of layers that fold at the start; with no more layers than that, all of them do.
    pub folding: usize,
    /// How far the entries of a passing layer are lifted: several times the size of an entry.
    pub offset: f64,
    /// |u| of the passing layers. A step of the optimizer turns a direction by its own length over this, so long ones
    /// keep almost still.
    pub length: f64,
}

impl PassThrough {
    pub(super) fn problem(&self, width: usize) -> Option<String> {
        let &Self { folding, offset, length } = self;
        if folding == 0 {
            return Some("pass_through.folding is 0; use at least 1".into());
        }
        if !(offset.is_finite() && offset >= 0.0 && length.is_finite() && length > 0.0) {
            return Some(format!("pass_through has offset {offset} and length {length}; use 0 or more and a length"));
        }
        (width < 2).then(|| format!("pass_through needs directions of two entries, the width is {width}"))
    }

    /// The starts of layers with these names.
    pub(super) fn layers(&self, width: usize, names: Vec<String>) -> Vec<(String, HanInit)> {
        let (layers, groups) = (names.len(), self.folding.min(names.len()));
        let end = |group: usize| layers * (group + 1) / groups;
        let mut starts = Vec::with_capacity(layers);
        for group in 0..groups {
            for layer in starts.len()..end(group) {
                starts.push(self.layer(
                    width,
                    layer == if group == 0 { 0 } else { end(group - 1) },
                    layer + 1 == end(group),
                ));
            }
        }
        names.into_iter().zip(starts).collect()
    }

    fn layer(&self, width: usize, first: bool, last: bool) -> HanInit {
        let &Self { offset, length, .. } = self;
        let Init::Uniform { bound } = HanInit::usual(width).bias else { return HanInit::usual(width) };
        let bias = match (first, last) {
            // A group of one neither lifts nor lowers.
            (true, true) => Init::Uniform { bound },
            (true, false) => Init::Constant { value: offset },
            (false, false) => Init::Zeros,
            (false, true) => Init::UniformAround { center: -offset, bound },
        };
        let length = if last { 1.0 } else { length };
        HanInit { direction: Init::BalancedRows { length }, bias }
    }
}
