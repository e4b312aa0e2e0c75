//! A CSV file of anyone as a table.

use super::cells::Grid;
use super::{Table, Target};
use crate::files;
use anyhow::{Context, Result, bail};
use std::path::Path;

/// Bytes of the largest file that is read: a cell takes two at least, so the numbers take 1 GiB at most.
const LIMIT: usize = 256 << 20;

/// Reads a CSV file with or without a header; cells are separated by commas, semicolons or tabs.
///
/// # Errors
/// With file, line and column, when a cell is no finite number or a row has another length than the first; with the
/// file, when it cannot be read, is too large or not UTF-8, or holds no table to learn from.
pub fn read(path: &Path, target: &Target) -> Result<Table> {
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    parse(&name, &bytes(path)?, target).with_context(|| path.display().to_string())
}

/// The bytes of a file that is not too large.
pub(super) fn bytes(path: &Path) -> Result<Vec<u8>> {
    let read = files::open(path).and_then(|file| files::read_at_most(file, LIMIT));
    read.with_context(|| path.display().to_string())
}

/// A table out of the bytes of a CSV file.
///
/// # Errors
/// As [`read`], without the file.
pub fn parse(name: &str, bytes: &[u8], target: &Target) -> Result<Table> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let line = 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
            bail!("line {line}: it is not UTF-8; save the file in this encoding");
        }
    };
    Table::of(name, &Grid::parse(text)?, target, files::sha256(bytes))
}
