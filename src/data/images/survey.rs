//! What of a data set is on this machine, and whether it is what it should be.

use super::directory::{self, Layout};
use super::{Dataset, Options, Origin, Part, hub, parquet, sample};
use anyhow::{Context, Result, anyhow};
use std::path::{Path, PathBuf};

/// A part of a data set at one place.
#[derive(Debug)]
pub struct Finding {
    /// Which part.
    pub part: Part,
    /// The kind of place.
    pub origin: Origin,
    /// The file; none for what is inside the program.
    pub path: Option<PathBuf>,
    /// Number of images or labels if they are the original ones, otherwise what is wrong.
    pub state: Result<usize>,
}

/// Everything of a data set on this machine, in the order in which [`load`](super::load) looks, decoded and held
/// against its hashes. The network is not asked.
///
/// # Errors
/// When the user's directory does not exist.
pub fn survey(dataset: Dataset, options: &Options) -> Result<Vec<Finding>> {
    if let Some(directory) = &options.directory {
        return user_directory(dataset, directory);
    }
    let mut findings = Vec::new();
    let cached = options.cache.as_ref().map(|cache| cache.join(dataset.name()));
    if let Some(cached) = cached.filter(|cached| directory::has_all(cached)) {
        findings.extend(idx_files(dataset, &cached, &Origin::Cache));
    }
    // Without the hub's snapshot there is nothing to say of it; why there is none is told when data is loaded.
    if let Ok(Some(files)) = hub::snapshot(dataset) {
        findings.extend(parquet_files(dataset, &files, &Origin::Hub));
    }
    if let Some(directory) = super::debian(dataset) {
        findings.extend(idx_files(dataset, directory, &Origin::Debian));
    }
    if dataset == Dataset::Mnist {
        findings.extend(Part::ALL.map(|part| Finding {
            part,
            origin: Origin::Sample,
            path: None,
            state: sample::read_part(part).map(|_| part.sample_pin().count),
        }));
    }
    Ok(findings)
}

fn user_directory(dataset: Dataset, directory: &Path) -> Result<Vec<Finding>> {
    let origin = Origin::Directory(directory.to_path_buf());
    Ok(match directory::locate(dataset, directory)? {
        Some(Layout::Idx(root)) => idx_files(dataset, &root, &origin),
        Some(Layout::Parquet(files)) => parquet_files(dataset, &files, &origin),
        None => Vec::new(),
    })
}

fn idx_files(dataset: Dataset, root: &Path, origin: &Origin) -> Vec<Finding> {
    let parts = Part::ALL.map(|part| Finding {
        part,
        origin: origin.clone(),
        path: Some(directory::file(root, part).unwrap_or_else(|| root.join(part.file_name()))),
        state: directory::read_part(dataset, root, part).map(|_| dataset.pin(part).count),
    });
    parts.into()
}

/// A parquet file holds images and labels; what is wrong with the file is told for both.
fn parquet_files(dataset: Dataset, files: &[PathBuf; 2], origin: &Origin) -> Vec<Finding> {
    let read = files.each_ref().map(|file| parquet::read(file).map_err(|error| format!("{error:#}")));
    let parts = Part::ALL.map(|part| {
        let index = usize::from(part.is_test());
        let path = &files[index];
        let pin = dataset.pin(part);
        let state = match &read[index] {
            Err(error) => Err(anyhow!("{error}")),
            Ok(images) => pin.check(images.half(part)).with_context(|| path.display().to_string()).map(|()| pin.count),
        };
        Finding { part, origin: origin.clone(), path: Some(path.clone()), state }
    });
    parts.into()
}
