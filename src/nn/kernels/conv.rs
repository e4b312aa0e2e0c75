//! Convolution with a square kernel over `[batch, height, width, channels]`, as products of matrices: a sample is
//! unfolded into rows, one for each output position, that hold the window it sees.
//!
//! Channels last, a window's row of pixels is one contiguous run of memory, and the result needs no transpose.

use super::dispatch::vectorized;
use super::lanes::Element;
use super::matmul::{Matrix, serial_matmul, serial_matmul_add, serial_matmul_onto};
use super::pieces;

/// Sizes of one pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Samples.
    pub batch: usize,
    /// Rows of the input.
    pub height: usize,
    /// Columns of the input.
    pub width: usize,
    /// Channels of the input.
    pub inputs: usize,
    /// Channels of the output.
    pub outputs: usize,
    /// Edge of the kernel.
    pub kernel: usize,
    /// Pixels from one window to the next.
    pub stride: usize,
    /// Rows and columns of zeros around the input.
    pub padding: usize,
}

impl Shape {
    /// Rows and columns of the output.
    pub fn output_size(&self) -> (usize, usize) {
        let along = |extent: usize| (extent + 2 * self.padding - self.kernel) / self.stride + 1;
        (along(self.height), along(self.width))
    }

    /// Output positions of a sample.
    pub fn positions(&self) -> usize {
        let (rows, columns) = self.output_size();
        rows * columns
    }

    /// Scalars of a window.
    pub fn window(&self) -> usize {
        self.kernel * self.kernel * self.inputs
    }

    /// Scalars of an input sample.
    fn input(&self) -> usize {
        self.height * self.width * self.inputs
    }

    /// Rows of all windows, and scalars of each.
    pub fn unfolded(&self) -> (usize, usize) {
        (self.batch * self.positions(), self.window())
    }

    /// Whether every window is a pixel by itself, so that the input is its own unfolding.
    pub fn is_pointwise(&self) -> bool {
        self.kernel == 1 && self.stride == 1 && self.padding == 0
    }

    /// Calls `each` for all runs of memory that the input and its unfolding share.
    #[inline(always)]
    fn runs(&self, mut each: impl FnMut(Runs)) {
        let &Self { kernel, stride, padding, width, inputs, .. } = self;
        let (rows, columns) = self.output_size();
        // Positions of a row whose windows lie inside the input from left to right.
        let first = padding.div_ceil(stride).min(columns);
        let end = (width + padding).checked_sub(kernel).map_or(0, |left| left / stride + 1).clamp(first, columns);
        for row in 0..rows {
            for ky in 0..kernel {
                let Some(y) = (row * stride + ky).checked_sub(padding).filter(|y| *y < self.height) else {
                    continue;
                };
                let mut column = 0;
                while column < columns {
                    let count = if column == first && first < end { end - first } else { 1 };
                    let left = column * stride;
                    let from = padding.saturating_sub(left);
                    let to = kernel.min((width + padding).saturating_sub(left));
                    if from < to {
                        let unfolded = ((row * columns + column) * kernel + ky) * kernel + from;
                        let input = y * width + left + from - padding;
                        let len = (to - from) * inputs;
                        each(Runs { unfolded: unfolded * inputs, input: input * inputs, len, count });
                    }
                    column += count;
                }
            }
        }
    }
}

/// Runs of equal length, one for each of some neighbouring output positions: [`Shape::window`] apart in the unfolding, and a step of
/// the convolution in the input.
#[derive(Clone, Copy)]
struct Runs {
    /// Where the first begins in the unfolding.
    unfolded: usize,
    /// And in the input.
    input: usize,
    /// Scalars in each.
    len: usize,
    count: usize,
}

impl Runs {
    /// Where each begins, in the unfolding and in the input.
    #[inline(always)]
    fn starts(self, shape: Shape) -> impl Iterator<Item = (usize, usize)> {
        let (unfolded, input) = (shape.window(), shape.stride * shape.inputs);
        (0..self.count).map(move |place| (self.unfolded + place * unfolded, self.input + place * input))
    }
}

/// A sample as rows of windows. Where a window reaches over the edge, `rows` has to be 0 already; it stays so.
fn unfold<T: Element>(shape: Shape, x: &[T], rows: &mut [T]) {
    // A call of `memcpy` takes longer than the copy of a few pixels does, unless the compiler knows how many. These are windows of
    // 3 x 3 pixels with 3, 8, 16 and 32 channels.
    match shape.kernel * shape.inputs {
        9 => unfold_known::<T, 9>(shape, x, rows),
        24 => unfold_known::<T, 24>(shape, x, rows),
        48 => unfold_known::<T, 48>(shape, x, rows),
        96 => unfold_known::<T, 96>(shape, x, rows),
        _ => unfold_known::<T, 0>(shape, x, rows),
    }
}

/// The transpose of [`unfold`]: adds rows of windows to the pixels they came from.
fn fold<T: Element>(shape: Shape, rows: &[T], x: &mut [T]) {
    match shape.kernel * shape.inputs {
        24 => fold_known::<T, 24>(shape, rows, x),
        48 => fold_known::<T, 48>(shape, rows, x),
        96 => fold_known::<T, 96>(shape, rows, x),
        _ => fold_known::<T, 0>(shape, rows, x),
    }
}

