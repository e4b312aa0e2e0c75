//! The hub's parquet files: a row for each image, with a picture in one column and a class in another.

use super::caught::caught;
use super::{Dataset, Images, png};
use crate::files;
use anyhow::{Context, Result, bail, ensure};
use image::ColorType;
use parquet::basic::Type as Physical;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use parquet::schema::types::Type;
use std::fs::File;
use std::path::Path;

/// Names of a column of pictures.
const IMAGE: [&str; 2] = ["img", "image"];
/// Names of a column of classes; beside fine ones, others are coarse.
const LABEL: [&str; 2] = ["fine_label", "label"];
/// Of CIFAR-100.
const COARSE_CLASSES: u16 = 20;

/// Reads one file, of at most as many images as were published.
///
/// # Errors
/// With file and row, when the file is missing or damaged, or when a row is not an image of this size with a class.
pub(super) fn read(dataset: Dataset, path: &Path, most: usize) -> Result<Images> {
    caught(path.display(), || read_rows(dataset, path, most))
}

/// The crate panics at some damaged files.
fn read_rows(dataset: Dataset, path: &Path, most: usize) -> Result<Images> {
    let name = path.display();
    let reader = open(path)?;
    let columns = Columns::choose(reader.metadata().file_metadata().schema()).with_context(|| name.to_string())?;
    let mut images = Images::empty(dataset.shape());
    for (index, row) in reader.into_iter().enumerate() {
        ensure!(index < most, "{name}: it holds more than the {most} images that were published");
        row.map_err(anyhow::Error::from)
            .and_then(|row| columns.append(dataset, &row, &mut images))
            .with_context(|| format!("{name}, row {index}"))?;
    }
    // A whole set in which most classes never occur has other labels than it should.
    let coarse = dataset == Dataset::Cifar100
        && images.len() >= 1000
        && images.labels.iter().all(|label| *label < COARSE_CLASSES);
    ensure!(
        !coarse,
        "{name}: the classes in {} are 0 to 19, the coarse labels; needs the column fine_label",
        columns.label
    );
    Ok(images)
}

/// The column that classes are read from.
///
/// # Errors
/// As [`read`].
pub(super) fn label_column(path: &Path) -> Result<String> {
    caught(path.display(), || Ok(Columns::choose(open(path)?.metadata().file_metadata().schema())?.label))
}

fn open(path: &Path) -> Result<SerializedFileReader<File>> {
    let name = path.display();
    let file = files::open(path).with_context(|| format!("cannot open {name}"))?;
    SerializedFileReader::new(file).with_context(|| format!("{name}: no parquet file, or a damaged one"))
}

/// The columns that are read.
struct Columns {
    image: String,
    label: String,
}

impl Columns {
    /// Takes the columns of the usual names, and pictures in a column of any name if there is no other.
    fn choose(schema: &Type) -> Result<Self> {
        let named = |wanted: fn(&Type) -> bool| -> Vec<&str> {
            schema.get_fields().iter().filter(|field| wanted(field)).map(|field| field.name()).collect()
        };
        let (pictures, numbers) = (named(holds_bytes), named(is_whole_number));
        let usual: Vec<&str> = pictures.iter().copied().filter(|name| IMAGE.contains(name)).collect();
        let image = match (&usual[..], &pictures[..]) {
            ([one], _) | ([], [one]) => *one,
            ([], []) => bail!("needs a column with an image (bytes and path)"),
            ([], several) | (several, _) => bail!("the image may be in {}; keep one of them", several.join(" or ")),
        };
        let label = match (LABEL.into_iter().find(|name| numbers.contains(name)), &numbers[..]) {
            (Some(label), _) => label,
            (None, []) => bail!("needs a column with a class, called {}", LABEL.join(" or ")),
            (None, others) => {
                bail!("the class may be in {}; call its column {}", others.join(" or "), LABEL.join(" or "))
            }
        };
        Ok(Self { image: image.to_string(), label: label.to_string() })
    }

    fn append(&self, dataset: Dataset, row: &Row, images: &mut Images) -> Result<()> {
        let of = |wanted: &str| row.get_column_iter().find(|(name, _)| *name == wanted).map(|(_, field)| field);
        let picture = of(&self.image).and_then(bytes).with_context(|| format!("{} holds no image", self.image))?;
        let label = of(&self.label).and_then(number).with_context(|| format!("{} holds no class", self.label))?;
        let shape = images.shape;
        let picture = png::decode(picture, 64 * shape.width, 64 * shape.height)?;
        let found = (picture.height() as usize, picture.width() as usize);
        let fits = found == (shape.height, shape.width);
        ensure!(fits, "the image has {} x {} pixels, not {} x {}", found.0, found.1, shape.height, shape.width);
        let kind = picture.color();
        ensure!(
            matches!(kind, ColorType::L8 | ColorType::Rgb8),
            "the image is of kind {kind:?}; use bytes of grey or RGB"
        );
        let (classes, name) = (dataset.classes(), &self.label);
        ensure!((0..classes as i64).contains(&label), "{name} is {label}, not a class from 0 to {}", classes - 1);
        match shape.channels {
            1 => images.pixels.extend(picture.to_luma8().as_raw()),
            _ => images.pixels.extend(picture.to_rgb8().as_raw()),
        }
        images.labels.push(label as u16);
        Ok(())
    }
}

/// Whether a column is of groups with bytes, as the hub stores pictures.
fn holds_bytes(column: &Type) -> bool {
    let is_bytes = |field: &Type| field.is_primitive() && field.get_physical_type() == Physical::BYTE_ARRAY;
    column.is_group() && column.get_fields().iter().any(|field| is_bytes(field))
}

fn is_whole_number(column: &Type) -> bool {
    column.is_primitive() && matches!(column.get_physical_type(), Physical::INT32 | Physical::INT64)
}

/// The encoded picture of a group; the path beside it, if there is one, is text.
fn bytes(field: &Field) -> Option<&[u8]> {
    let Field::Group(group) = field else { return None };
    let named = group.get_column_iter().find(|(name, _)| *name == "bytes");
    match named.or_else(|| group.get_column_iter().find(|(_, field)| matches!(field, Field::Bytes(_))))? {
        (_, Field::Bytes(bytes)) => Some(bytes.data()),
        _ => None,
    }
}

fn number(field: &Field) -> Option<i64> {
    match *field {
        Field::Byte(number) => Some(number.into()),
        Field::Short(number) => Some(number.into()),
        Field::Int(number) => Some(number.into()),
        Field::Long(number) => Some(number),
        Field::UByte(number) => Some(number.into()),
        Field::UShort(number) => Some(number.into()),
        Field::UInt(number) => Some(number.into()),
        Field::ULong(number) => i64::try_from(number).ok(),
        _ => None,
    }
}
