//! Images, attacks and weights of a command in one file, for other programs to check.

use anyhow::{Context, Result, ensure};
use candle_core::Tensor;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Collects named tensors from runs, and writes them at the end.
#[derive(Debug)]
pub struct Export {
    path: PathBuf,
    tensors: Mutex<Vec<(String, Tensor)>>,
}

impl Export {
    /// To a `.npz` or a `.safetensors` file.
    ///
    /// # Errors
    /// When the name ends otherwise, or there is no such directory.
    pub fn new(path: &Path) -> Result<Self> {
        let end = path.extension().and_then(|end| end.to_str());
        let fits = matches!(end, Some("npz" | "safetensors"));
        ensure!(fits, "--export-adversarial {}: use a name that ends in .npz or .safetensors", path.display());
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        ensure!(parent.is_dir(), "--export-adversarial {}: there is no directory {}", path.display(), parent.display());
        Ok(Self { path: path.into(), tensors: Mutex::default() })
    }

    /// Takes in tensors; of two with one name the first is kept.
    pub fn add(&self, tensors: impl IntoIterator<Item = (String, Tensor)>) {
        let mut all = self.tensors.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (name, tensor) in tensors {
            if all.iter().all(|(other, _)| *other != name) {
                all.push((name, tensor));
            }
        }
    }

    /// Writes the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self) -> Result<()> {
        let mut all = self.tensors.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        let written = if self.path.extension().is_some_and(|end| end == "npz") {
            Tensor::write_npz(&all, &self.path)
        } else {
            candle_core::safetensors::save(&all.into_iter().collect::<HashMap<_, _>>(), &self.path)
        };
        written.with_context(|| format!("--export-adversarial: cannot write {}", self.path.display()))
    }
}
