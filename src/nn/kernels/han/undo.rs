//! The backward pass over a group of strips: the input of one layer is rebuilt and turned into z of the layer before.

use super::signs::Reader;
use super::strip::{BATCH, Layers, Orientation, Sums, chunks};
use crate::nn::kernels::lanes::Element;
use pulp::Simd;

/// Goes back through all layers: `y` is what the forward pass made, `g` its gradient, which becomes that of the input.
/// Adds to `sums`. What is left in `y` is of no use. Without `SUMS` neither is touched: the gradient of the input needs the signs, not
/// x.
#[inline(always)]
pub(super) fn backward<O: Orientation, T: Element, S: Simd, const G: usize, const SUMS: bool>(
    simd: S,
    layers: Layers<'_, T>,
    mut reader: Reader<'_, T, S, G>,
    y: &mut [[T::Lanes<S>; G]],
    g: &mut [[T::Lanes<S>; G]],
    sums: &mut Sums,
) {
    if SUMS {
        let minus_one = T::splat(simd, T::from_f64(-1.0));
        for y in y.iter_mut() {
            *y = y.map(|y| T::times(simd, minus_one, y));
        }
    }
    let zero = [T::splat(simd, T::default()); G];
    let dots = Dots { p: zero, t: zero };
    let last = layers.depth;
    let mut dots = pass::<O, T, S, G, SUMS, false, true>(simd, layers, last, dots, &mut reader, y, g, sums);
    for layer in (1..last).rev() {
        dots = pass::<O, T, S, G, SUMS, true, true>(simd, layers, layer, dots, &mut reader, y, g, sums);
    }
    pass::<O, T, S, G, SUMS, true, false>(simd, layers, 0, dots, &mut reader, y, g, sums);
}

/// p = v.x and t = v.g of a layer, of every sample.
#[derive(Clone, Copy)]
struct Dots<L, const G: usize> {
    p: [L; G],
    t: [L; G],
}

/// Ends `layer` if there is an `UPPER` one, and begins the one before it if there is a `LOWER` one.
///
/// Between the passes `r` holds -(z - b) and `g` dL/dz of the layer that has begun. Negative, because each line
/// below is one multiply-add then.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "the state of one loop; a struct would only rename it")]
fn pass<O: Orientation, T: Element, S: Simd, const G: usize, const SUMS: bool, const UPPER: bool, const LOWER: bool>(
    simd: S,
    layers: Layers<'_, T>,
    layer: usize,
    dots: Dots<T::Lanes<S>, G>,
    reader: &mut Reader<'_, T, S, G>,
    r: &mut [[T::Lanes<S>; G]],
    g: &mut [[T::Lanes<S>; G]],
    sums: &mut Sums,
) -> Dots<T::Lanes<S>, G> {
    let (steps, len) = (r.len(), if SUMS { layers.row_len() } else { 0 });
    let chunks = chunks::<T>(steps);
    let row = |of, layer| O::parameters::<T, S>(layers.row(of, layer));
    // Where there is no such layer, any row: nobody reads it.
    let (upper, lower) = (if UPPER { layer } else { layer - 1 }, if LOWER { layer - 1 } else { layer });
    let (v, next, b) = (row(layers.unit, upper), row(layers.unit, lower), row(layers.bias, lower));
    let direction = &mut sums.direction[upper * len..][..len];
    let bias = &mut sums.bias[upper * len..][..len];
    let entries = len / steps;
    let zero = [T::splat(simd, T::default()); G];
    let mut found = Dots { p: zero, t: zero };
    for chunk in (0..chunks).rev() {
        let place = lower * chunks + chunk;
        let range = chunk * T::FLAGS..((chunk + 1) * T::FLAGS).min(steps);
        let of_sums = range.start * entries..range.end * entries;
        let mut work = Chunk::<'_, O, T, S, G> {
            v: &v[range.clone()],
            next: &next[range.clone()],
            b: &b[range.clone()],
            r: &mut r[range.clone()],
            g: &mut g[range],
            negative: reader.negative(place),
            zeros: [T::no_flags(simd); G],
            direction: &mut direction[of_sums.clone()],
            bias: &mut bias[of_sums],
        };
        match if LOWER { reader.zeros(simd, place) } else { None } {
            None => work.pass::<SUMS, UPPER, LOWER, false>(simd, &dots, &mut found),
            Some(zeros) => {
                work.zeros = zeros;
                work.pass::<SUMS, UPPER, LOWER, true>(simd, &dots, &mut found);
            }
        }
    }
    let over_width = |sums: [T::Lanes<S>; G]| sums.map(|sum| O::over_width::<T, S>(simd, sum));
    Dots { p: over_width(found.p), t: over_width(found.t) }
}

