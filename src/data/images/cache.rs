//! The program's own cache: IDX files in a directory for each data set.

use super::{Dataset, ImageData, Origin, Part, directory};
use crate::data::idx;
use crate::files;
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

const A_DAY: Duration = Duration::from_secs(24 * 3600);

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
/// would pass for one: what is written last is removed first, and without it nothing is read. Where the same data are there
/// already nothing is written: another program may be reading them.
pub(super) fn write(dataset: Dataset, data: &ImageData, cache: &Path) -> Result<()> {
    let root = cache.join(dataset.name());
    let half = |part: Part| data.images(part).half(dataset, part);
    let is_there = |part| directory::read_part(dataset, &root, part).is_ok_and(|bytes| bytes == *half(part));
    if directory::has_all(&root) && Part::ALL.into_iter().all(is_there) {
        return Ok(());
    }
    fs::create_dir_all(&root).with_context(|| format!("cannot make the cache directory {}", root.display()))?;
    let [.., last] = Part::ALL;
    while let Some(old) = directory::file(&root, last) {
        // Two programs may be at it.
        files::if_there(fs::remove_file(&old)).with_context(|| format!("cannot remove {}", old.display()))?;
    }
    for part in Part::ALL {
        let path = root.join(part.file_name());
        let header = idx::header(&dataset.dimensions(part, data.images(part).len()));
        let written = files::write_with(&path, |temporary| {
            let mut file = File::create(temporary)?;
            file.write_all(&header)?;
            file.write_all(&half(part))
        });
        written.with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Removes what a write left behind that was killed; one that is going on is younger.
pub(super) fn remove_left_over(dataset: Dataset, cache: &Path) {
    let is_old = |entry: &fs::DirEntry| {
        let age = entry.metadata().and_then(|of| of.modified()).ok().and_then(|changed| changed.elapsed().ok());
        entry.file_name().to_string_lossy().starts_with(files::PARTIAL) && age.is_some_and(|age| age > A_DAY)
    };
    for entry in fs::read_dir(cache.join(dataset.name())).into_iter().flatten().flatten().filter(is_old) {
        let _ = fs::remove_file(entry.path());
    }
}
