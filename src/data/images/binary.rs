//! The binary files of CIFAR and STL-10: each image is a plane of red, one of green and one of blue.

use super::memory::{check, class};
use super::{Dataset, Images, Shape, archive};
use anyhow::{Context, Result, bail, ensure};
use std::fmt::Display;
use std::path::PathBuf;

/// Coarse classes of CIFAR-100, whose fine ones are 100.
pub(super) const COARSE_CLASSES: u16 = 20;

/// In which order the pixels of a plane come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Row by row from the top.
    Rows,
    /// Column by column from the left.
    Columns,
}

/// Reads batches of CIFAR: for each image its label (in CIFAR-100 the coarse one before the fine one, which counts), then
/// 3,072 pixels; in each at most so many images.
///
/// # Errors
/// With the file, when one cannot be read, is cut short, too large, or has a label that is no class.
pub(super) fn read_cifar(dataset: Dataset, files: &[PathBuf], most: usize) -> Result<Images> {
    let mut images = Images::empty(dataset.shape());
    let row = labels(dataset) + images.features();
    archive::read(files, most * row, |path, bytes| {
        images.append(cifar(dataset, &bytes, path.display())?);
        Ok(())
    })?;
    Ok(images)
}

/// Labels of an image of CIFAR.
fn labels(dataset: Dataset) -> usize {
    if dataset == Dataset::Cifar100 { 2 } else { 1 }
}

/// The images of a batch of CIFAR; messages name its file.
pub(crate) fn cifar(dataset: Dataset, bytes: &[u8], name: impl Display) -> Result<Images> {
    let (labels, mut batch) = (labels(dataset), Images::empty(dataset.shape()));
    let row = labels + batch.features();
    let whole = bytes.len().is_multiple_of(row);
    ensure!(whole, "{name}: {} bytes are not rows of {row}; the file is cut short", bytes.len());
    for (image, row) in bytes.chunks_exact(row).enumerate() {
        if let [coarse, _] = row[..labels] {
            // With the labels in the other order the coarse ones would pass for fine ones.
            let last = COARSE_CLASSES - 1;
            let is_class = u16::from(coarse) <= last;
            ensure!(is_class, "{name}: the coarse label {image} is {coarse}, not a class from 0 to {last}");
        }
        batch.labels.push(u16::from(row[labels - 1]));
        interleave(&row[labels..], batch.shape, Order::Rows, &mut batch.pixels);
    }
    check(dataset, &batch).with_context(|| name.to_string())?;
    Ok(batch)
}

/// Reads a pair of STL-10's files: pixels, with planes column by column, and labels from 1; at most so many images.
///
/// # Errors
/// With the file, when one cannot be read, is cut short, too large, or has a label that is no class.
pub(super) fn read_stl(dataset: Dataset, files: &[PathBuf], most: usize) -> Result<Images> {
    let size = Images::empty(dataset.shape()).features();
    let [pixels, labels] = files else {
        let there = files.first().map(|file| file.display().to_string()).unwrap_or_default();
        bail!("{there}: pixels and labels are two files, and one is missing");
    };
    let mut contents = Vec::new();
    archive::read(files, most * size, |_, bytes| {
        contents.push(bytes);
        Ok(())
    })?;
    stl(dataset, (&contents[0], &contents[1]), (pixels.display(), labels.display()))
}

/// The images of a pair of STL-10's files; messages name both.
pub(crate) fn stl(
    dataset: Dataset,
    (planes, classes): (&[u8], &[u8]),
    (pixels, labels): (impl Display, impl Display),
) -> Result<Images> {
    let mut images = Images::empty(dataset.shape());
    let size = images.features();
    let whole = planes.len().is_multiple_of(size);
    ensure!(whole, "{pixels}: {} bytes are not images of {size}; the file is cut short", planes.len());
    for planes in planes.chunks_exact(size) {
        interleave(planes, images.shape, Order::Columns, &mut images.pixels);
    }
    for (row, &label) in classes.iter().enumerate() {
        images.labels.push(class(dataset, row, label.into()).with_context(|| labels.to_string())?);
    }
    check(dataset, &images).with_context(|| format!("{pixels} with {labels}"))?;
    Ok(images)
}

/// Puts the planes of an image together: its rows, the channels of a pixel side by side.
pub(super) fn interleave(planes: &[u8], shape: Shape, order: Order, pixels: &mut Vec<u8>) {
    let Shape { height, width, channels } = shape;
    for row in 0..height {
        for column in 0..width {
            let place = match order {
                Order::Rows => row * width + column,
                Order::Columns => column * height + row,
            };
            pixels.extend((0..channels).map(|channel| planes[channel * height * width + place]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_of_either_order_become_upright_pixels() {
        // 2 rows of 3 pixels; the tens are the row, the ones the column, the hundreds the channel.
        let shape = Shape { height: 2, width: 3, channels: 2 };
        let pixel = |row: u8, column: u8| [10 * row + column, 100 + 10 * row + column];
        let expected: Vec<u8> = (0..2).flat_map(|row| (0..3).flat_map(move |column| pixel(row, column))).collect();
        let rows = [0, 1, 2, 10, 11, 12, 100, 101, 102, 110, 111, 112];
        let columns = [0, 10, 1, 11, 2, 12, 100, 110, 101, 111, 102, 112];
        for (planes, order) in [(rows, Order::Rows), (columns, Order::Columns)] {
            let mut pixels = Vec::new();
            interleave(&planes, shape, order, &mut pixels);
            assert_eq!(pixels, expected, "{order:?}");
        }
    }
}
