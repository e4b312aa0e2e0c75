//! The backward pass: the input of one layer is rebuilt and turned into z of the layer before.

use super::dots::{At, ByPlace, ByRow, Dots, OverChannels, OverTokens, ROWS, Step, in_sums, splat};
use super::layout::{Layout, Parameters, narrowed};
use super::signs::{LAYERS, Signs};
use super::{ALONG, Blocks, Shape, Sums};
use crate::nn::kernels::dispatch::vectorized;
use crate::nn::kernels::lanes::Element;
use pulp::Simd;

vectorized! {
    /// dL/dy to dL/dx in place, for the samples whose signs these are.
    pub(super) fn backward<T: Element>(
        @simd;
        shape: Shape,
        blocks: &Blocks<T>,
        output: &[T],
        signs: &Signs<T>,
        gradient: &mut [T],
    ) -> Sums<T> {
        let layout = Layout::new::<T, _>(simd, shape);
        let layers = blocks.layers();
        let undo = Undo { simd, layout, blocks: layers / LAYERS, parameters: Parameters::new(layout, blocks, -1.0) };
        let [tokens, width] = [layout.groups * ROWS, layout.width()];
        let zeros = |len: usize| [(); 2].map(|()| vec![T::default(); len]);
        let mut totals = Totals { tokens: zeros(layers / 2 * tokens), channels: zeros(layers / 2 * width) };
        let [mut y, mut g] = [(); 2].map(|()| layout.scratch::<T>());
        let mut work = vec![T::default(); (4 + ROWS) * width];
        let samples = output.chunks_exact(shape.sample()).zip(gradient.chunks_exact_mut(shape.sample()));
        for (sample, (output, gradient)) in samples.enumerate() {
            layout.pack(simd, output, 0.0, &mut y);
            layout.pack(simd, gradient, 0.0, &mut g);
            undo.sample([&mut y, &mut g, &mut work], sample * layers, signs, &mut totals);
            layout.unpack(simd, &g, gradient);
        }
        let [[du, db], [cu, cb]] = [(totals.tokens, tokens, shape.tokens), (totals.channels, width, shape.channels)]
            .map(|(totals, from, width)| totals.map(|total| narrowed(&total, from, width)));
        Sums { tokens: (du, db), channels: (cu, cb) }
    }
}

/// Sums over samples of (t x + p g) and of g, with the widths of a [`Layout`].
struct Totals<T> {
    tokens: [Vec<T>; 2],
    channels: [Vec<T>; 2],
}

/// How the undoing of a layer begins: y becomes z - b, dL/dy becomes dL/dz, and q and t grow.
trait Lower<T: Element, S: Simd> {
    fn begin(&mut self, simd: S, place: usize, x: &mut Step<T, S>, g: &mut Step<T, S>);
    fn end_sum(&mut self, simd: S, sum: usize);
}

/// How it ends: z - b becomes x, and dL/dz becomes dL/dx.
trait Upper<T: Element, S: Simd> {
    fn end(&mut self, simd: S, place: usize, x: &mut Step<T, S>, g: &mut Step<T, S>);
    fn end_sum(&mut self, _simd: S, _sum: usize) {}
}

/// Below the first layer, and above the last.
struct NoLayer;

impl<T: Element, S: Simd> Lower<T, S> for NoLayer {
    #[inline(always)]
    fn begin(&mut self, _: S, _: usize, _: &mut Step<T, S>, _: &mut Step<T, S>) {}

    #[inline(always)]
    fn end_sum(&mut self, _: S, _: usize) {}
}

impl<T: Element, S: Simd> Upper<T, S> for NoLayer {
    #[inline(always)]
    fn end(&mut self, _: S, _: usize, _: &mut Step<T, S>, _: &mut Step<T, S>) {}
}

/// Along both axes: they differ in where v, q and t lie.
struct Begin<'a, V, D, T: Element, S: Simd> {
    signs: &'a [Step<T, S>],
    v: V,
    minus_b: V,
    q: D,
    t: D,
}

impl<T: Element, S: Simd, V: At<T, S>, D: Dots<T, S>> Lower<T, S> for Begin<'_, V, D, T, S> {
    #[inline(always)]
    fn begin(&mut self, simd: S, place: usize, x: &mut Step<T, S>, g: &mut Step<T, S>) {
        for (row, sign) in self.signs[place].into_iter().enumerate() {
            x[row] = T::mul_add(simd, x[row], sign, self.minus_b.at(place, row));
            g[row] = T::times(simd, g[row], sign);
        }
        self.q.add(simd, place, &self.v, x);
        self.t.add(simd, place, &self.v, g);
    }

    #[inline(always)]
    fn end_sum(&mut self, simd: S, sum: usize) {
        self.q.end_sum(simd, sum);
        self.t.end_sum(simd, sum);
    }
}

