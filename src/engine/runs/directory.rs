//! Directories: what is in one, and its end.

use super::unwritable::Unwritable;
use crate::files;
use anyhow::{Context, Result, bail};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What is in a directory; nothing where there is none.
pub(super) fn entries(directory: &Path) -> Result<Vec<PathBuf>> {
    let listed = match fs::read_dir(directory) {
        Ok(listed) => listed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => bail!("cannot read {}: {error}", directory.display()),
    };
    listed.map(|entry| Ok(entry?.path())).collect()
}

/// Makes a directory and those above it; it outlives a power cut.
pub(super) fn make(directory: &Path) -> Result<()> {
    let made = || -> io::Result<()> {
        fs::create_dir_all(directory)?;
        files::sync_directory(files::parent(directory))
    };
    made().with_context(|| Unwritable(directory.to_path_buf()))
}

/// Removes a file, or a directory with all that is in it.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}
