//! The sample of MNIST inside the program: 4,000 training and 1,000 test images, for machines without a network.
//!
//! `cargo run --release --example mnist_sample` draws it again from the whole data set.

use super::{Dataset, ImageData, Images, Origin, Part, decode};
use crate::rng::Seed;
use anyhow::{Context, Result};
use flate2::{Compression, write::GzEncoder};
use std::fs;
use std::io::Write;
use std::path::Path;

/// The files, in the order of [`Part::ALL`].
const FILES: [&[u8]; 4] = [
    include_bytes!("../sample/train-images-idx3-ubyte.gz"),
    include_bytes!("../sample/train-labels-idx1-ubyte.gz"),
    include_bytes!("../sample/t10k-images-idx3-ubyte.gz"),
    include_bytes!("../sample/t10k-labels-idx1-ubyte.gz"),
];

/// The sample, if there is one of this data set.
pub(super) fn read(dataset: Dataset) -> Option<Result<ImageData>> {
    (dataset == Dataset::Mnist).then(|| ImageData::assemble(Origin::Sample, read_part))
}

/// The bytes of a part.
pub(super) fn read_part(part: Part) -> Result<Vec<u8>> {
    decode(part, part.sample_pin(), FILES[part as usize]).with_context(|| format!("the sample's {}", part.name()))
}

/// Draws the sample from the whole of MNIST: a random choice of rows, in ascending order.
///
/// # Errors
/// When there are too few images.
pub fn draw(data: &ImageData) -> Result<ImageData> {
    let choose = |images: &Images, part: Part, stream: &str| {
        let mut rows = Seed(0).stream(stream).permutation(images.len());
        rows.truncate(part.sample_pin().count);
        rows.sort_unstable();
        images.select(&rows)
    };
    Ok(ImageData {
        train: choose(&data.train, Part::TrainImages, "sample/train")?,
        test: choose(&data.test, Part::TestImages, "sample/test")?,
        origin: Origin::Sample,
    })
}

/// Writes a sample as four IDX files, gzip.
///
/// # Errors
/// With the file that cannot be written.
pub fn write(sample: &ImageData, directory: &Path) -> Result<()> {
    for part in Part::ALL {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&sample.images(part).array(part).encode())?;
        let path = directory.join(format!("{}.gz", part.file_name()));
        fs::write(&path, encoder.finish()?).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_has_its_size_and_all_classes() {
        let sample = read(Dataset::Mnist).expect("a sample").expect("the embedded files");
        assert_eq!((sample.train.len(), sample.test.len()), (4_000, 1_000));
        assert!(sample.is_sample() && read(Dataset::FashionMnist).is_none());
        for images in [&sample.train, &sample.test] {
            assert_eq!(images.pixels.len(), images.len() * 784);
            for class in 0..10 {
                let count = images.labels.iter().filter(|label| **label == class).count();
                assert!(count * 20 > images.len(), "{count} images of class {class}");
            }
        }
        // 1.5 MB in every program is the bound.
        assert!(FILES.iter().map(|file| file.len()).sum::<usize>() < 1_500_000);
    }

    #[test]
    fn images_stand_upright() {
        // A one is higher than wide, whichever way it leans.
        let sample = read(Dataset::Mnist).expect("a sample").expect("the embedded files").train;
        let ones: Vec<usize> = (0..sample.len()).filter(|row| sample.labels[*row] == 1).collect();
        let extent = |inked: &dyn Fn(usize, usize) -> bool| {
            (0..28).filter(|line| (0..28).any(|place| inked(*line, place))).count()
        };
        let (mut high, mut wide) = (0, 0);
        for row in &ones {
            let image = &sample.pixels[row * 784..][..784];
            high += extent(&|line, place| image[28 * line + place] > 127);
            wide += extent(&|line, place| image[28 * place + line] > 127);
        }
        assert!(high > 2 * wide, "{high} lines, {wide} columns over {} ones", ones.len());
    }
}
