//! Dense layers of one width with ReLU, h = max(h W^T + b, 0), one after the other, and their backward pass.

use super::activation::{self, Activation};
use super::dense::{self, Gradients, Wanted, column_sums};
use super::lanes::Element;
use super::matmul::{Matrix, matmul, matmul_onto};

/// Sizes of one pass; the number of layers follows from the weights.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Samples.
    pub rows: usize,
    /// Width of every layer.
    pub width: usize,
}

/// The output of the last layer and, if `keep`, those of the layers before it, `[rows, width]` each, with `weight` as
/// `[layers, width, width]` and `bias` as `[layers, width]`.
pub fn forward<T: Element>(shape: Shape, input: &[T], weight: &[T], bias: &[T], keep: bool) -> (Vec<T>, Vec<Vec<T>>) {
    let Shape { rows, width } = shape;
    let (mut output, mut hidden) = (None, Vec::new());
    for (weight, bias) in weight.chunks_exact(width * width).zip(bias.chunks_exact(width)) {
        let input = output.as_deref().unwrap_or(input);
        let mut h = dense::pre_activation(dense::Shape { rows, inputs: width, outputs: width }, input, weight, bias);
        activation::forward_in_place(Activation::Relu, &mut h);
        hidden.extend(output.replace(h).filter(|_| keep));
    }
    (output.unwrap_or_else(|| input.to_vec()), hidden)
}

/// Backward pass. `hidden` are the outputs of all layers but the last, `output` is that of the last.
pub fn backward<T: Element>(
    shape: Shape,
    input: &[T],
    weight: &[T],
    hidden: &[Vec<T>],
    output: &[T],
    output_gradient: &[T],
    wanted: Wanted,
) -> Gradients<T> {
    let Shape { rows, width } = shape;
    let square = |layer: usize| Matrix::new(&weight[layer * width * width..][..width * width], width, width);
    // dL/dz of every layer, from the last to the first.
    let mut slopes = vec![activation::backward(Activation::Relu, output, output_gradient)];
    for (layer, h) in hidden.iter().enumerate().rev() {
        let g = Matrix::new(&slopes[slopes.len() - 1], rows, width);
        let mut g = matmul(g, square(layer + 1));
        activation::relu_backward_in_place(h, &mut g);
        slopes.push(g);
    }
    let first = Matrix::new(&slopes[slopes.len() - 1], rows, width);
    let input_gradient = wanted.input.then(|| matmul(first, square(0)));
    if !wanted.parameters {
        return Gradients { input: input_gradient, weight: None, bias: None };
    }
    let mut weight_gradient = Vec::with_capacity(weight.len());
    let mut bias_gradient = Vec::with_capacity(slopes.len() * width);
    let inputs = std::iter::once(input).chain(hidden.iter().map(Vec::as_slice));
    for (g, x) in slopes.iter().rev().zip(inputs) {
        let transposed = Matrix::new(g, rows, width).transposed();
        matmul_onto(transposed, Matrix::new(x, rows, width), &mut weight_gradient);
        bias_gradient.extend(column_sums(g, width));
    }
    Gradients { input: input_gradient, weight: Some(weight_gradient), bias: Some(bias_gradient) }
}
