//! Files in a directory or in a published `.tar.gz`, which is read as if it were a directory: the path
//! `cifar-10-binary.tar.gz/test_batch.bin` is the file of that name in the archive, wherever it lies in there.

use crate::files;
use anyhow::{Context, Result, bail};
use flate2::read::GzDecoder;
use std::path::Path;
use tar::Archive;

/// What an archive's name ends with.
const END: &str = ".tar.gz";

/// The archive that a path leads into.
fn archive(path: &Path) -> Option<&Path> {
    path.parent().filter(|parent| parent.to_string_lossy().ends_with(END) && parent.is_file())
}

/// Whether there is such a file. What an archive holds is known when it is read.
pub(super) fn exists(path: &Path) -> bool {
    path.exists() || archive(path).is_some()
}

/// The bytes of a file, of which there may be no more than `limit`.
///
/// # Errors
/// When it cannot be read, or is larger.
pub(super) fn read(path: &Path, limit: usize) -> Result<Vec<u8>> {
    let bytes = match archive(path) {
        Some(archive) => member(archive, path, limit),
        None => files::open(path).and_then(|file| files::read_at_most(file, limit)).map_err(Into::into),
    };
    bytes.with_context(|| format!("cannot read {}", path.display()))
}

fn member(archive: &Path, path: &Path, limit: usize) -> Result<Vec<u8>> {
    let mut archive = Archive::new(GzDecoder::new(files::open(archive)?));
    for entry in archive.entries()? {
        let entry = entry?;
        if entry.header().entry_type().is_file() && entry.path()?.file_name() == path.file_name() {
            return Ok(files::read_at_most(entry, limit)?);
        }
    }
    bail!("the archive holds no such file")
}
