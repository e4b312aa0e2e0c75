//! Files in a directory or in a published `.tar.gz`, which is read as if it were a directory: the path
//! `cifar-10-binary.tar.gz/test_batch.bin` is the file of that name in the archive, wherever it lies in there.

use crate::files;
use anyhow::{Context, Result, bail};
use flate2::read::GzDecoder;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use tar::Archive;

/// What an archive's name ends with.
const END: &str = ".tar.gz";
/// Bytes that an archive may unpack to. STL-10 has 3.1 GB, nearly all of them images without a label.
const LARGEST: u64 = 4 << 30;

/// Whether there is an archive of that name.
pub(super) fn is_archive(path: &Path) -> bool {
    path.to_string_lossy().ends_with(END) && is_there(path) && !path.is_dir()
}

/// The archive that a path leads into.
fn archive(path: &Path) -> Option<&Path> {
    path.parent().filter(|parent| is_archive(parent))
}

/// Whether there is something of that name. What may not be looked at counts as there: opening it says why not.
pub(super) fn is_there(path: &Path) -> bool {
    match path.try_exists() {
        Ok(there) => there,
        Err(error) => error.kind() != ErrorKind::NotADirectory,
    }
}

/// Whether there is such a file. What an archive holds is known when it is read.
pub(super) fn exists(path: &Path) -> bool {
    is_there(path) || archive(path).is_some()
}

/// The bytes of files that lie side by side, each of no more than `limit`.
///
/// # Errors
/// When one cannot be read, or is larger.
pub(super) fn read(paths: &[PathBuf], limit: usize) -> Result<Vec<Vec<u8>>> {
    let read = |path: &Path| files::open(path).and_then(|file| files::read_at_most(file, limit));
    let Some(archive) = paths.first().and_then(|path| archive(path)) else {
        let read = |path: &PathBuf| read(path).with_context(|| format!("cannot read {}", path.display()));
        return paths.iter().map(read).collect();
    };
    let names: Vec<&OsStr> = paths.iter().filter_map(|path| path.file_name()).collect();
    let mut members = members(archive, &names, limit).with_context(|| format!("cannot read {}", archive.display()))?;
    let taken = names.iter().map(|name| {
        let member = members.remove(*name);
        member.with_context(|| format!("{}: the archive holds no {}", archive.display(), name.display()))
    });
    taken.collect()
}

/// A stream that fails where it should have ended.
struct Limited<R> {
    left: u64,
    stream: R,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(bytes)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| {
            io::Error::new(ErrorKind::InvalidData, format!("it unpacks to more than {LARGEST} bytes"))
        })?;
        Ok(read)
    }
}

/// The wanted files of an archive, which is read to its end: its checksum comes last.
///
/// # Errors
/// When the archive is damaged, a wanted file is larger than `limit`, or two of one name differ.
pub(super) fn members<'n>(archive: &Path, names: &[&'n OsStr], limit: usize) -> Result<BTreeMap<&'n OsStr, Vec<u8>>> {
    members_of(BufReader::new(files::open(archive)?), names, limit)
}

/// [`members`] of an archive that is open.
pub(crate) fn members_of<'n>(
    archive: impl Read,
    names: &[&'n OsStr],
    limit: usize,
) -> Result<BTreeMap<&'n OsStr, Vec<u8>>> {
    let mut unpacked = GzDecoder::new(archive);
    // A file that is none, or is cut, is told apart from one whose contents are wrong.
    let mut start = [0_u8];
    unpacked.read_exact(&mut start).context("it is no .tar.gz, or a damaged one; use the published archive")?;
    let whole = Limited { left: LARGEST, stream: start.as_slice().chain(unpacked) };
    let mut archive = Archive::new(whole);
    let mut found = BTreeMap::new();
    // Raw: descriptions of other entries, which may be of any length, are not kept.
    for entry in archive.entries()?.raw(true) {
        let entry = entry?;
        let path = entry.path()?.into_owned();
        let Some(&name) = names.iter().find(|name| path.file_name() == Some(*name)) else { continue };
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let bytes = files::read_at_most(entry, limit).with_context(|| name.display().to_string())?;
        if found.get(name).is_some_and(|other| *other != bytes) {
            bail!("it holds two different files called {}", name.display());
        }
        found.insert(name, bytes);
    }
    io::copy(&mut archive.into_inner(), &mut io::sink())?;
    Ok(found)
}
