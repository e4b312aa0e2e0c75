//! The forward pass over a group of strips: v.x of the next layer is formed while x is written.

use super::signs::Writer;
use super::strip::{Layers, Orientation, chunks};
use crate::nn::kernels::lanes::Element;
use pulp::Simd;

/// Applies all layers to `x`, and notes the signs of z if they are wanted.
#[inline(always)]
pub(super) fn forward<O: Orientation, T: Element, S: Simd, const G: usize>(
    simd: S,
    layers: Layers<'_, T>,
    x: &mut [[T::Lanes<S>; G]],
    writer: Option<Writer<'_, T, S, G>>,
) {
    match writer {
        Some(mut writer) => forward_as::<O, T, S, G, true>(simd, layers, x, Some(&mut writer)),
        None => forward_as::<O, T, S, G, false>(simd, layers, x, None),
    }
}

#[inline(always)]
fn forward_as<O: Orientation, T: Element, S: Simd, const G: usize, const RECORD: bool>(
    simd: S,
    layers: Layers<'_, T>,
    x: &mut [[T::Lanes<S>; G]],
    mut writer: Option<&mut Writer<'_, T, S, G>>,
) {
    let minus_two = T::splat(simd, T::from_f64(-2.0));
    let row = |of, layer| O::parameters::<T, S>(layers.row(of, layer));
    let chunks = chunks::<T>(x.len());
    let mut sums = first_sums::<O, T, S, G>(simd, row(layers.unit, 0), x);
    for layer in 0..layers.depth {
        let mut scale = total::<O, T, S, G>(simd, sums);
        for scale in &mut scale {
            *scale = T::times(simd, minus_two, *scale);
        }
        sums = [[T::splat(simd, T::default()); G]; 4];
        // The last layer has no next one, and forms a sum that nobody reads.
        let next = row(layers.unit, (layer + 1).min(layers.depth - 1)).chunks(T::FLAGS);
        let (v, b) = (row(layers.unit, layer).chunks(T::FLAGS), row(layers.bias, layer).chunks(T::FLAGS));
        for (chunk, (((x, v), b), next)) in x.chunks_mut(T::FLAGS).zip(v).zip(b).zip(next).enumerate() {
            let mut found = Found::new(simd, x.len());
            let ((x4, x_rest), (v4, v_rest)) = (x.as_chunks_mut::<4>(), v.as_chunks::<4>());
            let ((b4, b_rest), (next4, next_rest)) = (b.as_chunks::<4>(), next.as_chunks::<4>());
            for (((x, v), b), next) in x4.iter_mut().zip(v4).zip(b4).zip(next4) {
                for place in 0..4 {
                    let (v, b) = (O::lanes::<T, S>(simd, v[place]), O::lanes::<T, S>(simd, b[place]));
                    found.reflect::<RECORD>(simd, &mut x[place], &scale, v, b);
                    add_products::<T, S, G>(simd, &mut sums[place], O::lanes::<T, S>(simd, next[place]), &x[place]);
                }
            }
            for (((x, v), b), next) in x_rest.iter_mut().zip(v_rest).zip(b_rest).zip(next_rest) {
                let (v, b) = (O::lanes::<T, S>(simd, *v), O::lanes::<T, S>(simd, *b));
                found.reflect::<RECORD>(simd, x, &scale, v, b);
                add_products::<T, S, G>(simd, &mut sums[0], O::lanes::<T, S>(simd, *next), x);
            }
            if RECORD && let Some(writer) = writer.as_deref_mut() {
                found.write(simd, x, writer, layer * chunks + chunk);
            }
        }
    }
}

/// What a chunk's signs of z are, as far as it has come.
struct Found<T: Element, S: Simd, const G: usize> {
    /// The flag of the next step.
    flag: T::FlagLanes<S>,
    negative: [T::FlagLanes<S>; G],
    /// The smallest |z|: 0 if there is one.
    least: [T::Lanes<S>; G],
}

