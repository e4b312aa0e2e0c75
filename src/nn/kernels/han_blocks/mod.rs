//! A run of Han blocks on `[batch, tokens, channels]`: two Han-layers along the tokens of every channel, then two along
//! the channels of every token (Yu and Zhang 2024, the mixer experiment), fused over all blocks.
//!
//! A sample stays in cache through all its layers and is passed over twice a block: a pass ends one layer along tokens
//! and begins the next, and all work along channels happens on a row at hand.
//!
//! A Han-layer can be undone: from y = |z| and the sign of z follow z, z - b and x = H (z - b). So the tape holds the
//! signs alone, one bit for each entry and layer instead of a float (`signs.rs`), and the backward pass rebuilds x layer by layer
//! from the output. The reflections neither shrink nor stretch, so that rounding does not grow. With q = v.(z - b), and
//! g = dL/dy sign(z), t = v.g:
//!
//! ```text
//! x = (z - b) - 2 q v      p = v.x = -q      dL/dx = g - 2 t v      dL/dv = -2 sum (t x + p g)      dL/db = sum g
//! ```
//!
//! Channels are in the vector lanes, and a few tokens go together (`layout.rs`). `apply.rs` goes forward, `undo.rs` back; a pass
//! over a row ends one layer and forms the dot products of the next (`dots.rs`).

mod apply;
mod dots;
mod layout;
mod signs;
mod undo;

use super::han::{Record, Stack};
use super::lanes::Element;
use super::pieces;
use signs::Signs;

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

impl Shape {
    fn sample(&self) -> usize {
        self.tokens * self.channels
    }
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

impl<T: Element> Blocks<T> {
    /// Along both axes.
    fn layers(&self) -> usize {
        self.tokens.depth() + self.channels.depth()
    }
}

/// Signs of z, of every piece of the batch.
#[derive(Debug)]
pub struct Tape<T: Element>(Vec<Signs<T>>);

/// y, and the signs if they are wanted.
pub fn forward<T: Element>(shape: Shape, blocks: &Blocks<T>, x: &[T], record: Record) -> (Vec<T>, Tape<T>) {
    let mut y = x.to_vec();
    let signs = pieces::each(pieces::parts_mut(&mut y, shape.batch), |y| apply::forward(shape, blocks, y, record));
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
    tape: &Tape<T>,
    gradient: &[T],
) -> Gradients<T> {
    let mut input = gradient.to_vec();
    let work = pieces::ranges(shape.batch).into_iter().zip(pieces::parts_mut(&mut input, shape.batch)).zip(&tape.0);
    let sums = pieces::each(work, |((samples, g), signs)| {
        let output = &output[samples.start * shape.sample()..samples.end * shape.sample()];
        undo::backward(shape, blocks, output, signs, g)
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
