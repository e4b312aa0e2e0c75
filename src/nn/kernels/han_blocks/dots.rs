//! Dot products with directions, formed register by register.

use crate::nn::kernels::lanes::Element;
use pulp::Simd;

/// Tokens that go through the layers together, the rows of a group: they read a parameter once and do not wait for each other's
/// sums.
pub(super) const ROWS: usize = 2;

/// A register of every row of a group, at the same place.
pub(super) type Step<T, S> = [<T as Element>::Lanes<S>; ROWS];

/// `by` times a number of each row, in every lane of the row's register.
#[inline(always)]
pub(super) fn splat<T: Element, S: Simd>(simd: S, values: &[T], by: f64) -> Step<T, S> {
    let mut step = [T::splat(simd, T::default()); ROWS];
    for (step, value) in step.iter_mut().zip(values) {
        *step = T::splat(simd, T::from_f64(by) * *value);
    }
    step
}

/// What has a register for each row, or one for each place in a row: parameters and scales along tokens and along channels.
pub(super) trait At<T: Element, S: Simd> {
    fn at(&self, place: usize, row: usize) -> T::Lanes<S>;
}

/// One for each row.
#[derive(Clone, Copy)]
pub(super) struct ByRow<T: Element, S: Simd>(pub Step<T, S>);

/// One for each place.
#[derive(Clone, Copy)]
pub(super) struct ByPlace<'a, T: Element, S: Simd>(pub &'a [T::Lanes<S>]);

impl<T: Element, S: Simd> At<T, S> for ByRow<T, S> {
    #[inline(always)]
    fn at(&self, _: usize, row: usize) -> T::Lanes<S> {
        self.0[row]
    }
}

impl<T: Element, S: Simd> At<T, S> for ByPlace<'_, T, S> {
    #[inline(always)]
    fn at(&self, place: usize, _: usize) -> T::Lanes<S> {
        self.0[place]
    }
}

/// Dot products that grow step by step.
pub(super) trait Dots<T: Element, S: Simd> {
    /// Adds v y.
    fn add(&mut self, simd: S, place: usize, v: &impl At<T, S>, y: &Step<T, S>);
    /// Behind one of the four sums of a row.
    fn end_sum(&mut self, simd: S, sum: usize);
}

/// Over the tokens, of every channel.
pub(super) struct OverTokens<'a, T: Element, S: Simd>(pub &'a mut [T::Lanes<S>]);

impl<T: Element, S: Simd> Dots<T, S> for OverTokens<'_, T, S> {
    #[inline(always)]
    fn add(&mut self, simd: S, place: usize, v: &impl At<T, S>, y: &Step<T, S>) {
        let mut dot = self.0[place];
        for (row, y) in y.iter().enumerate() {
            dot = T::plus(simd, dot, T::times(simd, v.at(place, row), *y));
        }
        self.0[place] = dot;
    }

    #[inline(always)]
    fn end_sum(&mut self, _: S, _: usize) {}
}

/// Over the channels, of every token; with the bits of `rows::dot` and `rows::sum`: (first + second) + (third + fourth) of four sums.
#[derive(Clone, Copy)]
pub(super) struct OverChannels<T: Element, S: Simd> {
    /// The sum that grows.
    pub now: Step<T, S>,
    halves: [Step<T, S>; 2],
}

impl<T: Element, S: Simd> OverChannels<T, S> {
    #[inline(always)]
    pub fn new(simd: S) -> Self {
        let zero = [T::splat(simd, T::default()); ROWS];
        Self { now: zero, halves: [zero; 2] }
    }

    #[inline(always)]
    pub fn total(&self, simd: S) -> [T; ROWS] {
        let mut total = [T::default(); ROWS];
        for (row, total) in total.iter_mut().enumerate() {
            *total = T::reduce_sum(simd, T::plus(simd, self.halves[0][row], self.halves[1][row]));
        }
        total
    }
}

impl<T: Element, S: Simd> Dots<T, S> for OverChannels<T, S> {
    #[inline(always)]
    fn add(&mut self, simd: S, place: usize, v: &impl At<T, S>, y: &Step<T, S>) {
        for (row, y) in y.iter().enumerate() {
            self.now[row] = T::mul_add(simd, v.at(place, row), *y, self.now[row]);
        }
    }

    #[inline(always)]
    fn end_sum(&mut self, simd: S, sum: usize) {
        let [first, second] = &mut self.halves;
        for row in 0..ROWS {
            match sum {
                0 => first[row] = self.now[row],
                1 => first[row] = T::plus(simd, first[row], self.now[row]),
                2 => second[row] = self.now[row],
                _ => second[row] = T::plus(simd, second[row], self.now[row]),
            }
            self.now[row] = T::splat(simd, T::default());
        }
    }
}

/// Goes over the places of a row in the order of those four sums: the places of the first, those of the second, and so on, with `$end`
/// behind each.
macro_rules! in_sums {
    ($row:expr, $place:ident => $body:block, $sum:ident => $end:block) => {
        let row = $row;
        let fours = row - row % 4;
        for $sum in 0..4 {
            let mut $place = $sum;
            while $place < fours {
                $body
                $place += 4;
            }
            if $sum == 0 {
                for $place in fours..row {
                    $body
                }
            }
            $end
        }
    };
}
pub(super) use in_sums;
