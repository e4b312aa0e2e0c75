//! Images in memory: kept as bytes, converted batch by batch.

use super::Origin;
use crate::data::TrainingSet;
use crate::data::source::{Dataset, Part, Proof, Shape, sha256};
use anyhow::{Context, Result, ensure};
use candle_core::{Device, Tensor};
use std::borrow::Cow;

/// Images with their classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    /// One image after the other, each row by row from its upper left, the channels of a pixel side by side. In a grey
    /// image 0 is background, 255 full ink.
    pub pixels: Vec<u8>,
    /// Class of each image.
    pub labels: Vec<u16>,
    /// Extents of an image.
    pub shape: Shape,
}

impl Images {
    /// None yet.
    pub fn empty(shape: Shape) -> Self {
        Self { pixels: Vec::new(), labels: Vec::new(), shape }
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Numbers in an image.
    pub fn features(&self) -> usize {
        self.shape.features()
    }

    /// The bytes of an image.
    ///
    /// # Errors
    /// When there is no such row, or pixels are missing.
    pub fn image(&self, row: usize) -> candle_core::Result<&[u8]> {
        if row >= self.len() {
            candle_core::bail!("there is no image {row}; the last is {}", self.len().saturating_sub(1));
        }
        let size = self.features();
        let image = self.pixels.get(row * size..(row + 1) * size);
        image.ok_or_else(|| candle_core::Error::msg(format!("image {row} has no {size} pixels")))
    }

    /// The images at the given rows, in that order, in [0, 1].
    ///
    /// # Shapes
    /// -> (rows, features), f32
    ///
    /// # Errors
    /// When there is no such row.
    pub fn inputs(&self, rows: &[usize], device: &Device) -> candle_core::Result<Tensor> {
        let mut inputs = Vec::with_capacity(rows.len() * self.features());
        for &row in rows {
            inputs.extend(self.image(row)?.iter().map(|pixel| f32::from(*pixel) / 255.0));
        }
        Tensor::from_vec(inputs, (rows.len(), self.features()), device)
    }

    /// The images at the given rows, in that order.
    ///
    /// # Errors
    /// When there is no such row.
    pub fn select(&self, rows: &[usize]) -> candle_core::Result<Self> {
        let mut chosen = Self::empty(self.shape);
        for &row in rows {
            chosen.pixels.extend(self.image(row)?);
            chosen.labels.push(self.labels[row]);
        }
        Ok(chosen)
    }

    /// Puts more images of the same shape behind these.
    pub(super) fn append(&mut self, mut more: Self) {
        self.pixels.append(&mut more.pixels);
        self.labels.append(&mut more.labels);
    }

    /// The stored bytes of the half that a part is: pixels or labels.
    pub(super) fn half(&self, dataset: Dataset, part: Part) -> Cow<'_, [u8]> {
        match part {
            Part::TrainImages | Part::TestImages => Cow::Borrowed(&self.pixels),
            Part::TrainLabels | Part::TestLabels => Cow::Owned(match dataset.label_bytes() {
                // Labels are below the number of classes.
                1 => self.labels.iter().map(|label| *label as u8).collect(),
                _ => self.labels.iter().flat_map(|label| label.to_le_bytes()).collect(),
            }),
        }
    }
}

/// Some images of a data set as rows of numbers in [0, 1], to train or to score on.
#[derive(Debug, Clone)]
pub struct Subset<'a> {
    /// All of them.
    pub images: &'a Images,
    /// Places of the ones that count.
    pub rows: Vec<usize>,
    /// Where batches are wanted.
    pub device: Device,
}

impl TrainingSet for Subset<'_> {
    fn len(&self) -> usize {
        self.rows.len()
    }

    /// # Shapes
    /// -> (rows, features) in [0, 1], f32; (rows), u32
    fn batch(&self, _epoch: usize, rows: &[u32]) -> candle_core::Result<(Tensor, Tensor)> {
        let place = |row: &u32| match self.rows.get(*row as usize) {
            Some(place) => Ok(*place),
            None => candle_core::bail!("there is no row {row}; there are {}", self.rows.len()),
        };
        let rows = rows.iter().map(place).collect::<candle_core::Result<Vec<_>>>()?;
        let inputs = self.images.inputs(&rows, &self.device)?;
        let labels: Vec<u32> = rows.iter().map(|row| u32::from(self.images.labels[*row])).collect();
        Ok((inputs, Tensor::new(labels, &self.device)?))
    }
}

