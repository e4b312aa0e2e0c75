//! The program's own cache: IDX files in a directory for each data set.

use super::{Dataset, ImageData, Origin, Part, directory};
use crate::files;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

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

/// Writes a data set. Each file appears whole or not at all, and a kill leaves no parts of two data sets side by side that
/// would pass for one: what is written last is removed first, and without it nothing is read.
pub(super) fn write(dataset: Dataset, data: &ImageData, cache: &Path) -> Result<()> {
    let root = cache.join(dataset.name());
    fs::create_dir_all(&root).with_context(|| format!("cannot make the cache directory {}", root.display()))?;
    let [.., last] = Part::ALL;
    while let Some(old) = directory::file(&root, last) {
        fs::remove_file(&old).with_context(|| format!("cannot remove {}", old.display()))?;
    }
    for part in Part::ALL {
        let path = root.join(part.file_name());
        let contents = data.images(part).array(dataset, part).encode();
        files::write(&path, &contents).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
