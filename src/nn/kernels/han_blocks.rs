//! A run of Han blocks on `[batch, tokens, channels]`: two Han-layers along the tokens of every channel, then two along
//! the channels of every token (Yu and Zhang 2024, the mixer experiment), fused over all blocks.
//!
//! A sample stays in cache through all its layers and is passed over twice a block: a pass ends one layer along tokens
//! and begins the next, and all work along channels happens on a row at hand.
//!
//! A Han-layer can be undone: from y = |z| and the sign of z follow z, z - b and x = H (z - b). So the tape holds the
//! signs alone, one byte for each entry and layer instead of a float, and the backward pass rebuilds x layer by layer
//! from the output. The reflections neither shrink nor stretch, so that rounding does not grow. With q = v.(z - b), and
//! g = dL/dy sign(z), t = v.g:
//!
//! ```text
//! x = (z - b) - 2 q v      p = v.x = -q      dL/dx = g - 2 t v      dL/dv = -2 sum (t x + p g)      dL/db = sum g
//! ```

use super::dispatch::vectorized;
use super::han::{Record, Stack};
use super::lanes::Element;
use super::pieces;
use super::rows::{dot, sum};
use pulp::Simd;

/// Sizes of one pass.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Samples.
    pub batch: usize,
    /// Tokens of a sample.
    pub tokens: usize,
    /// Channels of a token.
    pub channels: usize,
}

/// Layers of a block along one axis.
pub const ALONG: usize = 2;

/// The layers of all blocks, along tokens and along channels: rows `ALONG i` and `ALONG i + 1` belong to block i.
#[derive(Debug)]
pub struct Blocks<T> {
    /// `[ALONG blocks, tokens]`
    pub tokens: Stack<T>,
    /// `[ALONG blocks, channels]`
    pub channels: Stack<T>,
}

/// Signs of z: of every sample, `[blocks, 2 ALONG, tokens, channels]`.
#[derive(Debug)]
pub struct Tape(Vec<i8>);

impl Shape {
    fn sample(&self) -> usize {
        self.tokens * self.channels
    }
}

impl<T: Element> Blocks<T> {
    fn count(&self) -> usize {
        self.tokens.depth() / ALONG
    }
}

/// y, and the signs if they are wanted.
pub fn forward<T: Element>(shape: Shape, blocks: &Blocks<T>, x: &[T], record: Record) -> (Vec<T>, Tape) {
    let mut y = x.to_vec();
    let signs = match record {
        Record::Tape => x.len() * 2 * ALONG * blocks.count(),
        Record::Nothing => 0,
    };
    let mut signs = vec![0; signs];
    let parts: Vec<_> = {
        let mut kept = pieces::parts_mut(&mut signs, shape.batch);
        pieces::parts_mut(&mut y, shape.batch).map(|y| (y, kept.next())).collect()
    };
    pieces::each(parts, |(y, mut kept)| {
        for (place, x) in y.chunks_exact_mut(shape.sample()).enumerate() {
            let len = x.len() * 2 * ALONG * blocks.count();
            forward_sample(shape, blocks, x, kept.as_deref_mut().map(|kept| &mut kept[place * len..][..len]));
        }
    });
    (y, Tape(signs))
}

/// Gradients of x and, for both stacks, of its directions and biases.
#[derive(Debug)]
pub struct Gradients<T> {
    /// `[batch, tokens, channels]`
    pub input: Vec<T>,
    /// dL/du along tokens, along channels
    pub directions: [Vec<T>; 2],
    /// dL/db along tokens, along channels
    pub biases: [Vec<T>; 2],
}

