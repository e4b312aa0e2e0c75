//! What tells an error of the disk from one of a run.

use std::fmt;
use std::path::PathBuf;

/// Context of an error that has to do with the disk and not with a run: no other run can be made then either.
#[derive(Debug)]
pub(crate) struct Unwritable(pub PathBuf);

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot write {}", self.0.display())
    }
}

/// Whether an error has to do with the disk.
pub fn is_unwritable(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Unwritable>().is_some()
}
