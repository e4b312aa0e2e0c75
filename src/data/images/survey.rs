//! What of a data set is on this machine, and whether it is what it should be.

use super::layout::{Layout, Whole};
use super::memory::prove;
use super::{Dataset, Options, Origin, Part, Proof, directory, hub, sample};
use crate::data::found::{Content, Found};
use anyhow::{Context, Result, anyhow};
use std::path::{Path, PathBuf};

/// Everything of a data set on this machine, in the order in which [`load`](super::load) looks, decoded and held
/// against its hashes. The network is not asked.
///
/// # Errors
/// When the user's directory does not exist.
pub fn survey(dataset: Dataset, options: &Options) -> Result<Vec<Found>> {
    if let Some(directory) = &options.directory {
        return user_directory(dataset, directory);
    }
    let mut all = Vec::new();
    let cached = options.cache.as_ref().map(|cache| cache.join(dataset.name()));
    if let Some(cached) = cached.filter(|cached| directory::has_all(cached)) {
        all.extend(idx_files(dataset, &cached, &Origin::Cache));
    }
    // Without the hub's snapshot there is nothing to say of it; why there is none is told when data is loaded.
    if let Ok(Some(snapshot)) = hub::snapshot(dataset) {
        all.extend(whole_files(&Whole::parquet(dataset, snapshot.files), &Origin::Hub));
    }
    if let Some(directory) = super::debian(dataset) {
        all.extend(idx_files(dataset, directory, &Origin::Debian));
    }
    for part in Part::ALL {
        let Some(pin) = dataset.sample_pin(part) else { continue };
        let state = sample::read_part(dataset, part).map(|_| (pin.count, Proof::Verified));
        all.push(found(dataset, part, &Origin::Sample, None, state));
    }
    Ok(all)
}

/// A part at a place: how many images or labels it has, and whether they are the original ones, or what is wrong with it.
fn found(dataset: Dataset, part: Part, origin: &Origin, path: Option<PathBuf>, state: Result<(usize, Proof)>) -> Found {
    let content = |(count, proof): (usize, Proof)| {
        let published = dataset.pin(part).count;
        let other = proof == Proof::Unpinned && count != published;
        let note = if other { format!(" ({published} were published)") } else { String::new() };
        Content { count, proof, note }
    };
    Found { part: part.name(), path, words: origin.to_string(), state: state.map(content) }
}

fn user_directory(dataset: Dataset, directory: &Path) -> Result<Vec<Found>> {
    let origin = Origin::Directory(directory.to_path_buf());
    Ok(match directory::locate(dataset, directory)? {
        Some(Layout::Idx(root)) => idx_files(dataset, &root, &origin),
        Some(Layout::Whole(files)) => whole_files(&files, &origin),
        None => Vec::new(),
    })
}

fn idx_files(dataset: Dataset, root: &Path, origin: &Origin) -> Vec<Found> {
    let parts = Part::ALL.map(|part| {
        let path = directory::file(root, part).unwrap_or_else(|| root.join(part.file_name()));
        let entry = dataset.dimensions(part, 1).iter().product::<usize>();
        let bytes = directory::read_part(dataset, root, part);
        let state = bytes.map(|bytes| (bytes.len() / entry, dataset.pin(part).proof()));
        found(dataset, part, origin, Some(path), state)
    });
    parts.into()
}

/// The files hold images and labels; what is wrong with them is told for both.
fn whole_files(files: &Whole, origin: &Origin) -> Vec<Found> {
    let read = [Part::TrainImages, Part::TestImages].map(|part| files.read(part).map_err(|error| format!("{error:#}")));
    let parts = Part::ALL.map(|part| {
        let path = files.path(part);
        let state = match &read[usize::from(part.is_test())] {
            Err(error) => Err(anyhow!("{error}")),
            Ok(images) => prove(files.dataset, part, images)
                .map(|proof| (images.len(), proof))
                .with_context(|| path.display().to_string()),
        };
        found(files.dataset, part, origin, Some(path), state)
    });
    parts.into()
}
