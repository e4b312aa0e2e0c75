//! One sample per vector lane.
//!
//! Samples are packed into panels: `width` registers, register f holding entry f of as many samples as there are
//! lanes. A dot product over the width is then a chain of multiply-adds without a horizontal sum, and a panel stays in
//! the first-level cache through all layers. Lanes without a sample start as zeros and are not stored; their gradient is 0.
//!
//! The outer rows of the input are cut into blocks of about 128 samples (at least one row), each a contiguous piece of
//! memory. Blocks are the unit of threading, and within a block the backward pass goes layer by layer, so that the
//! sums over samples of one layer stay in cache.

use super::{Geometry, Record, Stack};
use crate::nn::kernels::lanes::Element;
use crate::nn::kernels::threads;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Samples in a block, for any number of threads: the order of summation may not depend on it.
const BLOCK_SAMPLES: usize = 128;
/// Fewest scalars (samples x width x depth) that are worth handing to other threads.
const PARALLEL_WORK: usize = 1 << 20;

/// z and p = v.x of every layer, a block of samples after the other.
#[derive(Debug)]
pub struct Tape<T> {
    blocks: Vec<BlockTape<T>>,
}

#[derive(Debug)]
struct BlockTape<T> {
    /// `[depth, panels, width, lanes]`
    z: Vec<T>,
    /// `[depth, panels, lanes]`
    p: Vec<T>,
}

/// See [`super::forward`].
pub fn forward<T: Element>(
    stack: &Stack<T>,
    geometry: Geometry,
    input: &[T],
    record: Record,
) -> (Vec<T>, Option<Tape<T>>) {
    let mut output = vec![T::default(); input.len()];
    let rows = rows_per_block(geometry);
    let step = rows * geometry.width * geometry.inner;
    let run = |(output, input): (&mut [T], &[T])| {
        let block = Block::of(geometry, input.len());
        Arch::new().dispatch(Forward { stack, block, input, output, record })
    };
    let pieces = output.chunks_mut(step).zip(input.chunks(step));
    let blocks: Vec<_> = if parallel(stack, geometry) {
        output.par_chunks_mut(step).zip(input.par_chunks(step)).map(run).collect()
    } else {
        pieces.map(run).collect()
    };
    let tape = blocks.into_iter().collect::<Option<Vec<_>>>().map(|blocks| Tape { blocks });
    (output, tape)
}

/// Gradient of the input, and the sums over samples of (t x + p g) and of g, `[depth, width]` each.
pub fn backward<T: Element>(
    stack: &Stack<T>,
    geometry: Geometry,
    input: &[T],
    tape: &Tape<T>,
    output_gradient: &[T],
) -> (Vec<T>, Vec<f64>, Vec<f64>) {
    let mut input_gradient = vec![T::default(); input.len()];
    let step = rows_per_block(geometry) * geometry.width * geometry.inner;
    let run = |(index, input_gradient): (usize, &mut [T])| {
        let input = &input[index * step..][..input_gradient.len()];
        let output_gradient = &output_gradient[index * step..][..input_gradient.len()];
        let block = Block::of(geometry, input.len());
        let tape = &tape.blocks[index];
        Arch::new().dispatch(Backward { stack, block, input, tape, output_gradient, input_gradient })
    };
    let blocks: Vec<Sums> = if parallel(stack, geometry) {
        input_gradient.par_chunks_mut(step).enumerate().map(run).collect()
    } else {
        input_gradient.chunks_mut(step).enumerate().map(run).collect()
    };
    let mut total = Sums::zeros(stack);
    for block in &blocks {
        total.add(block);
    }
    (input_gradient, total.direction, total.bias)
}

fn rows_per_block(geometry: Geometry) -> usize {
    (BLOCK_SAMPLES / geometry.inner).max(1)
}

fn parallel<T>(stack: &Stack<T>, geometry: Geometry) -> bool {
    geometry.samples() * geometry.width * stack.depth >= PARALLEL_WORK && threads::count() > 1
}

/// Sums over samples, `[depth, width]` each, in double precision.
struct Sums {
    direction: Vec<f64>,
    bias: Vec<f64>,
}

impl Sums {
    fn zeros<T>(stack: &Stack<T>) -> Self {
        let len = stack.depth * stack.width;
        Self { direction: vec![0.0; len], bias: vec![0.0; len] }
    }

    fn add(&mut self, other: &Sums) {
        self.direction.iter_mut().zip(&other.direction).for_each(|(a, b)| *a += b);
        self.bias.iter_mut().zip(&other.bias).for_each(|(a, b)| *a += b);
    }
}

/// A contiguous piece of the input: some outer rows with all their inner positions.
#[derive(Clone, Copy)]
struct Block {
    geometry: Geometry,
}

impl Block {
    fn of(whole: Geometry, len: usize) -> Self {
        Self { geometry: Geometry { outer: len / (whole.width * whole.inner), ..whole } }
    }

    fn panels(&self, lanes: usize) -> usize {
        self.geometry.samples().div_ceil(lanes)
    }

    /// Whether the samples of every panel lie side by side in memory, so that packing copies whole registers.
    fn side_by_side(&self, lanes: usize) -> bool {
        self.geometry.inner.is_multiple_of(lanes)
    }

