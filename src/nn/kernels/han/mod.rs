//! Forward and backward pass of a stack of Han-layers, fused over its layers.
//!
//! With the unit vector v = u / |u| a layer is z = x - 2 (v.x) v + b, y = |z| (Yu and Zhang 2024, Section 2). Given
//! dL/dy and g = dL/dz = dL/dy * sign(z), p = v.x and t = v.g:
//!
//! ```text
//! dL/dx = g - 2 t v          dL/db = sum g          dL/dv = -2 sum (t x + p g)
//! dL/du = (dL/dv - (v . dL/dv) v) / |u|
//! ```
//!
//! A layer can be undone: from y = |z| and the sign of z follow z and x = H (z - b). So the forward pass keeps one bit for
//! each entry and layer (`signs.rs`), and the backward pass starts from the output and rebuilds x layer by layer:
//!
//! ```text
//! z = +-y          p = v.x = -v.(z - b)          x = (z - b) + 2 p v
//! ```
//!
//! Reflections neither shrink nor stretch, so that rounding adds up and does not grow. dL/dx and dL/db depend on the signs
//! alone, which are exact; only dL/dv sees the rounding of x.
//!
//! One loop over the layers (`strip.rs`) in two arrangements: [`panel`] puts one sample in each vector lane (the common
//! case: many samples, no horizontal sums, and the token axis needs no transpose), [`row`] puts the width in the lanes
//! (few samples).

mod apply;
mod group;
pub mod panel;
pub mod row;
mod signs;
mod strip;
mod undo;

use super::dense::Wanted;
use super::dispatch::vectorized;
use super::lanes::Element;
use std::borrow::Cow;

/// Where the width of the layer lies in a contiguous tensor seen as `[outer, width, inner]`.
///
/// The last axis of `[batch, width]` is `outer = batch, inner = 1`; the token axis of `[batch, tokens, channels]` is
/// `outer = batch, width = tokens, inner = channels`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Product of the dimensions before the width.
    pub outer: usize,
    /// Length of the vectors that the layer reflects.
    pub width: usize,
    /// Product of the dimensions after the width.
    pub inner: usize,
}

impl Geometry {
    /// Number of vectors of length `width`.
    pub fn samples(&self) -> usize {
        self.outer * self.inner
    }

    /// Offset of a sample's first entry; the following entries are `inner` apart.
    #[inline(always)]
    fn offset(&self, sample: usize) -> usize {
        if self.inner == 1 {
            sample * self.width
        } else {
            (sample / self.inner) * self.width * self.inner + sample % self.inner
        }
    }
}

/// The parameters of `depth` layers of one width, ready for the kernels.
#[derive(Debug)]
pub struct Stack<T> {
    /// `[depth, width]` unit vectors; a zero row stands for the identity.
    unit: Vec<T>,
    /// `[depth]` lengths of the directions before normalisation; 0 where the row is zero.
    length: Vec<f64>,
    bias: Vec<T>,
    depth: usize,
    width: usize,
}

/// Rows whose norms are formed side by side: their sums do not wait for each other.
const NORMS: usize = 4;

vectorized! {
    /// Euclidean norms of rows in double precision, of numbers whose squares may be out of its range.
    pub fn norms<T: Element>(rows: &[T], width: usize) -> Vec<f64> {
        let mut norms = Vec::with_capacity(rows.len() / width);
        let mut squares = vec![0.0; NORMS * width];
        for rows in rows.chunks(NORMS * width) {
            let mut scales = [0.0; NORMS];
            for ((row, scale), squares) in rows.chunks_exact(width).zip(&mut scales).zip(squares.chunks_exact_mut(width)) {
                let largest = largest(row);
                // All zero, or broken: the sum of the entries keeps a NaN that the maximum passes over.
                let is_usual = largest != 0.0 && largest.is_finite();
                *scale = if is_usual { largest } else { f64::NAN };
                for (square, u) in squares.iter_mut().zip(row) {
                    let u = u.to_f64();
                    *square = if is_usual { (u / largest) * (u / largest) } else { u.abs() };
                }
            }
            // Each from the first entry to the last: results have these bits.
            let mut sums = [0.0; NORMS];
            for entry in 0..width {
                (0..NORMS).for_each(|row| sums[row] += squares[row * width + entry]);
            }
            let found = sums.into_iter().zip(scales).take(rows.len() / width);
            norms.extend(found.map(|(sum, scale)| if scale.is_nan() { sum } else { scale * sum.sqrt() }));
        }
        norms
    }
}

/// The largest absolute value, NaN left out.
#[inline(always)]
fn largest<T: Element>(row: &[T]) -> f64 {
    let mut lanes = [0.0; 8];
    for entries in row.chunks(lanes.len()) {
        for (lane, u) in lanes.iter_mut().zip(entries) {
            let size = u.to_f64().abs();
            *lane = if size > *lane { size } else { *lane };
        }
    }
    lanes.into_iter().fold(0.0, f64::max)
}

