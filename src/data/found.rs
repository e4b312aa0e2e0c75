//! A part of a data set of any kind that was found, as a list of what is on this machine shows it.

use super::source::Proof;
use anyhow::Result;
use std::path::{Path, PathBuf};

/// A part of a data set of any kind, at one place.
#[derive(Debug)]
pub struct Found {
    /// One of [`Known::parts`](super::known::Known::parts).
    pub part: &'static str,
    /// The file, or the directory if there are several; none for what is inside the program.
    pub path: Option<PathBuf>,
    /// The place in words, where there is no file.
    pub words: String,
    /// What was found, or why it cannot be used.
    pub state: Result<Content>,
}

impl Found {
    /// Whether a directory that should hold it lacks its file.
    pub fn is_absent(&self) -> bool {
        // A part in an archive has a path through it.
        let is_nowhere = |path: &PathBuf| !path.exists() && !path.parent().is_some_and(Path::is_file);
        self.state.is_err() && self.path.as_ref().is_some_and(is_nowhere)
    }
}

/// A part that can be used.
#[derive(Debug)]
pub struct Content {
    /// Images, labels or rows.
    pub count: usize,
    /// Whether it is the original.
    pub proof: Proof,
    /// What else there is to say; may be empty.
    pub note: String,
}
