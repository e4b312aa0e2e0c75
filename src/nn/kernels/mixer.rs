//! Mixer blocks (Tolstikhin et al. 2021), one after the other, on `[batch, tokens, channels]`:
//!
//! ```text
//! x = x + W2 gelu(W1 LN(x) + b1) + b2        along the tokens of every channel
//! x = x + gelu(LN(x) W1^T + b1) W2^T + b2    along the channels of every token
//! ```
//!
//! A few samples go through all blocks while they are in cache. Mixing tokens multiplies from the left, so that nothing
//! is transposed. The backward pass computes normalised values and activations again from what it finds on the tape: the
//! input of every half and W1 LN(x) + b1.

use super::dispatch::vectorized;
use super::gelu;
use super::han::Record;
use super::lanes::Element;
use super::layer_norm::{self, Moments};
use super::matmul::{Matrix, serial_matmul, serial_matmul_add, serial_matmul_onto};
use super::pieces;
use std::ops::Range;

/// Sizes of one pass.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Samples.
    pub batch: usize,
    /// Tokens of a sample.
    pub tokens: usize,
    /// Channels of a token.
    pub channels: usize,
    /// Blocks.
    pub blocks: usize,
}

/// What a half mixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mixed {
    Tokens,
    Channels,
}

/// Scalars that are worth keeping in cache from one layer to the next.
const CACHED: usize = 1 << 15;

impl Shape {
    /// Scalars in a sample.
    fn sample(&self) -> usize {
        self.tokens * self.channels
    }

    fn width(&self, mixed: Mixed) -> usize {
        match mixed {
            Mixed::Tokens => self.tokens,
            Mixed::Channels => self.channels,
        }
    }

    /// Parameters of a half that mixes vectors of this width: norm weight and bias, W1, b1, W2, b2.
    fn half(&self, mixed: Mixed) -> usize {
        2 * self.channels + 2 * self.width(mixed) * (self.width(mixed) + 1)
    }

    /// Parameters of a block: the half that mixes tokens, then the one that mixes channels.
    pub fn block(&self) -> usize {
        self.half(Mixed::Tokens) + self.half(Mixed::Channels)
    }

    fn halves(&self) -> Vec<(Mixed, Range<usize>)> {
        let mut halves = Vec::with_capacity(2 * self.blocks);
        let mut start = 0;
        for _ in 0..self.blocks {
            for mixed in [Mixed::Tokens, Mixed::Channels] {
                halves.push((mixed, start..start + self.half(mixed)));
                start += self.half(mixed);
            }
        }
        halves
    }

    /// Samples that go through the blocks together.
    fn step(&self) -> usize {
        (CACHED / self.sample()).max(1)
    }
}

/// The parts of the parameters of a half, or of their gradients.
struct Half<S> {
    norm_weight: S,
    norm_bias: S,
    first: S,
    first_bias: S,
    second: S,
    second_bias: S,
}

macro_rules! split_half {
    ($name:ident, $slice:ty, $split:ident) => {
        fn $name<T>(parameters: $slice, channels: usize, width: usize) -> Half<$slice> {
            let (norm_weight, rest) = parameters.$split(channels);
            let (norm_bias, rest) = rest.$split(channels);
            let (first, rest) = rest.$split(width * width);
            let (first_bias, rest) = rest.$split(width);
            let (second, second_bias) = rest.$split(width * width);
            Half { norm_weight, norm_bias, first, first_bias, second, second_bias }
        }
    };
}

split_half!(half_of, &[T], split_at);
split_half!(half_of_mut, &mut [T], split_at_mut);

/// What the forward pass keeps of a half, of the samples that went through together.
#[derive(Debug)]
struct Visit<T> {
    /// Its input, `[samples, tokens, channels]`.
    x: Vec<T>,
    /// W1 LN(x) + b1, likewise.
    z: Vec<T>,
    /// Of every row of x.
    moments: Vec<Moments<T>>,
}

/// What the forward pass keeps: pieces of the batch, samples that went together, halves.
#[derive(Debug)]
pub struct Tape<T>(Vec<Vec<Vec<Visit<T>>>>);

/// A transposed copy of the weights of halves that mix channels: row-major right operands are multiplied faster.
struct Transposed<T> {
    first: Vec<T>,
    second: Vec<T>,
}

