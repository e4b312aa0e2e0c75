//! Files in a directory or in a published `.tar.gz` or `.zip`, which is read as if it were a directory: the path
//! `cifar-10-binary.tar.gz/test_batch.bin` is the file of that name in the archive, wherever it lies in there.

use crate::files;
use crate::zipped::Zipped;
use anyhow::{Context, Result, bail};
use flate2::read::GzDecoder;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use tar::Archive;

/// What an archive's name ends with.
const TAR: &str = ".tar.gz";
const ZIP: &str = ".zip";
/// Bytes that a `.tar.gz` may unpack to. STL-10 has 3.1 GB, nearly all of them images without a label.
const LARGEST: u64 = 4 << 30;

/// Whether there is an archive of that name.
fn is_archive(path: &Path) -> bool {
    [TAR, ZIP].iter().any(|end| ends_with(path, end)) && is_there(path) && !path.is_dir()
}

fn ends_with(path: &Path, end: &str) -> bool {
    path.to_string_lossy().ends_with(end)
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

/// Hands over the bytes of files that lie side by side, each of no more than `limit`, one after the other: a batch of ImageNet has
/// 400 MB.
///
/// # Errors
/// When one cannot be read, or is larger; and the first of `take`.
pub(super) fn read(paths: &[PathBuf], limit: usize, mut take: impl FnMut(&Path, Vec<u8>) -> Result<()>) -> Result<()> {
    let Some(archive) = paths.first().and_then(|path| archive(path)) else {
        for path in paths {
            let bytes = files::read_within(path, limit as u64);
            take(path, bytes.with_context(|| format!("cannot read {}", path.display()))?)?;
        }
        return Ok(());
    };
    let cannot = || format!("cannot read {}", archive.display());
    let missing = |name: &OsStr| format!("{}: the archive holds no {}", archive.display(), name.display());
    let files = paths.iter().filter_map(|path| Some((path, path.file_name()?)));
    if ends_with(archive, TAR) {
        // A stream, in whose order the files come.
        let names: Vec<&OsStr> = files.clone().map(|(_, name)| name).collect();
        let mut members = members(archive, &names, limit).with_context(cannot)?;
        for (path, name) in files {
            take(path, members.remove(name).with_context(|| missing(name))?)?;
        }
        return Ok(());
    }
    let file = files::open(archive).with_context(cannot)?;
    let mut zip = Zipped::open(BufReader::new(file)).with_context(cannot)?;
    for (path, name) in files {
        let bytes = zip.read_anywhere(&name.to_string_lossy(), limit).with_context(cannot)?;
        take(path, bytes.with_context(|| missing(name))?)?;
    }
    Ok(())
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

/// The wanted files of a `.tar.gz`, which is read to its end: its checksum comes last.
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
