//! Samples between the layout of a tensor and that of panels ([`super::panel`]).

use super::Geometry;
use crate::nn::kernels::lanes::Element;
use pulp::Simd;

/// Entries of a sample that are packed at a time: a cache line of f32.
const TILE: usize = 16;

/// Consecutive samples of a block that lie in the lanes of a group of panels.
#[derive(Clone, Copy)]
pub(super) struct Group {
    pub geometry: Geometry,
    /// Its first sample.
    pub first: usize,
    /// Lanes of a panel.
    pub lanes: usize,
    /// Panels.
    pub panels: usize,
}

impl Group {
    /// Its samples, with their lane in the group.
    fn samples(self) -> impl Iterator<Item = (usize, usize)> {
        let end = (self.first + self.lanes * self.panels).min(self.geometry.samples());
        (self.first..end).enumerate()
    }

    /// Whether the samples of every panel lie side by side in memory, so that packing copies whole registers.
    fn side_by_side(self) -> bool {
        self.geometry.inner.is_multiple_of(self.lanes)
    }

    /// Packs its samples into `[width, panels, lanes]`; lanes without a sample are left as they are.
    #[inline(always)]
    pub fn pack<T: Element>(self, source: &[T], panels: &mut [T]) {
        let (inner, wide) = (self.geometry.inner, self.panels * self.lanes);
        if self.side_by_side() {
            for panel in 0..self.panels {
                let place = panel * self.lanes;
                let offset = self.geometry.offset(self.first + place);
                for (f, step) in panels.chunks_exact_mut(wide).enumerate() {
                    step[place..][..self.lanes].copy_from_slice(&source[offset + f * inner..][..self.lanes]);
                }
            }
            return;
        }
        for (tile, steps) in panels.chunks_mut(TILE * wide).enumerate() {
            for (lane, sample) in self.samples() {
                let column = source[self.geometry.offset(sample) + tile * TILE * inner..].iter().step_by(inner);
                steps[lane..].iter_mut().step_by(wide).zip(column).for_each(|(to, from)| *to = *from);
            }
        }
    }

    /// The inverse of [`Group::pack`].
    #[inline(always)]
    pub fn unpack<T: Element>(self, panels: &[T], target: &mut [T]) {
        let (inner, wide) = (self.geometry.inner, self.panels * self.lanes);
        if self.side_by_side() {
            for panel in 0..self.panels {
                let place = panel * self.lanes;
                let offset = self.geometry.offset(self.first + place);
                for (f, step) in panels.chunks_exact(wide).enumerate() {
                    target[offset + f * inner..][..self.lanes].copy_from_slice(&step[place..][..self.lanes]);
                }
            }
            return;
        }
        for (tile, steps) in panels.chunks(TILE * wide).enumerate() {
            for (lane, sample) in self.samples() {
                let column = target[self.geometry.offset(sample) + tile * TILE * inner..].iter_mut().step_by(inner);
                steps[lane..].iter().step_by(wide).zip(column).for_each(|(from, to)| *to = *from);
            }
        }
    }
}

/// The groups of a block, of at most `most` panels, each with the number of its first panel.
pub(super) fn groups<T: Element, S: Simd>(geometry: Geometry, most: usize) -> impl Iterator<Item = (usize, Group)> {
    let lanes = T::lane_count::<S>();
    let count = geometry.samples().div_ceil(lanes);
    (0..count)
        .step_by(most)
        .map(move |panel| (panel, Group { geometry, first: panel * lanes, lanes, panels: (count - panel).min(most) }))
}
