//! What the file of a published table must be.

use anyhow::{Result, ensure};

/// Size and hash of a published table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin {
    /// Number of rows.
    pub rows: usize,
    /// Number of features, without the target.
    pub features: usize,
    /// SHA-256 of the file, or of [`Table::to_csv`](super::Table::to_csv) for a table inside the program; in hexadecimal.
    pub sha256: &'static str,
}

impl Pin {
    pub(super) const fn of(rows: usize, features: usize, sha256: &'static str) -> Self {
        Self { rows, features, sha256 }
    }

    /// Compares a hash with the pin.
    ///
    /// # Errors
    /// With both, when they differ.
    pub fn check(&self, sha256: &str) -> Result<()> {
        let expected = self.sha256;
        ensure!(sha256 == expected, "it has SHA-256 {sha256}, expected {expected}; use the original file");
        Ok(())
    }
}
