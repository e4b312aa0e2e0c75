//! All layers over a group of strips.
//!
//! A strip is a list of registers that every layer passes over: one step a register. [`Orientation`] says what lies in
//! the lanes. `G` strips lie side by side, so that a parameter is read once for all of them and their dot products do
//! not wait for each other. A pass ends one layer and begins the next: forward it forms v.x of the next layer while it
//! writes x, backward it rebuilds the input of one layer and turns it into z of the layer before.

use super::signs::{Reader, Writer};
use crate::nn::kernels::lanes::Element;
use pulp::Simd;

/// What lies in the lanes of a register.
pub(super) trait Orientation {
    /// A parameter of one step, as it lies in memory.
    type Parameter<T: Element, S: Simd>: Copy;

    /// The parameters of all steps of a layer.
    fn parameters<T: Element, S: Simd>(row: &[T]) -> &[Self::Parameter<T, S>];
    /// A parameter in a register.
    fn lanes<T: Element, S: Simd>(simd: S, parameter: Self::Parameter<T, S>) -> T::Lanes<S>;
    /// A sum over the width, in every lane, from the sum over all steps.
    fn over_width<T: Element, S: Simd>(simd: S, sum: T::Lanes<S>) -> T::Lanes<S>;
    /// Adds sums over the strips, one register for each of some steps, to the sums over samples in `totals`.
    fn add_over_samples<T: Element, S: Simd>(simd: S, steps: &[T::Lanes<S>; BATCH], totals: &mut [f64]);
}

/// Parameters of all layers as the kernels read them.
#[derive(Clone, Copy)]
pub(super) struct Layers<'a, T> {
    pub unit: &'a [T],
    pub bias: &'a [T],
    pub depth: usize,
}

impl<'a, T> Layers<'a, T> {
    fn row(&self, of: &'a [T], layer: usize) -> &'a [T] {
        let len = self.row_len();
        &of[layer * len..][..len]
    }

    /// Entries of a layer's direction.
    fn row_len(&self) -> usize {
        self.unit.len() / self.depth
    }
}

/// Registers of flags for one layer of a strip.
pub(super) fn chunks<T: Element>(steps: usize) -> usize {
    steps.div_ceil(T::FLAGS)
}

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

/// Sums over samples of (t x + p g) and of g, `[depth, entries of a direction]` each.
#[derive(Debug, Clone)]
pub(super) struct Sums {
    pub direction: Vec<f64>,
    pub bias: Vec<f64>,
}

impl Sums {
    pub fn zeros(len: usize) -> Self {
        Self { direction: vec![0.0; len], bias: vec![0.0; len] }
    }

    pub fn add(&mut self, other: &Self) {
        self.direction.iter_mut().zip(&other.direction).for_each(|(a, b)| *a += b);
        self.bias.iter_mut().zip(&other.bias).for_each(|(a, b)| *a += b);
    }
}

/// Steps whose sums over samples are added up together, and whose part of a dot product is a sum by itself.
pub(super) const BATCH: usize = 16;

/// Goes back through all layers: `y` is what the forward pass made, `g` its gradient, which becomes that of the input.
/// Adds to `sums`. What is left in `y` is of no use.
#[inline(always)]
pub(super) fn backward<O: Orientation, T: Element, S: Simd, const G: usize>(
    simd: S,
    layers: Layers<'_, T>,
    mut reader: Reader<'_, T, S, G>,
    y: &mut [[T::Lanes<S>; G]],
    g: &mut [[T::Lanes<S>; G]],
    sums: &mut Sums,
) {
    let minus_one = T::splat(simd, T::from_f64(-1.0));
    for y in y.iter_mut() {
        *y = y.map(|y| T::times(simd, minus_one, y));
    }
    let zero = [T::splat(simd, T::default()); G];
    let dots = Dots { p: zero, t: zero };
    let last = layers.depth;
    let mut dots = pass::<O, T, S, G, false, true>(simd, layers, last, dots, &mut reader, y, g, sums);
    for layer in (1..last).rev() {
        dots = pass::<O, T, S, G, true, true>(simd, layers, layer, dots, &mut reader, y, g, sums);
    }
    pass::<O, T, S, G, true, false>(simd, layers, 0, dots, &mut reader, y, g, sums);
}

/// p = v.x and t = v.g of a layer, of every sample.
#[derive(Clone, Copy)]
struct Dots<L, const G: usize> {
    p: [L; G],
    t: [L; G],
}

/// Ends `layer` if there is an `UPPER` one, and begins the one before it if there is a `LOWER` one.
///
/// Between the passes `r` holds -(z - b) and `g` dL/dz of the layer that has begun. Negative, because each line of
/// [`step`] is one multiply-add then.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "the state of one loop; a struct would only rename it")]
fn pass<O: Orientation, T: Element, S: Simd, const G: usize, const UPPER: bool, const LOWER: bool>(
    simd: S,
    layers: Layers<'_, T>,
    layer: usize,
    dots: Dots<T::Lanes<S>, G>,
    reader: &mut Reader<'_, T, S, G>,
    r: &mut [[T::Lanes<S>; G]],
    g: &mut [[T::Lanes<S>; G]],
    sums: &mut Sums,
) -> Dots<T::Lanes<S>, G> {
    let (steps, len) = (r.len(), layers.row_len());
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
            None => work.pass::<UPPER, LOWER, false>(simd, &dots, &mut found),
            Some(zeros) => {
                work.zeros = zeros;
                work.pass::<UPPER, LOWER, true>(simd, &dots, &mut found);
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
    fn pass<const UPPER: bool, const LOWER: bool, const ZEROS: bool>(
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
                let (r, g) = (&mut r[place], &mut g[place]);
                if UPPER {
                    let scale = T::times(simd, minus_two, O::lanes::<T, S>(simd, v[place]));
                    let (mut of_x, mut of_g, mut of_bias) = (zero, zero, zero);
                    for strip in 0..G {
                        // -x of the upper layer, and its gradient.
                        r[strip] = T::mul_add(simd, p[strip], scale, r[strip]);
                        of_x = T::mul_add(simd, t[strip], r[strip], of_x);
                        of_g = T::mul_add(simd, p[strip], g[strip], of_g);
                        of_bias = T::plus(simd, of_bias, g[strip]);
                        g[strip] = T::mul_add(simd, t[strip], scale, g[strip]);
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
                        r[strip] = T::mul_add(simd, r[strip], sign, b);
                        g[strip] = T::times(simd, g[strip], sign);
                        part.p[strip] = T::mul_add(simd, next, r[strip], part.p[strip]);
                        part.t[strip] = T::mul_add(simd, next, g[strip], part.t[strip]);
                    }
                }
            }
            for strip in 0..G {
                found.p[strip] = T::plus(simd, found.p[strip], part.p[strip]);
                found.t[strip] = T::plus(simd, found.t[strip], part.t[strip]);
            }
            if UPPER {
                let of_sums = range.start * entries..range.end * entries;
                O::add_over_samples::<T, S>(simd, &direction, &mut self.direction[of_sums.clone()]);
                O::add_over_samples::<T, S>(simd, &bias, &mut self.bias[of_sums]);
            }
        }
    }
}