/// y, and the tape if it is wanted.
pub fn forward<T: Element>(shape: Shape, x: &[T], parameters: &[T], record: Record) -> (Vec<T>, Tape<T>) {
    let halves = shape.halves();
    let transposed = halves.iter().map(|(mixed, place)| {
        let half = half_of(&parameters[place.clone()], shape.channels, shape.width(*mixed));
        let copy = |weight: &[T]| match mixed {
            Mixed::Tokens => Vec::new(),
            Mixed::Channels => transpose(weight, shape.channels),
        };
        Transposed { first: copy(half.first), second: copy(half.second) }
    });
    let transposed: Vec<Transposed<T>> = transposed.collect();
    let mut y = x.to_vec();
    let parts = pieces::parts_mut(&mut y, shape.batch);
    let tape = pieces::each(parts, |part: &mut [T]| {
        // Normalised values, then activations: nobody keeps them.
        let mut n = vec![T::default(); part.len().min(shape.step() * shape.sample())];
        let visits = part.chunks_mut(shape.step() * shape.sample()).map(|entries| {
            let mut visits = Vec::with_capacity(if record == Record::Tape { halves.len() } else { 0 });
            let mut x = entries.to_vec();
            for ((mixed, place), transposed) in halves.iter().zip(&transposed) {
                let half = half_of(&parameters[place.clone()], shape.channels, shape.width(*mixed));
                let (y, visit) = forward_half(shape, *mixed, &half, transposed, x, &mut n);
                if record == Record::Tape {
                    visits.push(visit);
                }
                x = y;
            }
            entries.copy_from_slice(&x);
            visits
        });
        visits.collect::<Vec<_>>()
    });
    (y, Tape(tape))
}

fn transpose<T: Element>(weight: &[T], width: usize) -> Vec<T> {
    let mut transposed = vec![T::default(); weight.len()];
    for (row, values) in weight.chunks_exact(width).enumerate() {
        transposed[row..].iter_mut().step_by(width).zip(values).for_each(|(to, from)| *to = *from);
    }
    transposed
}

/// The half's output, and what its backward pass needs. `scratch` has room for the samples.
fn forward_half<T: Element>(
    shape: Shape,
    mixed: Mixed,
    half: &Half<&[T]>,
    transposed: &Transposed<T>,
    x: Vec<T>,
    scratch: &mut [T],
) -> (Vec<T>, Visit<T>) {
    let Shape { tokens, channels, .. } = shape;
    let rows = x.len() / channels;
    let n = &mut scratch[..x.len()];
    let [mut y, mut z] = [(); 2].map(|()| Vec::with_capacity(x.len()));
    let mut moments = vec![Moments::default(); rows];
    layer_norm::measure(&x, &mut moments);
    layer_norm::normalise(&x, &moments, half.norm_weight, half.norm_bias, n);
    match mixed {
        Mixed::Tokens => {
            let [first, second] = [half.first, half.second].map(|weight| Matrix::new(weight, tokens, tokens));
            for n in samples(n, shape) {
                serial_matmul_onto(first, Matrix::new(n, tokens, channels), &mut z);
            }
            gelu::after_column_bias(&mut z, channels, half.first_bias, n);
            append_with_column_bias(&x, channels, half.second_bias, &mut y);
            for (h, y) in samples(n, shape).zip(y.chunks_exact_mut(shape.sample())) {
                serial_matmul_add(second, Matrix::new(h, tokens, channels), y);
            }
        }
        Mixed::Channels => {
            let weights = [&transposed.first, &transposed.second];
            let [first, second] = weights.map(|weight| Matrix::new(weight, channels, channels));
            serial_matmul_onto(Matrix::new(n, rows, channels), first, &mut z);
            gelu::after_row_bias(&mut z, half.first_bias, n);
            append_with_row_bias(&x, half.second_bias, &mut y);
            serial_matmul_add(Matrix::new(n, rows, channels), second, &mut y);
        }
    }
    (y, Visit { x, z, moments })
}

/// Rows of `columns` entries.
fn matrix<T>(values: &[T], columns: usize) -> Matrix<'_, T> {
    Matrix::new(values, values.len() / columns, columns)
}

fn samples<T>(values: &[T], shape: Shape) -> std::slice::ChunksExact<'_, T> {
    values.chunks_exact(shape.sample())
}

