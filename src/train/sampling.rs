//! Which points come into a batch.

use super::prefetch::Draw;
use crate::rng::Stream;
use serde::{Deserialize, Serialize};

/// How points come into batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sampling {
    /// Without replacement within a batch, afresh for every step.
    #[default]
    Fresh,
    /// In epochs: every point once, in a new random order each time. What is left over at the end of an epoch and fills
    /// no batch has to wait for the next.
    Epochs,
}

/// The batches of a run, one after the other.
pub(super) struct Batches {
    sampling: Sampling,
    order: Vec<u32>,
    size: usize,
    /// Points of this epoch that are used up.
    used: usize,
    /// Epochs that have begun.
    begun: usize,
}

impl Batches {
    /// Of at most `size` out of `points` points.
    pub fn new(sampling: Sampling, points: usize, size: usize) -> Self {
        Self { sampling, order: (0..points as u32).collect(), size: size.min(points), used: points, begun: 0 }
    }

    /// Points in a batch.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The next batch. Its epoch counts from 0; a fresh batch is an epoch of its own, so that no point comes twice in one.
    pub fn next(&mut self, stream: &mut Stream) -> Draw {
        let rows = match self.sampling {
            Sampling::Fresh => {
                stream.shuffle_front(&mut self.order, self.size);
                self.begun += 1;
                &self.order[..self.size]
            }
            Sampling::Epochs => {
                if self.used + self.size > self.order.len() {
                    let all = self.order.len();
                    stream.shuffle_front(&mut self.order, all);
                    self.used = 0;
                    self.begun += 1;
                }
                self.used += self.size;
                &self.order[self.used - self.size..self.used]
            }
        };
        Draw { epoch: self.begun - 1, rows: rows.to_vec() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    #[test]
    fn an_epoch_has_every_point_once() {
        let (mut stream, mut batches) = (Seed(1).stream("batch"), Batches::new(Sampling::Epochs, 10, 3));
        let mut epochs = Vec::new();
        for _ in 0..2 {
            let draws: Vec<Draw> = (0..3).map(|_| batches.next(&mut stream)).collect();
            assert!(draws.iter().all(|draw| draw.epoch == epochs.len()));
            let epoch: Vec<u32> = draws.into_iter().flat_map(|draw| draw.rows).collect();
            let mut sorted = epoch.clone();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(sorted.len(), 9, "{epoch:?}");
            epochs.push(epoch);
        }
        assert_ne!(epochs[0], epochs[1]);
    }

    #[test]
    fn a_batch_is_never_larger_than_the_data() {
        for sampling in [Sampling::Fresh, Sampling::Epochs] {
            let mut batches = Batches::new(sampling, 4, 100);
            assert_eq!((batches.size(), batches.next(&mut Seed(1).stream("batch")).rows.len()), (4, 4));
        }
    }
}
