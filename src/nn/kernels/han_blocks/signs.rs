//! The signs of z, one bit for each entry and layer, in the order in which the forward pass comes to them.
//!
//! An exact 0 has no slope. It is rare, so the entries with one are a list beside the signs.

use super::ALONG;
use super::dots::{ROWS, Step, in_sums};
use super::layout::Layout;
use crate::nn::kernels::lanes::Element;
use pulp::Simd;
use std::{array, slice};

/// Layers of a block.
pub(super) const LAYERS: usize = 2 * ALONG;

/// Signs of some samples in all layers.
#[derive(Debug)]
pub(super) struct Signs<T: Element> {
    /// Where z is negative, `[samples, layers, registers of flags, lanes]`: the first step is the highest bit.
    negative: Vec<T::Flags>,
    /// Where z is 0, ascending.
    zeros: Vec<Zero>,
    /// Registers of flags of a layer.
    registers: usize,
}

/// A place where z is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Zero {
    /// Of all layers of all samples.
    layer: usize,
    /// Of all steps of the layer.
    step: usize,
    /// Of a step's `[ROWS, lanes]`.
    entry: usize,
}

impl<T: Element> Signs<T> {
    /// For `layers` layers, those of all samples.
    pub fn new(layout: Layout, layers: usize) -> Self {
        let registers = (layout.groups * layout.row * ROWS).div_ceil(T::FLAGS);
        let negative = vec![T::Flags::default(); layers * registers * layout.lanes];
        Self { negative, zeros: Vec::new(), registers }
    }

    /// To write the layers of a block, of which `first` is the first; and where zeros are noted.
    #[inline(always)]
    pub fn writers<S: Simd>(&mut self, simd: S, first: usize) -> ([Writer<'_, T, S>; LAYERS], &mut Vec<Zero>) {
        // Of a pass that keeps no signs there are none to write to.
        let block = T::split_flags_mut::<S>(&mut self.negative).get_mut(first * self.registers..).unwrap_or_default();
        let mut layers = block.chunks_mut(self.registers);
        let writers = array::from_fn(|layer| Writer {
            to: layers.next().unwrap_or_default().iter_mut(),
            flags: T::no_flags(simd),
            filled: 0,
            passed: 0,
            layer: first + layer,
        });
        (writers, &mut self.zeros)
    }

    /// When all is written.
    pub fn finish(&mut self) {
        self.zeros.sort_unstable();
    }

    /// To read the layers of a block, of which `first` is the first.
    #[inline(always)]
    pub fn readers<S: Simd>(&self, simd: S, first: usize) -> [Reader<'_, T, S>; LAYERS] {
        let negative = T::split_flags::<S>(&self.negative);
        let zeros_from = |layer: usize| self.zeros.partition_point(|zero| zero.layer < layer);
        array::from_fn(|layer| Reader {
            from: negative[(first + layer) * self.registers..][..self.registers].iter(),
            flags: T::no_flags(simd),
            left: 0,
            passed: 0,
            zeros: &self.zeros[zeros_from(first + layer)..zeros_from(first + layer + 1)],
        })
    }
}

/// Of a layer; see [`Signs::writers`].
pub(super) struct Writer<'a, T: Element, S: Simd> {
    to: slice::IterMut<'a, T::FlagLanes<S>>,
    /// Those that are not put yet.
    flags: T::FlagLanes<S>,
    /// How many.
    filled: usize,
    /// Steps of whole groups.
    passed: usize,
    layer: usize,
}