/// Gradients of x and of the parameters, given that of y.
pub fn backward<T: Element>(shape: Shape, parameters: &[T], tape: &Tape<T>, gradient: &[T]) -> (Vec<T>, Vec<T>) {
    let halves = shape.halves();
    let mut input_gradient = gradient.to_vec();
    let parts = pieces::parts_mut(&mut input_gradient, shape.batch).zip(&tape.0);
    let sums = pieces::each(parts, |(part, kept): (&mut [T], &Vec<Vec<Visit<T>>>)| {
        let mut sums = vec![T::default(); parameters.len()];
        let most = part.len().min(shape.step() * shape.sample());
        let mut scratch = [(); 3].map(|()| vec![T::default(); most]);
        for (g, visits) in part.chunks_mut(shape.step() * shape.sample()).zip(kept) {
            for ((mixed, place), visit) in halves.iter().zip(visits).rev() {
                let width = shape.width(*mixed);
                let half = half_of(&parameters[place.clone()], shape.channels, width);
                let sums = half_of_mut(&mut sums[place.clone()], shape.channels, width);
                backward_half(shape, *mixed, &half, visit, (g, &mut scratch), sums);
            }
        }
        sums
    });
    (input_gradient, pieces::total(parameters.len(), sums))
}

/// Turns the gradient `g` of the half's output into that of its input, and adds to the sums.
fn backward_half<T: Element>(
    shape: Shape,
    mixed: Mixed,
    half: &Half<&[T]>,
    seen: &Visit<T>,
    (g, scratch): (&mut [T], &mut [Vec<T>; 3]),
    sums: Half<&mut [T]>,
) {
    let Shape { tokens, channels, .. } = shape;
    let [n, dz, slope] = scratch.each_mut().map(|scratch| &mut scratch[..g.len()]);
    gelu::value_and_slope(&seen.z, n, slope);
    match mixed {
        Mixed::Tokens => {
            let [first, second] = [half.first, half.second].map(|weight| Matrix::new(weight, tokens, tokens));
            for ((g, h), dz) in samples(g, shape).zip(samples(n, shape)).zip(dz.chunks_exact_mut(shape.sample())) {
                serial_matmul_add(matrix(g, channels), matrix(h, channels).transposed(), sums.second);
                serial_matmul(second.transposed(), matrix(g, channels), dz);
                add_row_sums(g, channels, sums.second_bias);
            }
            dz.iter_mut().zip(&*slope).for_each(|(dz, slope)| *dz *= *slope);
            layer_norm::normalise(&seen.x, &seen.moments, half.norm_weight, half.norm_bias, n);
            for ((dz, n), dn) in samples(dz, shape).zip(samples(n, shape)).zip(slope.chunks_exact_mut(shape.sample())) {
                serial_matmul_add(matrix(dz, channels), matrix(n, channels).transposed(), sums.first);
                serial_matmul(first.transposed(), matrix(dz, channels), dn);
                add_row_sums(dz, channels, sums.first_bias);
            }
        }
        Mixed::Channels => {
            let [first, second] = [half.first, half.second].map(|weight| Matrix::new(weight, channels, channels));
            serial_matmul_add(matrix(g, channels).transposed(), matrix(n, channels), sums.second);
            serial_matmul(matrix(g, channels), second, dz);
            add_column_sums(g, sums.second_bias);
            dz.iter_mut().zip(&*slope).for_each(|(dz, slope)| *dz *= *slope);
            layer_norm::normalise(&seen.x, &seen.moments, half.norm_weight, half.norm_bias, n);
            serial_matmul_add(matrix(dz, channels).transposed(), matrix(n, channels), sums.first);
            serial_matmul(matrix(dz, channels), first, slope);
            add_column_sums(dz, sums.first_bias);
        }
    }
    let (dn, Half { norm_weight, norm_bias, .. }) = (&*slope, sums);
    layer_norm::add_backward(&seen.x, &seen.moments, half.norm_weight, dn, g, norm_weight, norm_bias);
}

vectorized! {
    fn append_with_row_bias<T: Element>(x: &[T], bias: &[T], y: &mut Vec<T>) {
        for x in x.chunks_exact(bias.len()) {
            y.extend(x.iter().zip(bias).map(|(x, b)| *x + *b));
        }
    }

    /// With one bias for all of a row, the biases repeating after `bias.len()` rows.
    fn append_with_column_bias<T: Element>(x: &[T], columns: usize, bias: &[T], y: &mut Vec<T>) {
        for (x, b) in x.chunks_exact(columns).zip(bias.iter().cycle()) {
            y.extend(x.iter().map(|x| *x + *b));
        }
    }

    fn add_column_sums<T: Element>(matrix: &[T], sums: &mut [T]) {
        for row in matrix.chunks_exact(sums.len()) {
            sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += *value);
        }
    }

    fn add_row_sums<T: Element>(@simd; matrix: &[T], columns: usize, sums: &mut [T]) {
        for (row, sum) in matrix.chunks_exact(columns).zip(sums) {
            *sum += super::rows::sum(simd, row);
        }
    }
}
