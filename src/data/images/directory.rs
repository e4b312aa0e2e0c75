//! A data set in a directory: four IDX files, plain or gzip, or files of the formats in [`layout`].

use super::archive::is_there;
use super::layout::{Layout, Whole, roots, wanted};
use super::{Dataset, ImageData, Origin, Part, decode, limit};
use crate::files;
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};

/// Reads the data set from the user's directory, or from the directory in it that is named after the data set. `tell` gets
/// what there was to choose.
///
/// # Errors
/// With the file, when one is missing, damaged or another one than the original.
pub(super) fn read_any(dataset: Dataset, directory: &Path, tell: fn(&str)) -> Result<ImageData> {
    let origin = Origin::Directory(directory.to_path_buf());
    match locate(dataset, directory)? {
        Some(Layout::Idx(root)) => read(dataset, &root, origin),
        Some(Layout::Whole(files)) => read_whole(&files, origin, tell),
        None => bail!(
            "--data-dir {}: holds no {dataset}; put {} there or into its directory {dataset}",
            directory.display(),
            wanted(dataset),
        ),
    }
}

/// Finds the data set in the user's directory, whole or not.
///
/// # Errors
/// When there is no such directory, or it cannot be read.
pub(super) fn locate(dataset: Dataset, directory: &Path) -> Result<Option<Layout>> {
    let name = directory.display();
    ensure!(!is_there(directory) || directory.is_dir(), "--data-dir {name}: it is not a directory");
    ensure!(is_there(directory), "--data-dir {name}: no such directory");
    fs::read_dir(directory).with_context(|| format!("--data-dir {name}: cannot be read"))?;
    for root in roots(dataset, directory) {
        // All data sets have the same names of IDX files. Only those of MNIST may lie in a directory of any name.
        let named = root != directory || matches!(dataset, Dataset::Mnist | Dataset::FashionMnist);
        if named && Part::ALL.iter().any(|part| file(&root, *part).is_some()) {
            return Ok(Some(Layout::Idx(root)));
        }
        if let Some(files) = Whole::find(dataset, &root) {
            return Ok(Some(Layout::Whole(files)));
        }
    }
    Ok(None)
}

/// Reads four IDX files.
pub(super) fn read(dataset: Dataset, root: &Path, origin: Origin) -> Result<ImageData> {
    ImageData::assemble(dataset, origin, |part| read_part(dataset, root, part))
        .with_context(|| format!("{dataset} in {}", root.display()))
}

/// The bytes of a part.
pub(super) fn read_part(dataset: Dataset, root: &Path, part: Part) -> Result<Vec<u8>> {
    let path = file(root, part).with_context(|| {
        format!(
            "{}: no such file, neither plain nor .gz; it belongs to {dataset}",
            root.join(part.file_name()).display()
        )
    })?;
    // Packed, a file may be a little larger than its contents.
    let most = 2 * limit(dataset, part) as u64 + (1 << 20);
    let contents = files::read_within(&path, most).with_context(|| format!("cannot read {}", path.display()))?;
    decode(dataset, part, dataset.pin(part), contents).with_context(|| wrong(dataset, part, &path))
}

/// Reads training and test files. `tell` gets what there was to choose.
pub(super) fn read_whole(files: &Whole, origin: Origin, tell: fn(&str)) -> Result<ImageData> {
    let data = files.read_both(origin, tell)?;
    data.checked(|part| wrong(files.dataset, part, &files.path(part)))
}

/// Whether all four IDX files are there.
pub(super) fn has_all(root: &Path) -> bool {
    Part::ALL.iter().all(|part| file(root, *part).is_some())
}

/// The IDX file of a part, if there is one: under its usual name or with a dot for the first hyphen of its end, plain or
/// gzip. A file goes before what is none, such as a directory that the file was unpacked into.
pub(super) fn file(root: &Path, part: Part) -> Option<PathBuf> {
    let usual = part.file_name();
    let names = [usual.to_string(), usual.replace("-idx", ".idx")];
    let names = names.into_iter().flat_map(|name| [name.clone(), name + ".gz"]);
    let there: Vec<PathBuf> = names.map(|name| root.join(name)).filter(|path| is_there(path)).collect();
    there.iter().find(|path| path.is_file()).or(there.first()).cloned()
}

fn wrong(dataset: Dataset, part: Part, path: &Path) -> String {
    format!("{} is not the file with {dataset}'s {}", path.display(), part.name())
}
