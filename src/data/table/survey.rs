//! What of the tables is on this machine, and whether it is what it should be.

use super::{Dataset, Table, Target, file};
use crate::data::source::Proof;
use anyhow::{Error, Result};
use std::path::{Path, PathBuf};

/// A table at its place.
#[derive(Debug)]
pub struct Finding {
    /// Name of the data set, or of the file without its ending.
    pub name: String,
    /// The file, whether it exists or not; none for what is inside the program or has no directory to be in.
    pub path: Option<PathBuf>,
    /// What was found.
    pub state: State,
}

/// What is known of a table.
#[derive(Debug)]
pub enum State {
    /// It can be used.
    Found {
        /// Number of rows.
        rows: usize,
        /// Number of features that are not constant.
        features: usize,
        /// Whether it is the original.
        proof: Proof,
    },
    /// It is there but cannot be used, for this reason.
    Wrong(Error),
    /// It is not there.
    Missing,
}

/// A published table, read and compared with its hash.
pub fn survey(dataset: Dataset, directory: Option<&Path>) -> Finding {
    let path = directory.filter(|_| !dataset.is_embedded()).map(|directory| dataset.file(directory));
    let there = dataset.is_embedded() || path.as_ref().is_some_and(|path| path.exists());
    let state = if there { state(dataset.read(directory), Proof::Verified) } else { State::Missing };
    Finding { name: dataset.name().into(), path, state }
}

/// A file of anyone: there is no hash to compare it with.
pub fn survey_file(path: &Path, target: &Target) -> Finding {
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let state = if path.exists() { state(file::read(path, target), Proof::Unpinned) } else { State::Missing };
    Finding { name, path: Some(path.into()), state }
}

fn state(read: Result<Table>, proof: Proof) -> State {
    match read {
        Ok(table) => State::Found { rows: table.rows(), features: table.columns.len(), proof },
        Err(error) => State::Wrong(error),
    }
}
