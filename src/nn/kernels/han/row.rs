//! The width in the vector lanes: for so few samples that [`super::panel`] would leave most of its lanes empty. Each
//! sample is a strip (`strip.rs`).
//!
//! Rows are padded to whole registers. A padded entry has v = b = 0, and x = 1 instead of 0, which would be noted as an
//! entry without a slope. A broken sample (v.x infinite or NaN) leaves NaN there, so every sample fills its padding.

use super::signs::Signs;
use super::strip::{BATCH, Layers, Orientation, Sums, chunks};
use super::{Geometry, PANEL_SAMPLES, Record, Stack, Tape, apply, undo};
use crate::nn::kernels::lanes::Element;
use pulp::{Arch, Simd, WithSimd};
use std::borrow::Cow;

/// Samples that go through the layers together.
const MOST: usize = PANEL_SAMPLES - 1;

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
    output: &[T],
    tape: &Tape<T>,
    output_gradient: &[T],
) -> (Vec<T>, Vec<f64>, Vec<f64>) {
    Arch::new().dispatch(Backward { stack, geometry, output, tape, output_gradient })
}

/// Entries of the width in the lanes.
struct WidthInLanes;

impl Orientation for WidthInLanes {
    type Parameter<T: Element, S: Simd> = T::Lanes<S>;

    #[inline(always)]
    fn parameters<T: Element, S: Simd>(row: &[T]) -> &[T::Lanes<S>] {
        T::split::<S>(row).0
    }

    #[inline(always)]
    fn lanes<T: Element, S: Simd>(_: S, parameter: T::Lanes<S>) -> T::Lanes<S> {
        parameter
    }

    #[inline(always)]
    fn over_width<T: Element, S: Simd>(simd: S, sum: T::Lanes<S>) -> T::Lanes<S> {
        T::splat(simd, T::reduce_sum(simd, sum))
    }

    #[inline(always)]
    fn add_over_samples<T: Element, S: Simd>(_: S, steps: &[T::Lanes<S>; BATCH], totals: &mut [f64]) {
        for (total, sum) in totals.iter_mut().zip(T::scalars::<S>(steps)) {
            *total += sum.to_f64();
        }
    }
}

/// The rows of a stack, padded to whole registers.
struct Padded<'a, T: Element> {
    unit: Cow<'a, [T]>,
    bias: Cow<'a, [T]>,
    depth: usize,
    width: usize,
}

impl<'a, T: Element> Padded<'a, T> {
    fn new<S: Simd>(stack: &'a Stack<T>) -> Self {
        let width = stack.width.next_multiple_of(T::lane_count::<S>());
        let [unit, bias] = stack.padded(width);
        Self { unit, bias, depth: stack.depth, width }
    }

    fn layers(&self) -> Layers<'_, T> {
        Layers { unit: &self.unit, bias: &self.bias, depth: self.depth }
    }
}

/// Some samples as `[registers of the width, samples, lanes]`, with `padding` behind the width.
#[inline(always)]
fn load<T: Element, S: Simd, const G: usize>(
    geometry: Geometry,
    first: usize,
    source: &[T],
    padding: T,
    strips: &mut [T],
) {
    strips.fill(padding);
    let lanes = T::lane_count::<S>();
    for strip in 0..G {
        let mut column = source[geometry.offset(first + strip)..].iter().step_by(geometry.inner).take(geometry.width);
        for step in strips.chunks_exact_mut(G * lanes) {
            step[strip * lanes..][..lanes].iter_mut().zip(&mut column).for_each(|(to, from)| *to = *from);
        }
    }
}

