//! A few training images, each as it is and as the changes of several epochs make it, for the contact sheet.

use crate::data::augment::{Augment, Augmented};
use crate::data::images::ImageData;
use crate::engine::runs::Store;
use crate::files;
use crate::rng::Seed;
use anyhow::Result;
use candle_core::{Device, Tensor};
use std::path::{Path, PathBuf};

/// Images on the sheet.
const IMAGES: usize = 8;
/// Epochs of each.
const EPOCHS: usize = 8;

/// Where a command leaves them.
pub fn contact_file(store: &Store, experiment: &str) -> PathBuf {
    store.root.join("runs").join(experiment).join("augmented.safetensors")
}

/// Writes the images at the beginning of a data set: `labels` (images), u32, and `pixels` (images, 1 + epochs, height,
/// width, channels), u8, the image as it is first.
pub fn write_contact(data: &ImageData, augment: Augment, path: &Path) -> Result<()> {
    let (images, device) = (&data.train, Device::Cpu);
    let places = 0..IMAGES.min(images.len());
    let seed = Seed(0);
    let augmented = Augmented { images, rows: Vec::new(), augment, seed, workers: 0, device: device.clone() };
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for place in places {
        labels.push(u32::from(images.labels[place]));
        pixels.extend(images.image(place)?);
        for epoch in 0..EPOCHS {
            pixels.extend(augmented.pixels(epoch, place)?);
        }
    }
    let shape = images.shape;
    let extents = (labels.len(), 1 + EPOCHS, shape.height, shape.width, shape.channels);
    let (labels, pixels) = (Tensor::new(labels, &device)?, Tensor::from_vec(pixels, extents, &device)?);
    Ok(files::write_tensors(path, &[("labels".into(), labels), ("pixels".into(), pixels)])?)
}
