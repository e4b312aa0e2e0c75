//! The hub's parquet files: a row for each image, with a picture in one column and a class in another.

use super::binary::COARSE_CLASSES;
use super::caught::caught;
use super::thrift::{BINARY, BOOL, INT, LIST, LONG, STRUCT, Thrift};
use super::{Dataset, Images, png};
use crate::files;
use anyhow::{Context, Result, bail, ensure};
use image::ColorType;
use parquet::basic::{ConvertedType, Repetition, Type as Physical};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use parquet::schema::types::{Type, TypePtr};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

/// Names of a column of pictures.
const IMAGE: [&str; 2] = ["img", "image"];
/// Names of a column of classes; beside fine ones, others are coarse.
const LABEL: [&str; 2] = ["fine_label", "label"];
/// Bytes of the longest description. Those with the smallest and the largest picture of every hundred rows have some MB.
const LONGEST_DESCRIPTION: u64 = 64 << 20;
/// Columns and groups of a file; the crate recurses by them. The hub's have up to five.
const MOST_FIELDS: u64 = 200;
/// Bytes of the longest header of a page. Pictures that it names have 4 KB at most.
const LONGEST_HEADER: u64 = 1 << 16;
/// Pages of a file; two for every image of the largest data set, with room.
const MOST_PAGES: usize = 1 << 18;
/// How many times its bytes a page may unpack to, which is more than Snappy can do, and what a small one may have beside.
const UNPACKED: (i64, i64) = (64, 1 << 20);
/// The encoding in which a value is a part of the one before and a few bytes: a page of it has no limit.
const DELTA_BYTE_ARRAY: i64 = 7;

/// Reads one file, of at most as many images as were published.
///
/// # Errors
/// With file and row, when the file is missing or damaged, or when a row is not an image of this size with a class.
pub(crate) fn read(dataset: Dataset, path: &Path, most: usize) -> Result<Images> {
    caught(path.display(), || read_rows(dataset, path, most))
}