/// Backward pass from `output`, which the forward pass returned.
pub fn backward<T: Element>(
    shape: Shape,
    blocks: &Blocks<T>,
    output: &[T],
    tape: &Tape,
    gradient: &[T],
) -> Gradients<T> {
    let mut input = gradient.to_vec();
    let len = shape.sample() * 2 * ALONG * blocks.count();
    let work = pieces::ranges(shape.batch).into_iter().zip(pieces::parts_mut(&mut input, shape.batch));
    let sums = pieces::each(work, |(range, g)| {
        let mut sums = Sums::zeros(blocks);
        let mut y = Vec::new();
        for (sample, g) in range.zip(g.chunks_exact_mut(shape.sample())) {
            y.clear();
            y.extend_from_slice(&output[sample * shape.sample()..][..shape.sample()]);
            backward_sample(shape, blocks, &mut y, &tape.0[sample * len..][..len], g, &mut sums);
        }
        sums
    });
    let part = |stack: &Stack<T>, pick: fn(Sums<T>) -> Vec<T>| -> Vec<f64> {
        let parts = sums.iter().cloned().map(pick);
        pieces::total(stack.len(), parts.map(|part| part.into_iter().map(T::to_f64).collect::<Vec<f64>>()))
    };
    let narrow = |sums: Vec<f64>| -> Vec<T> { sums.into_iter().map(T::from_f64).collect() };
    let (of_tokens, of_channels) = (&blocks.tokens, &blocks.channels);
    let (mut tokens, mut channels) = (part(of_tokens, |sums| sums.tokens.0), part(of_channels, |sums| sums.channels.0));
    blocks.tokens.project(&mut tokens);
    blocks.channels.project(&mut channels);
    let biases = [part(of_tokens, |sums| sums.tokens.1), part(of_channels, |sums| sums.channels.1)].map(narrow);
    Gradients { input, directions: [narrow(tokens), narrow(channels)], biases }
}

/// Sums over samples of (t x + p g) and of g, `[ALONG blocks, width]` each.
#[derive(Debug, Clone)]
struct Sums<T> {
    tokens: (Vec<T>, Vec<T>),
    channels: (Vec<T>, Vec<T>),
}

impl<T: Element> Sums<T> {
    fn zeros(blocks: &Blocks<T>) -> Self {
        let of = |stack: &Stack<T>| (vec![T::default(); stack.len()], vec![T::default(); stack.len()]);
        Self { tokens: of(&blocks.tokens), channels: of(&blocks.channels) }
    }

    /// Of one entry of the layers along tokens.
    #[inline(always)]
    fn tokens_at(&mut self, place: usize) -> [&mut T; 2] {
        [&mut self.tokens.0[place], &mut self.tokens.1[place]]
    }
}

#[inline(always)]
fn sign<T: Element>(z: T) -> i8 {
    i8::from(z > T::default()) - i8::from(z < T::default())
}

#[inline(always)]
fn magnitude<T: Element>(z: T) -> T {
    if z < T::default() { T::default() - z } else { z }
}

/// y = |x + scale v + b| with one scale a column, written over a row of x.
#[inline(always)]
fn reflect_along_tokens<T: Element>(x: &mut [T], scale: &[T], v: T, b: T, signs: Option<&mut [i8]>) {
    match signs {
        Some(signs) => {
            for ((x, scale), sign_of_z) in x.iter_mut().zip(scale).zip(signs) {
                let z = *x + *scale * v + b;
                *sign_of_z = sign(z);
                *x = magnitude(z);
            }
        }
        None => x.iter_mut().zip(scale).for_each(|(x, scale)| *x = magnitude(*x + *scale * v + b)),
    }
}

/// A whole layer along channels, over a row of x.
#[inline(always)]
fn reflect_along_channels<T: Element, S: Simd>(simd: S, x: &mut [T], v: &[T], b: &[T], signs: Option<&mut [i8]>) {
    let scale = T::from_f64(-2.0) * dot(simd, v, x);
    match signs {
        Some(signs) => {
            for (((x, v), b), sign_of_z) in x.iter_mut().zip(v).zip(b).zip(signs) {
                let z = *x + scale * *v + *b;
                *sign_of_z = sign(z);
                *x = magnitude(z);
            }
        }
        None => x.iter_mut().zip(v).zip(b).for_each(|((x, v), b)| *x = magnitude(*x + scale * *v + *b)),
    }
}

