//! What a run leaves, and its files.

use super::manifest::{Manifest, RunOutcome};
use crate::config::RunSpec;
use crate::files;
use anyhow::{Context, Result};
use candle_core::Tensor;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What every run produced, whatever it computed.
#[derive(Debug)]
pub struct Ending {
    /// Step at which divergence was seen; None if all steps were made.
    pub diverged_at_step: Option<usize>,
    /// Trained scalars of the network.
    pub parameters: usize,
    /// SHA-256 of the data.
    pub data_hash: String,
    /// Mean wall-clock seconds of training for an epoch, scores not counted; None where nobody asks.
    pub epoch_seconds: Option<f64>,
    /// When it began: wall clock and stopwatch.
    pub started: (jiff::Timestamp, Instant),
}

impl Ending {
    /// How the run ended.
    pub fn outcome(&self) -> RunOutcome {
        if self.diverged_at_step.is_some() { RunOutcome::Diverged } else { RunOutcome::Finished }
    }

    /// Where it diverged, in words, if it did.
    pub fn divergence(&self) -> Option<String> {
        self.diverged_at_step.map(|step| format!("diverged at step {step}"))
    }
}

/// Everything that a run produced.
pub trait Record: Send {
    /// What goes into the manifest.
    fn ending(&self) -> &Ending;

    /// The result in a few words.
    fn headline(&self) -> String;

    /// Writes the files of its own into the run's directory.
    fn write(&self, directory: &Path) -> Result<()>;
}

/// A run that is on disk.
#[derive(Debug, Clone)]
pub struct FinishedRun<S = RunSpec> {
    /// What was run.
    pub spec: S,
    /// Where it is.
    pub directory: PathBuf,
    /// How it ended.
    pub manifest: Manifest,
}

impl<S> FinishedRun<S> {
    /// Reads one of the run's CSV files.
    pub fn rows<Row: DeserializeOwned>(&self, file: &str) -> Result<Vec<Row>> {
        let path = self.directory.join(file);
        let file = files::open(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut reader = csv::Reader::from_reader(file);
        reader.deserialize().collect::<Result<_, _>>().with_context(|| format!("{} is damaged", path.display()))
    }
}

/// Writes named tensors as a .safetensors file.
pub(crate) fn write_weights(path: &Path, weights: &[(String, Tensor)]) -> Result<()> {
    let weights: HashMap<String, Tensor> = weights.iter().cloned().collect();
    candle_core::safetensors::save(&weights, path).with_context(|| format!("cannot write {}", path.display()))
}

/// Writes a CSV file of typed rows into a new run directory. Without rows there is no file: readers take a file without
/// a header for damaged.
pub(super) fn write_rows<Row: Serialize>(path: &Path, rows: &[Row]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    fs::write(path, csv(rows)?).with_context(|| format!("cannot write {}", path.display()))
}

/// Typed rows as a CSV file.
pub(crate) fn csv<Row: Serialize>(rows: &[Row]) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    rows.iter().try_for_each(|row| writer.serialize(row))?;
    Ok(writer.into_inner()?)
}