/// Directions shorter than this are treated as zero: far below any that training makes, far above where squares vanish.
pub const SHORTEST: f64 = 1e-18;

impl<T: Element> Stack<T> {
    /// Normalises `depth` directions of length `width`, each in double precision.
    pub fn new(direction: &[T], bias: &[T], width: usize) -> Self {
        assert_eq!(direction.len(), bias.len(), "directions and biases have the same shape");
        assert_eq!(direction.len() % width, 0, "directions are whole rows");
        let mut unit = Vec::with_capacity(direction.len());
        let mut length = Vec::with_capacity(direction.len() / width);
        for (row, norm) in direction.chunks_exact(width).zip(norms(direction, width)) {
            // NaN stays NaN: a broken parameter must show in the loss, not turn into an identity.
            let zero = norm < SHORTEST;
            let scale = if zero { 0.0 } else { 1.0 / norm };
            unit.extend(row.iter().map(|u| if zero { T::default() } else { T::from_f64(u.to_f64() * scale) }));
            length.push(if zero { 0.0 } else { norm });
        }
        Self { depth: length.len(), unit, length, bias: bias.to_vec(), width }
    }

    /// Number of layers.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// Number of entries of all directions.
    pub(super) fn len(&self) -> usize {
        self.unit.len()
    }

    /// v and b of all layers, `[depth, width]` each, with zeros behind the stack's own width.
    pub(super) fn padded(&self, width: usize) -> [Cow<'_, [T]>; 2] {
        [&self.unit, &self.bias].map(|rows| {
            if width == self.width {
                return Cow::Borrowed(&rows[..]);
            }
            let mut wide = vec![T::default(); self.depth * width];
            for (to, from) in wide.chunks_exact_mut(width).zip(rows.chunks_exact(self.width)) {
                to[..self.width].copy_from_slice(from);
            }
            Cow::Owned(wide)
        })
    }

    /// v of a layer.
    #[inline(always)]
    pub fn unit(&self, layer: usize) -> &[T] {
        &self.unit[layer * self.width..][..self.width]
    }

    /// Turns the sum over samples of (t x + p g) into dL/du, in place.
    pub(super) fn project(&self, sums: &mut [f64]) {
        for (layer, row) in sums.chunks_exact_mut(self.width).enumerate() {
            let unit = &self.unit[layer * self.width..][..self.width];
            if self.length[layer] == 0.0 {
                row.fill(0.0);
                continue;
            }
            let along: f64 = row.iter().zip(unit).map(|(s, v)| s * v.to_f64()).sum();
            let scale = -2.0 / self.length[layer];
            row.iter_mut().zip(unit).for_each(|(s, v)| *s = scale * (*s - along * v.to_f64()));
        }
    }
}

/// What the forward pass keeps for the backward pass, beside its output.
#[derive(Debug)]
pub struct Tape<T: Element> {
    /// Of blocks of samples, in order.
    blocks: Vec<signs::Signs<T>>,
}

impl<T: Element> Tape<T> {
    /// Memory that it takes.
    pub fn bytes(&self) -> usize {
        self.blocks.iter().map(signs::Signs::bytes).sum()
    }
}

/// Whether the forward pass writes a tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record {
    /// Inference: nothing is kept.
    Nothing,
    /// Training: the backward pass will need the signs of z.
    Tape,
}

impl Record {
    /// What those gradients need.
    pub fn for_gradients(wanted: Wanted) -> Self {
        if wanted.input || wanted.parameters { Self::Tape } else { Self::Nothing }
    }
}

/// Gradients of a scalar loss with respect to input and parameters; None where not wanted. That of the input costs little beside those
/// of the parameters, and is always there.
#[derive(Debug)]
pub struct Gradients<T> {
    /// Same layout as the input.
    pub input: Vec<T>,
    /// `[depth, width]`
    pub direction: Option<Vec<T>>,
    /// `[depth, width]`
    pub bias: Option<Vec<T>>,
}

/// Fewest samples for which lanes over samples are better filled than lanes over the width.
const PANEL_SAMPLES: usize = 4;

/// Applies the stack to every sample of `input`.
pub fn forward<T: Element>(
    stack: &Stack<T>,
    geometry: Geometry,
    input: &[T],
    record: Record,
) -> (Vec<T>, Option<Tape<T>>) {
    if geometry.samples() < PANEL_SAMPLES {
        row::forward(stack, geometry, input, record)
    } else {
        panel::forward(stack, geometry, input, record)
    }
}