vectorized! {
    fn forward_sample<T: Element>(@simd; shape: Shape, blocks: &Blocks<T>, x: &mut [T], signs: Option<&mut [i8]>) {
        let (Shape { tokens, channels, .. }, mut signs) = (shape, signs);
        let layer = x.len();
        let minus_two = T::from_f64(-2.0);
        // v.x of every channel, for the layer along tokens that is next.
        let [mut along, mut next] = [(); 2].map(|()| vec![T::default(); channels]);
        let v = blocks.tokens.unit(0);
        for (x, v) in x.chunks_exact(channels).zip(v) {
            along.iter_mut().zip(x).for_each(|(along, x)| *along += *v * *x);
        }
        for block in 0..blocks.count() {
            let [one, two] = [ALONG * block, ALONG * block + 1];
            let mut signs = signs.as_deref_mut().map(|signs| &mut signs[block * 2 * ALONG * layer..][..2 * ALONG * layer]);
            along.iter_mut().for_each(|along| *along *= minus_two);
            next.fill(T::default());
            for token in 0..tokens {
                let x = &mut x[token * channels..][..channels];
                let signs = signs.as_deref_mut().map(|signs| &mut signs[token * channels..][..channels]);
                reflect_along_tokens(x, &along, blocks.tokens.unit(one)[token], blocks.tokens.bias(one)[token], signs);
                let v = blocks.tokens.unit(two)[token];
                next.iter_mut().zip(x).for_each(|(next, x)| *next += v * *x);
            }
            std::mem::swap(&mut along, &mut next);
            along.iter_mut().for_each(|along| *along *= minus_two);
            next.fill(T::default());
            let following = (block + 1 < blocks.count()).then(|| blocks.tokens.unit(two + 1));
            for token in 0..tokens {
                let x = &mut x[token * channels..][..channels];
                let (v, b) = (blocks.tokens.unit(two)[token], blocks.tokens.bias(two)[token]);
                let place = |of_block: usize| of_block * layer + token * channels..of_block * layer + (token + 1) * channels;
                reflect_along_tokens(x, &along, v, b, signs.as_deref_mut().map(|signs| &mut signs[place(1)]));
                for (of_block, row) in [(2, one), (3, two)] {
                    let signs = signs.as_deref_mut().map(|signs| &mut signs[place(of_block)]);
                    reflect_along_channels(simd, x, blocks.channels.unit(row), blocks.channels.bias(row), signs);
                }
                if let Some(v) = following {
                    next.iter_mut().zip(x).for_each(|(next, x)| *next += v[token] * *x);
                }
            }
            std::mem::swap(&mut along, &mut next);
        }
    }

    /// `y` goes back to the sample's input, `g` to its gradient.
    fn backward_sample<T: Element>(
        @simd;
        shape: Shape,
        blocks: &Blocks<T>,
        y: &mut [T],
        signs: &[i8],
        g: &mut [T],
        sums: &mut Sums<T>,
    ) {
        let Shape { tokens, channels, .. } = shape;
        let layer = y.len();
        // q and t of every channel for two layers along tokens.
        let [mut q, mut t, mut next_q, mut next_t] = [(); 4].map(|()| vec![T::default(); channels]);
        for block in (0..blocks.count()).rev() {
            let [one, two] = [ALONG * block, ALONG * block + 1];
            let signs = &signs[block * 2 * ALONG * layer..][..2 * ALONG * layer];
            q.fill(T::default());
            t.fill(T::default());
            for token in 0..tokens {
                let place = token * channels;
                let (y, g) = (&mut y[place..][..channels], &mut g[place..][..channels]);
                undo_along_channels(simd, y, g, &signs[3 * layer + place..][..channels], &blocks.channels, two, &mut sums.channels);
                undo_along_channels(simd, y, g, &signs[2 * layer + place..][..channels], &blocks.channels, one, &mut sums.channels);
                let (v, b) = (blocks.tokens.unit(two)[token], blocks.tokens.bias(two)[token]);
                begin_undo(y, g, &signs[layer + place..][..channels], v, b, &mut q, &mut t);
            }
            next_q.fill(T::default());
            next_t.fill(T::default());
            for token in 0..tokens {
                let place = token * channels;
                let (y, g) = (&mut y[place..][..channels], &mut g[place..][..channels]);
                let sums = sums.tokens_at(two * tokens + token);
                end_undo(simd, y, g, &q, &t, blocks.tokens.unit(two)[token], sums);
                let (v, b) = (blocks.tokens.unit(one)[token], blocks.tokens.bias(one)[token]);
                begin_undo(y, g, &signs[place..][..channels], v, b, &mut next_q, &mut next_t);
            }
            std::mem::swap(&mut q, &mut next_q);
            std::mem::swap(&mut t, &mut next_t);
            for token in 0..tokens {
                let place = token * channels;
                let (y, g) = (&mut y[place..][..channels], &mut g[place..][..channels]);
                let sums = sums.tokens_at(one * tokens + token);
                end_undo(simd, y, g, &q, &t, blocks.tokens.unit(one)[token], sums);
            }
        }
    }
}

