//! The samples inside the program, for machines without a network: 4,000 training and 1,000 test images of MNIST, 800 and
//! 200 of CIFAR-10, drawn at random from the whole data sets: of MNIST in ascending order, of CIFAR-10 as many of each class.

use super::{Dataset, ImageData, Origin, Part, decode, grid};
use anyhow::{Context, Result};

/// The files of MNIST, in the order of [`Part::ALL`].
const MNIST: [&[u8]; 4] = [
    include_bytes!("../sample/train-images-idx3-ubyte.gz"),
    include_bytes!("../sample/train-labels-idx1-ubyte.gz"),
    include_bytes!("../sample/t10k-images-idx3-ubyte.gz"),
    include_bytes!("../sample/t10k-labels-idx1-ubyte.gz"),
];

/// The training and test images of CIFAR-10, each a picture of all of them. Their classes take turns, so no file has
/// the labels.
const CIFAR10: [&[u8]; 2] =
    [include_bytes!("../sample/cifar10-train.png"), include_bytes!("../sample/cifar10-test.png")];

/// The sample, if there is one of this data set.
pub(crate) fn read(dataset: Dataset) -> Option<Result<ImageData>> {
    dataset.sample_pin(Part::TrainImages)?;
    Some(ImageData::assemble(dataset, Origin::Sample, |part| read_part(dataset, part)))
}

/// The bytes of a part.
pub(super) fn read_part(dataset: Dataset, part: Part) -> Result<Vec<u8>> {
    let pin = dataset.sample_pin(part).with_context(|| format!("there is no sample of {dataset}"))?;
    let bytes = match dataset {
        Dataset::Mnist => decode(dataset, part, pin, MNIST[part as usize]),
        Dataset::Cifar10 if part.is_images() => grid::read(CIFAR10[usize::from(part.is_test())], dataset.shape()),
        _ => Ok((0..pin.count).map(|row| (row % dataset.classes()) as u8).collect()),
    };
    let checked = bytes.and_then(|bytes| pin.check(&bytes).map(|_| bytes));
    checked.with_context(|| format!("the sample's {}", part.name()))
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
        assert!(MNIST.iter().map(|file| file.len()).sum::<usize>() < 1_500_000);
    }

    #[test]
    fn the_colour_sample_has_as_many_images_of_each_class() {
        let sample = read(Dataset::Cifar10).expect("a sample").expect("the embedded files");
        assert_eq!((sample.train.len(), sample.test.len(), sample.name()), (800, 200, "sample"));
        for images in [&sample.train, &sample.test] {
            assert_eq!(images.pixels.len(), images.len() * 3072);
            for class in 0..10 {
                assert_eq!(images.labels.iter().filter(|label| **label == class).count() * 10, images.len());
            }
        }
        assert!(CIFAR10.iter().map(|file| file.len()).sum::<usize>() < 2_500_000);
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

    #[test]
    fn colour_images_stand_upright() {
        // The sky is above ships and airplanes: their upper rows are brighter than their lower ones, and left and right
        // are alike.
        let sample = read(Dataset::Cifar10).expect("a sample").expect("the embedded files").train;
        let ships: Vec<usize> = (0..sample.len()).filter(|row| [0, 8].contains(&sample.labels[*row])).collect();
        let sum = |inside: &dyn Fn(usize, usize) -> bool| -> f64 {
            let pixels = ships.iter().flat_map(|row| sample.pixels[row * 3072..][..3072].iter().enumerate());
            pixels.filter(|(at, _)| inside(at / 96, at / 3 % 32)).map(|(_, byte)| f64::from(*byte)).sum()
        };
        let (above, below) = (sum(&|row, _| row < 10), sum(&|row, _| row >= 22));
        let (left, right) = (sum(&|_, column| column < 10), sum(&|_, column| column >= 22));
        assert!(above > 1.1 * below, "{above} above, {below} below");
        assert!((left / right - 1.0).abs() < 0.05, "{left} left, {right} right");
    }
}