    /// Packs the block into `[panels, width, lanes]`; lanes without a sample are left as they are.
    #[inline(always)]
    fn pack<T: Element>(&self, lanes: usize, source: &[T], panels: &mut [T]) {
        let Geometry { width, inner, .. } = self.geometry;
        if self.side_by_side(lanes) {
            for (panel, rows) in panels.chunks_exact_mut(width * lanes).enumerate() {
                let offset = self.geometry.offset(panel * lanes);
                for (f, row) in rows.chunks_exact_mut(lanes).enumerate() {
                    row.copy_from_slice(&source[offset + f * inner..][..lanes]);
                }
            }
            return;
        }
        for sample in 0..self.geometry.samples() {
            let rows = &mut panels[sample / lanes * width * lanes..][..width * lanes];
            let column = source[self.geometry.offset(sample)..].iter().step_by(inner);
            rows[sample % lanes..].iter_mut().step_by(lanes).zip(column).for_each(|(to, from)| *to = *from);
        }
    }

    /// The inverse of [`Block::pack`].
    #[inline(always)]
    fn unpack<T: Element>(&self, lanes: usize, panels: &[T], target: &mut [T]) {
        let Geometry { width, inner, .. } = self.geometry;
        if self.side_by_side(lanes) {
            for (panel, rows) in panels.chunks_exact(width * lanes).enumerate() {
                let offset = self.geometry.offset(panel * lanes);
                for (f, row) in rows.chunks_exact(lanes).enumerate() {
                    target[offset + f * inner..][..lanes].copy_from_slice(row);
                }
            }
            return;
        }
        for sample in 0..self.geometry.samples() {
            let rows = &panels[sample / lanes * width * lanes..][..width * lanes];
            let column = target[self.geometry.offset(sample)..].iter_mut().step_by(inner);
            rows[sample % lanes..].iter().step_by(lanes).zip(column).for_each(|(from, to)| *to = *from);
        }
    }
}

struct Forward<'a, T> {
    stack: &'a Stack<T>,
    block: Block,
    input: &'a [T],
    output: &'a mut [T],
    record: Record,
}

impl<T: Element> WithSimd for Forward<'_, T> {
    type Output = Option<BlockTape<T>>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let Self { stack, block, input, output, record } = self;
        let lanes = T::lane_count::<S>();
        let (width, count) = (stack.width, block.panels(lanes));
        let mut panels = vec![T::default(); count * width * lanes];
        block.pack(lanes, input, &mut panels);
        let mut tape = match record {
            Record::Nothing => None,
            Record::Tape => Some(BlockTape {
                z: vec![T::default(); stack.depth * count * width * lanes],
                p: vec![T::default(); stack.depth * count * lanes],
            }),
        };
        for panel in 0..count {
            let x = T::split_mut::<S>(&mut panels[panel * width * lanes..][..width * lanes]).0;
            for layer in 0..stack.depth {
                let unit = &stack.unit[layer * width..][..width];
                let bias = &stack.bias[layer * width..][..width];
                let p = dot(simd, unit, x);
                let scale = T::times(simd, T::splat(simd, T::from_f64(-2.0)), p);
                if let Some(BlockTape { z, p: projections }) = &mut tape {
                    let place = layer * count + panel;
                    let z = T::split_mut::<S>(&mut z[place * width * lanes..][..width * lanes]).0;
                    T::split_mut::<S>(&mut projections[place * lanes..][..lanes]).0[0] = p;
                    for (((x, z), v), b) in x.iter_mut().zip(z).zip(unit).zip(bias) {
                        *z = reflect(simd, *x, scale, *v, *b);
                        *x = T::abs(simd, *z);
                    }
                } else {
                    for ((x, v), b) in x.iter_mut().zip(unit).zip(bias) {
                        *x = T::abs(simd, reflect(simd, *x, scale, *v, *b));
                    }
                }
            }
        }
        block.unpack(lanes, &panels, output);
        tape
    }
}

/// x + scale v + b
#[inline(always)]
fn reflect<T: Element, S: Simd>(simd: S, x: T::Lanes<S>, scale: T::Lanes<S>, v: T, b: T) -> T::Lanes<S> {
    T::mul_add(simd, scale, T::splat(simd, v), T::plus(simd, x, T::splat(simd, b)))
}

/// v.x in every lane, in four interleaved sums: one alone would wait for each multiply-add to finish.
#[inline(always)]
fn dot<T: Element, S: Simd>(simd: S, v: &[T], x: &[T::Lanes<S>]) -> T::Lanes<S> {
    let zero = T::splat(simd, T::default());
    let mut sums = [zero; 4];
    let (v4, v_rest) = v.as_chunks::<4>();
    let (x4, x_rest) = x.as_chunks::<4>();
    for (v, x) in v4.iter().zip(x4) {
        for ((sum, v), x) in sums.iter_mut().zip(v).zip(x) {
            *sum = T::mul_add(simd, T::splat(simd, *v), *x, *sum);
        }
    }
    for (v, x) in v_rest.iter().zip(x_rest) {
        sums[0] = T::mul_add(simd, T::splat(simd, *v), *x, sums[0]);
    }
    let [a, b, c, d] = sums;
    T::plus(simd, T::plus(simd, a, b), T::plus(simd, c, d))
}