/// The gradients of direction and bias at a token are sums over its row.
struct EndTokens<'a, T: Element, S: Simd> {
    q: &'a [T::Lanes<S>],
    t: &'a [T::Lanes<S>],
    minus_two_v: Step<T, S>,
    /// t.x, q.g and the sum of g.
    sums: [OverChannels<T, S>; 3],
}

impl<'a, T: Element, S: Simd> EndTokens<'a, T, S> {
    #[inline(always)]
    fn new(simd: S, ByRow(mut v): ByRow<T, S>, q: &'a [T::Lanes<S>], t: &'a [T::Lanes<S>]) -> Self {
        v.iter_mut().for_each(|v| *v = T::times(simd, *v, T::splat(simd, T::from_f64(-2.0))));
        Self { q, t: &t[..q.len()], minus_two_v: v, sums: [OverChannels::new(simd); 3] }
    }

    /// Adds the gradients of the directions and biases of a group.
    #[inline(always)]
    fn add_to(&self, simd: S, [directions, biases]: &mut [Vec<T>; 2], group: usize) {
        let [tx, qg, g] = &self.sums;
        let (tx, qg, g) = (tx.total(simd), qg.total(simd), g.total(simd));
        for row in 0..ROWS {
            directions[group * ROWS + row] += tx[row] - qg[row];
            biases[group * ROWS + row] += g[row];
        }
    }
}

impl<T: Element, S: Simd> Upper<T, S> for EndTokens<'_, T, S> {
    #[inline(always)]
    fn end(&mut self, simd: S, place: usize, x: &mut Step<T, S>, g: &mut Step<T, S>) {
        let ((q, t), [tx, qg, of_g]) = ((self.q[place], self.t[place]), &mut self.sums);
        for (row, minus_two_v) in self.minus_two_v.into_iter().enumerate() {
            x[row] = T::plus(simd, x[row], T::times(simd, minus_two_v, q));
            tx.now[row] = T::mul_add(simd, t, x[row], tx.now[row]);
            qg.now[row] = T::mul_add(simd, q, g[row], qg.now[row]);
            of_g.now[row] = T::plus(simd, of_g.now[row], g[row]);
            g[row] = T::plus(simd, g[row], T::times(simd, minus_two_v, t));
        }
    }

    #[inline(always)]
    fn end_sum(&mut self, simd: S, sum: usize) {
        for sums in &mut self.sums {
            sums.end_sum(simd, sum);
        }
    }
}

/// The gradients of direction and bias at a channel are sums over the tokens.
struct EndChannels<'a, T: Element, S: Simd> {
    v: &'a [T::Lanes<S>],
    minus_q: Step<T, S>,
    t: Step<T, S>,
    minus_two_q: Step<T, S>,
    minus_two_t: Step<T, S>,
    direction: &'a mut [T::Lanes<S>],
    bias: &'a mut [T::Lanes<S>],
}

impl<'a, T: Element, S: Simd> EndChannels<'a, T, S> {
    /// Of the layer that began so, to whose gradients it adds.
    #[inline(always)]
    fn of(
        simd: S,
        begun: &Begin<'_, ByPlace<'a, T, S>, OverChannels<T, S>, T, S>,
        [direction, bias]: [&'a mut [T::Lanes<S>]; 2],
    ) -> Self {
        let (q, t) = (begun.q.total(simd), begun.t.total(simd));
        Self {
            v: begun.v.0,
            minus_q: splat(simd, &q, -1.0),
            t: splat(simd, &t, 1.0),
            minus_two_q: splat(simd, &q, -2.0),
            minus_two_t: splat(simd, &t, -2.0),
            direction,
            bias,
        }
    }
}

impl<T: Element, S: Simd> Upper<T, S> for EndChannels<'_, T, S> {
    #[inline(always)]
    fn end(&mut self, simd: S, place: usize, x: &mut Step<T, S>, g: &mut Step<T, S>) {
        let (v, mut direction, mut bias) = (self.v[place], self.direction[place], self.bias[place]);
        for row in 0..ROWS {
            x[row] = T::plus(simd, x[row], T::times(simd, self.minus_two_q[row], v));
            direction = T::plus(simd, direction, T::times(simd, self.t[row], x[row]));
            direction = T::plus(simd, direction, T::times(simd, self.minus_q[row], g[row]));
            bias = T::plus(simd, bias, g[row]);
            g[row] = T::plus(simd, g[row], T::times(simd, self.minus_two_t[row], v));
        }
        (self.direction[place], self.bias[place]) = (direction, bias);
    }
}

