//! The images of a run by purpose.

use super::spec::ImageSpec;
use crate::data::augment::Augmented;
use crate::data::images::ImageData;
use crate::nn::kernels::threads;
use crate::rng::Seed;
use candle_core::Device;

/// Training images that are scored as they are at the end.
const SCORED: usize = 2_000;

/// The images of a run by purpose: what is not there cannot leak.
pub struct Parts<'a> {
    /// To train on, augmented.
    pub train: Augmented<'a>,
    /// Some of these, as they are.
    pub scored: Augmented<'a>,
    /// Kept from training; None where none are kept.
    pub validation: Option<Augmented<'a>>,
    /// As they are.
    pub test: Augmented<'a>,
}

impl<'a> Parts<'a> {
    /// The images of a run. Validation images, and training images where a limit leaves some out, are drawn from the
    /// run's seed.
    pub fn of(spec: &ImageSpec, data: &'a ImageData, device: &Device) -> Self {
        let plain = |rows| Augmented::plain(&data.train, rows, device);
        let (train, validation) = spec.data.cut(data.train.len());
        let mut rows = spec.seed.stream("validation").permutation(data.train.len());
        rows.truncate(train + validation);
        let kept = rows.split_off(train);
        // In the order of the data set: the order of the batches has a stream of its own.
        rows.sort_unstable();
        let scored = chosen(Seed(0), "scored", train, SCORED).into_iter().map(|place| rows[place]).collect();
        Self {
            scored: plain(scored),
            train: Augmented {
                images: &data.train,
                rows,
                augment: spec.augment,
                seed: spec.seed,
                // No result depends on their number.
                workers: threads::count(),
                device: device.clone(),
            },
            validation: (!kept.is_empty()).then(|| plain(kept)),
            test: Self::test(spec.data.test_limit, data, device),
        }
    }

    /// Test images, the same ones for every run.
    pub fn test(limit: Option<usize>, data: &'a ImageData, device: &Device) -> Augmented<'a> {
        let all = data.test.len();
        let rows = chosen(Seed(0), "test", all, limit.unwrap_or(all));
        Augmented::plain(&data.test, rows, device)
    }
}

/// At most `most` of as many rows, at random, in ascending order.
fn chosen(seed: Seed, stream: &str, rows: usize, most: usize) -> Vec<usize> {
    let mut chosen = seed.stream(stream).permutation(rows);
    chosen.truncate(most);
    chosen.sort_unstable();
    chosen
}
