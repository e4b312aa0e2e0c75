//! Convolution, batch norm over channels, and an activation, in train mode, with their backward pass.
//!
//! A bias of the convolution is left out: the batch's mean takes it away again, so that neither the output nor any
//! gradient depends on it, and its own gradient is 0.

use super::activation::{Activation, for_known};
use super::batch_norm::{self, Slopes, Statistics, narrow};
use super::columns::{two_sums, widened};
use super::conv;
use super::dispatch::vectorized;
use super::lanes::Element;
use super::pieces;

/// What the forward pass keeps.
#[derive(Debug)]
pub struct Tape<T> {
    /// The convolution.
    z: Vec<T>,
    /// Of its channels, without the bias.
    pub statistics: Statistics,
}

/// Gradients of a scalar loss.
#[derive(Debug)]
pub struct Gradients<T> {
    /// As the input, if somebody will read it.
    pub input: Option<Vec<T>>,
    /// `[outputs, inputs, kernel, kernel]`
    pub weight: Vec<T>,
    /// Of batch norm's weight, `[outputs]`.
    pub scale: Vec<T>,
    /// Of batch norm's bias, `[outputs]`.
    pub shift: Vec<T>,
}

/// The convolution and the activation behind it.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// The convolution.
    pub conv: conv::Shape,
    /// After the norm.
    pub activation: Activation,
}

impl Shape {
    /// The convolution's result as rows of channels.
    fn rows(&self) -> usize {
        self.conv.batch * self.conv.positions()
    }

    fn channels(&self) -> batch_norm::Shape {
        batch_norm::Shape { outer: self.rows(), channels: self.conv.outputs, inner: 1 }
    }
}

/// y, and what the backward pass needs. `scale` and `shift` are batch norm's weight and bias.
///
/// # Panics
/// With the activation |.|, whose slope is not known from y.
pub fn forward<T: Element>(
    shape: Shape,
    epsilon: f64,
    x: &[T],
    weight: &[T],
    scale: &[T],
    shift: &[T],
) -> (Vec<T>, Tape<T>) {
    assert!(shape.activation != Activation::Abs, "a convolution with batch norm has no |.|");
    let z = conv::forward(shape.conv, x, weight);
    let statistics = Statistics::of(shape.channels(), &z);
    let (scale, shift) = statistics.affine(epsilon, scale, shift);
    let (scale, shift) = (widened(&narrow::<T>(&scale)), widened(&narrow::<T>(&shift)));
    let y = pieces::gathered(shape.rows(), z.len(), |rows, y| {
        let channels = shape.conv.outputs;
        affine(shape.activation, &z[rows.start * channels..rows.end * channels], &scale, &shift, y);
    });
    (y, Tape { z, statistics })
}

/// Backward pass; `y` is what the forward pass returned.
#[expect(clippy::too_many_arguments, reason = "a layer's input, parameters, tape, result and gradient")]
pub fn backward<T: Element>(
    shape: Shape,
    epsilon: f64,
    x: &[T],
    weight: &[T],
    scale: &[T],
    tape: &Tape<T>,
    y: &[T],
    gradient: &[T],
    input: bool,
) -> Gradients<T> {
    let channels = shape.conv.outputs;
    let Tape { z, statistics } = tape;
    let sums = pieces::each(pieces::ranges(shape.rows()), |rows| {
        let piece = rows.start * channels..rows.end * channels;
        gradient_sums(shape.activation, &z[piece.clone()], &y[piece.clone()], &gradient[piece], &statistics.mean)
    });
    let (of_gradient, of_product) = sums.into_iter().unzip::<_, _, Vec<_>, Vec<_>>();
    let sums = (pieces::total(channels, of_gradient), pieces::total(channels, of_product));
    let slopes = Slopes::of(shape.rows(), epsilon, statistics, scale, sums);
    let [a, c, d] = [&slopes.a, &slopes.c, &slopes.d].map(|factors| widened(factors));
    let sample = shape.conv.positions() * channels;
    let (input, weight) = conv::backward(shape.conv, x, weight, input, |index, dz| {
        let piece = index * sample..(index + 1) * sample;
        let (z, y, g) = (&z[piece.clone()], &y[piece.clone()], &gradient[piece]);
        input_gradient(shape.activation, z, y, g, [&a, &c, &d], dz);
    });
    Gradients { input, weight, scale: slopes.weight, shift: slopes.bias }
}

vectorized! {
    /// Appends act(scale z + shift) to y, with scale and shift of one or several rows of channels.
    pub(super) fn affine<T: Element>(act: Activation, z: &[T], scale: &[T], shift: &[T], y: &mut Vec<T>) {
        for_known!(act, ACT => for z in z.chunks(scale.len()) {
            y.extend(z.iter().zip(scale).zip(shift).map(|((z, a), b)| ACT.value(*z * *a + *b)));
        });
    }

    /// Per column, the sums of g and of g (z - mean), where g is the gradient times the activation's slope.
    fn gradient_sums<T: Element>(act: Activation, z: &[T], y: &[T], gradient: &[T], mean: &[f64]) -> (Vec<f64>, Vec<f64>) {
        for_known!(act, ACT => two_sums([z, y, gradient], mean, |[z, y, g], mean| {
            let g = (g * ACT.slope(y)).to_f64();
            [g, g * (z.to_f64() - mean)]
        }))
    }

    /// a g + c z + d, with the factors a, c and d of some rows of channels and g as in [`gradient_sums`].
    fn input_gradient<T: Element>(act: Activation, z: &[T], y: &[T], gradient: &[T], factors: [&[T]; 3], dz: &mut [T]) {
        let [a, c, d] = factors;
        let columns = a.len();
        let rows = z.chunks(columns).zip(y.chunks(columns)).zip(gradient.chunks(columns));
        for_known!(act, ACT => for (((z, y), g), dz) in rows.zip(dz.chunks_mut(columns)) {
            let factors = a.iter().zip(c.iter().zip(d));
            for ((((z, y), g), dz), (a, (c, d))) in z.iter().zip(y).zip(g).zip(dz).zip(factors) {
                *dz = *a * (*g * ACT.slope(*y)) + *c * *z + *d;
            }
        });
    }
}
