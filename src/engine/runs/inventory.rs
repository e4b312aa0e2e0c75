//! What the files of a finished run held when it was saved: a file that was lost, cut or changed since is found.

use crate::files;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Size and contents of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// Its size.
    pub bytes: u64,
    /// In hexadecimal.
    pub sha256: String,
}

/// Every file of a run but its manifest, by name.
pub type Inventory = BTreeMap<String, Contents>;

/// Measures every file in a directory and syncs it to the disk.
pub(super) fn take(directory: &Path) -> Result<Inventory> {
    let mut inventory = Inventory::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        let (bytes, sha256) = files::measure(&path).with_context(|| format!("cannot read {}", path.display()))?;
        fs::File::open(&path)?.sync_all()?;
        inventory.insert(entry.file_name().to_string_lossy().into_owned(), Contents { bytes, sha256 });
    }
    Ok(inventory)
}

/// What is wrong with the files of a run, if anything is; by their sizes alone, or by what they hold as well.
///
/// # Errors
/// When a file cannot be read for another reason than that it is not there.
pub(super) fn damage(directory: &Path, inventory: &Inventory, by_sizes: bool) -> Result<Option<String>> {
    for (name, recorded) in inventory {
        let path = directory.join(name);
        if path.parent() != Some(directory) {
            return Ok(Some(format!("manifest.json names {name}, which is outside the run's directory")));
        }
        let found = files::if_there(fs::metadata(&path)).with_context(|| format!("cannot read {}", path.display()))?;
        let Some(bytes) = found.map(|found| found.len()) else { return Ok(Some(format!("{name} is missing"))) };
        if bytes != recorded.bytes {
            return Ok(Some(format!("{name} has {bytes} bytes, was saved with {}", recorded.bytes)));
        }
        if by_sizes {
            continue;
        }
        let (_, sha256) = files::measure(&path).with_context(|| format!("cannot read {}", path.display()))?;
        if sha256 != recorded.sha256 {
            return Ok(Some(format!("{name} has changed since it was saved")));
        }
    }
    Ok(None)
}