/// A data set in memory.
#[derive(Debug, Clone)]
pub struct ImageData {
    /// Which one.
    pub dataset: Dataset,
    /// To train (and validate) on.
    pub train: Images,
    /// Touched once, when everything is chosen.
    pub test: Images,
    /// Where it was found.
    pub origin: Origin,
}

impl ImageData {
    /// Whether this is the small sample inside the program rather than the whole data set.
    pub fn is_sample(&self) -> bool {
        self.origin == Origin::Sample
    }

    /// What was computed on, for every table: the data set's name, or `sample`.
    pub fn name(&self) -> &'static str {
        if self.is_sample() { "sample" } else { self.dataset.name() }
    }

    /// SHA-256 of all bytes: the hashes of pixels and labels, hashed.
    pub fn hash(&self) -> String {
        let parts = Part::ALL.map(|part| sha256(&self.images(part).half(self.dataset, part)));
        sha256(parts.concat().as_bytes())
    }

    /// Whether it has as many images as were published.
    pub(super) fn has_all(&self) -> bool {
        Part::ALL.into_iter().all(|part| self.images(part).len() == self.dataset.pin(part).count)
    }

    /// What is worth knowing of a data set that cannot be held against hashes; nothing of one that was.
    pub fn doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        let unpinned = || Part::ALL.into_iter().filter(|part| self.dataset.pin(*part).sha256.is_none());
        for part in unpinned() {
            let (found, published) = (self.images(part).len(), self.dataset.pin(part).count);
            if found != published && part.is_images() {
                doubts.push(format!("{found} {}, {published} were published", part.name()));
            }
        }
        if unpinned().next().is_some() {
            doubts.push("the bytes are unpinned: there is no hash of the original to hold them against".into());
        }
        doubts
    }

    /// Puts the four parts together.
    pub(super) fn assemble(
        dataset: Dataset,
        origin: Origin,
        mut read: impl FnMut(Part) -> Result<Vec<u8>>,
    ) -> Result<Self> {
        let mut images = |pixels, labels| -> Result<Images> {
            let (pixels, stored) = (read(pixels)?, read(labels)?);
            let labels = match dataset.label_bytes() {
                1 => stored.into_iter().map(u16::from).collect(),
                _ => stored.as_chunks().0.iter().map(|bytes| u16::from_le_bytes(*bytes)).collect(),
            };
            let images = Images { pixels, labels, shape: dataset.shape() };
            check(dataset, &images)?;
            Ok(images)
        };
        let train = images(Part::TrainImages, Part::TrainLabels)?;
        Ok(Self { dataset, train, test: images(Part::TestImages, Part::TestLabels)?, origin })
    }

    /// Holds all parts against the pins.
    pub(super) fn checked(self, place: impl Fn(Part) -> String) -> Result<Self> {
        for part in Part::ALL {
            prove(self.dataset, part, self.images(part)).with_context(|| place(part))?;
        }
        Ok(self)
    }

    /// The images of which a part is one half.
    pub(super) fn images(&self, part: Part) -> &Images {
        if part.is_test() { &self.test } else { &self.train }
    }
}

/// Holds a part against its pin.
pub(super) fn prove(dataset: Dataset, part: Part, images: &Images) -> Result<Proof> {
    dataset.pin(part).check(&images.half(dataset, part))
}

/// Refuses images without a label, labels without an image, and labels that are no class.
pub(super) fn check(dataset: Dataset, images: &Images) -> Result<()> {
    let (classes, count) = (dataset.classes(), images.len());
    ensure!(
        images.pixels.len() == count * images.features(),
        "{} bytes of pixels are not {count} images of {}",
        images.pixels.len(),
        images.shape
    );
    if let Some(row) = images.labels.iter().position(|label| usize::from(*label) >= classes) {
        anyhow::bail!("label {row} is {}, not a class from 0 to {}", images.labels[row], classes - 1);
    }
    ensure!(count > 0, "there are no images");
    Ok(())
}