#[inline(always)]
fn store<T: Element, S: Simd, const G: usize>(geometry: Geometry, first: usize, strips: &[T], target: &mut [T]) {
    let lanes = T::lane_count::<S>();
    for strip in 0..G {
        let column = target[geometry.offset(first + strip)..].iter_mut().step_by(geometry.inner).take(geometry.width);
        let entries = strips.chunks_exact(G * lanes).flat_map(|step| &step[strip * lanes..][..lanes]);
        column.zip(entries).for_each(|(to, from)| *to = *from);
    }
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
        let (samples, lanes) = (self.geometry.samples(), T::lane_count::<S>());
        let padded = Padded::new::<S>(self.stack);
        let chunks = padded.depth * chunks::<T>(padded.width / lanes);
        let mut signs = (self.record == Record::Tape).then(|| Signs::new(samples, chunks, lanes));
        let mut output = vec![T::default(); self.input.len()];
        for first in (0..samples).step_by(MOST) {
            match samples - first {
                1 => self.group::<S, 1>(simd, &padded, first, signs.as_mut(), &mut output),
                2 => self.group::<S, 2>(simd, &padded, first, signs.as_mut(), &mut output),
                _ => self.group::<S, MOST>(simd, &padded, first, signs.as_mut(), &mut output),
            }
        }
        (output, signs.map(|signs| Tape { blocks: vec![signs] }))
    }
}

impl<T: Element> Forward<'_, T> {
    #[inline(always)]
    fn group<S: Simd, const G: usize>(
        &self,
        simd: S,
        padded: &Padded<'_, T>,
        first: usize,
        signs: Option<&mut Signs<T>>,
        output: &mut [T],
    ) {
        let mut x = vec![T::default(); G * padded.width];
        load::<T, S, G>(self.geometry, first, self.input, T::from_f64(1.0), &mut x);
        let writer = signs.map(|signs| signs.writer::<S, G>(first));
        let strips = T::split_mut::<S>(&mut x).0.as_chunks_mut::<G>().0;
        apply::forward::<WidthInLanes, T, S, G>(simd, padded.layers(), strips, writer);
        store::<T, S, G>(self.geometry, first, &x, output);
    }
}

struct Backward<'a, T: Element> {
    stack: &'a Stack<T>,
    geometry: Geometry,
    output: &'a [T],
    tape: &'a Tape<T>,
    output_gradient: &'a [T],
}

impl<T: Element> WithSimd for Backward<'_, T> {
    type Output = (Vec<T>, Vec<f64>, Vec<f64>);

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let samples = self.geometry.samples();
        let padded = Padded::new::<S>(self.stack);
        let mut sums = Sums::zeros(padded.unit.len());
        let mut gradient = vec![T::default(); self.output.len()];
        for first in (0..samples).step_by(MOST) {
            match samples - first {
                1 => self.group::<S, 1>(simd, &padded, first, &mut sums, &mut gradient),
                2 => self.group::<S, 2>(simd, &padded, first, &mut sums, &mut gradient),
                _ => self.group::<S, MOST>(simd, &padded, first, &mut sums, &mut gradient),
            }
        }
        let narrow = |sums: Vec<f64>| -> Vec<f64> {
            sums.chunks_exact(padded.width).flat_map(|row| &row[..self.stack.width]).copied().collect()
        };
        (gradient, narrow(sums.direction), narrow(sums.bias))
    }
}

impl<T: Element> Backward<'_, T> {
    #[inline(always)]
    fn group<S: Simd, const G: usize>(
        &self,
        simd: S,
        padded: &Padded<'_, T>,
        first: usize,
        sums: &mut Sums,
        gradient: &mut [T],
    ) {
        let [mut y, mut g] = [self.output, self.output_gradient].map(|source| {
            let mut strips = vec![T::default(); G * padded.width];
            load::<T, S, G>(self.geometry, first, source, T::default(), &mut strips);
            strips
        });
        let reader = self.tape.blocks[0].reader::<S, G>(first);
        let y = T::split_mut::<S>(&mut y).0.as_chunks_mut::<G>().0;
        let strips = T::split_mut::<S>(&mut g).0.as_chunks_mut::<G>().0;
        undo::backward::<WidthInLanes, T, S, G, true>(simd, padded.layers(), reader, y, strips, sums);
        store::<T, S, G>(self.geometry, first, &g, gradient);
    }
}
