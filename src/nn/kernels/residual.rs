//! A residual block of two dense layers with batch norm, y = max(x + BN(W2 max(BN(W1 x), 0)), 0), in train mode, and
//! its backward pass.
//!
//! The biases of the dense layers are left out: the batch's mean takes them away again, so that neither the output nor
//! any gradient depends on them, and their own gradient is 0.

use super::activation::Activation;
use super::batch_norm::{self, Slopes, Statistics, input_gradient, narrow};
use super::conv_norm;
use super::dispatch::vectorized;
use super::lanes::Element;
use super::matmul::{Matrix, matmul, matmul_add, matmul_onto};

/// Sizes of one pass.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Samples.
    pub rows: usize,
    /// Width of the block.
    pub width: usize,
}

/// Vectors of length `width` for each of the two halves: bias of the dense layer, weight and bias of the batch norm.
pub const VECTORS: usize = 3;

/// What the forward pass keeps.
#[derive(Debug)]
pub struct Tape<T> {
    /// W1 x and W2 h, before batch norm.
    z: [Vec<T>; 2],
    /// h = max(BN(W1 x), 0)
    inner: Vec<T>,
    /// Of both batch norms, without the dense biases.
    pub statistics: [Statistics; 2],
}

/// The parameters, sorted.
struct Halves<'a, T> {
    weight: [Matrix<'a, T>; 2],
    scale: [&'a [T]; 2],
    shift: [&'a [T]; 2],
}

impl<'a, T: Element> Halves<'a, T> {
    fn of(width: usize, weight: &'a [T], vectors: &'a [T]) -> Self {
        let (first, second) = weight.split_at(width * width);
        let vector = |row: usize| &vectors[row * width..][..width];
        Self {
            weight: [first, second].map(|weight| Matrix::new(weight, width, width)),
            scale: [vector(1), vector(VECTORS + 1)],
            shift: [vector(2), vector(VECTORS + 2)],
        }
    }
}

impl Shape {
    fn channels(self) -> batch_norm::Shape {
        batch_norm::Shape { outer: self.rows, channels: self.width, inner: 1 }
    }
}

/// y and what the backward pass needs, with `weight` as `[2, width, width]` and `vectors` as `[2, VECTORS, width]`.
pub fn forward<T: Element>(shape: Shape, epsilon: f64, x: &[T], weight: &[T], vectors: &[T]) -> (Vec<T>, Tape<T>) {
    let Shape { rows, width } = shape;
    let halves = Halves::of(width, weight, vectors);
    let affine = |half: usize, statistics: &Statistics| {
        let (scale, shift) = statistics.affine(epsilon, halves.scale[half], halves.shift[half]);
        (narrow::<T>(&scale), narrow::<T>(&shift))
    };
    let z1 = matmul(Matrix::new(x, rows, width), halves.weight[0].transposed());
    let first = Statistics::of(shape.channels(), &z1);
    let (scale, shift) = affine(0, &first);
    let mut inner = Vec::with_capacity(z1.len());
    conv_norm::affine(Activation::Relu, &z1, &scale, &shift, &mut inner);
    let z2 = matmul(Matrix::new(&inner, rows, width), halves.weight[1].transposed());
    let second = Statistics::of(shape.channels(), &z2);
    let (scale, shift) = affine(1, &second);
    let y = affine_add_relu(&z2, x, &scale, &shift);
    (y, Tape { z: [z1, z2], inner, statistics: [first, second] })
}

/// Gradients of a scalar loss.
#[derive(Debug)]
pub struct Gradients<T> {
    /// `[rows, width]`
    pub input: Vec<T>,
    /// `[2, width, width]`
    pub weight: Vec<T>,
    /// `[2, VECTORS, width]`
    pub vectors: Vec<T>,
}

/// Backward pass.
#[allow(clippy::too_many_arguments, reason = "a block has that many parts")]
pub fn backward<T: Element>(
    shape: Shape,
    epsilon: f64,
    x: &[T],
    weight: &[T],
    vectors: &[T],
    tape: &Tape<T>,
    y: &[T],
    output_gradient: &[T],
) -> Gradients<T> {
    let Shape { rows, width } = shape;
    let halves = Halves::of(width, weight, vectors);
    let matrix = |values| Matrix::new(values, rows, width);
    let before = |half: usize, g: &[T], sums| {
        let slopes = Slopes::of(rows, epsilon, &tape.statistics[half], halves.scale[half], sums);
        let dz = input_gradient(shape.channels(), &tape.z[half], g, &slopes.a, &slopes.c, &slopes.d);
        (dz, slopes)
    };

    // g = dL/d(x + BN(W2 h)) goes to the second half and, past the block, to x.
    let mut g = output_gradient.to_vec();
    let sums = relu_backward_with_sums(y, &mut g, &tape.z[1], &tape.statistics[1].mean);
    let (dz2, second) = before(1, &g, sums);
    let mut inner = matmul(matrix(&dz2), halves.weight[1]);
    let sums = relu_backward_with_sums(&tape.inner, &mut inner, &tape.z[0], &tape.statistics[0].mean);
    let (dz1, first) = before(0, &inner, sums);
    matmul_add(matrix(&dz1), halves.weight[0], &mut g);

    let mut weight = Vec::with_capacity(2 * width * width);
    matmul_onto(matrix(&dz1).transposed(), matrix(x), &mut weight);
    matmul_onto(matrix(&dz2).transposed(), matrix(&tape.inner), &mut weight);
    let mut vectors = Vec::with_capacity(2 * VECTORS * width);
    for slopes in [first, second] {
        vectors.resize(vectors.len() + width, T::default());
        vectors.extend(slopes.weight);
        vectors.extend(slopes.bias);
    }
    Gradients { input: g, weight, vectors }
}

vectorized! {
    /// max(x + scale z + shift, 0), with one scale and shift a column.
    fn affine_add_relu<T: Element>(z: &[T], x: &[T], scale: &[T], shift: &[T]) -> Vec<T> {
        let mut y = Vec::with_capacity(z.len());
        for (row, x) in z.chunks_exact(scale.len()).zip(x.chunks_exact(scale.len())) {
            let affine = row.iter().zip(scale).zip(shift).map(|((z, a), b)| *z * *a + *b);
            y.extend(x.iter().zip(affine).map(|(x, z)| Activation::Relu.value(*x + z)));
        }
        y
    }

    /// Multiplies g by the slope of the ReLU that gave y; per column, the sums of the result and of it times z - mean.
    fn relu_backward_with_sums<T: Element>(y: &[T], g: &mut [T], z: &[T], mean: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let width = mean.len();
        let (mut sums, mut products) = (vec![0.0; width], vec![0.0; width]);
        for ((y, g), z) in y.chunks_exact(width).zip(g.chunks_exact_mut(width)).zip(z.chunks_exact(width)) {
            let accumulators = sums.iter_mut().zip(&mut products).zip(mean);
            for (((sum, product), mean), ((g, y), z)) in accumulators.zip(g.iter_mut().zip(y).zip(z)) {
                *g *= Activation::Relu.slope(*y);
                *sum += g.to_f64();
                *product += g.to_f64() * (z.to_f64() - mean);
            }
        }
        (sums, products)
    }
}
