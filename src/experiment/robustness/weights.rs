//! Networks that the user brings as files of weights.

use super::check::Robustness;
use super::spec::WeightsSource;
use super::{CLASSES, Extra};
use crate::console::note;
use crate::data::images::{ImageData, Subset};
use crate::engine::foreign::{doubt, suspicious, weights_at};
use crate::engine::settings::File;
use crate::evaluate::classification::score;
use crate::files;
use crate::model::Model;
use crate::rng::Seed;
use anyhow::{Context, Result, bail, ensure};
use candle_core::Device;
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::path::PathBuf;

/// The weights of an arm.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Given {
    pub arm: String,
    pub weights: WeightsSource,
}

impl Given {
    /// What `--weights` says. Weights of another network are refused here, before anything is trained, and those that score
    /// like weights of another network are pointed out.
    ///
    /// # Errors
    /// When a file cannot be read, is not of its network, or names no arm.
    pub fn all(experiment: &Robustness, extra: &Extra, images: &ImageData) -> Result<Vec<Self>> {
        let hints = extra.foreign.hints()?;
        let arms = &experiment.file.arm;
        let known = arms.iter().map(|arm| arm.name.as_str()).collect::<Vec<_>>().join(", ");
        let mut given: Vec<Self> = Vec::new();
        for WeightsFile { arm, path } in extra.weights.iter().flat_map(|value| WeightsFile::list(value)) {
            let named = arm.as_deref().and_then(|name| experiment.file.arm(name));
            let arm = match (arm.is_some(), named, arms.as_slice()) {
                (true, Some(arm), _) | (false, _, [arm]) => arm,
                _ => bail!("--weights {}: name its network as MODEL=FILE, MODEL being one of {known}", path.display()),
            };
            let name = &arm.name;
            ensure!(given.iter().all(|other| other.arm != *name), "--weights: {name} is given twice");
            let told = "use a UTF-8 path: every run records it";
            ensure!(path.to_str().is_some(), "--weights {}: {told}", path.display());
            let path = weights_at(&path)?;
            let bytes = files::read(&path).with_context(|| format!("--weights: cannot read {}", path.display()))?;
            let model = arm.model.build(images.test.features(), CLASSES, Seed(0), &Device::Cpu)?;
            extra.foreign.load(&model.parameters, &path, &hints).with_context(|| format!("model {name}"))?;
            introduce(&path.display().to_string(), &model, images, experiment.file.first_seed)?;
            let weights = WeightsSource::File { path, sha256: files::sha256(&bytes), hints: hints.clone() };
            given.push(Self { arm: name.clone(), weights });
        }
        let one = hints.is_empty() || given.len() < 2;
        ensure!(one, "--key, --order and --map apply to a single file of --weights; give only one");
        Ok(given)
    }
}

/// Says as what network weights are read, how it does on all test images, and how often it is attacked.
fn introduce(name: &str, model: &Model, images: &ImageData, seed: u64) -> Result<()> {
    const PIXELS: &str = "pixels from 0 to 1, row by row";
    let network = model.frozen.as_ref();
    let rows = (0..images.test.len()).collect();
    let score = score(network, &Subset { images: &images.test, rows, device: Device::Cpu })?;
    let (layers, parameters) = (network.in_words()?, model.parameters.count());
    let (accuracy, count, data) = (100.0 * score.accuracy, score.images, images.name());
    note(&format!("{name}: read as {layers}; {parameters} parameters; inputs are {PIXELS}"));
    note(&format!("{name}: accuracy {accuracy:.2} % on all {count} test images ({data}); attacked once, seed {seed}"));
    doubt(name, score.accuracy, suspicious(CLASSES), PIXELS);
    Ok(())
}

/// A file of weights from a flag: `weights.safetensors`, or `fcnet=weights.safetensors`.
struct WeightsFile {
    arm: Option<String>,
    path: PathBuf,
}

impl WeightsFile {
    /// The files of a flag's value, `[MODEL=]FILE,..`. A file that is there under the name as typed wins, with its commas and
    /// equals signs; a name that is not UTF-8 is always that of one file.
    fn list(value: &OsStr) -> Vec<Self> {
        let Some(mut text) = value.to_str() else { return vec![Self { arm: None, path: value.into() }] };
        let mut files = Vec::new();
        loop {
            // From the longest name that may be meant to the shortest.
            let ends = std::iter::once(text.len()).chain(text.rmatch_indices(',').map(|(comma, _)| comma));
            let there = ends.clone().find_map(|end| Some((end, Self::there(&text[..end])?)));
            let first = ends.last().unwrap_or(text.len());
            let (end, file) = there.unwrap_or_else(|| (first, Self::typed(&text[..first])));
            files.push(file);
            match text.get(end + 1..) {
                Some(rest) => text = rest,
                None => return files,
            }
        }
    }

    /// The file of that name, if it is there.
    fn there(text: &str) -> Option<Self> {
        let whole = Self { arm: None, path: text.into() };
        [whole, Self::typed(text)].into_iter().find(|file| file.path.exists())
    }

    fn typed(text: &str) -> Self {
        let plain =
            |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        match text.split_once('=') {
            Some((arm, path)) if plain(arm) => Self { arm: Some(arm.into()), path: path.into() },
            _ => Self { arm: None, path: text.into() },
        }
    }
}
