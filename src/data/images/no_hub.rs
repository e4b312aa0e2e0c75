//! In the place of `hub.rs` in a build without the feature `hub`: nothing is read from there.

use super::{Dataset, ImageData, Options};
use anyhow::Result;
use std::path::PathBuf;

/// See `hub.rs`.
pub(super) struct Snapshot {
    /// Training and test file.
    pub files: [PathBuf; 2],
}

/// See `hub.rs`.
pub(super) fn snapshot(_dataset: Dataset) -> Result<Option<Snapshot>> {
    Ok(None)
}

/// See `hub.rs`.
pub(super) fn read(_dataset: Dataset, _options: &Options) -> Result<Option<ImageData>> {
    Ok(None)
}
