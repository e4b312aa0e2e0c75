//! Dense layer y = act(x W^T + b) and its backward pass.

use super::activation::{self, Activation};
use super::dispatch::vectorized;
use super::lanes::Element;
use super::matmul::{Matrix, matmul, matmul_add};

/// Sizes of one pass.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Samples.
    pub rows: usize,
    /// Width of x.
    pub inputs: usize,
    /// Width of y.
    pub outputs: usize,
}

/// z = x W^T + b, with `weight` as `[outputs, inputs]`.
pub fn pre_activation<T: Element>(shape: Shape, input: &[T], weight: &[T], bias: &[T]) -> Vec<T> {
    let mut z = Vec::with_capacity(shape.rows * shape.outputs);
    for _ in 0..shape.rows {
        z.extend_from_slice(bias);
    }
    let x = Matrix::new(input, shape.rows, shape.inputs);
    let w = Matrix::new(weight, shape.outputs, shape.inputs);
    matmul_add(x, w.transposed(), &mut z);
    z
}

/// Which gradients somebody will read.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// dL/dx
    pub input: bool,
    /// dL/dW and dL/db
    pub parameters: bool,
}

/// Gradients of a scalar loss; None where not wanted.
#[derive(Debug)]
pub struct Gradients<T> {
    /// `[rows, inputs]`
    pub input: Option<Vec<T>>,
    /// `[outputs, inputs]`
    pub weight: Option<Vec<T>>,
    /// `[outputs]`
    pub bias: Option<Vec<T>>,
}

/// Backward pass. `witness` tells the slope of the activation: see [`activation::backward`].
pub fn backward<T: Element>(
    shape: Shape,
    act: Activation,
    input: &[T],
    weight: &[T],
    witness: &[T],
    output_gradient: &[T],
    wanted: Wanted,
) -> Gradients<T> {
    let scaled;
    let g = match act {
        Activation::Identity => output_gradient,
        _ => {
            scaled = activation::backward(act, witness, output_gradient);
            &scaled
        }
    };
    let g_matrix = Matrix::new(g, shape.rows, shape.outputs);
    let input_gradient = wanted.input.then(|| matmul(g_matrix, Matrix::new(weight, shape.outputs, shape.inputs)));
    if !wanted.parameters {
        return Gradients { input: input_gradient, weight: None, bias: None };
    }
    let x = Matrix::new(input, shape.rows, shape.inputs);
    let weight_gradient = matmul(g_matrix.transposed(), x);
    let bias_gradient = column_sums(g, shape.outputs);
    Gradients { input: input_gradient, weight: Some(weight_gradient), bias: Some(bias_gradient) }
}

vectorized! {
    /// Sums of the columns of a row-major matrix.
    pub fn column_sums<T: Element>(matrix: &[T], columns: usize) -> Vec<T> {
        let mut sums = vec![T::default(); columns];
        for row in matrix.chunks_exact(columns) {
            sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += *value);
        }
        sums
    }
}
