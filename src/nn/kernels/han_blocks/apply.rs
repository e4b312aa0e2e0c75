//! The forward pass: v.x of the next layer is formed while x is written.

use super::dots::{At, ByPlace, ByRow, Dots, OverChannels, OverTokens, ROWS, Step, in_sums, splat};
use super::layout::{Layout, Parameters};
use super::signs::{LAYERS, Signs, Writer, Zero};
use super::{ALONG, Blocks, Shape};
use crate::nn::kernels::dispatch::vectorized;
use crate::nn::kernels::han::Record;
use crate::nn::kernels::lanes::Element;
use pulp::Simd;

/// x to y in place, for some samples.
pub(super) fn forward<T: Element>(shape: Shape, blocks: &Blocks<T>, x: &mut [T], record: Record) -> Signs<T> {
    match record {
        Record::Nothing => forward_as::<T, 0>(shape, blocks, x),
        Record::Tape => forward_as::<T, 1>(shape, blocks, x),
    }
}

vectorized! {
    fn forward_as<T: Element, const RECORD: usize>(@simd; shape: Shape, blocks: &Blocks<T>, x: &mut [T]) -> Signs<T> {
        let layout = Layout::new::<T, _>(simd, shape);
        let samples = x.chunks_exact_mut(shape.sample());
        let layers = blocks.layers();
        let mut signs = Signs::new(layout, RECORD * samples.len() * layers);
        let pass = Pass { simd, row: layout.row, blocks: layers / LAYERS, parameters: Parameters::new(layout, blocks, 1.0) };
        let mut scratch = layout.scratch();
        let mut sums = vec![T::default(); 2 * layout.width()];
        for (sample, x) in samples.enumerate() {
            // Not with 0, which would be noted.
            layout.pack(simd, x, 1.0, &mut scratch);
            pass.sample::<RECORD>(&mut scratch, &mut sums, sample * layers, &mut signs);
            layout.unpack(simd, &scratch, x);
        }
        signs.finish();
        signs
    }
}

/// A layer at one group: z = x + scale v + b. Along tokens there is a scale for each channel, along channels one for each token.
struct Layer<A, V> {
    scale: A,
    v: V,
    b: V,
}

/// A group through a layer: x becomes y = |z|, and what the next layer wants of y is added to its dot products with `next`.
#[inline(always)]
fn reflect<T: Element, S: Simd, const RECORD: usize>(
    simd: S,
    x: &mut [Step<T, S>],
    layer: Layer<impl At<T, S>, impl At<T, S>>,
    (writer, zeros): (&mut Writer<'_, T, S>, &mut Vec<Zero>),
    next: &impl At<T, S>,
    dots: &mut impl Dots<T, S>,
) {
    in_sums!(x.len(), place => {
        let (mut z, mut y) = (x[place], x[place]);
        for row in 0..ROWS {
            let moved = T::plus(simd, z[row], T::times(simd, layer.scale.at(place, row), layer.v.at(place, row)));
            z[row] = T::plus(simd, moved, layer.b.at(place, row));
            y[row] = T::abs(simd, z[row]);
        }
        x[place] = if RECORD == 1 { z } else { y };
        dots.add(simd, place, next, &y);
    }, sum => { dots.end_sum(simd, sum); });
    if RECORD == 1 {
        writer.write(simd, x, zeros);
    }
}

struct Pass<T, S> {
    simd: S,
    row: usize,
    blocks: usize,
    parameters: Parameters<T>,
}

impl<T: Element, S: Simd> Pass<T, S> {
    /// A sample through all blocks; `first` is its first layer among those of all samples.
    #[inline(always)]
    fn sample<const RECORD: usize>(&self, x: &mut [T], sums: &mut [T], first: usize, signs: &mut Signs<T>) {
        let &Self { simd, row, blocks, ref parameters } = self;
        let x = T::split_mut::<S>(x).0.as_chunks_mut::<ROWS>().0;
        // v.x of every channel: of the layer along tokens at hand, times -2, and of the next.
        let (mut scale, mut next) = T::split_mut::<S>(sums).0.split_at_mut(row);
        next.fill(T::splat(simd, T::default()));
        for (group, x) in x.chunks_exact(row).enumerate() {
            let ([v, _], mut dots) = (parameters.at_group(simd, 0, group), OverTokens::<T, S>(next));
            for (place, x) in x.iter().enumerate() {
                dots.add(simd, place, &v, x);
            }
        }
        for block in 0..blocks {
            let [one, two] = [ALONG * block, ALONG * block + 1];
            // The last block forms a sum that nobody reads.
            let following = (two + 1) % (ALONG * blocks);
            let ([v1, b1], [v2, b2]) = (parameters.along_channels::<S>(one), parameters.along_channels::<S>(two));
            let ([mut to0, mut to1, mut to2, mut to3], zeros) = signs.writers(simd, first + LAYERS * block);
            turn::<T, S>(simd, &mut scale, &mut next);
            for (group, x) in x.chunks_exact_mut(row).enumerate() {
                let ([v, b], [v_next, _]) =
                    (parameters.at_group(simd, one, group), parameters.at_group(simd, two, group));
                let layer = Layer { scale: ByPlace(&scale[..row]), v, b };
                reflect::<T, S, RECORD>(simd, x, layer, (&mut to0, zeros), &v_next, &mut OverTokens(&mut next[..row]));
            }
            turn::<T, S>(simd, &mut scale, &mut next);
            for (group, x) in x.chunks_exact_mut(row).enumerate() {
                let ([v, b], [v_next, _]) =
                    (parameters.at_group(simd, two, group), parameters.at_group(simd, following, group));
                let (layer, mut dots) = (Layer { scale: ByPlace(&scale[..row]), v, b }, OverChannels::new(simd));
                reflect::<T, S, RECORD>(simd, x, layer, (&mut to1, zeros), &v1, &mut dots);
                let scale = ByRow(splat(simd, &dots.total(simd), -2.0));
                let (layer, mut dots) = (Layer { scale, v: v1, b: b1 }, OverChannels::new(simd));
                reflect::<T, S, RECORD>(simd, x, layer, (&mut to2, zeros), &v2, &mut dots);
                let scale = ByRow(splat(simd, &dots.total(simd), -2.0));
                let layer = Layer { scale, v: v2, b: b2 };
                reflect::<T, S, RECORD>(simd, x, layer, (&mut to3, zeros), &v_next, &mut OverTokens(&mut next[..row]));
            }
            to0.finish(simd);
            to1.finish(simd);
            to2.finish(simd);
            to3.finish(simd);
        }
    }
}

/// The next sums become scales, and new ones begin.
#[inline(always)]
fn turn<'a, T: Element, S: Simd>(simd: S, scale: &mut &'a mut [T::Lanes<S>], next: &mut &'a mut [T::Lanes<S>]) {
    std::mem::swap(scale, next);
    for scale in scale.iter_mut() {
        *scale = T::times(simd, *scale, T::splat(simd, T::from_f64(-2.0)));
    }
    next.fill(T::splat(simd, T::default()));
}
