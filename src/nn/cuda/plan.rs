//! Which layers a launch takes, and where their parameters, signs and sums are.

use super::variant::{Real, Variant};
use crate::nn::kernels::han::Geometry;
use std::ops::Range;

/// Layers of one geometry whose parameters lie side by side.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// Place of their first entry among all directions (and biases).
    pub start: usize,
    /// How many.
    pub layers: usize,
    /// What they reflect.
    pub geometry: Geometry,
}

impl Part {
    /// Entries of some of the layers among all directions.
    pub fn entries(self, layers: Range<usize>) -> Range<usize> {
        let width = self.geometry.width;
        self.start + layers.start * width..self.start + layers.end * width
    }

    /// The program for a type.
    pub fn variant<T: Real>(self) -> Variant {
        Variant::of(T::NAME, size_of::<T>(), self.geometry)
    }

    /// Blocks of threads.
    pub fn blocks<T: Real>(self) -> usize {
        self.variant::<T>().blocks(self.geometry.samples())
    }

    /// Signs of one layer, in words.
    pub fn sign_words<T: Real>(self) -> usize {
        self.geometry.samples() * self.variant::<T>().sign_words()
    }

    /// Sums of one layer over the samples of each block.
    pub fn sums<T: Real>(self) -> usize {
        self.blocks::<T>() * self.variant::<T>().sums()
    }
}

/// Layers in the order in which they are applied: so many of the first part, so many of the second, and on with the first, until none
/// is left.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Their parts. All have as many layers.
    pub parts: Vec<Part>,
    /// Layers of one part that follow each other.
    pub at_once: usize,
}

/// One launch: some layers of a part, and the place of their signs.
pub struct Leg {
    /// Its place in [`Plan::parts`].
    pub part: usize,
    /// Among those of the part.
    pub layers: Range<usize>,
    /// In words.
    pub signs: Range<usize>,
}

impl Plan {
    /// Number of layers.
    pub fn layers(&self) -> usize {
        self.parts.iter().map(|part| part.layers).sum()
    }

    /// Places of a part's layers among those of all parts.
    pub fn layers_of(&self, part: usize) -> Range<usize> {
        let before: usize = self.parts[..part].iter().map(|part| part.layers).sum();
        before..before + self.parts[part].layers
    }

    /// The launches, in order.
    pub fn legs<T: Real>(&self) -> Vec<Leg> {
        let (mut legs, mut words) = (Vec::new(), 0);
        let rounds = self.parts.first().map_or(0, |part| part.layers.div_ceil(self.at_once));
        for round in 0..rounds {
            for (place, part) in self.parts.iter().enumerate() {
                let layers = round * self.at_once..part.layers.min((round + 1) * self.at_once);
                let signs = words..words + layers.len() * part.sign_words::<T>();
                words = signs.end;
                legs.push(Leg { part: place, layers, signs });
            }
        }
        legs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_take_turns_and_nothing_overlaps() {
        let (tokens, channels, blocks) = (5, 40, 3);
        let of_tokens = Geometry { outer: 7, width: tokens, inner: channels };
        let of_channels = Geometry { outer: 7 * tokens, width: channels, inner: 1 };
        let parts = vec![
            Part { start: 0, layers: 2 * blocks, geometry: of_tokens },
            Part { start: 2 * blocks * tokens, layers: 2 * blocks, geometry: of_channels },
        ];
        let plan = Plan { parts, at_once: 2 };
        let legs = plan.legs::<f32>();
        let order: Vec<_> = legs.iter().map(|leg| (leg.part, leg.layers.clone())).collect();
        assert_eq!(order, [(0, 0..2), (1, 0..2), (0, 2..4), (1, 2..4), (0, 4..6), (1, 4..6)]);
        // Two words for 32 entries of each sample and layer.
        let words = [2 * 7 * channels * 2, 2 * 7 * tokens * 4];
        let mut end = 0;
        for leg in &legs {
            assert_eq!(leg.signs, end..end + words[leg.part]);
            end = leg.signs.end;
        }
        assert_eq!(plan.parts[1].entries(2..4), 30 + 80..30 + 160);
        assert_eq!((plan.layers(), plan.layers_of(1)), (12, 6..12));
        // 280 samples in blocks of 8, two rows of 32 sums; 35 samples and rows of 64.
        assert_eq!([plan.parts[0].sums::<f64>(), plan.parts[1].sums::<f64>()], [35 * 64, 5 * 128]);
    }

    #[test]
    fn a_stack_is_one_launch() {
        let geometry = Geometry { outer: 9, width: 33, inner: 1 };
        let plan = Plan { parts: vec![Part { start: 0, layers: 17, geometry }], at_once: 17 };
        let legs = plan.legs::<f64>();
        assert_eq!((legs.len(), &legs[0].layers, &legs[0].signs), (1, &(0..17), &(0..17 * 9 * 4)));
    }
}