/// The steps of one register of flags.
struct Chunk<'a, O: Orientation, T: Element, S: Simd, const G: usize> {
    /// v of the upper layer
    v: &'a [O::Parameter<T, S>],
    /// v of the lower layer
    next: &'a [O::Parameter<T, S>],
    /// b of the lower layer
    b: &'a [O::Parameter<T, S>],
    r: &'a mut [[T::Lanes<S>; G]],
    g: &'a mut [[T::Lanes<S>; G]],
    negative: [T::FlagLanes<S>; G],
    zeros: [T::FlagLanes<S>; G],
    direction: &'a mut [f64],
    bias: &'a mut [f64],
}

impl<O: Orientation, T: Element, S: Simd, const G: usize> Chunk<'_, O, T, S, G> {
    #[inline(always)]
    fn pass<const SUMS: bool, const UPPER: bool, const LOWER: bool, const ZEROS: bool>(
        &mut self,
        simd: S,
        dots: &Dots<T::Lanes<S>, G>,
        found: &mut Dots<T::Lanes<S>, G>,
    ) {
        let zero = T::splat(simd, T::default());
        let [minus_one, minus_two] = [-1.0, -2.0].map(|number| T::splat(simd, T::from_f64(number)));
        let Dots { p, t } = *dots;
        let (mut negative, mut zeros) = (self.negative, self.zeros);
        let entries = self.direction.len() / self.r.len();
        for start in (0..self.r.len()).step_by(BATCH).rev() {
            let range = start..(start + BATCH).min(self.r.len());
            let (r, g) = (&mut self.r[range.clone()], &mut self.g[range.clone()]);
            let (v, next, b) = (&self.v[range.clone()], &self.next[range.clone()], &self.b[range.clone()]);
            let mut direction = [zero; BATCH];
            let mut bias = [zero; BATCH];
            let mut part = Dots { p: [zero; G], t: [zero; G] };
            for place in (0..range.len()).rev() {
                // In registers until both layers are done: the compiler cannot tell the slices apart.
                let (mut x, mut dz) = (r[place], g[place]);
                if UPPER {
                    let scale = T::times(simd, minus_two, O::lanes::<T, S>(simd, v[place]));
                    let (mut of_x, mut of_g, mut of_bias) = (zero, zero, zero);
                    for strip in 0..G {
                        // -x of the upper layer, and its gradient.
                        if SUMS {
                            x[strip] = T::mul_add(simd, p[strip], scale, x[strip]);
                            of_x = T::mul_add(simd, t[strip], x[strip], of_x);
                            of_g = T::mul_add(simd, p[strip], dz[strip], of_g);
                            of_bias = T::plus(simd, of_bias, dz[strip]);
                        }
                        dz[strip] = T::mul_add(simd, t[strip], scale, dz[strip]);
                    }
                    direction[place] = T::mul_add(simd, minus_one, of_x, of_g);
                    bias[place] = of_bias;
                }
                if LOWER {
                    let (next, b) = (O::lanes::<T, S>(simd, next[place]), O::lanes::<T, S>(simd, b[place]));
                    for strip in 0..G {
                        let mut sign = T::highest_as_sign(simd, negative[strip]);
                        negative[strip] = T::shift_flags(simd, negative[strip]);
                        if ZEROS {
                            sign = T::clear_at_highest(simd, zeros[strip], sign);
                            zeros[strip] = T::shift_flags(simd, zeros[strip]);
                        }
                        if SUMS {
                            x[strip] = T::mul_add(simd, x[strip], sign, b);
                            part.p[strip] = T::mul_add(simd, next, x[strip], part.p[strip]);
                        }
                        dz[strip] = T::times(simd, dz[strip], sign);
                        part.t[strip] = T::mul_add(simd, next, dz[strip], part.t[strip]);
                    }
                }
                if SUMS {
                    r[place] = x;
                }
                g[place] = dz;
            }
            for strip in 0..G {
                found.p[strip] = T::plus(simd, found.p[strip], part.p[strip]);
                found.t[strip] = T::plus(simd, found.t[strip], part.t[strip]);
            }
            if UPPER && SUMS {
                let of_sums = range.start * entries..range.end * entries;
                O::add_over_samples::<T, S>(simd, &direction, &mut self.direction[of_sums.clone()]);
                O::add_over_samples::<T, S>(simd, &bias, &mut self.bias[of_sums]);
            }
        }
    }
}