/// The class, from 0, of a label as it is stored.
///
/// # Errors
/// When it is none.
pub(super) fn class(dataset: Dataset, row: usize, label: i64) -> Result<u16> {
    let (first, last) = (dataset.first_label(), dataset.first_label() + dataset.classes() as i64 - 1);
    let is_class = (first..=last).contains(&label);
    ensure!(is_class, "label {row} is {label}, not a class from {first} to {last}");
    Ok(u16::try_from(label - first)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::DType;

    fn three() -> Images {
        let pixels = [0_u8, 51, 255].into_iter().flat_map(|pixel| [pixel, pixel / 3, 7, 255]).collect();
        Images { pixels, labels: vec![4, 5, 6], shape: Shape::grey(2) }
    }

    #[test]
    fn inputs_are_the_chosen_rows_between_0_and_1() {
        let images = three();
        let inputs = images.inputs(&[2, 1, 1], &Device::Cpu).expect("three rows");
        assert_eq!((inputs.dims(), inputs.dtype()), (&[3, 4][..], DType::F32));
        let rows = inputs.to_vec2::<f32>().expect("a matrix");
        assert_eq!(rows[0], [1.0, 85.0 / 255.0, 7.0 / 255.0, 1.0]);
        assert_eq!((rows[1][0], &rows[1]), (0.2, &rows[2]));
        assert_eq!(images.inputs(&[], &Device::Cpu).expect("no row").dims(), [0, 4]);
        let told = images.inputs(&[0, 3], &Device::Cpu).expect_err("no such row").to_string();
        assert!(told.contains("no image 3"), "{told}");
    }

    #[test]
    fn rows_that_are_not_there_are_errors() {
        let (images, cut) = (three(), Images { pixels: vec![0; 11], ..three() });
        let cases = [(&images, 0, 1, "no row 1; there are 1"), (&images, 7, 0, "no image 7"), (&cut, 2, 0, "has no 4")];
        for (images, place, row, told) in cases {
            let subset = Subset { images, rows: vec![place], device: Device::Cpu };
            assert!(subset.batch(0, &[row]).expect_err("no such row").to_string().contains(told), "{told}");
        }
    }

    #[test]
    fn selected_images_keep_their_labels() {
        let chosen = three().select(&[2, 0]).expect("two rows");
        assert_eq!((chosen.labels, chosen.pixels[0], chosen.pixels[4]), (vec![6, 4], 255, 0));
    }

    #[test]
    fn labels_of_a_thousand_classes_have_two_bytes() {
        let labels = vec![3, 999, 256];
        let images = Images { pixels: vec![7; 3 * 3072], labels, shape: Shape::colour(32) };
        let stored = images.half(Dataset::Imagenet32, Part::TestLabels);
        assert_eq!(&stored[..], [3, 0, 0xe7, 3, 0, 1]);
        let again = ImageData::assemble(Dataset::Imagenet32, Origin::Cache, |part| {
            Ok(images.half(Dataset::Imagenet32, part).into_owned())
        });
        assert_eq!(again.expect("a data set").test, images);
    }

    #[test]
    fn images_and_labels_must_fit_each_other_and_the_classes() {
        let told = |pixels: usize, labels: &[u16]| {
            let images = Images { pixels: vec![0; pixels], labels: labels.to_vec(), shape: Shape::colour(32) };
            format!("{:#}", check(Dataset::Cifar100, &images).expect_err("images that do not fit"))
        };
        assert!(told(3072, &[1, 2]).contains("3072 bytes of pixels are not 2 images of 32 x 32 colour"));
        assert!(told(6144, &[1, 100]).contains("label 1 is 100, not a class from 0 to 99"));
        assert!(told(0, &[]).contains("no images"));
    }
}
