//! The images of a run by purpose.

use crate::config::image::{ImageSet, ImageSpec};
use crate::data::colour::{Augment, Photos};
use crate::data::images::{ImageData, Images, Subset};
use crate::rng::Seed;
use candle_core::Device;

/// Training images that are scored as they are at the end.
const SCORED: usize = 2_000;

/// The images of a run by purpose: what is not there cannot leak.
pub struct Parts<'a> {
    /// To train on, augmented.
    pub train: Photos<'a>,
    /// Some of these, as they are.
    pub scored: Photos<'a>,
    /// Kept from training; None where none are kept.
    pub validation: Option<Photos<'a>>,
    /// As they are.
    pub test: Photos<'a>,
}

impl<'a> Parts<'a> {
    /// The images of a run. Validation images, and training images where a limit leaves some out, are drawn from the
    /// run's seed.
    pub fn of(spec: &ImageSpec, data: &'a ImageData, device: &Device) -> Self {
        let plain = |images, rows| photos(images, rows, Augment::None, Seed(0), device);
        let (train, validation) = spec.data.cut(data.train.len());
        let mut rows = spec.seed.stream("validation").permutation(data.train.len());
        rows.truncate(train + validation);
        let kept = rows.split_off(train);
        // In the order of the data set: the order of the batches has a stream of its own.
        rows.sort_unstable();
        let scored = chosen(Seed(0), "scored", train, SCORED).into_iter().map(|place| rows[place]).collect();
        Self {
            scored: plain(&data.train, scored),
            train: photos(&data.train, rows, spec.augment, spec.seed, device),
            validation: (!kept.is_empty()).then(|| plain(&data.train, kept)),
            test: Self::test(&spec.data, data, device),
        }
    }

    /// The test images, the same ones for every run.
    pub fn test(set: &ImageSet, data: &'a ImageData, device: &Device) -> Photos<'a> {
        let all = data.test.len();
        let rows = chosen(Seed(0), "test", all, set.test_limit.unwrap_or(all));
        photos(&data.test, rows, Augment::None, Seed(0), device)
    }
}

/// At most `most` of as many rows, at random, in ascending order.
fn chosen(seed: Seed, stream: &str, rows: usize, most: usize) -> Vec<usize> {
    let mut chosen = seed.stream(stream).permutation(rows);
    chosen.truncate(most);
    chosen.sort_unstable();
    chosen
}

fn photos<'a>(images: &'a Images, rows: Vec<usize>, _augment: Augment, _seed: Seed, device: &Device) -> Photos<'a> {
    Photos(Subset { images, rows, device: device.clone() })
}
