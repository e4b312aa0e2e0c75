//! Directories: what is in one, and its end.

use anyhow::{Result, bail};
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

/// Removes a file, or a directory with all that is in it.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}
