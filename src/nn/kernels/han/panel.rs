//! One sample per vector lane.
//!
//! A panel is a strip (`strip.rs`) of `width` registers: register f holds entry f of as many samples as there are
//! lanes. A dot product over the width is then a chain of multiply-adds without a horizontal sum. Lanes without a sample
//! hold ones (zeros would be noted as such) and are not stored; their gradient is 0.
//!
//! The outer rows of the input are cut into blocks of about 64 samples (at least one row), each a contiguous piece of
//! memory. A few panels at a time go through all layers, while they are in cache.

use super::group::{Group, groups};
use super::signs::Signs;
use super::strip::{BATCH, Layers, Orientation, Sums, chunks};
use super::{Geometry, Record, Stack, Tape, apply, undo};
use crate::nn::kernels::dense::Wanted;
use crate::nn::kernels::lanes::Element;
use crate::nn::kernels::threads;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Samples in a block, for any number of threads: the order of summation may not depend on it.
const BLOCK_SAMPLES: usize = 64;
/// Most pieces of a backward pass, each some blocks one after the other with sums of its own: enough for several
/// threads, few enough for the sums to stay small beside the signs.
const PIECES: usize = 8;
/// Fewest scalars (samples x width x depth) that are worth handing to other threads.
const PARALLEL_WORK: usize = 1 << 20;
/// See [`super::forward`].
pub fn forward<T: Element>(
    stack: &Stack<T>,
    geometry: Geometry,
    input: &[T],
    record: Record,
) -> (Vec<T>, Option<Tape<T>>) {
    let mut output = vec![T::default(); input.len()];
    let step = rows_per_block(geometry) * geometry.width * geometry.inner;
    let run = |(output, input): (&mut [T], &[T])| {
        Arch::new().dispatch(Forward { stack, geometry: block(geometry, input.len()), input, output, record })
    };
    let blocks: Vec<_> = if parallel(stack, geometry) {
        output.par_chunks_mut(step).zip(input.par_chunks(step)).map(run).collect()
    } else {
        output.chunks_mut(step).zip(input.chunks(step)).map(run).collect()
    };
    let tape = blocks.into_iter().collect::<Option<Vec<_>>>().map(|blocks| Tape { blocks });
    (output, tape)
}

/// Gradient of the input, and the sums over samples of (t x + p g) and of g, `[depth, width]` each. The sums are incomplete
/// unless the gradients of the parameters are wanted.
pub fn backward<T: Element>(
    stack: &Stack<T>,
    geometry: Geometry,
    output: &[T],
    tape: &Tape<T>,
    output_gradient: &[T],
    wanted: Wanted,
) -> (Vec<T>, Vec<f64>, Vec<f64>) {
    let mut input_gradient = vec![T::default(); output.len()];
    let step = rows_per_block(geometry) * geometry.width * geometry.inner;
    let blocks = tape.blocks.len().div_ceil(PIECES).max(1);
    let run = |(index, input_gradient): (usize, &mut [T])| {
        let mut sums = Sums::zeros(stack.len());
        for (place, input_gradient) in input_gradient.chunks_mut(step).enumerate() {
            let index = index * blocks + place;
            let range = index * step..index * step + input_gradient.len();
            Arch::new().dispatch(Backward {
                stack,
                geometry: block(geometry, input_gradient.len()),
                output: &output[range.clone()],
                signs: &tape.blocks[index],
                output_gradient: &output_gradient[range],
                input_gradient,
                sums: &mut sums,
                wanted,
            });
        }
        sums
    };
    let join = |mut total: Sums, piece: Sums| {
        total.add(&piece);
        total
    };
    let total = if parallel(stack, geometry) {
        let pieces: Vec<Sums> = input_gradient.par_chunks_mut(step * blocks).enumerate().map(run).collect();
        pieces.into_iter().reduce(join)
    } else {
        input_gradient.chunks_mut(step * blocks).enumerate().map(run).reduce(join)
    };
    let total = total.unwrap_or_else(|| Sums::zeros(stack.len()));
    (input_gradient, total.direction, total.bias)
}

/// The number of outer rows with about [`BLOCK_SAMPLES`] samples.
fn rows_per_block(geometry: Geometry) -> usize {
    ((BLOCK_SAMPLES + geometry.inner / 2) / geometry.inner.max(1)).max(1)
}

fn parallel<T: Element>(stack: &Stack<T>, geometry: Geometry) -> bool {
    geometry.samples() * stack.len() >= PARALLEL_WORK && threads::count() > 1
}

/// A contiguous piece of the input: some outer rows with all their inner positions.
fn block(whole: Geometry, len: usize) -> Geometry {
    Geometry { outer: len / (whole.width * whole.inner), ..whole }
}

/// Samples in the lanes.
struct SamplesInLanes;

impl Orientation for SamplesInLanes {
    type Parameter<T: Element, S: Simd> = T;

    #[inline(always)]
    fn parameters<T: Element, S: Simd>(row: &[T]) -> &[T] {
        row
    }

    #[inline(always)]
    fn lanes<T: Element, S: Simd>(simd: S, parameter: T) -> T::Lanes<S> {
        T::splat(simd, parameter)
    }

