//! The hub's parquet files: a row for each image, with a PNG and a class.

use super::{Dataset, Images};
use anyhow::{Context, Result, bail, ensure};
use parquet::file::reader::SerializedFileReader;
use parquet::record::{Field, Row};
use std::fs::File;
use std::path::Path;

/// Reads one file.
///
/// # Errors
/// With file and row, when the file is missing or damaged, or when a row is not an image of this size with a class.
pub(super) fn read(dataset: Dataset, path: &Path) -> Result<Images> {
    let name = path.display();
    let file = File::open(path).with_context(|| format!("cannot open {name}"))?;
    let reader =
        SerializedFileReader::new(file).with_context(|| format!("{name}: no parquet file, or a damaged one"))?;
    let mut images = Images::empty(dataset.shape());
    for (index, row) in reader.into_iter().enumerate() {
        row.map_err(anyhow::Error::from)
            .and_then(|row| append(dataset, &row, &mut images))
            .with_context(|| format!("{name}, row {index}"))?;
    }
    Ok(images)
}

fn append(dataset: Dataset, row: &Row, images: &mut Images) -> Result<()> {
    let (mut image, mut label) = (None, None);
    for (name, field) in row.get_column_iter() {
        match field {
            Field::Group(group) => image = group.get_column_iter().find_map(|(_, field)| png(field)),
            Field::Long(class) if name == "label" || name == "fine_label" => label = Some(*class),
            _ => {}
        }
    }
    let (Some(image), Some(label)) = (image, label) else {
        bail!("needs a column with an image (bytes and path) and the column label or fine_label");
    };
    let image = image::load_from_memory(image)?;
    let (found, shape) = ((image.height() as usize, image.width() as usize), images.shape);
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

fn png(field: &Field) -> Option<&[u8]> {
    match field {
        Field::Bytes(bytes) => Some(bytes.data()),
        _ => None,
    }
}
