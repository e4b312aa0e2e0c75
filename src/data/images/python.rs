//! The batches of CIFAR and of downsampled ImageNet for Python: pickles of a dictionary. `data` is NumPy's array, (images, 3072)
//! bytes with the planes of an image one after the other; `labels` is a list. CIFAR-100 has the lists `coarse_labels` and
//! `fine_labels`, and the latter counts.

use super::binary::{Order, interleave};
use super::memory::{check, class};
use super::{Dataset, Images, archive};
use crate::pickle::{Id, Pickle, Value};
use anyhow::{Context, Result, bail, ensure};
use std::borrow::Cow;
use std::fmt::Display;
use std::path::PathBuf;

/// Bytes that a batch may have for an image beside its pixels: labels, and the name of its file.
const BESIDE: usize = 256;
/// Bytes beside the images. ImageNet's batches have the mean of every pixel.
const LONGEST_HEAD: usize = 1 << 16;

/// Reads batches, each of at most so many images.
///
/// # Errors
/// With the file, when one cannot be read, is damaged or too large, holds no such dictionary, or has a label that is no class.
pub(super) fn read(dataset: Dataset, files: &[PathBuf], most: usize) -> Result<Images> {
    let mut images = Images::empty(dataset.shape());
    let limit = LONGEST_HEAD + most * (images.features() + BESIDE);
    archive::read(files, limit, |path, bytes| {
        images.append(batch(dataset, &bytes, path.display())?);
        Ok(())
    })?;
    Ok(images)
}

/// The images of a batch; messages name its file.
pub(crate) fn batch(dataset: Dataset, bytes: &[u8], name: impl Display) -> Result<Images> {
    unpickled(dataset, bytes).with_context(|| name.to_string())
}

/// Under which key a batch has the labels that count.
pub(super) fn labels(dataset: Dataset) -> &'static str {
    if dataset == Dataset::Cifar100 { "fine_labels" } else { "labels" }
}

fn unpickled(dataset: Dataset, bytes: &[u8]) -> Result<Images> {
    let (pickle, _) = Pickle::read(bytes)?;
    let key = labels(dataset);
    let entry = |key: &str| {
        let entry = pickle.entry(pickle.root(), key);
        entry.with_context(|| format!("it is no dictionary with {key}; use the published file"))
    };
    let data = Array::of(&pickle, entry("data")?).context("data is no NumPy array of bytes")?;
    let Value::List(classes) = pickle.value(entry(key)?) else { bail!("{key} is not a list") };
    let mut images = Images::empty(dataset.shape());
    let size = images.features();
    let [count, columns] = data.extents[..] else { bail!("data has {} axes, not two", data.extents.len()) };
    let whole = columns == size && count.checked_mul(size) == Some(data.bytes.len());
    ensure!(whole, "data is {count} x {columns} in {} bytes, not rows of {size} bytes", data.bytes.len());
    for image in 0..count {
        interleave(&data.row(image), images.shape, Order::Rows, &mut images.pixels);
    }
    for (image, label) in classes.iter().enumerate() {
        let Value::Int(label) = pickle.value(*label) else { bail!("{key}: label {image} is no whole number") };
        images.labels.push(class(dataset, image, *label)?);
    }
    check(dataset, &images)?;
    Ok(images)
}

/// NumPy's array of bytes.
struct Array<'a> {
    extents: Vec<usize>,
    /// Whether its entries are stored column by column.
    by_column: bool,
    bytes: &'a [u8],
}

impl<'a> Array<'a> {
    /// From what NumPy would call to build the array, and the state that it would give it: version, extents, kind of entries,
    /// order, bytes.
    fn of(pickle: &Pickle<'a>, id: Id) -> Option<Self> {
        let Value::Made { by, state: Some(state), .. } = pickle.value(id) else { return None };
        let Value::Global { name: "_reconstruct", .. } = pickle.value(*by) else { return None };
        let [_version, extents, kind, by_column, bytes] = pickle.tuple(*state)? else { return None };
        let Value::Made { from: kind, .. } = pickle.value(*kind) else { return None };
        let Value::Bool(by_column) = pickle.value(*by_column) else { return None };
        let extents = pickle.tuple(*extents)?.iter().map(|extent| pickle.count(*extent)).collect::<Option<_>>()?;
        let of_bytes = pickle.bytes(*pickle.tuple(*kind)?.first()?)? == b"u1";
        of_bytes.then_some(Self { extents, by_column: *by_column, bytes: pickle.bytes(*bytes)? })
    }

    /// A row of an array of rows.
    fn row(&self, row: usize) -> Cow<'a, [u8]> {
        let (rows, columns) = (self.extents[0], self.extents[1]);
        if self.by_column {
            return (0..columns).map(|column| self.bytes[column * rows + row]).collect();
        }
        Cow::Borrowed(&self.bytes[row * columns..(row + 1) * columns])
    }
}
