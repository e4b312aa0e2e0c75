//! Images with random changes, new ones in every epoch, as normalised tensors.
//!
//! The changes of an image are a function of seed, epoch and the image's place in the data set alone: they are the same
//! for any number of threads, for any batches, and for any choice of validation images.

mod colour;
mod geometry;
mod policy;
#[cfg(test)]
mod tests;

pub use policy::{CIFAR10_POLICY, Operation, SubPolicy};

use super::TrainingSet;
use super::images::{Images, Shape};
use crate::rng::{Seed, Stream};
use candle_core::{Device, Result, Tensor};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Mean of red, green and blue over ImageNet, pixels in [0, 1].
pub const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// Standard deviation likewise.
pub const DEVIATION: [f32; 3] = [0.229, 0.224, 0.225];

/// How images are changed at random.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Augment {
    /// Not at all.
    None,
    /// A random part of the image with a black border, and its mirror image in half of the cases.
    Basic,
    /// As `basic`, then a random pair of operations that was found for CIFAR-10 (Cubuk et al. 2019, "AutoAugment:
    /// Learning Augmentation Policies from Data"), and a black square (DeVries and Taylor 2017, "Improved Regularization
    /// of Convolutional Neural Networks with Cutout").
    #[default]
    Autoaugment,
}

impl std::fmt::Display for Augment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Augment {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::None, Self::Basic, Self::Autoaugment];

    /// As it is called on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Basic => "basic",
            Self::Autoaugment => "autoaugment",
        }
    }

    /// Changes an image in place, with the random numbers of a stream.
    ///
    /// # Panics
    /// When there are fewer bytes than the shape says, or none, unless nothing is to be changed.
    pub fn apply(self, pixels: &mut Vec<u8>, shape: Shape, stream: &mut Stream) {
        if self == Self::None {
            return;
        }
        geometry::crop(pixels, shape, padding(shape), stream);
        geometry::flip(pixels, shape, stream);
        if self == Self::Autoaugment {
            policy::apply(pixels, shape, stream);
            geometry::cut_out(pixels, shape, hole(shape), stream);
        }
    }
}

/// Width of the border that a random part of the image may reach into: 4 of 32 pixels, 12 of 96.
fn padding(shape: Shape) -> usize {
    shape.width / 8
}

/// Edge of Cutout's square: 16 of 32 pixels, 32 of 96.
fn hole(shape: Shape) -> usize {
    if shape.width < 96 { 16 } else { 32 }
}

/// Colour images of a data set with random changes, normalised by [`MEAN`] and [`DEVIATION`]; kept as bytes and converted
/// batch by batch.
#[derive(Debug, Clone)]
pub struct Augmented<'a> {
    /// All images.
    pub images: &'a Images,
    /// Places of the ones that count.
    pub rows: Vec<usize>,
    /// How they are changed.
    pub augment: Augment,
    /// The root of the changes.
    pub seed: Seed,
    /// Threads that prepare batches ahead of the training step; with 0 it prepares them itself.
    pub workers: usize,
    /// Where batches are wanted.
    pub device: Device,
}

impl<'a> Augmented<'a> {
    /// The images as they are, to score on.
    pub fn plain(images: &'a Images, rows: Vec<usize>, device: &Device) -> Self {
        Self { images, rows, augment: Augment::None, seed: Seed(0), workers: 0, device: device.clone() }
    }

    /// The bytes of the image at a place of the data set, as they are in an epoch.
    ///
    /// # Errors
    /// When there is no such image, or it is not in colour.
    pub fn pixels(&self, epoch: usize, place: usize) -> Result<Vec<u8>> {
        let shape = self.images.shape;
        if shape.channels != 3 {
            candle_core::bail!("images are augmented in colour; these have {} channels", shape.channels);
        }
        if shape.height == 0 || shape.width == 0 {
            candle_core::bail!("images of {} x {} pixels cannot be augmented", shape.height, shape.width);
        }
        let mut pixels = self.images.image(place)?.to_vec();
        if self.augment != Augment::None {
            let mut stream = self.seed.stream(&format!("augment/{epoch}/{place}"));
            self.augment.apply(&mut pixels, shape, &mut stream);
        }
        Ok(pixels)
    }
}

impl TrainingSet for Augmented<'_> {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn workers(&self) -> usize {
        self.workers
    }

    /// # Shapes
    /// -> (rows, height, width, channels), f32; (rows), u32
    fn batch(&self, epoch: usize, rows: &[u32]) -> Result<(Tensor, Tensor)> {
        let Shape { height, width, channels } = self.images.shape;
        let mut inputs = Vec::with_capacity(rows.len() * self.images.features());
        let mut labels = Vec::with_capacity(rows.len());
        let normal = normalised();
        for row in rows {
            let Some(&place) = self.rows.get(*row as usize) else {
                candle_core::bail!("there is no row {row}; there are {}", self.rows.len());
            };
            let pixels = self.pixels(epoch, place)?;
            inputs.extend(pixels.as_chunks::<3>().0.iter().flat_map(|[red, green, blue]| {
                let of = |channel: usize, byte: u8| normal[channel][usize::from(byte)];
                [of(0, *red), of(1, *green), of(2, *blue)]
            }));
            labels.push(u32::from(self.images.labels[place]));
        }
        let inputs = Tensor::from_vec(inputs, (rows.len(), height, width, channels), &self.device)?;
        Ok((inputs, Tensor::new(labels, &self.device)?))
    }
}

/// What each byte becomes in each channel.
fn normalised() -> [[f32; 256]; 3] {
    std::array::from_fn(|channel| {
        std::array::from_fn(|byte| (byte as f32 / 255.0 - MEAN[channel]) / DEVIATION[channel])
    })
}
