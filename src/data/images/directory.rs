//! A data set in a directory: four IDX files, plain or gzip, or the hub's two parquet files.

use super::{Dataset, ImageData, Origin, Part, decode, parquet};
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};

/// Reads the data set from the user's directory, or from the directory in it that is named after the data set.
///
/// # Errors
/// With the file, when one is missing, damaged or another one than the original.
pub(super) fn read_any(dataset: Dataset, directory: &Path) -> Result<ImageData> {
    let origin = Origin::Directory(directory.to_path_buf());
    match locate(dataset, directory)? {
        Some(Layout::Idx(root)) => read(dataset, &root, origin),
        Some(Layout::Parquet(files)) => read_parquet(dataset, &files, origin),
        None => bail!(
            "--data-dir {}: holds no {dataset}; put {} (plain or .gz), or the hub's train/0000.parquet and \
             test/0000.parquet, there or into its directory {dataset}",
            directory.display(),
            Part::ALL.map(Part::file_name).join(", "),
        ),
    }
}

/// How a directory holds a data set.
pub(super) enum Layout {
    /// Four IDX files in this directory.
    Idx(PathBuf),
    /// Training and test file.
    Parquet([PathBuf; 2]),
}

/// Finds the data set in the user's directory, whole or not.
///
/// # Errors
/// When there is no such directory.
pub(super) fn locate(dataset: Dataset, directory: &Path) -> Result<Option<Layout>> {
    ensure!(directory.is_dir(), "--data-dir {}: no such directory", directory.display());
    // The hub calls the directory of Fashion-MNIST fashion_mnist.
    let roots = [directory.join(dataset.name()), directory.join(dataset.name().replace('-', "_")), directory.into()];
    for root in roots {
        if Part::ALL.iter().any(|part| file(&root, *part).is_some()) {
            return Ok(Some(Layout::Idx(root)));
        }
        for pattern in ["{}/0000.parquet", "{}-00000-of-00001.parquet"] {
            let files = ["train", "test"].map(|split| root.join(pattern.replace("{}", split)));
            if files.iter().any(|file| file.exists()) {
                return Ok(Some(Layout::Parquet(files)));
            }
        }
    }
    Ok(None)
}

/// Reads four IDX files.
pub(super) fn read(dataset: Dataset, root: &Path, origin: Origin) -> Result<ImageData> {
    ImageData::assemble(origin, |part| read_part(dataset, root, part))
}

/// The bytes of a part.
pub(super) fn read_part(dataset: Dataset, root: &Path, part: Part) -> Result<Vec<u8>> {
    let path = file(root, part).with_context(|| {
        format!(
            "{}: no such file, neither plain nor .gz; it belongs to {dataset}",
            root.join(part.file_name()).display()
        )
    })?;
    let contents = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    decode(part, dataset.pin(part), &contents).with_context(|| wrong(dataset, part, &path))
}

/// Reads the hub's training and test file.
pub(super) fn read_parquet(dataset: Dataset, files: &[PathBuf; 2], origin: Origin) -> Result<ImageData> {
    let [train, test] = files.each_ref().map(|file| parquet::read(file));
    let data = ImageData { train: train?, test: test?, origin };
    for part in Part::ALL {
        let path = &files[usize::from(part.is_test())];
        let half = data.images(part).half(part);
        dataset.pin(part).check(half).with_context(|| wrong(dataset, part, path))?;
    }
    Ok(data)
}

/// Whether all four IDX files are there.
pub(super) fn has_all(root: &Path) -> bool {
    Part::ALL.iter().all(|part| file(root, *part).is_some())
}

/// The IDX file of a part, if there is one.
pub(super) fn file(root: &Path, part: Part) -> Option<PathBuf> {
    let plain = root.join(part.file_name());
    let zipped = root.join(format!("{}.gz", part.file_name()));
    [plain, zipped].into_iter().find(|path| path.is_file())
}

fn wrong(dataset: Dataset, part: Part, path: &Path) -> String {
    format!("{} is not the file with {dataset}'s {}", path.display(), part.name())
}
