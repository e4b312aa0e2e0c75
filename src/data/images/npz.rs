//! The published batches of downsampled ImageNet, as NumPy's archives, compressed or not: `data`, (images, 3072) bytes
//! with the planes of an image one after the other, and `labels`, whole numbers of any width, 1 to 1000.

use super::binary::{Order, interleave};
use super::memory::check;
use super::npy::Array;
use super::{Dataset, Images};
use crate::files;
use crate::zipped::Zipped;
use anyhow::{Context, Result, ensure};
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};

/// Of a NumPy array.
const LONGEST_HEADER: usize = 1 << 16;

/// Reads batches, together of at most as many images as were published. What a few compressed bytes claim beyond that is
/// not unpacked.
///
/// # Errors
/// With the file, when one is no such archive, lacks an array, is too large, or has a label that is no class.
pub(super) fn read(dataset: Dataset, files: &[PathBuf], most: usize) -> Result<Images> {
    let mut images = Images::empty(dataset.shape());
    for path in files {
        let left = most.saturating_sub(images.len());
        images.append(read_batch(dataset, path, left).with_context(|| path.display().to_string())?);
    }
    Ok(images)
}

fn read_batch(dataset: Dataset, path: &Path, most: usize) -> Result<Images> {
    let file = files::open(path)?;
    let length = file.metadata()?.len();
    read_from(dataset, BufReader::new(file), length, most)
}

/// A batch of at most so many images, out of an archive of that length.
pub(crate) fn read_from(dataset: Dataset, archive: impl Read + Seek, length: u64, most: usize) -> Result<Images> {
    let mut images = Images::empty(dataset.shape());
    let size = images.features();
    // Deflate takes a little more than the bytes where it cannot make them fewer.
    let limit = 2 * (LONGEST_HEADER + most * (size + size_of::<i64>())) as u64;
    ensure!(length <= limit, "it has {length} bytes, which are more than the {most} images that were published");
    let mut archive = Zipped::open(archive).context("no NumPy archive (.npz)")?;
    let mut member = |name: &str, entries: usize| -> Result<Vec<u8>> {
        let bytes = archive.read(&format!("{name}.npy"), LONGEST_HEADER + entries)?;
        bytes.with_context(|| format!("holds no array {name}"))
    };
    // Labels first: they say how many images there are, which are not unpacked beyond that.
    let file = member("labels", most * size_of::<i64>())?;
    let labels = Array::decode(&file).and_then(|labels| labels.numbers()).context("labels")?;
    // Where labels have one byte and not eight, the same bytes hold eight times as many.
    ensure!(labels.len() <= most, "it has {} labels, more than the {most} images that were published", labels.len());
    let file = member("data", labels.len() * size)?;
    let data = Array::decode(&file).context("data")?;
    let planes = data.bytes().filter(|_| data.shape.get(1..) == Some(&[size]));
    let planes = planes.with_context(|| format!("data is {:?}, not rows of {size} bytes", data.shape))?;
    for planes in planes.chunks_exact(size) {
        interleave(planes, images.shape, Order::Rows, &mut images.pixels);
    }
    for (row, label) in labels.into_iter().enumerate() {
        ensure!(label >= 1, "label {row} is {label}; the first class is 1");
        let class = u16::try_from(label - 1).ok();
        let too_large = || format!("label {row} is {label}; the last class is {}", dataset.classes());
        images.labels.push(class.with_context(too_large)?);
    }
    check(dataset, &images)?;
    Ok(images)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Write};
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    /// An archive of one black image with that label.
    fn labelled(label: i64) -> Vec<u8> {
        let array = |kind: &str, shape: &str, entries: &[u8]| {
            let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n");
            let length = (header.len() as u16).to_le_bytes();
            [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), entries].concat()
        };
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        let arrays = [
            ("labels.npy", array("<i8", "(1,)", &label.to_le_bytes())),
            ("data.npy", array("|u1", "(1, 3072)", &[0; 3072])),
        ];
        for (name, array) in arrays {
            archive.start_file(name, stored).expect("a file");
            archive.write_all(&array).expect("a write to memory");
        }
        archive.finish().expect("an archive").into_inner()
    }

    #[test]
    fn labels_beyond_the_classes_are_named() {
        let read = |label: i64| {
            let archive = labelled(label);
            let length = archive.len() as u64;
            read_from(Dataset::Imagenet32, Cursor::new(archive), length, 1)
        };
        assert_eq!(read(1000).expect("the last class").labels, [999]);
        let told = |label: i64| read(label).expect_err("no class").to_string();
        assert_eq!(told(0), "label 0 is 0; the first class is 1");
        assert_eq!(told(i64::MIN), format!("label 0 is {}; the first class is 1", i64::MIN));
        assert_eq!(told(70_000), "label 0 is 70000; the last class is 1000");
    }
}