struct Backward<'a, T> {
    stack: &'a Stack<T>,
    block: Block,
    input: &'a [T],
    tape: &'a BlockTape<T>,
    output_gradient: &'a [T],
    input_gradient: &'a mut [T],
}

impl<T: Element> WithSimd for Backward<'_, T> {
    type Output = Sums;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Sums {
        let Self { stack, block, input, tape, output_gradient, input_gradient } = self;
        let lanes = T::lane_count::<S>();
        let (width, count) = (stack.width, block.panels(lanes));
        let size = width * lanes;
        let mut gradient = vec![T::default(); count * size];
        block.pack(lanes, output_gradient, &mut gradient);
        let mut first_input = vec![T::default(); count * size];
        block.pack(lanes, input, &mut first_input);

        let mut sums = Sums::zeros(stack);
        let zero = T::splat(simd, T::default());
        let mut direction_sum = vec![zero; width];
        let mut bias_sum = vec![zero; width];
        for layer in (0..stack.depth).rev() {
            let unit = &stack.unit[layer * width..][..width];
            direction_sum.fill(zero);
            bias_sum.fill(zero);
            for panel in 0..count {
                let place = layer * count + panel;
                let g = T::split_mut::<S>(&mut gradient[panel * size..][..size]).0;
                let z = T::split::<S>(&tape.z[place * size..][..size]).0;
                let p = T::split::<S>(&tape.p[place * lanes..][..lanes]).0[0];
                let t = signed_dot(simd, unit, z, g);
                let scale = T::times(simd, T::splat(simd, T::from_f64(-2.0)), t);
                let sums = direction_sum.iter_mut().zip(&mut bias_sum).zip(unit);
                // x of this layer is |z| of the layer before: abs leaves the (possibly negative) first input to its own arm.
                if layer == 0 {
                    let x = T::split::<S>(&first_input[panel * size..][..size]).0;
                    for ((((d, b), v), g), x) in sums.zip(g).zip(x) {
                        accumulate(simd, d, b, g, *x, *v, p, t, scale);
                    }
                } else {
                    let before = (place - count) * size;
                    let z = T::split::<S>(&tape.z[before..][..size]).0;
                    for ((((d, b), v), g), z) in sums.zip(g).zip(z) {
                        accumulate(simd, d, b, g, T::abs(simd, *z), *v, p, t, scale);
                    }
                }
            }
            let row = layer * width..(layer + 1) * width;
            for (total, sum) in sums.direction[row.clone()].iter_mut().zip(&direction_sum) {
                *total = T::reduce_sum(simd, *sum).to_f64();
            }
            for (total, sum) in sums.bias[row].iter_mut().zip(&bias_sum) {
                *total = T::reduce_sum(simd, *sum).to_f64();
            }
        }
        block.unpack(lanes, &gradient, input_gradient);
        sums
    }
}

/// Multiplies g by sign(z) in place and returns v.g.
#[inline(always)]
fn signed_dot<T: Element, S: Simd>(simd: S, v: &[T], z: &[T::Lanes<S>], g: &mut [T::Lanes<S>]) -> T::Lanes<S> {
    let zero = T::splat(simd, T::default());
    let mut sums = [zero; 4];
    let (v4, v_rest) = v.as_chunks::<4>();
    let (z4, z_rest) = z.as_chunks::<4>();
    let (g4, g_rest) = g.as_chunks_mut::<4>();
    for ((v, z), g) in v4.iter().zip(z4).zip(g4) {
        for (((sum, v), z), g) in sums.iter_mut().zip(v).zip(z).zip(g) {
            *g = T::mul_sign(simd, *g, *z);
            *sum = T::mul_add(simd, T::splat(simd, *v), *g, *sum);
        }
    }
    for ((v, z), g) in v_rest.iter().zip(z_rest).zip(g_rest) {
        *g = T::mul_sign(simd, *g, *z);
        sums[0] = T::mul_add(simd, T::splat(simd, *v), *g, sums[0]);
    }
    let [a, b, c, d] = sums;
    T::plus(simd, T::plus(simd, a, b), T::plus(simd, c, d))
}

/// One entry of one panel: adds t x + p g and g to the sums, and turns g into dL/dx = g + scale v.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "registers of one inner loop; a struct would only rename them")]
fn accumulate<T: Element, S: Simd>(
    simd: S,
    direction_sum: &mut T::Lanes<S>,
    bias_sum: &mut T::Lanes<S>,
    g: &mut T::Lanes<S>,
    x: T::Lanes<S>,
    v: T,
    p: T::Lanes<S>,
    t: T::Lanes<S>,
    scale: T::Lanes<S>,
) {
    *direction_sum = T::mul_add(simd, t, x, T::mul_add(simd, p, *g, *direction_sum));
    *bias_sum = T::plus(simd, *bias_sum, *g);
    *g = T::mul_add(simd, scale, T::splat(simd, v), *g);
}
