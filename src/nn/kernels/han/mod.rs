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

/// Euclidean norm in double precision, of numbers whose squares may be out of its range.
pub fn norm<T: Element>(row: &[T]) -> f64 {
    let largest = row.iter().map(|u| u.to_f64().abs()).fold(0.0, f64::max);
    if largest == 0.0 || !largest.is_finite() {
        // All zero, or broken: the sum of the entries keeps a NaN that the maximum passes over.
        return row.iter().map(|u| u.to_f64().abs()).sum();
    }
    largest * row.iter().map(|u| (u.to_f64() / largest).powi(2)).sum::<f64>().sqrt()
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
        for row in direction.chunks_exact(width) {
            let norm = norm(row);
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

/// Gradients of a scalar loss with respect to input, directions and biases.
#[derive(Debug)]
pub struct Gradients<T> {
    /// Same layout as the input.
    pub input: Vec<T>,
    /// `[depth, width]`
    pub direction: Vec<T>,
    /// `[depth, width]`
    pub bias: Vec<T>,
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
) -> Gradients<T> {
    let (input, mut direction, bias) = if geometry.samples() < PANEL_SAMPLES {
        row::backward(stack, geometry, output, tape, output_gradient)
    } else {
        panel::backward(stack, geometry, output, tape, output_gradient)
    };
    stack.project(&mut direction);
    let narrow = |sums: Vec<f64>| sums.into_iter().map(T::from_f64).collect();
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
