//! The published batches of downsampled ImageNet, as NumPy's archives, compressed or not: `data`, (images, 3072) bytes with the planes of an
//! image one after the other, and `labels`, 1 to 1000,
//! whole numbers of any width.

use super::binary::{Order, interleave};
use super::memory::check;
use super::npy::Array;
use super::{Dataset, Images};
use crate::files;
use crate::zipped::Zipped;
use anyhow::{Context, Result};
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// The most images that one archive may hold: those of all published batches. What a few compressed bytes claim beyond
/// that is not unpacked.
const MOST_IMAGES: usize = 1_281_167;
/// Of a NumPy array.
const LONGEST_HEADER: usize = 1 << 16;

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
    let mut archive = Zipped::open(BufReader::new(files::open(path)?)).context("no NumPy archive (.npz)")?;
    let mut images = Images::empty(dataset.shape());
    let size = images.features();
    let mut member = |name: &str, entry: usize| -> Result<Vec<u8>> {
        let bytes = archive.read(&format!("{name}.npy"), LONGEST_HEADER + MOST_IMAGES * entry)?;
        bytes.with_context(|| format!("holds no array {name}"))
    };
    let file = member("data", size)?;
    let data = Array::decode(&file).context("data")?;
    let planes = data.bytes().filter(|_| data.shape.get(1..) == Some(&[size]));
    let planes = planes.with_context(|| format!("data is {:?}, not rows of {size} bytes", data.shape))?;
    for planes in planes.chunks_exact(size) {
        interleave(planes, images.shape, Order::Rows, &mut images.pixels);
    }
    let file = member("labels", size_of::<i64>())?;
    for (row, label) in Array::decode(&file).and_then(|labels| labels.numbers()).context("labels")?.into_iter().enumerate() {
        let class = label.checked_sub(1).and_then(|class| u16::try_from(class).ok());
        images.labels.push(class.with_context(|| format!("label {row} is {label}; the first class is 1"))?);
    }
    check(dataset, &images)?;
    Ok(images)
}
