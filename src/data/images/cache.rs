//! The program's own cache: IDX files in a directory for each data set.

use super::{Dataset, ImageData, Origin, Part, directory};
use anyhow::{Context, Result};
use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// `han-exp` in `XDG_CACHE_HOME`, or else in `~/.cache`.
pub fn default_directory() -> Option<PathBuf> {
    let named = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = named.or_else(|| Some(std::env::home_dir().filter(|home| home.is_absolute())?.join(".cache")))?;
    Some(cache.join("han-exp"))
}

/// Reads a data set if all of it is there.
pub(super) fn read(dataset: Dataset, cache: &Path) -> Option<Result<ImageData>> {
    let root = cache.join(dataset.name());
    directory::has_all(&root).then(|| directory::read(dataset, &root, Origin::Cache))
}

/// Writes a data set. Each file appears whole or not at all.
pub(super) fn write(dataset: Dataset, data: &ImageData, cache: &Path) -> Result<()> {
    let root = cache.join(dataset.name());
    std::fs::create_dir_all(&root).with_context(|| format!("cannot make the cache directory {}", root.display()))?;
    for part in Part::ALL {
        let path = root.join(part.file_name());
        let contents = data.images(part).array(dataset, part).encode();
        replace(&path, &contents).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let directory = path.parent().context("a file lies in a directory")?;
    let mut file = NamedTempFile::new_in(directory)?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}