impl<T: Element, S: Simd> Writer<'_, T, S> {
    /// The next group: notes the signs and turns z into |z|. In a loop of its own, as reading is: the loops over layers need all
    /// registers for their sums.
    #[inline(always)]
    pub fn write(&mut self, simd: S, z: &mut [Step<T, S>], zeros: &mut Vec<Zero>) {
        let (mut flags, mut filled) = (self.flags, self.filled);
        let mut least = T::splat(simd, T::from_f64(1.0));
        in_sums!(z.len(), place => {
            for z in &mut z[place] {
                flags = T::flag_signs(simd, T::shift_flags(simd, flags), T::flag(simd, 0), *z);
                *z = T::abs(simd, *z);
                least = T::minimum(simd, least, *z);
            }
            filled += ROWS;
            if filled == T::FLAGS {
                self.put(flags);
                filled = 0;
            }
        }, _sum => {});
        (self.flags, self.filled) = (flags, filled);
        if T::reduce_min(simd, least) == T::default() {
            self.note(z, zeros);
        }
        self.passed += z.len();
    }

    #[inline(always)]
    fn put(&mut self, flags: T::FlagLanes<S>) {
        if let Some(to) = self.to.next() {
            *to = flags;
        }
    }

    #[cold]
    fn note(&self, y: &[Step<T, S>], zeros: &mut Vec<Zero>) {
        let (layer, mut step) = (self.layer, self.passed);
        in_sums!(y.len(), place => {
            let entries = T::scalars::<S>(&y[place]).iter().enumerate();
            zeros.extend(entries.filter(|(_, y)| **y == T::default()).map(|(entry, _)| Zero { layer, step, entry }));
            step += 1;
        }, _sum => {});
    }

    /// Behind the last group.
    #[inline(always)]
    pub fn finish(mut self, simd: S) {
        if self.filled > 0 {
            for _ in self.filled..T::FLAGS {
                self.flags = T::shift_flags(simd, self.flags);
            }
            self.put(self.flags);
        }
    }
}

/// Of a layer; see [`Signs::readers`].
pub(super) struct Reader<'a, T: Element, S: Simd> {
    from: slice::Iter<'a, T::FlagLanes<S>>,
    /// Those that are not read yet, the next at the top.
    flags: T::FlagLanes<S>,
    /// How many.
    left: usize,
    /// Steps of whole groups.
    passed: usize,
    /// Those to come.
    zeros: &'a [Zero],
}

impl<T: Element, S: Simd> Reader<'_, T, S> {
    /// The next group: -1, 1, or 0 for each entry.
    #[inline(always)]
    pub fn read(&mut self, simd: S, signs: &mut [Step<T, S>]) {
        let (mut flags, mut left) = (self.flags, self.left);
        in_sums!(signs.len(), step => {
            if left == 0 {
                if let Some(next) = self.from.next() {
                    flags = *next;
                }
                left = T::FLAGS;
            }
            left -= ROWS;
            for sign in &mut signs[step] {
                *sign = T::highest_as_sign(simd, flags);
                flags = T::shift_flags(simd, flags);
            }
        }, _sum => {});
        (self.flags, self.left) = (flags, left);
        if self.zeros.first().is_some_and(|zero| zero.step < self.passed + signs.len()) {
            self.clear(signs);
        }
        self.passed += signs.len();
    }

    #[cold]
    fn clear(&mut self, signs: &mut [Step<T, S>]) {
        let mut step = self.passed;
        in_sums!(signs.len(), place => {
            let mut entries = T::scalars::<S>(&signs[place]).to_vec();
            let (here, behind) = self.zeros.split_at(self.zeros.partition_point(|zero| zero.step == step));
            here.iter().for_each(|zero| entries[zero.entry] = T::default());
            signs[place].copy_from_slice(T::split::<S>(&entries).0);
            self.zeros = behind;
            step += 1;
        }, _sum => {});
    }
}

#[cfg(test)]
mod tests {
    use crate::nn::kernels::han::{Record, Stack};
    use crate::nn::kernels::han_blocks::{Blocks, Shape, Tape, forward};
    use crate::nn::testing::numbers;

    #[test]
    fn a_tape_is_a_bit_for_each_entry_and_layer_and_inference_keeps_none() {
        let (shape, blocks) = (Shape { batch: 9, tokens: 64, channels: 64 }, 3);
        let [of_tokens, of_channels] = [shape.tokens, shape.channels]
            .map(|width| Stack::new(&numbers(2 * blocks * width, "u"), &numbers(2 * blocks * width, "b"), width));
        let layers = Blocks { tokens: of_tokens, channels: of_channels };
        let entries = shape.batch * shape.tokens * shape.channels;
        for (record, bits) in [(Record::Tape, 4 * blocks * entries), (Record::Nothing, 0)] {
            let (_, Tape(signs)) = forward(shape, &layers, &numbers(entries, "x"), record);
            let bytes: usize =
                signs.iter().map(|signs| size_of_val(&*signs.negative) + size_of_val(&*signs.zeros)).sum();
            assert_eq!(8 * bytes, bits, "{record:?}");
        }
    }
}
