//! The hub's parquet files: a row for each image, with a PNG and a class.

use super::{Images, SIDE};
use anyhow::{Context, Result, bail, ensure};
use parquet::file::reader::SerializedFileReader;
use parquet::record::{Field, Row};
use std::fs::File;
use std::path::Path;

/// Reads one file.
///
/// # Errors
/// With file and row, when the file is missing or damaged, or when a row is not a 28 x 28 image with a class.
pub(super) fn read(path: &Path) -> Result<Images> {
    let name = path.display();
    let file = File::open(path).with_context(|| format!("cannot open {name}"))?;
    let reader =
        SerializedFileReader::new(file).with_context(|| format!("{name}: no parquet file, or a damaged one"))?;
    let mut images = Images { pixels: Vec::new(), labels: Vec::new(), side: SIDE };
    for (index, row) in reader.into_iter().enumerate() {
        row.map_err(anyhow::Error::from)
            .and_then(|row| append(&row, &mut images))
            .with_context(|| format!("{name}, row {index}"))?;
    }
    Ok(images)
}

fn append(row: &Row, images: &mut Images) -> Result<()> {
    let (mut image, mut label) = (None, None);
    for (_, field) in row.get_column_iter() {
        match field {
            Field::Group(group) => image = group.get_column_iter().find_map(|(_, field)| png(field)),
            Field::Long(class) => label = Some(*class),
            _ => {}
        }
    }
    let (Some(image), Some(label)) = (image, label) else {
        bail!("needs the columns image (bytes and path) and label");
    };
    let image = image::load_from_memory(image)?.to_luma8();
    let (width, height) = image.dimensions();
    ensure!((width, height) == (SIDE as u32, SIDE as u32), "the image has {width} x {height} pixels, not 28 x 28");
    ensure!((0..10).contains(&label), "the label is {label}, not a class from 0 to 9");
    images.pixels.extend(image.as_raw());
    images.labels.push(label as u8);
    Ok(())
}

fn png(field: &Field) -> Option<&[u8]> {
    match field {
        Field::Bytes(bytes) => Some(bytes.data()),
        _ => None,
    }
}