/// The crate panics at some damaged files.
fn read_rows(dataset: Dataset, path: &Path, most: usize) -> Result<Images> {
    let name = path.display();
    let reader = open(path)?;
    let schema = reader.metadata().file_metadata().schema();
    let columns = Columns::choose(schema).with_context(|| name.to_string())?;
    let wanted: [&[&str]; 2] = [&[&columns.image, &columns.bytes], &[&columns.label]];
    check_pages(&reader, path, |column| wanted.iter().any(|wanted| column == *wanted))?;
    let mut images = Images::empty(dataset.shape());
    // Other columns are not read: one of lists may hold anything.
    for (index, row) in reader.get_row_iter(Some(columns.projection(schema)?))?.enumerate() {
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

/// Looks through a file that other code is going to read, which believes what it says: of all columns, and of the number of
/// images.
///
/// # Errors
/// With the file, when reading it might take more memory or a deeper stack than its images do.
#[cfg(feature = "hub")]
pub(super) fn check(path: &Path, most: usize) -> Result<()> {
    let name = path.display();
    caught(&name, || {
        let reader = open(path)?;
        let of_file = reader.metadata().file_metadata();
        let rows = of_file.num_rows();
        let fits = usize::try_from(rows).is_ok_and(|rows| rows <= most);
        ensure!(fits, "{name}: it says that it holds {rows} images, more than the {most} that were published");
        let flat = of_file.schema_descr().columns().iter().all(|column| column.max_rep_level() == 0);
        ensure!(flat, "{name}: it has a column of lists");
        check_pages(&reader, path, |_| true)
    })
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
    let mut file = files::open(path).with_context(|| format!("cannot open {name}"))?;
    let damaged = || format!("{name}: no parquet file, or a damaged one");
    check_description(&mut file).with_context(damaged)?;
    SerializedFileReader::new(file).with_context(damaged)
}

/// Refuses a description of more columns, or of deeper ones, than the crate has a stack for.
fn check_description(file: &mut File) -> Result<()> {
    const FILE: [u8; 9] = [INT, LIST, LONG, LIST, LIST, BINARY, LIST, STRUCT, BINARY];
    const SCHEMA: i16 = 2;
    let end = file.metadata()?.len().checked_sub(8).context("it is too short")?;
    let tail = piece(file, end, 8)?;
    let size = tail.first_chunk().map_or(0, |size| u64::from(u32::from_le_bytes(*size)));
    ensure!(size <= LONGEST_DESCRIPTION, "its description has {size} bytes, more than {LONGEST_DESCRIPTION}");
    let start = end.checked_sub(size).context("its description is longer than the file")?;
    let bytes = piece(file, start, size)?;
    let (mut thrift, mut last) = (Thrift::new(&bytes), 0);
    while let Some((number, kind)) = thrift.field(last, &FILE)? {
        if number == SCHEMA {
            check_schema(&mut thrift)?
        } else {
            thrift.skip(kind)?
        }
        last = number;
    }
    Ok(())
}

fn check_schema(thrift: &mut Thrift<'_>) -> Result<()> {
    const ELEMENT: [u8; 10] = [INT, INT, INT, BINARY, INT, INT, INT, INT, INT, STRUCT];
    const CHILDREN: i16 = 5;
    let (kind, fields) = thrift.list()?;
    ensure!(kind == STRUCT && fields <= MOST_FIELDS, "it has {fields} columns and groups, more than {MOST_FIELDS}");
    for _ in 0..fields {
        let mut last = 0;
        while let Some((number, kind)) = thrift.field(last, &ELEMENT)? {
            if number == CHILDREN {
                let children = thrift.integer()?;
                ensure!((0..=fields as i64).contains(&children), "a group has {children} columns");
            } else {
                thrift.skip(kind)?;
            }
            last = number;
        }
    }
    Ok(())
}

/// A page of a column, as it says of itself.
#[derive(Default)]
struct Page {
    /// Bytes.
    unpacked: i64,
    packed: i64,
    /// Of a dictionary.
    values: i64,
    encoding: i64,
}

impl Page {
    fn read(thrift: &mut Thrift<'_>) -> Result<Self> {
        const HEADER: [u8; 8] = [INT, INT, INT, INT, STRUCT, STRUCT, STRUCT, STRUCT];
        let (mut page, mut last) = (Self::default(), 0);
        while let Some((number, kind)) = thrift.field(last, &HEADER)? {
            match number {
                2 => page.unpacked = thrift.integer()?,
                3 => page.packed = thrift.integer()?,
                5 | 7 | 8 => page.add(number, thrift)?,
                _ => thrift.skip(kind)?,
            }
            last = number;
        }
        Ok(page)
    }

    /// What stands in the structure of data, of a dictionary, or of data of the second version.
    fn add(&mut self, of: i16, thrift: &mut Thrift<'_>) -> Result<()> {
        let (kinds, encoding): (&[u8], i16) = match of {
            5 => (&[INT, INT, INT, INT, STRUCT], 2),
            7 => (&[INT, INT, BOOL], 2),
            _ => (&[INT, INT, INT, INT, INT, INT, BOOL, STRUCT], 4),
        };
        let mut last = 0;
        while let Some((number, kind)) = thrift.field(last, kinds)? {
            match (of, number, kind) {
                (7, 1, _) => self.values = thrift.integer()?,
                (_, number, _) if number == encoding => self.encoding = thrift.integer()?,
                (5 | 8, _, STRUCT) => skip_statistics(thrift)?,
                (_, _, kind) => thrift.skip(kind)?,
            }
            last = number;
        }
        Ok(())
    }

    /// Why the crate would allocate far more for it than it has bytes, if so.
    fn problem(&self) -> Option<String> {
        let &Self { unpacked, packed, values, encoding } = self;
        let most = packed.saturating_mul(UNPACKED.0).saturating_add(UNPACKED.1);
        if unpacked < 0 || packed < 0 || unpacked > most {
            return Some(format!("a page of {packed} bytes says that it unpacks to {unpacked}"));
        }
        if !(0..=unpacked).contains(&values) {
            return Some(format!("a dictionary of {unpacked} bytes says that it has {values} values"));
        }
        (encoding == DELTA_BYTE_ARRAY).then(|| "a page is encoded as DELTA_BYTE_ARRAY, which is not read here".into())
    }
}

fn skip_statistics(thrift: &mut Thrift<'_>) -> Result<()> {
    const STATISTICS: [u8; 8] = [BINARY, BINARY, LONG, LONG, BINARY, BINARY, BOOL, BOOL];
    let mut last = 0;
    while let Some((number, kind)) = thrift.field(last, &STATISTICS)? {
        thrift.skip(kind)?;
        last = number;
    }
    Ok(())
}

/// Bytes of a file from a place on.
fn piece(file: &mut File, start: u64, length: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(start))?;
    file.take(length).read_to_end(&mut bytes)?;
    ensure!(bytes.len() as u64 == length, "it ends too soon");
    Ok(bytes)
}

/// Looks at the headers of all pages of columns.
fn check_pages(reader: &SerializedFileReader<File>, path: &Path, of: impl Fn(&[String]) -> bool) -> Result<()> {
    let columns = reader.metadata().row_groups().iter().flat_map(|group| group.columns());
    let wanted = columns.filter(|column| of(column.column_path().parts())).map(|column| column.byte_range());
    let look = |ranges: Vec<(u64, u64)>| -> Result<()> {
        let mut file = files::open(path)?;
        let (length, mut pages) = (file.metadata()?.len(), 0);
        for (mut at, size) in ranges {
            let end = at.checked_add(size).filter(|end| *end <= length).context("a column ends behind the file")?;
            while at < end {
                pages += 1;
                ensure!(pages <= MOST_PAGES, "it has more than {MOST_PAGES} pages");
                let head = piece(&mut file, at, LONGEST_HEADER.min(end - at))?;
                let mut thrift = Thrift::new(&head);
                let page = Page::read(&mut thrift)?;
                if let Some(problem) = page.problem() {
                    bail!(problem);
                }
                at += thrift.at() as u64 + page.packed as u64;
                ensure!(at <= end, "a page ends behind its column");
            }
        }
        Ok(())
    };
    look(wanted.collect()).with_context(|| format!("{}: no parquet file, or a damaged one", path.display()))
}

/// The columns that are read.
struct Columns {
    image: String,
    /// The column of the encoded pictures in that group.
    bytes: String,
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
        let group = schema.get_fields().iter().find(|field| field.name() == image);
        let bytes = group.and_then(|group| bytes_of(group)).context("the image has no bytes")?;
        Ok(Self { image: image.to_string(), bytes: bytes.name().to_string(), label: label.to_string() })
    }

    /// The schema with these columns alone.
    fn projection(&self, schema: &Type) -> Result<Type> {
        let named = |name: &str| schema.get_fields().iter().find(|field| field.name() == name).context("a column");
        let image = named(&self.image)?;
        let bytes = bytes_of(image).context("the image has no bytes")?;
        let repetition = image.get_basic_info().repetition();
        let group = Type::group_type_builder(image.name()).with_repetition(repetition);
        let group = Arc::new(group.with_fields(vec![bytes.clone()]).build()?);
        Ok(Type::group_type_builder(schema.name()).with_fields(vec![group, named(&self.label)?.clone()]).build()?)
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
    is_single(column) && bytes_of(column).is_some()
}

/// Whether a column has one value at most in a row; a list may have any number.
fn is_single(column: &Type) -> bool {
    column.get_basic_info().has_repetition() && column.get_basic_info().repetition() != Repetition::REPEATED
}

/// The column of encoded pictures in a group; the path beside it, if there is one, is text.
fn bytes_of(group: &Type) -> Option<&TypePtr> {
    let is_bytes = |field: &&TypePtr| {
        field.is_primitive() && field.get_physical_type() == Physical::BYTE_ARRAY && is_single(field)
    };
    let all = || group.get_fields().iter().filter(is_bytes);
    let named = || all().find(|field| field.name() == "bytes");
    let plain = || all().find(|field| field.get_basic_info().converted_type() == ConvertedType::NONE);
    if group.is_group() { named().or_else(plain).or_else(|| all().next()) } else { None }
}

fn is_whole_number(column: &Type) -> bool {
    let whole = |column: &Type| matches!(column.get_physical_type(), Physical::INT32 | Physical::INT64);
    column.is_primitive() && whole(column) && is_single(column)
}

/// The encoded picture of a group.
fn bytes(field: &Field) -> Option<&[u8]> {
    let Field::Group(group) = field else { return None };
    match group.get_column_iter().next()? {
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
