//! The width in the vector lanes, one sample after the other: for so few samples that [`super::panel`] would leave
//! most of its lanes empty.
//!
//! Rows are padded with zeros to whole registers. A padded entry has v = b = 0, so it stays 0 through every layer of a
//! sound sample. A broken one (v.x infinite or NaN) leaves NaN there, so every sample clears its padding.

use super::{Geometry, Record, Stack};
use crate::nn::kernels::lanes::Element;
use crate::nn::kernels::rows::dot_of_lanes as dot;
use pulp::{Arch, Simd, WithSimd};

/// z and p = v.x of every layer, a sample after the other.
#[derive(Debug)]
pub struct Tape<T> {
    /// `[samples, depth, padded width]`
    z: Vec<T>,
    /// `[samples, depth]`
    p: Vec<T>,
}

/// See [`super::forward`].
pub fn forward<T: Element>(
    stack: &Stack<T>,
    geometry: Geometry,
    input: &[T],
    record: Record,
) -> (Vec<T>, Option<Tape<T>>) {
    Arch::new().dispatch(Forward { stack, geometry, input, record })
}

/// See [`super::panel::backward`].
pub fn backward<T: Element>(
    stack: &Stack<T>,
    geometry: Geometry,
    input: &[T],
    tape: &Tape<T>,
    output_gradient: &[T],
) -> (Vec<T>, Vec<f64>, Vec<f64>) {
    Arch::new().dispatch(Backward { stack, geometry, input, tape, output_gradient })
}

/// Copies rows of `width` into rows of `padded`, zeros behind.
fn pad<T: Element>(rows: &[T], width: usize, padded: usize) -> Vec<T> {
    let mut wide = vec![T::default(); rows.len() / width * padded];
    for (to, from) in wide.chunks_exact_mut(padded).zip(rows.chunks_exact(width)) {
        to[..width].copy_from_slice(from);
    }
    wide
}

fn load<T: Element>(geometry: Geometry, sample: usize, source: &[T], row: &mut [T]) {
    let column = source[geometry.offset(sample)..].iter().step_by(geometry.inner);
    let (entries, padding) = row.split_at_mut(geometry.width);
    entries.iter_mut().zip(column).for_each(|(to, from)| *to = *from);
    padding.fill(T::default());
}

fn store<T: Element>(geometry: Geometry, sample: usize, row: &[T], target: &mut [T]) {
    let column = target[geometry.offset(sample)..].iter_mut().step_by(geometry.inner);
    row[..geometry.width].iter().zip(column).for_each(|(from, to)| *to = *from);
}

struct Forward<'a, T> {
    stack: &'a Stack<T>,
    geometry: Geometry,
    input: &'a [T],
    record: Record,
}

impl<T: Element> WithSimd for Forward<'_, T> {
    type Output = (Vec<T>, Option<Tape<T>>);

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let Self { stack, geometry, input, record } = self;
        let (width, depth) = (stack.width, stack.depth);
        let padded = width.next_multiple_of(T::lane_count::<S>());
        let (unit, bias) = (pad(&stack.unit, width, padded), pad(&stack.bias, width, padded));
        let mut output = vec![T::default(); input.len()];
        let mut row = vec![T::default(); padded];
        let mut tape = Tape { z: Vec::new(), p: Vec::new() };
        for sample in 0..geometry.samples() {
            load(geometry, sample, input, &mut row);
            for layer in 0..depth {
                let x = T::split_mut::<S>(&mut row).0;
                let v = T::split::<S>(&unit[layer * padded..][..padded]).0;
                let b = T::split::<S>(&bias[layer * padded..][..padded]).0;
                let p = dot::<T, S>(simd, v, x);
                let scale = T::splat(simd, T::from_f64(-2.0 * p.to_f64()));
                for ((x, v), b) in x.iter_mut().zip(v).zip(b) {
                    *x = T::mul_add(simd, scale, *v, T::plus(simd, *x, *b));
                }
                if record == Record::Tape {
                    tape.z.extend_from_slice(&row);
                    tape.p.push(p);
                }
                for x in T::split_mut::<S>(&mut row).0 {
                    *x = T::abs(simd, *x);
                }
            }
            store(geometry, sample, &row, &mut output);
        }
        (output, (record == Record::Tape).then_some(tape))
    }
}

struct Backward<'a, T> {
    stack: &'a Stack<T>,
    geometry: Geometry,
    input: &'a [T],
    tape: &'a Tape<T>,
    output_gradient: &'a [T],
}

impl<T: Element> WithSimd for Backward<'_, T> {
    type Output = (Vec<T>, Vec<f64>, Vec<f64>);

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let Self { stack, geometry, input, tape, output_gradient } = self;
        let (width, depth) = (stack.width, stack.depth);
        let padded = width.next_multiple_of(T::lane_count::<S>());
        let unit = pad(&stack.unit, width, padded);
        let mut input_gradient = vec![T::default(); input.len()];
        let mut direction = vec![0.0; depth * width];
        let mut bias = vec![0.0; depth * width];
        let (mut g_row, mut x_row) = (vec![T::default(); padded], vec![T::default(); padded]);
        for sample in 0..geometry.samples() {
            load(geometry, sample, output_gradient, &mut g_row);
            for layer in (0..depth).rev() {
                let place = sample * depth + layer;
                if layer == 0 {
                    load(geometry, sample, input, &mut x_row);
                } else {
                    let before = &tape.z[(place - 1) * padded..][..padded];
                    x_row
                        .iter_mut()
                        .zip(before)
                        .for_each(|(x, z)| *x = if *z < T::default() { T::default() - *z } else { *z });
                }
                let g = T::split_mut::<S>(&mut g_row).0;
                let z = T::split::<S>(&tape.z[place * padded..][..padded]).0;
                for (g, z) in g.iter_mut().zip(z) {
                    *g = T::mul_sign(simd, *g, *z);
                }
                let v = T::split::<S>(&unit[layer * padded..][..padded]).0;
                let t = dot::<T, S>(simd, v, g).to_f64();
                let p = tape.p[place].to_f64();
                let sums = direction[layer * width..].iter_mut().zip(&mut bias[layer * width..]);
                for ((d, b), (x, g)) in sums.zip(x_row.iter().zip(&g_row)).take(width) {
                    *d += t * x.to_f64() + p * g.to_f64();
                    *b += g.to_f64();
                }
                let scale = T::splat(simd, T::from_f64(-2.0 * t));
                for (g, v) in T::split_mut::<S>(&mut g_row).0.iter_mut().zip(v) {
                    *g = T::mul_add(simd, scale, *v, *g);
                }
            }
            store(geometry, sample, &g_row, &mut input_gradient);
        }
        (input_gradient, direction, bias)
    }
}