vectorized! {
    /// [`unfold`] where most runs are of length `LEN`.
    fn unfold_known<T: Element, const LEN: usize>(shape: Shape, x: &[T], rows: &mut [T]) {
        shape.runs(|runs| for (to, from) in runs.starts(shape) {
            match (rows[to..].first_chunk_mut::<LEN>(), x[from..].first_chunk::<LEN>()) {
                (Some(rows), Some(x)) if runs.len == LEN => *rows = *x,
                _ => rows[to..to + runs.len].copy_from_slice(&x[from..from + runs.len]),
            }
        });
    }

    /// [`fold`] where most runs are of length `LEN`.
    fn fold_known<T: Element, const LEN: usize>(shape: Shape, rows: &[T], x: &mut [T]) {
        shape.runs(|runs| for (from, to) in runs.starts(shape) {
            match (rows[from..].first_chunk::<LEN>(), x[to..].first_chunk_mut::<LEN>()) {
                (Some(rows), Some(x)) if runs.len == LEN => x.iter_mut().zip(rows).for_each(|(x, row)| *x += *row),
                _ => x[to..to + runs.len].iter_mut().zip(&rows[from..from + runs.len]).for_each(|(x, row)| *x += *row),
            }
        });
    }
}

/// PyTorch's `[outputs, inputs, kernel, kernel]` as `[window, outputs]`, the window in the order of [`unfold`].
fn by_window<T: Element>(shape: Shape, weight: &[T]) -> Vec<T> {
    let mut windows = vec![T::default(); weight.len()];
    each_weight(shape, |output, place, theirs| windows[place * shape.outputs + output] = weight[theirs]);
    windows
}

/// The same as `[outputs, window]`: a right operand whose rows are contiguous is multiplied faster.
fn by_output<T: Element>(shape: Shape, weight: &[T]) -> Vec<T> {
    let mut outputs = vec![T::default(); weight.len()];
    each_weight(shape, |output, place, theirs| outputs[output * shape.window() + place] = weight[theirs]);
    outputs
}

/// The inverse of [`by_window`].
fn as_pytorch<T: Element>(shape: Shape, windows: &[T]) -> Vec<T> {
    let mut weight = vec![T::default(); windows.len()];
    each_weight(shape, |output, place, theirs| weight[theirs] = windows[place * shape.outputs + output]);
    weight
}

/// Calls `visit(output, place in the window, place in PyTorch's order)` for every weight.
fn each_weight(shape: Shape, mut visit: impl FnMut(usize, usize, usize)) {
    let area = shape.kernel * shape.kernel;
    for output in 0..shape.outputs {
        for input in 0..shape.inputs {
            for pixel in 0..area {
                visit(output, pixel * shape.inputs + input, (output * shape.inputs + input) * area + pixel);
            }
        }
    }
}

/// The convolution without a bias, `[batch, positions, outputs]`, with `weight` as in PyTorch.
pub fn forward<T: Element>(shape: Shape, x: &[T], weight: &[T]) -> Vec<T> {
    let weight = by_window(shape, weight);
    let weight = Matrix::new(&weight, shape.window(), shape.outputs);
    let (positions, window) = (shape.positions(), shape.window());
    pieces::gathered(shape.batch, shape.batch * positions * shape.outputs, |range, z| {
        let mut rows = Vec::new();
        for sample in range {
            let rows = unfolded(shape, &x[sample * shape.input()..][..shape.input()], &mut rows);
            serial_matmul_onto(Matrix::new(rows, positions, window), weight, z);
        }
    })
}

/// The unfolding of a sample, in `rows` unless the sample is its own.
fn unfolded<'a, T: Element>(shape: Shape, x: &'a [T], rows: &'a mut Vec<T>) -> &'a [T] {
    if shape.is_pointwise() {
        return x;
    }
    rows.resize(shape.positions() * shape.window(), T::default());
    unfold(shape, x, rows);
    rows
}

/// Gradients of x, if somebody will read it, and of the weight. `gradient(sample, dz)` writes dL/dz of a sample's
/// result.
pub fn backward<T: Element>(
    shape: Shape,
    x: &[T],
    weight: &[T],
    input: bool,
    gradient: impl Fn(usize, &mut [T]) + Sync,
) -> (Option<Vec<T>>, Vec<T>) {
    let (positions, window) = (shape.positions(), shape.window());
    let by_output = by_output(shape, weight);
    let weight = Matrix::new(&by_output, shape.outputs, window);
    let mut input_gradient = vec![T::default(); if input { x.len() } else { 0 }];
    let work: Vec<_> = {
        let mut parts = pieces::parts_mut(&mut input_gradient, shape.batch);
        pieces::ranges(shape.batch).into_iter().map(|range| (range, parts.next())).collect()
    };
    let sums = pieces::each(work, |(range, mut part)| {
        let (mut rows, mut dz) = (Vec::new(), vec![T::default(); positions * shape.outputs]);
        let mut sums = vec![T::default(); window * shape.outputs];
        let mut drows = vec![T::default(); if part.is_some() { positions * window } else { 0 }];
        for (place, sample) in range.enumerate() {
            gradient(sample, &mut dz);
            let dz = Matrix::new(&dz, positions, shape.outputs);
            let rows = unfolded(shape, &x[sample * shape.input()..][..shape.input()], &mut rows);
            serial_matmul_add(Matrix::new(rows, positions, window).transposed(), dz, &mut sums);
            if let Some(dx) = part.as_deref_mut() {
                let dx = &mut dx[place * shape.input()..][..shape.input()];
                match shape.is_pointwise() {
                    true => serial_matmul(dz, weight, dx),
                    false => {
                        serial_matmul(dz, weight, &mut drows);
                        fold(shape, &drows, dx);
                    }
                }
            }
        }
        sums
    });
    (input.then_some(input_gradient), as_pytorch(shape, &pieces::total(window * shape.outputs, sums)))
}
