//! What a run leaves, and its files.

use super::manifest::{Manifest, RunOutcome};
use crate::files;
use anyhow::{Context, Result};
use candle_core::Tensor;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// What every run produced, whatever it computed.
#[derive(Debug, Clone, Copy)]
pub struct Ending {
    /// Step at which divergence was seen; None if all steps were made.
    pub diverged_at_step: Option<usize>,
    /// Trained scalars of the network.
    pub parameters: usize,
    /// Mean wall-clock seconds of training for an epoch, scores not counted; None where nobody asks.
    pub epoch_seconds: Option<f64>,
}

impl Ending {
    /// How the run ended.
    pub fn outcome(&self) -> RunOutcome {
        if self.diverged_at_step.is_some() { RunOutcome::Diverged } else { RunOutcome::Finished }
    }
}

/// Everything that a run produced: how it ended, and its files.
#[derive(Debug)]
pub struct Record {
    /// What goes into the manifest.
    pub ending: Ending,
    /// The result in a few words.
    pub headline: String,
    tables: Vec<(&'static str, Vec<u8>)>,
    tensors: Vec<(&'static str, Vec<(String, Tensor)>)>,
}

impl Record {
    /// Without files yet; `headline` is for a run that did not diverge.
    pub fn new(ending: Ending, headline: impl Into<String>) -> Self {
        let divergence = ending.diverged_at_step.map(|step| format!("diverged at step {step}"));
        let headline = divergence.unwrap_or_else(|| headline.into());
        Self { ending, headline, tables: Vec::new(), tensors: Vec::new() }
    }

    /// Adds a CSV file of typed rows. Without rows there is no file: readers take a file without a header for damaged.
    pub fn rows<Row: Serialize>(mut self, file: &'static str, rows: &[Row]) -> Result<Self> {
        if !rows.is_empty() {
            self.tables.push((file, csv(rows)?));
        }
        Ok(self)
    }

    /// Adds a .safetensors file of named tensors; none without a tensor.
    #[must_use]
    pub fn tensors(mut self, file: &'static str, tensors: Vec<(String, Tensor)>) -> Self {
        if !tensors.is_empty() {
            self.tensors.push((file, tensors));
        }
        self
    }

    /// Writes the files into the run's directory. Every row of a CSV file gets `run`, so that rows of many runs can be told
    /// apart and joined.
    pub(super) fn write(&self, directory: &Path, run: &str) -> Result<()> {
        for (file, bytes) in &self.tables {
            let path = directory.join(file);
            fs::write(&path, with_column(bytes, "run", run)?)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        for (file, tensors) in &self.tensors {
            let path = directory.join(file);
            files::write_tensors(&path, tensors).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

/// A CSV file with a last column that is the same in all rows.
pub fn with_column(bytes: &[u8], name: &str, value: &str) -> Result<Vec<u8>> {
    with_field(bytes, |place| if place == 0 { name } else { value })
}

/// Lines of a CSV file, each with one more field at its end.
pub(super) fn with_field<'v>(bytes: &[u8], field: impl Fn(usize) -> &'v str) -> Result<Vec<u8>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes);
    let mut writer = csv::Writer::from_writer(Vec::with_capacity(bytes.len()));
    for (place, row) in reader.byte_records().enumerate() {
        let mut row = row?;
        row.push_field(field(place).as_bytes());
        writer.write_byte_record(&row)?;
    }
    Ok(writer.into_inner()?)
}

/// A run that is on disk.
#[derive(Debug, Clone)]
pub struct FinishedRun<S> {
    pub spec: S,
    pub directory: PathBuf,
    pub manifest: Manifest,
}

impl<S> FinishedRun<S> {
    pub fn diverged(&self) -> bool {
        self.manifest.outcome == RunOutcome::Diverged
    }

    /// Reads one of the run's CSV files; no rows where it has no such file.
    pub fn rows<Row: DeserializeOwned>(&self, file: &str) -> Result<Vec<Row>> {
        let path = self.directory.join(file);
        if !self.manifest.files.contains_key(file) {
            return Ok(Vec::new());
        }
        let file = files::open(&path).with_context(|| format!("cannot read {}", path.display()))?;
        rows_of(file).with_context(|| format!("{} is damaged", path.display()))
    }

    /// Reads one of the run's .safetensors files.
    pub fn tensors(&self, file: &str) -> Result<HashMap<String, Tensor>> {
        let path = self.directory.join(file);
        let bytes = files::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let loaded = candle_core::safetensors::load_buffer(&bytes, &candle_core::Device::Cpu);
        loaded.with_context(|| format!("{} is damaged", path.display()))
    }
}

/// A CSV file as typed rows.
pub(crate) fn rows_of<Row: DeserializeOwned>(file: impl Read) -> Result<Vec<Row>, csv::Error> {
    csv::Reader::from_reader(file).deserialize().collect()
}

/// Typed rows as a CSV file.
pub fn csv<Row: Serialize>(rows: &[Row]) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    rows.iter().try_for_each(|row| writer.serialize(row))?;
    Ok(writer.into_inner()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_gets_its_run() {
        let text = "a,b\n1,\"x,\ny\"\n,2\n";
        let told = with_column(text.as_bytes(), "run", "0f").expect("CSV");
        assert_eq!(String::from_utf8_lossy(&told), "a,b,run\n1,\"x,\ny\",0f\n,2,0f\n");
    }
}
