//! Batch normalisation over `[outer, channels, inner]` (Ioffe and Szegedy 2015, Algorithm 1), statistics in double
//! precision.

use super::columns::two_sums;
use super::dispatch::vectorized;
use super::lanes::Element;
use super::pieces;

/// Shape of the normalised tensor: `[N, C]` has `inner` 1, `[N, C, H, W]` has `inner` H W.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Samples.
    pub outer: usize,
    /// Channels, each with its own statistics.
    pub channels: usize,
    /// Positions inside a channel.
    pub inner: usize,
}

impl Shape {
    /// Values that share a mean.
    pub fn count(&self) -> usize {
        self.outer * self.inner
    }

    /// Values of a channel that lie side by side; where there are none, there is no piece of one either.
    fn piece(&self) -> usize {
        self.inner.max(1)
    }
}

/// Mean and biased variance of every channel.
#[derive(Debug, Clone)]
pub struct Statistics {
    /// `[channels]`
    pub mean: Vec<f64>,
    /// `[channels]`, divided by the count
    pub variance: Vec<f64>,
}

impl Statistics {
    /// Measures `input` in one pass.
    pub fn of<T: Element>(shape: Shape, input: &[T]) -> Self {
        // Moments about the channel's first value: in double precision nothing of the variance is lost to the mean.
        let pivots: Vec<f64> = (0..shape.channels).map(|channel| input[channel * shape.inner].to_f64()).collect();
        let (sums, squares) = match shape.inner == 1 && input.len() >= PARALLEL_WORK {
            true => moments_in_pieces(shape, input, &pivots),
            false => moments(shape, input, &pivots),
        };
        let count = shape.count() as f64;
        let mean = sums.iter().zip(&pivots).map(|(sum, pivot)| pivot + sum / count).collect();
        let variance = sums.iter().zip(&squares).map(|(sum, square)| (square - sum * sum / count) / count);
        // Rounding may leave a little less than 0. `max` would turn a NaN into 0.
        Self { mean, variance: variance.map(|v| if v < 0.0 { 0.0 } else { v }).collect() }
    }

    /// Scale and shift per channel: weight (x - mean) / deviation + bias as scale x + shift.
    pub fn affine<T: Element>(&self, epsilon: f64, weight: &[T], bias: &[T]) -> (Vec<f64>, Vec<f64>) {
        let scale = weight.iter().zip(self.inverse_deviation(epsilon)).map(|(w, r)| w.to_f64() * r);
        let scale: Vec<f64> = scale.collect();
        let shifts = bias.iter().zip(&scale).zip(&self.mean).map(|((bias, scale), mean)| bias.to_f64() - mean * scale);
        let shift = shifts.collect();
        (scale, shift)
    }

    /// 1 / sqrt(variance + epsilon) of every channel.
    pub fn inverse_deviation(&self, epsilon: f64) -> Vec<f64> {
        self.variance.iter().map(|v| 1.0 / (v + epsilon).sqrt()).collect()
    }
}

/// Scalars from which other threads pay.
const PARALLEL_WORK: usize = 1 << 18;

/// [`moments`] of channels that lie side by side.
fn moments_in_pieces<T: Element>(shape: Shape, values: &[T], pivots: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let parts = pieces::each(pieces::ranges(shape.outer), |rows| {
        let piece = Shape { outer: rows.len(), ..shape };
        moments(piece, &values[rows.start * shape.channels..rows.end * shape.channels], pivots)
    });
    let (sums, squares) = parts.into_iter().unzip::<_, _, Vec<_>, Vec<_>>();
    (pieces::total(shape.channels, sums), pieces::total(shape.channels, squares))
}

/// Gradients with respect to input, weight and bias.
#[derive(Debug)]
pub struct Gradients<T> {
    /// Same layout as the input.
    pub input: Vec<T>,
    /// `[channels]`
    pub weight: Vec<T>,
    /// `[channels]`
    pub bias: Vec<T>,
}

/// Backward pass in train mode, where mean and variance depend on the input as well. Where an activation follows, g is
/// its gradient times its slope.
pub fn backward<T: Element>(
    shape: Shape,
    epsilon: f64,
    statistics: &Statistics,
    input: &[T],
    weight: &[T],
    gradient: &[T],
) -> Gradients<T> {
    let sums = gradient_sums(shape, input, &statistics.mean, gradient);
    let slopes = Slopes::of(shape.count(), epsilon, statistics, weight, sums);
    let input_gradient = input_gradient(shape, input, gradient, &slopes.a, &slopes.c, &slopes.d);
    Gradients { input: input_gradient, weight: slopes.weight, bias: slopes.bias }
}

/// Everything of the backward pass that is one number a channel.
///
/// With h = (x - mean) / deviation and n values per channel: dL/db = sum g, dL/dw = sum g h, and
/// dL/dx = w / deviation (g - dL/db / n - h dL/dw / n), which is a g + c x + d.
pub(super) struct Slopes<T> {
    /// Factor of g.
    pub a: Vec<T>,
    /// Factor of x.
    pub c: Vec<T>,
    /// What is added.
    pub d: Vec<T>,
    /// dL/dw
    pub weight: Vec<T>,
    /// dL/db
    pub bias: Vec<T>,
}

