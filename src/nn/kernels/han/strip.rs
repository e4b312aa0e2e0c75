//! Strips: what a pass over the layers works on.
//!
//! A strip is a list of registers that every layer passes over: one step a register. [`Orientation`] says what lies in
//! the lanes. Several strips lie side by side, so that a parameter is read once for all of them and their dot products do
//! not wait for each other. A pass ends one layer and begins the next: [`super::apply`] goes forward, [`super::undo`]
//! back.

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
    /// A layer's part of `unit` or `bias`.
    pub fn row(&self, of: &'a [T], layer: usize) -> &'a [T] {
        let len = self.row_len();
        &of[layer * len..][..len]
    }

    /// Entries of a layer's direction.
    pub fn row_len(&self) -> usize {
        self.unit.len() / self.depth
    }
}

/// Registers of flags for one layer of a strip.
pub(super) fn chunks<T: Element>(steps: usize) -> usize {
    steps.div_ceil(T::FLAGS)
}

/// Steps whose sums over samples are added up together, and whose part of a dot product is a sum by itself.
pub(super) const BATCH: usize = 16;

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