    #[inline(always)]
    fn over_width<T: Element, S: Simd>(_: S, sum: T::Lanes<S>) -> T::Lanes<S> {
        sum
    }

    #[inline(always)]
    fn add_over_samples<T: Element, S: Simd>(simd: S, steps: &[T::Lanes<S>; BATCH], totals: &mut [f64]) {
        // A tree: two registers become one with half as many terms of each, so that the last holds a sum in every lane.
        let (mut sums, lanes) = (*steps, T::lane_count::<S>());
        let mut count = BATCH;
        for stage in 0..lanes.trailing_zeros() {
            count /= 2;
            for place in 0..count {
                sums[place] = T::merge_sums(simd, sums[2 * place], sums[2 * place + 1], stage);
            }
        }
        for (total, sum) in totals.iter_mut().zip(T::scalars::<S>(&sums[..count])) {
            *total += sum.to_f64();
        }
    }
}

fn layers<T: Element>(stack: &Stack<T>) -> Layers<'_, T> {
    Layers { unit: &stack.unit, bias: &stack.bias, depth: stack.depth }
}

struct Forward<'a, T> {
    stack: &'a Stack<T>,
    geometry: Geometry,
    input: &'a [T],
    output: &'a mut [T],
    record: Record,
}

impl<T: Element> WithSimd for Forward<'_, T> {
    type Output = Option<Signs<T>>;

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) -> Self::Output {
        let lanes = T::lane_count::<S>();
        let panels = self.geometry.samples().div_ceil(lanes);
        let chunks = self.stack.depth * chunks::<T>(self.stack.width);
        let mut signs = (self.record == Record::Tape).then(|| Signs::new(panels, chunks, lanes));
        let mut x = vec![T::default(); 2 * self.stack.width * lanes];
        for (panel, group) in groups::<T, S>(self.geometry, 2) {
            let x = &mut x[..self.stack.width * group.panels * lanes];
            match group.panels {
                2 => self.group::<S, 2>(simd, group, panel, x, signs.as_mut()),
                _ => self.group::<S, 1>(simd, group, panel, x, signs.as_mut()),
            }
        }
        signs
    }
}

impl<T: Element> Forward<'_, T> {
    #[inline(always)]
    fn group<S: Simd, const G: usize>(
        &mut self,
        simd: S,
        group: Group,
        panel: usize,
        x: &mut [T],
        signs: Option<&mut Signs<T>>,
    ) {
        x.fill(T::from_f64(1.0));
        group.pack(self.input, x);
        let writer = signs.map(|signs| signs.writer::<S, G>(panel));
        let strips = T::split_mut::<S>(x).0.as_chunks_mut::<G>().0;
        apply::forward::<SamplesInLanes, T, S, G>(simd, layers(self.stack), strips, writer);
        group.unpack(x, self.output);
    }
}

struct Backward<'a, T: Element> {
    stack: &'a Stack<T>,
    geometry: Geometry,
    output: &'a [T],
    signs: &'a Signs<T>,
    output_gradient: &'a [T],
    input_gradient: &'a mut [T],
    sums: &'a mut Sums,
    wanted: Wanted,
}

impl<T: Element> WithSimd for Backward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        // Of each panel five registers are in use at a time.
        let most = if S::REGISTER_COUNT >= 32 { 4 } else { 2 };
        let len = most * self.stack.width * T::lane_count::<S>();
        let [mut y, mut g] = [(); 2].map(|()| vec![T::default(); len]);
        for (panel, group) in groups::<T, S>(self.geometry, most) {
            let len = group.panels * self.stack.width * group.lanes;
            let (y, g) = (&mut y[..len], &mut g[..len]);
            // Most groups are full. Only they have a loop without sums, since every loop takes time to compile.
            match (group.panels, group.panels < most || self.wanted.parameters) {
                (4, true) => self.group::<S, 4, true>(simd, group, panel, y, g),
                (4, false) => self.group::<S, 4, false>(simd, group, panel, y, g),
                (3, _) => self.group::<S, 3, true>(simd, group, panel, y, g),
                (2, true) => self.group::<S, 2, true>(simd, group, panel, y, g),
                (2, false) => self.group::<S, 2, false>(simd, group, panel, y, g),
                _ => self.group::<S, 1, true>(simd, group, panel, y, g),
            }
        }
    }
}

impl<T: Element> Backward<'_, T> {
    #[inline(always)]
    fn group<S: Simd, const G: usize, const SUMS: bool>(
        &mut self,
        simd: S,
        group: Group,
        panel: usize,
        y: &mut [T],
        g: &mut [T],
    ) {
        if SUMS {
            y.fill(T::default());
            group.pack(self.output, y);
        }
        g.fill(T::default());
        group.pack(self.output_gradient, g);
        let reader = self.signs.reader::<S, G>(panel);
        let y = T::split_mut::<S>(y).0.as_chunks_mut::<G>().0;
        let strips = T::split_mut::<S>(g).0.as_chunks_mut::<G>().0;
        undo::backward::<SamplesInLanes, T, S, G, SUMS>(simd, layers(self.stack), reader, y, strips, self.sums);
        group.unpack(g, self.input_gradient);
    }
}