impl<T: Element, S: Simd, const G: usize> Found<T, S, G> {
    #[inline(always)]
    fn new(simd: S, steps: usize) -> Self {
        Self {
            flag: T::flag::<S>(simd, T::FLAGS - steps),
            negative: [T::no_flags(simd); G],
            least: [T::splat(simd, T::from_f64(f64::INFINITY)); G],
        }
    }

    /// One step of every strip: x becomes |x + scale v + b|.
    #[inline(always)]
    fn reflect<const RECORD: bool>(
        &mut self,
        simd: S,
        x: &mut [T::Lanes<S>; G],
        scale: &[T::Lanes<S>; G],
        v: T::Lanes<S>,
        b: T::Lanes<S>,
    ) {
        for strip in 0..G {
            let z = T::mul_add(simd, scale[strip], v, T::plus(simd, x[strip], b));
            x[strip] = T::abs(simd, z);
            if RECORD {
                self.negative[strip] = T::flag_signs(simd, self.negative[strip], self.flag, z);
                self.least[strip] = T::minimum(simd, x[strip], self.least[strip]);
            }
        }
        self.flag = T::shift_flags(simd, self.flag);
    }

    /// Notes the signs of a chunk whose |z| is `x`.
    #[inline(always)]
    fn write(&self, simd: S, x: &[[T::Lanes<S>; G]], writer: &mut Writer<'_, T, S, G>, place: usize) {
        writer.write(place, self.negative);
        for (strip, least) in self.least.iter().enumerate() {
            // NaN counts as 0 here: it may hide one.
            if T::reduce_min(simd, *least) > T::default() {
                continue;
            }
            let (mut zeros, mut flag) = (T::no_flags(simd), T::flag::<S>(simd, T::FLAGS - x.len()));
            for x in x {
                zeros = T::flag_zeros(simd, zeros, flag, x[strip]);
                flag = T::shift_flags(simd, flag);
            }
            writer.write_zeros(strip, place, zeros);
        }
    }
}

/// The four interleaved sums of v.x for the first layer: step by step in turns, those behind the last four to the first.
#[inline(always)]
fn first_sums<O: Orientation, T: Element, S: Simd, const G: usize>(
    simd: S,
    v: &[O::Parameter<T, S>],
    x: &[[T::Lanes<S>; G]],
) -> [[T::Lanes<S>; G]; 4] {
    let mut sums = [[T::splat(simd, T::default()); G]; 4];
    let ((x4, x_rest), (v4, v_rest)) = (x.as_chunks::<4>(), v.as_chunks::<4>());
    for (x, v) in x4.iter().zip(v4) {
        for place in 0..4 {
            add_products::<T, S, G>(simd, &mut sums[place], O::lanes::<T, S>(simd, v[place]), &x[place]);
        }
    }
    for (x, v) in x_rest.iter().zip(v_rest) {
        add_products::<T, S, G>(simd, &mut sums[0], O::lanes::<T, S>(simd, *v), x);
    }
    sums
}

#[inline(always)]
fn add_products<T: Element, S: Simd, const G: usize>(
    simd: S,
    sums: &mut [T::Lanes<S>; G],
    v: T::Lanes<S>,
    x: &[T::Lanes<S>; G],
) {
    for (sum, x) in sums.iter_mut().zip(x) {
        *sum = T::mul_add(simd, v, *x, *sum);
    }
}

/// Four interleaved sums over the width in one.
#[inline(always)]
fn total<O: Orientation, T: Element, S: Simd, const G: usize>(
    simd: S,
    [a, b, c, d]: [[T::Lanes<S>; G]; 4],
) -> [T::Lanes<S>; G] {
    std::array::from_fn(|strip| {
        let sum = T::plus(simd, T::plus(simd, a[strip], b[strip]), T::plus(simd, c[strip], d[strip]));
        O::over_width::<T, S>(simd, sum)
    })
}