// Loops over many slices stay scalar: the compiler would have to prove each written one apart from all others. So there
// are more loops here than the formulas need, each over few slices; the rows are in the first-level cache.

/// y to z - b and g to dL/dz for a token's row, and the row's share of q and t.
#[inline(always)]
fn begin_undo<T: Element>(y: &mut [T], g: &mut [T], signs: &[i8], v: T, b: T, q: &mut [T], t: &mut [T]) {
    apply_signs(y, signs);
    y.iter_mut().for_each(|y| *y -= b);
    apply_signs(g, signs);
    add_multiple(q, v, y);
    add_multiple(t, v, g);
}

/// z - b to x and dL/dz to dL/dx for a token's row, which adds one entry to each sum.
#[inline(always)]
fn end_undo<T: Element, S: Simd>(
    simd: S,
    y: &mut [T],
    g: &mut [T],
    q: &[T],
    t: &[T],
    v: T,
    [of_direction, of_bias]: [&mut T; 2],
) {
    let minus_two_v = T::from_f64(-2.0) * v;
    add_multiple(y, minus_two_v, q);
    *of_direction += dot(simd, t, y) - dot(simd, q, g);
    *of_bias += sum(simd, g);
    add_multiple(g, minus_two_v, t);
}

/// Undoes a layer along channels on a row.
#[inline(always)]
fn undo_along_channels<T: Element, S: Simd>(
    simd: S,
    y: &mut [T],
    g: &mut [T],
    signs: &[i8],
    stack: &Stack<T>,
    layer: usize,
    sums: &mut (Vec<T>, Vec<T>),
) {
    let (v, b) = (stack.unit(layer), stack.bias(layer));
    let place = layer * v.len()..(layer + 1) * v.len();
    let (of_direction, of_bias) = (&mut sums.0[place.clone()], &mut sums.1[place]);
    apply_signs(y, signs);
    y.iter_mut().zip(b).for_each(|(y, b)| *y -= *b);
    apply_signs(g, signs);
    let (q, t) = (dot(simd, v, y), dot(simd, v, g));
    let minus_two = T::from_f64(-2.0);
    add_multiple(y, minus_two * q, v);
    add_multiple(of_direction, t, y);
    add_multiple(of_direction, T::default() - q, g);
    of_bias.iter_mut().zip(g.iter()).for_each(|(sum, g)| *sum += *g);
    add_multiple(g, minus_two * t, v);
}

#[inline(always)]
fn apply_signs<T: Element>(values: &mut [T], signs: &[i8]) {
    values.iter_mut().zip(signs).for_each(|(value, sign)| *value *= T::of_i8(*sign));
}

/// y += a x
#[inline(always)]
fn add_multiple<T: Element>(y: &mut [T], a: T, x: &[T]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y += a * *x);
}
