//! What of a data set is on this machine, and whether it is what it should be.

use super::layout::{Layout, Whole};
use super::memory::prove;
use super::{Dataset, Options, Origin, Part, Proof, directory, hub, sample};
use anyhow::{Context, Result, anyhow};
use std::path::{Path, PathBuf};

/// A part of a data set at one place.
#[derive(Debug)]
pub struct Finding {
    /// Which part.
    pub part: Part,
    /// The kind of place.
    pub origin: Origin,
    /// The file, or the directory if there are several; none for what is inside the program.
    pub path: Option<PathBuf>,
    /// What was found, or what is wrong with it.
    pub state: Result<Found>,
}

/// A part that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Number of images or labels.
    pub count: usize,
    /// Whether they are the original ones.
    pub proof: Proof,
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
    if let Ok(Some(snapshot)) = hub::snapshot(dataset) {
        findings.extend(whole_files(&Whole::parquet(dataset, snapshot.files), &Origin::Hub));
    }
    if let Some(directory) = super::debian(dataset) {
        findings.extend(idx_files(dataset, directory, &Origin::Debian));
    }
    for part in Part::ALL {
        findings.extend(dataset.sample_pin(part).map(|pin| Finding {
            part,
            origin: Origin::Sample,
            path: None,
            state: sample::read_part(dataset, part).map(|_| Found { count: pin.count, proof: Proof::Verified }),
        }));
    }
    Ok(findings)
}

fn user_directory(dataset: Dataset, directory: &Path) -> Result<Vec<Finding>> {
    let origin = Origin::Directory(directory.to_path_buf());
    Ok(match directory::locate(dataset, directory)? {
        Some(Layout::Idx(root)) => idx_files(dataset, &root, &origin),
        Some(Layout::Whole(files)) => whole_files(&files, &origin),
        None => Vec::new(),
    })
}

fn idx_files(dataset: Dataset, root: &Path, origin: &Origin) -> Vec<Finding> {
    let entry = |part| dataset.dimensions(part, 1).iter().product::<usize>();
    let found = |part, bytes: Vec<u8>| Found { count: bytes.len() / entry(part), proof: dataset.pin(part).proof() };
    let parts = Part::ALL.map(|part| Finding {
        part,
        origin: origin.clone(),
        path: Some(directory::file(root, part).unwrap_or_else(|| root.join(part.file_name()))),
        state: directory::read_part(dataset, root, part).map(|bytes| found(part, bytes)),
    });
    parts.into()
}

/// The files hold images and labels; what is wrong with them is told for both.
fn whole_files(files: &Whole, origin: &Origin) -> Vec<Finding> {
    let read = [Part::TrainImages, Part::TestImages].map(|part| files.read(part).map_err(|error| format!("{error:#}")));
    let parts = Part::ALL.map(|part| {
        let path = files.path(part);
        let state = match &read[usize::from(part.is_test())] {
            Err(error) => Err(anyhow!("{error}")),
            Ok(images) => prove(files.dataset, part, images)
                .map(|proof| Found { count: images.len(), proof })
                .with_context(|| path.display().to_string()),
        };
        Finding { part, origin: origin.clone(), path: Some(path), state }
    });
    parts.into()
}
