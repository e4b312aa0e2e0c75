//! What a weights file does not say about itself, and its user has to.

use crate::console::shown;
use anyhow::{Context, Result, anyhow, ensure};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::path::Path;

/// How to find the model's tensors in a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hints {
    /// The key of the weights, where a file has several sets of them; keys within keys are joined by dots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Names or paths of modules of the file in the order in which they run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub order: Vec<String>,
    /// Tensors or layers: the model's name, the file's name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub map: Vec<(String, String)>,
}

impl Hints {
    /// Whether they say nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Reads a map: a line `MODEL_NAME = FILE_NAME` for each tensor (`2.weight = trunk.0.weight`) or layer
    /// (`2 = trunk.0`). Empty lines are skipped, and what follows a `#`.
    ///
    /// # Errors
    /// With file and line, when it cannot be read or a line says something else.
    pub fn read_map(path: &Path) -> Result<Vec<(String, String)>> {
        let file = path.display();
        let text = crate::files::read_text(path).with_context(|| format!("--map {file}"))?;
        Self::map_of(&text).map_err(|told| anyhow!("--map {file}, {told}"))
    }

    /// [`Hints::read_map`] of text that is in memory already.
    ///
    /// # Errors
    /// With the line, when it says something else.
    pub fn map_of(text: &str) -> Result<Vec<(String, String)>> {
        let mut map = Vec::new();
        let (mut models, mut files) = (HashSet::new(), HashSet::new());
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.split('#').next().unwrap_or_default().trim();
            if text.is_empty() {
                continue;
            }
            let names = text.split_once('=').map(|(model, file)| (model.trim(), file.trim()));
            let names = names.filter(|(model, file)| !model.is_empty() && !file.is_empty());
            let (model, name) = names.with_context(|| format!("line {line}: use MODEL_NAME = FILE_NAME"))?;
            ensure!(models.insert(model) && files.insert(name), "line {line}: {}: a name comes twice", shown(text));
            map.push((model.to_string(), name.to_string()));
        }
        Ok(map)
    }
}