/// Ends the upper layer of a group and begins the lower one.
#[inline(always)]
fn pass<T: Element, S: Simd>(
    simd: S,
    r: &mut [Step<T, S>],
    g: &mut [Step<T, S>],
    upper: &mut impl Upper<T, S>,
    lower: &mut impl Lower<T, S>,
) {
    let g = &mut g[..r.len()];
    in_sums!(r.len(), place => {
        // In registers until both layers are done: the compiler cannot tell the slices apart.
        let (mut x, mut dx) = (r[place], g[place]);
        upper.end(simd, place, &mut x, &mut dx);
        lower.begin(simd, place, &mut x, &mut dx);
        (r[place], g[place]) = (x, dx);
    }, sum => {
        upper.end_sum(simd, sum);
        lower.end_sum(simd, sum);
    });
}

struct Undo<T, S> {
    simd: S,
    layout: Layout,
    blocks: usize,
    /// With -b.
    parameters: Parameters<T>,
}

impl<T: Element, S: Simd> Undo<T, S> {
    /// A sample back through all blocks, `y` and its gradient `g`; `first` is its first layer among those of all samples.
    #[inline(always)]
    fn sample(&self, [y, g, work]: [&mut [T]; 3], first: usize, signs: &Signs<T>, totals: &mut Totals<T>) {
        let &Self { simd, layout: Layout { row, groups, .. }, blocks, ref parameters } = self;
        let [y, g] = [y, g].map(|scratch| T::split_mut::<S>(scratch).0.as_chunks_mut::<ROWS>().0);
        let (dots, of_group) = T::split_mut::<S>(work).0.split_at_mut(4 * row);
        let of_group = &mut of_group.as_chunks_mut::<ROWS>().0[..row];
        // q and t of every channel: of the layer along tokens that ends, and of the one that begins.
        let (mut ending, mut beginning) = dots.split_at_mut(2 * row);
        let Totals { tokens: of_tokens, channels: [directions, biases] } = totals;
        let (directions, biases) = (T::split_mut::<S>(directions).0, T::split_mut::<S>(biases).0);
        macro_rules! end_tokens {
            ($layer:expr, $group:ident, $y:ident, $g:ident, $lower:expr) => {
                let ([v, _], (q, t)) = (parameters.at_group(simd, $layer, $group), ending.split_at(row));
                let mut upper = EndTokens::<T, S>::new(simd, v, q, t);
                pass::<T, S>(simd, $y, $g, &mut upper, $lower);
                upper.add_to(simd, of_tokens, $layer * groups + $group);
            };
        }
        macro_rules! begin_tokens {
            ($layer:expr, $group:ident, $reader:ident) => {{
                $reader.read(simd, of_group);
                let ([v, minus_b], (q, t)) = (parameters.at_group(simd, $layer, $group), beginning.split_at_mut(row));
                Begin { signs: of_group, v, minus_b, q: OverTokens(q), t: OverTokens(&mut t[..row]) }
            }};
        }
        macro_rules! begin_channels {
            ($layer:expr, $reader:ident) => {{
                $reader.read(simd, of_group);
                let [v, minus_b] = parameters.along_channels($layer);
                Begin { signs: of_group, v, minus_b, q: OverChannels::new(simd), t: OverChannels::new(simd) }
            }};
        }
        for block in (0..blocks).rev() {
            let [one, two] = [ALONG * block, ALONG * block + 1];
            let [mut from0, mut from1, mut from2, mut from3] = signs.readers(simd, first + LAYERS * block);
            let (du1, du2) = directions[one * row..][..ALONG * row].split_at_mut(row);
            let (db1, db2) = biases[one * row..][..ALONG * row].split_at_mut(row);
            beginning.fill(T::splat(simd, T::default()));
            for group in 0..groups {
                let (y, g) = (&mut y[group * row..][..row], &mut g[group * row..][..row]);
                let mut lower = begin_channels!(two, from3);
                if block + 1 == blocks {
                    pass::<T, S>(simd, y, g, &mut NoLayer, &mut lower);
                } else {
                    end_tokens!(two + 1, group, y, g, &mut lower);
                }
                let mut upper = EndChannels::of(simd, &lower, [&mut *du2, &mut *db2]);
                let mut lower = begin_channels!(one, from2);
                pass::<T, S>(simd, y, g, &mut upper, &mut lower);
                let mut upper = EndChannels::of(simd, &lower, [&mut *du1, &mut *db1]);
                pass::<T, S>(simd, y, g, &mut upper, &mut begin_tokens!(two, group, from1));
            }
            std::mem::swap(&mut ending, &mut beginning);
            beginning.fill(T::splat(simd, T::default()));
            for group in 0..groups {
                let (y, g) = (&mut y[group * row..][..row], &mut g[group * row..][..row]);
                end_tokens!(two, group, y, g, &mut begin_tokens!(one, group, from0));
            }
            std::mem::swap(&mut ending, &mut beginning);
        }
        for group in 0..groups {
            let (y, g) = (&mut y[group * row..][..row], &mut g[group * row..][..row]);
            end_tokens!(0, group, y, g, &mut NoLayer);
        }
    }
}
