//! The published batches of downsampled ImageNet, as NumPy's archives: `data`, (images, 3072) bytes with the planes of an
//! image one after the other, and `labels`, 1 to 1000.

use super::binary::{Order, interleave};
use super::memory::check;
use super::{Dataset, Images};
use anyhow::{Context, Result, ensure};
use candle_core::npy::NpzTensors;
use candle_core::{DType, Tensor};
use std::path::{Path, PathBuf};

/// Reads batches.
///
/// # Errors
/// With the file, when one is no such archive, lacks an array, or has a label that is no class.
pub(super) fn read(dataset: Dataset, files: &[PathBuf]) -> Result<Images> {
    let mut images = Images::empty(dataset.shape());
    for path in files {
        let batch = read_batch(dataset, path).with_context(|| path.display().to_string())?;
        images.append(batch);
    }
    Ok(images)
}

fn read_batch(dataset: Dataset, path: &Path) -> Result<Images> {
    let archive = NpzTensors::new(path).context("no NumPy archive (.npz), or a damaged one")?;
    let array = |name: &str| -> Result<Tensor> { archive.get(name)?.with_context(|| format!("holds no array {name}")) };
    let mut images = Images::empty(dataset.shape());
    let (data, size) = (array("data")?, images.features());
    let fits = data.dims().get(1..) == Some(&[size]) && data.dtype() == DType::U8;
    ensure!(fits, "data is {:?} of {:?}, not rows of {size} bytes", data.dims(), data.dtype());
    for planes in data.flatten_all()?.to_vec1::<u8>()?.chunks_exact(size) {
        interleave(planes, images.shape, Order::Rows, &mut images.pixels);
    }
    let labels = array("labels")?.flatten_all()?.to_dtype(DType::I64)?.to_vec1::<i64>()?;
    for (row, label) in labels.into_iter().enumerate() {
        let class = label.checked_sub(1).and_then(|class| u16::try_from(class).ok());
        images.labels.push(class.with_context(|| format!("label {row} is {label}; the first class is 1"))?);
    }
    check(dataset, &images)?;
    Ok(images)
}
