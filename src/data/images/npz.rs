//! The published batches of downsampled ImageNet, as NumPy's archives, compressed or not: `data`, (images, 3072) bytes
//! with the planes of an image one after the other, and `labels`, whole numbers of any width, 1 to 1000.

use super::binary::{Order, interleave};
use super::memory::{check, class};
use super::npy::Array;
use super::{Dataset, Images, archive};
use crate::zipped::Zipped;
use anyhow::{Context, Result, ensure};
use std::io::Cursor;
use std::path::PathBuf;

/// Of a NumPy array.
const LONGEST_HEADER: usize = 1 << 16;

/// Reads batches, each of at most so many images. What a few compressed bytes claim beyond that is not unpacked.
///
/// # Errors
/// With the file, when one is no such archive, lacks an array, is too large, or has a label that is no class.
pub(super) fn read(dataset: Dataset, files: &[PathBuf], most: usize) -> Result<Images> {
    let mut images = Images::empty(dataset.shape());
    // Deflate takes a little more than the bytes where it cannot make them fewer.
    let limit = 2 * (LONGEST_HEADER + most * (images.features() + size_of::<i64>()));
    archive::read(files, limit, |path, bytes| {
        images.append(batch(dataset, &bytes, most).with_context(|| path.display().to_string())?);
        Ok(())
    })?;
    Ok(images)
}

/// A batch of at most so many images.
pub(crate) fn batch(dataset: Dataset, archive: &[u8], most: usize) -> Result<Images> {
    let mut images = Images::empty(dataset.shape());
    let size = images.features();
    let mut archive = Zipped::open(Cursor::new(archive)).context("no NumPy archive (.npz)")?;
    let mut member = |name: &str, entries: usize| -> Result<Vec<u8>> {
        let bytes = archive.read(&format!("{name}.npy"), LONGEST_HEADER + entries)?;
        bytes.with_context(|| format!("holds no array {name}"))
    };
    // Labels first: they say how many images there are, which are not unpacked beyond that.
    let file = member("labels", most * size_of::<i64>())?;
    let labels = Array::decode(&file).and_then(|labels| labels.numbers()).context("labels")?;
    // Where labels have one byte and not eight, the same bytes hold eight times as many.
    ensure!(labels.len() <= most, "it has {} labels; at most {most} images are read", labels.len());
    let file = member("data", labels.len() * size)?;
    let data = Array::decode(&file).context("data")?;
    let planes = data.bytes().filter(|_| data.shape.get(1..) == Some(&[size]));
    let planes = planes.with_context(|| format!("data is {:?}, not rows of {size} bytes", data.shape))?;
    for planes in planes.chunks_exact(size) {
        interleave(planes, images.shape, Order::Rows, &mut images.pixels);
    }
    for (row, label) in labels.into_iter().enumerate() {
        images.labels.push(class(dataset, row, label)?);
    }
    check(dataset, &images)?;
    Ok(images)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
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
        let read = |label: i64| batch(Dataset::Imagenet32, &labelled(label), 1);
        assert_eq!(read(1000).expect("the last class").labels, [999]);
        let told = |label: i64| read(label).expect_err("no class").to_string();
        for label in [0, 1001, 70_000, i64::MIN, i64::MAX] {
            assert_eq!(told(label), format!("label 0 is {label}, not a class from 1 to 1000"));
        }
    }
}
