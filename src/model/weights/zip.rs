//! Zip archives as `torch.save` writes them: files that are stored as they are. Nothing is unpacked, so an entry is never
//! larger than the archive.

use crate::console::shown;
use anyhow::{Context, Result, bail, ensure};
use flate2::Crc;
use std::cell::Cell;
use std::collections::HashMap;

/// What an archive begins with.
pub const MAGIC: &[u8] = b"PK\x03\x04";
const ENTRY: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
/// Bytes of a record without its names.
const LOCAL_SIZE: usize = 30;
const ENTRY_SIZE: usize = 46;
const END_SIZE: usize = 22;
const LONGEST_COMMENT: usize = 65_535;
/// Stands for a number that is in another record, of archives beyond 4 GB.
const ELSEWHERE: usize = u32::MAX as usize;

/// An archive in memory.
#[derive(Debug)]
pub struct Archive<'a> {
    bytes: &'a [u8],
    entries: HashMap<&'a str, Entry>,
    /// Bytes that files which do not lie on top of each other can still have.
    left: Cell<usize>,
}

#[derive(Debug)]
struct Entry {
    encrypted: bool,
    method: usize,
    crc: usize,
    size: usize,
    header: usize,
}

impl<'a> Archive<'a> {
    /// Reads the list of files.
    ///
    /// # Errors
    /// When it is broken or names a file twice.
    pub fn open(bytes: &'a [u8]) -> Result<Self> {
        let end = end(bytes).context("its list of files is missing; the file is cut or no zip archive")?;
        let (count, mut at) = (number(bytes, end + 10, 2)?, number(bytes, end + 16, 4)?);
        ensure!(at != ELSEWHERE, "it is a zip archive of more than 4 GB");
        let mut entries = HashMap::new();
        for _ in 0..count {
            ensure!(slice(bytes, at, 4)? == ENTRY, "its list of files is broken");
            let [name, extra, comment] = [28, 30, 32].map(|place| number(bytes, at + place, 2));
            let (name, skipped) = (slice(bytes, at + ENTRY_SIZE, name?)?, extra? + comment?);
            let name = std::str::from_utf8(name).context("the name of a file is not UTF-8")?;
            let entry = Entry {
                encrypted: number(bytes, at + 8, 2)? & 1 != 0,
                method: number(bytes, at + 10, 2)?,
                crc: number(bytes, at + 16, 4)?,
                size: number(bytes, at + 24, 4)?,
                header: number(bytes, at + 42, 4)?,
            };
            at += ENTRY_SIZE + name.len() + skipped;
            ensure!(entries.insert(name, entry).is_none(), "it holds {} twice", shown(name));
        }
        Ok(Self { bytes, entries, left: Cell::new(bytes.len()) })
    }

    /// Names of the files, in no order.
    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        self.entries.keys().copied()
    }

    /// The bytes of a file, once.
    ///
    /// # Errors
    /// When there is none, it is compressed or encrypted, or its checksum is another; and when all that were read are more than
    /// the archive: a list of files may name the same bytes again and again.
    pub fn read(&self, name: &str) -> Result<&'a [u8]> {
        let entry = self.entries.get(name);
        let name = shown(name);
        let entry = entry.with_context(|| format!("it lacks {name}"))?;
        if entry.encrypted || entry.method != 0 {
            bail!("{name} is compressed or encrypted; torch.save stores files as they are");
        }
        ensure!(slice(self.bytes, entry.header, 4)? == MAGIC, "{name} is not where its list of files says");
        let [name_length, extra] = [26, 28].map(|place| number(self.bytes, entry.header + place, 2));
        let start = entry.header + LOCAL_SIZE + name_length? + extra?;
        let data = slice(self.bytes, start, entry.size).with_context(|| format!("{name} is cut"))?;
        self.left.set(self.left.get().checked_sub(data.len()).context("files in it lie on top of each other")?);
        let mut crc = Crc::new();
        crc.update(data);
        ensure!(crc.sum() as usize == entry.crc, "{name} is damaged: its checksum (CRC-32) is not the stored one");
        Ok(data)
    }
}

/// Where the last record begins. A comment may follow it.
fn end(bytes: &[u8]) -> Option<usize> {
    let last = bytes.len().checked_sub(END_SIZE)?;
    let first = last.saturating_sub(LONGEST_COMMENT);
    (first..=last).rev().find(|at| bytes[*at..].starts_with(END))
}

fn slice(bytes: &[u8], at: usize, length: usize) -> Result<&[u8]> {
    let end = at.checked_add(length);
    end.and_then(|end| bytes.get(at..end)).context("it ends too soon")
}

fn number(bytes: &[u8], at: usize, width: usize) -> Result<usize> {
    Ok(slice(bytes, at, width)?.iter().rev().fold(0, |number, byte| (number << 8) | usize::from(*byte)))
}