impl<T: Element> Slopes<T> {
    /// From the sums of g and of g (x - mean) over the `count` values of every channel.
    pub fn of(
        count: usize,
        epsilon: f64,
        statistics: &Statistics,
        weight: &[T],
        (bias_sum, mut weight_sum): (Vec<f64>, Vec<f64>),
    ) -> Self {
        let inverse = statistics.inverse_deviation(epsilon);
        weight_sum.iter_mut().zip(&inverse).for_each(|(w, r)| *w *= r);
        let count = count as f64;
        let (mut a, mut c, mut d) = (inverse.clone(), inverse, bias_sum.clone());
        for channel in 0..weight.len() {
            a[channel] *= weight[channel].to_f64();
            c[channel] *= -a[channel] * weight_sum[channel] / count;
            d[channel] = -a[channel] * bias_sum[channel] / count - c[channel] * statistics.mean[channel];
        }
        let [a, c, d, weight, bias] = [&a, &c, &d, &weight_sum, &bias_sum].map(|values| narrow(values));
        Self { a, c, d, weight, bias }
    }
}

/// scale x + shift with one scale and one shift per channel.
pub fn affine<T: Element>(shape: Shape, input: &[T], scale: &[f64], shift: &[f64]) -> Vec<T> {
    scale_and_shift(shape, input, &narrow::<T>(scale), &narrow::<T>(shift))
}

pub(super) fn narrow<T: Element>(values: &[f64]) -> Vec<T> {
    values.iter().map(|value| T::from_f64(*value)).collect()
}

// Each of these has two loops: with `inner` 1 the channels lie side by side and a row of them is one vector; otherwise
// the positions of one channel do.
vectorized! {
    /// Per channel, the sums of d and of d^2 with d = x - pivot.
    fn moments<T: Element>(shape: Shape, values: &[T], pivots: &[f64]) -> (Vec<f64>, Vec<f64>) {
        if shape.inner == 1 {
            return two_sums([values], pivots, |[x], pivot| {
                let d = x.to_f64() - pivot;
                [d, d * d]
            });
        }
        let (mut sums, mut squares) = (vec![0.0; shape.channels], vec![0.0; shape.channels]);
        for (index, piece) in values.chunks_exact(shape.piece()).enumerate() {
            let channel = index % shape.channels;
            let pivot = pivots[channel];
            for x in piece {
                let d = x.to_f64() - pivot;
                sums[channel] += d;
                squares[channel] += d * d;
            }
        }
        (sums, squares)
    }

    /// Per channel, the sums of g and of g (x - mean).
    fn gradient_sums<T: Element>(shape: Shape, values: &[T], mean: &[f64], gradient: &[T]) -> (Vec<f64>, Vec<f64>) {
        if shape.inner == 1 {
            return two_sums([values, gradient], mean, |[x, g], mean| [g.to_f64(), g.to_f64() * (x.to_f64() - mean)]);
        }
        let (mut sums, mut products) = (vec![0.0; shape.channels], vec![0.0; shape.channels]);
        let pieces = values.chunks_exact(shape.piece()).zip(gradient.chunks_exact(shape.piece()));
        for (index, (piece, gradient)) in pieces.enumerate() {
            let channel = index % shape.channels;
            for (x, g) in piece.iter().zip(gradient) {
                sums[channel] += g.to_f64();
                products[channel] += g.to_f64() * (x.to_f64() - mean[channel]);
            }
        }
        (sums, products)
    }

    fn scale_and_shift<T: Element>(shape: Shape, input: &[T], scale: &[T], shift: &[T]) -> Vec<T> {
        let mut output = Vec::with_capacity(input.len());
        if shape.inner == 1 {
            for row in input.chunks_exact(shape.channels) {
                output.extend(row.iter().zip(scale).zip(shift).map(|((x, a), b)| *x * *a + *b));
            }
        } else {
            for (index, piece) in input.chunks_exact(shape.piece()).enumerate() {
                let (a, b) = (scale[index % shape.channels], shift[index % shape.channels]);
                output.extend(piece.iter().map(|x| *x * a + b));
            }
        }
        output
    }

    /// a g + c x + d, channel by channel.
    pub(super) fn input_gradient<T: Element>(shape: Shape, input: &[T], gradient: &[T], a: &[T], c: &[T], d: &[T]) -> Vec<T> {
        let mut result = Vec::with_capacity(input.len());
        if shape.inner == 1 {
            for (g, x) in gradient.chunks_exact(shape.channels).zip(input.chunks_exact(shape.channels)) {
                let factors = a.iter().zip(c.iter().zip(d));
                result.extend(g.iter().zip(x).zip(factors).map(|((g, x), (a, (c, d)))| *a * *g + *c * *x + *d));
            }
        } else {
            let pieces = gradient.chunks_exact(shape.piece()).zip(input.chunks_exact(shape.piece()));
            for (index, (g, x)) in pieces.enumerate() {
                let channel = index % shape.channels;
                let (a, c, d) = (a[channel], c[channel], d[channel]);
                result.extend(g.iter().zip(x).map(|(g, x)| a * *g + c * *x + d));
            }
        }
        result
    }
}
