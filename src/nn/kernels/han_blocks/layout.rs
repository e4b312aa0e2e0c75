//! How a sample lies in registers.
//!
//! Channels are in the lanes, and tokens are in groups ([`ROWS`]). What fills the last register of a row and the last group
//! has direction and bias 0, so that it leaves the rest alone.

use super::dots::{ByPlace, ByRow, ROWS, splat};
use super::{Blocks, Shape};
use crate::nn::kernels::han::Stack;
use crate::nn::kernels::lanes::Element;
use pulp::Simd;
use std::borrow::Cow;

/// Sizes in registers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub shape: Shape,
    /// Numbers in a register.
    pub lanes: usize,
    /// Registers of a row.
    pub row: usize,
    /// Groups of tokens.
    pub groups: usize,
}

impl Layout {
    pub fn new<T: Element, S: Simd>(_: S, shape: Shape) -> Self {
        let lanes = T::lane_count::<S>();
        Self { shape, lanes, row: shape.channels.div_ceil(lanes), groups: shape.tokens.div_ceil(ROWS) }
    }

    /// Entries of a row, with those that fill its last register.
    pub fn width(&self) -> usize {
        self.row * self.lanes
    }

    /// Memory for a sample, `[groups, row, ROWS, lanes]`.
    pub fn scratch<T: Element>(&self) -> Vec<T> {
        vec![T::default(); self.groups * ROWS * self.width()]
    }

    /// A sample into its memory, with `filling` behind rows and tokens: of the sample before there may be NaN.
    #[inline(always)]
    pub fn pack<T: Element, S: Simd>(&self, _: S, sample: &[T], filling: f64, scratch: &mut [T]) {
        if scratch.len() > sample.len() {
            scratch.fill(T::from_f64(filling));
        }
        for (token, row) in sample.chunks_exact(self.shape.channels).enumerate() {
            for (step, entries) in row.chunks(T::lane_count::<S>()).enumerate() {
                copy::<T, S>(entries, &mut scratch[self.place(token, step)..][..entries.len()]);
            }
        }
    }

    /// A sample out of it.
    #[inline(always)]
    pub fn unpack<T: Element, S: Simd>(&self, _: S, scratch: &[T], sample: &mut [T]) {
        for (token, row) in sample.chunks_exact_mut(self.shape.channels).enumerate() {
            for (step, entries) in row.chunks_mut(T::lane_count::<S>()).enumerate() {
                copy::<T, S>(&scratch[self.place(token, step)..][..entries.len()], entries);
            }
        }
    }

    #[inline(always)]
    fn place(&self, token: usize, step: usize) -> usize {
        ((token / ROWS * self.row + step) * ROWS + token % ROWS) * self.lanes
    }
}

/// A copy; of a whole register in one move.
#[inline(always)]
fn copy<T: Element, S: Simd>(from: &[T], to: &mut [T]) {
    match (T::split::<S>(from).0, T::split_mut::<S>(to).0) {
        ([from], [to]) => *to = *from,
        _ => to.copy_from_slice(from),
    }
}

/// The beginnings of rows of `from` entries.
pub(super) fn narrowed<T: Element>(wide: &[T], from: usize, width: usize) -> Vec<T> {
    wide.chunks_exact(from).flat_map(|row| &row[..width]).copied().collect()
}

/// The layers' parameters, in registers.
pub(super) struct Parameters<T> {
    /// v and b along tokens, `[layers, groups ROWS]`.
    tokens: [Vec<T>; 2],
    /// v and b along channels, `[layers, width]`.
    channels: [Vec<T>; 2],
    layout: Layout,
}

impl<T: Element> Parameters<T> {
    /// With biases times `bias`.
    pub fn new(layout: Layout, blocks: &Blocks<T>, bias: f64) -> Self {
        let padded = |stack: &Stack<T>, width: usize| {
            let [unit, mut biases] = stack.padded(width).map(Cow::into_owned);
            biases.iter_mut().for_each(|b| *b *= T::from_f64(bias));
            [unit, biases]
        };
        let (tokens, channels) =
            (padded(&blocks.tokens, layout.groups * ROWS), padded(&blocks.channels, layout.width()));
        Self { tokens, channels, layout }
    }

    /// v and b of a layer along tokens, at a group.
    #[inline(always)]
    pub fn at_group<S: Simd>(&self, simd: S, layer: usize, group: usize) -> [ByRow<T, S>; 2] {
        let (place, [v, b]) = ((layer * self.layout.groups + group) * ROWS, &self.tokens);
        [ByRow(splat(simd, &v[place..][..ROWS], 1.0)), ByRow(splat(simd, &b[place..][..ROWS], 1.0))]
    }

    /// v and b of a layer along channels.
    #[inline(always)]
    pub fn along_channels<S: Simd>(&self, layer: usize) -> [ByPlace<'_, T, S>; 2] {
        let (row, [v, b]) = (self.layout.row, &self.channels);
        [ByPlace(&T::split::<S>(v).0[layer * row..][..row]), ByPlace(&T::split::<S>(b).0[layer * row..][..row])]
    }
}