/// Propagates `output_gradient` back through the pass that returned `output` and `tape`.
pub fn backward<T: Element>(
    stack: &Stack<T>,
    geometry: Geometry,
    output: &[T],
    tape: &Tape<T>,
    output_gradient: &[T],
    wanted: Wanted,
) -> Gradients<T> {
    let (input, mut direction, bias) = if geometry.samples() < PANEL_SAMPLES {
        row::backward(stack, geometry, output, tape, output_gradient)
    } else {
        panel::backward(stack, geometry, output, tape, output_gradient, wanted)
    };
    if !wanted.parameters {
        return Gradients { input, direction: None, bias: None };
    }
    stack.project(&mut direction);
    let narrow = |sums: Vec<f64>| Some(sums.into_iter().map(T::from_f64).collect());
    Gradients { input, direction: narrow(direction), bias: narrow(bias) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::numbers;

    #[test]
    fn a_tape_is_about_a_bit_for_each_entry_and_layer() {
        let (depth, width) = (10, 256);
        let stack = Stack::new(&numbers(depth * width, "u"), &numbers(depth * width, "b"), width);
        for samples in [64, 128] {
            let geometry = Geometry { outer: samples, width, inner: 1 };
            let (_, tape) = forward(&stack, geometry, &numbers(samples * width, "x"), Record::Tape);
            assert_eq!(tape.map(|tape| tape.bytes()), Some(samples * width * depth / 8));
        }
    }

    fn check_the_input_alone<T: Element>() {
        let depth = 3;
        for (width, samples) in [(1, 64), (7, 3), (30, 64), (30, 100), (33, 130), (40, 256)] {
            let typed = |len, name| numbers(len, name).into_iter().map(|x| T::from_f64(x.into())).collect::<Vec<T>>();
            let stack = Stack::new(&typed(depth * width, "u"), &typed(depth * width, "b"), width);
            let geometry = Geometry { outer: samples, width, inner: 1 };
            let [mut x, g] = ["x", "g"].map(|name| typed(samples * width, name));
            // Exact zeros have flags of their own.
            x[..width].fill(T::default());
            let (y, tape) = forward(&stack, geometry, &x, Record::Tape);
            let tape = tape.expect("a tape");
            let [both, alone] = [true, false].map(|parameters| {
                let wanted = Wanted { input: true, parameters };
                backward(&stack, geometry, &y, &tape, &g, wanted)
            });
            assert!(
                both.direction.is_some() && both.bias.is_some() && alone.direction.is_none() && alone.bias.is_none()
            );
            let bits = |values: &[T]| values.iter().map(|value| value.to_f64().to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&both.input), bits(&alone.input), "{samples} samples of {width}");
        }
    }

    #[test]
    fn the_gradient_of_the_input_does_not_depend_on_what_else_is_wanted() {
        check_the_input_alone::<f32>();
        check_the_input_alone::<f64>();
    }

    /// Published results have the bits of one sum from the first entry to the last.
    #[test]
    fn norms_are_those_of_rows_by_themselves() {
        let by_itself = |row: &[f64]| {
            let largest = row.iter().fold(0.0, |largest: f64, u| largest.max(u.abs()));
            if largest == 0.0 || !largest.is_finite() {
                return row.iter().fold(0.0, |sum, u| sum + u.abs());
            }
            largest * row.iter().fold(0.0, |sum, u| sum + (u / largest).powi(2)).sqrt()
        };
        for width in [1, 7, 8, 30, 100] {
            let mut rows: Vec<f64> = numbers(11 * width, "u").into_iter().map(f64::from).collect();
            for (row, factor) in [(1, 0.0), (2, 1e300), (4, 1e-300), (5, f64::INFINITY)] {
                rows[row * width..][..width].iter_mut().for_each(|u| *u *= factor);
            }
            rows[3 * width] = f64::NAN;
            let expected = rows.chunks_exact(width).map(by_itself);
            let bits = |norm: f64| if norm.is_nan() { u64::MAX } else { norm.to_bits() };
            let found: Vec<_> = norms(&rows, width).into_iter().map(bits).collect();
            assert_eq!(found, expected.map(bits).collect::<Vec<_>>(), "rows of {width}");
        }
    }

    #[test]
    fn inference_keeps_no_tape() {
        let stack = Stack::new(&numbers(50, "u"), &numbers(50, "b"), 10);
        for samples in [1, 40] {
            let geometry = Geometry { outer: samples, width: 10, inner: 1 };
            assert!(forward(&stack, geometry, &numbers(samples * 10, "x"), Record::Nothing).1.is_none());
        }
    }

    #[test]
    fn exact_zeros_cost_another_bit() {
        let (depth, width, samples) = (10, 64, 64);
        let stack = Stack::new(&numbers(depth * width, "u"), &vec![0.0; depth * width], width);
        let geometry = Geometry { outer: samples, width, inner: 1 };
        let (_, tape) = forward(&stack, geometry, &vec![0.0; samples * width], Record::Tape);
        let bits = tape.map_or(0, |tape| 8 * tape.bytes());
        assert!(bits < 3 * samples * width * depth, "{bits} bits");
    }
}
