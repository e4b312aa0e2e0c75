//! The hub's parquet files: a row for each image, with a PNG in the column `img` or `image` and a class in `label`, or in
//! `fine_label` where classes come in two grains.

use super::{Dataset, Images, png};
use crate::files;
use anyhow::{Context, Result, bail, ensure};
use parquet::file::reader::SerializedFileReader;
use parquet::record::{Field, Row};
use std::path::Path;

/// Of CIFAR-100.
const COARSE_CLASSES: u16 = 20;

/// Reads one file.
///
/// # Errors
/// With file and row, when the file is missing or damaged, or when a row is not an image of this size with a class.
pub(super) fn read(dataset: Dataset, path: &Path) -> Result<Images> {
    let name = path.display();
    let file = files::open(path).with_context(|| format!("cannot open {name}"))?;
    let reader =
        SerializedFileReader::new(file).with_context(|| format!("{name}: no parquet file, or a damaged one"))?;
    let mut images = Images::empty(dataset.shape());
    for (index, row) in reader.into_iter().enumerate() {
        row.map_err(anyhow::Error::from)
            .and_then(|row| append(dataset, &row, &mut images))
            .with_context(|| format!("{name}, row {index}"))?;
    }
    // A whole set in which the finer half of the classes never occurs has other labels than it should.
    let coarse = dataset == Dataset::Cifar100
        && images.len() >= 1000
        && images.labels.iter().all(|label| *label < COARSE_CLASSES);
    ensure!(!coarse, "{name}: its classes are 0 to 19, the coarse labels; needs the column fine_label");
    Ok(images)
}

fn append(dataset: Dataset, row: &Row, images: &mut Images) -> Result<()> {
    let (mut pictures, mut labels) = (Vec::new(), Vec::new());
    for (name, field) in row.get_column_iter() {
        match field {
            Field::Group(group) => {
                let bytes = group.get_column_iter().find_map(|(_, field)| bytes_of(field));
                pictures.extend(bytes.map(|bytes| (name.as_str(), bytes)));
            }
            Field::Long(class) => labels.push((name.as_str(), *class)),
            _ => {}
        }
    }
    let image = only("image", &pictures, &["img", "image"])?;
    let label = only("class", &labels, &["fine_label", "label"])?;
    let shape = images.shape;
    let image = png::decode(image, 64 * shape.width, 64 * shape.height)?;
    let found = (image.height() as usize, image.width() as usize);
    let fits = found == (shape.height, shape.width);
    ensure!(fits, "the image has {} x {} pixels, not {} x {}", found.0, found.1, shape.height, shape.width);
    let classes = dataset.classes();
    ensure!((0..classes as i64).contains(&label), "the label is {label}, not a class from 0 to {}", classes - 1);
    match shape.channels {
        1 => images.pixels.extend(image.to_luma8().as_raw()),
        _ => images.pixels.extend(image.to_rgb8().as_raw()),
    }
    images.labels.push(label as u16);
    Ok(())
}

/// The value of the column that is meant: the first of the usual names that is there, or else the only column there is.
fn only<'r, T: Copy>(what: &str, columns: &[(&'r str, T)], usual: &[&str]) -> Result<T> {
    let named = |wanted: &&str| columns.iter().find(|(name, _)| name == wanted);
    match (usual.iter().find_map(named), columns) {
        (Some((_, value)), _) => Ok(*value),
        (None, []) => {
            bail!("needs a column with an image (bytes and path) and the column label or fine_label; found no {what}")
        }
        (None, columns) => {
            let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
            bail!("the {what} may be in {}; call its column {}", names.join(" or "), usual.join(" or "))
        }
    }
}

fn bytes_of(field: &Field) -> Option<&[u8]> {
    match field {
        Field::Bytes(bytes) => Some(bytes.data()),
        _ => None,
    }
}
