//! Run directories: written under a temporary name and renamed when whole, so that what has the right name is complete.

use super::manifest::{Environment, Manifest, RunOutcome, SCHEMA_VERSION};
use crate::config::{RunSpec, Spec};
use anyhow::{Context, Result, bail};
use candle_core::Tensor;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::fs::{self, File};
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

/// A results directory.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

/// Held while a command writes runs of an experiment; a second one would mix its files with the first one's.
#[derive(Debug)]
pub struct ResultsLock(#[expect(dead_code, reason = "the open file is the lock")] File);

impl Store {
    /// The store at `root`; nothing is made until something is written.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Its directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Makes the directory of an experiment and locks it for this process.
    pub fn lock(&self, experiment: &str) -> Result<ResultsLock> {
        let directory = self.root.join("runs").join(experiment);
        fs::create_dir_all(&directory).with_context(|| format!("--out: cannot make {}", directory.display()))?;
        let path = directory.join(".lock");
        let file = File::create(&path).with_context(|| format!("--out: cannot write {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(ResultsLock(file)),
            Err(fs::TryLockError::WouldBlock) => {
                bail!("another han-exp is writing to {}; wait for it or use --out", directory.display())
            }
            // Some network file systems have no locks; then the user has to take care.
            Err(fs::TryLockError::Error(_)) => Ok(ResultsLock(file)),
        }
    }

    /// The finished run of this specification, if there is one.
    pub fn find<S: Spec>(&self, spec: &S) -> Result<Option<FinishedRun<S>>> {
        let directory = self.root.join(spec.directory()?);
        let Ok(text) = fs::read_to_string(directory.join("manifest.json")) else { return Ok(None) };
        let path = directory.display();
        let manifest: Manifest =
            serde_json::from_str(&text).with_context(|| format!("{path}/manifest.json is damaged; remove {path}"))?;
        let same = manifest.config_hash == spec.hash()? && manifest.schema_version == SCHEMA_VERSION;
        Ok(same.then(|| FinishedRun { spec: spec.clone(), directory: directory.clone(), manifest }))
    }

    /// Writes a run, whole or not at all.
    pub fn save<S: Spec>(&self, spec: &S, record: &dyn Record, environment: &Environment) -> Result<FinishedRun<S>> {
        let directory = self.root.join(spec.directory()?);
        let parent = directory.parent().context("a run directory has a parent")?;
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        let partial = tempfile::Builder::new().prefix(".partial-").tempdir_in(parent)?;
        let ending = record.ending();
        let manifest = Manifest {
            schema_version: SCHEMA_VERSION,
            config_hash: spec.hash()?,
            data_hash: ending.data_hash.clone(),
            parameters: ending.parameters,
            outcome: ending.outcome(),
            diverged_at_step: ending.diverged_at_step,
            start: ending.started.0.to_string(),
            end: jiff::Timestamp::now().to_string(),
            epoch_seconds: ending.epoch_seconds,
            seconds: ending.started.1.elapsed().as_secs_f64(),
            environment: environment.clone(),
        };
        write_files(partial.path(), spec, record, &manifest)
            .with_context(|| format!("cannot write the run to {}", partial.path().display()))?;
        if directory.exists() {
            fs::remove_dir_all(&directory).with_context(|| format!("cannot replace {}", directory.display()))?;
        }
        fs::rename(partial.keep(), &directory).with_context(|| format!("cannot make {}", directory.display()))?;
        Ok(FinishedRun { spec: spec.clone(), directory, manifest })
    }

    /// Removes what a killed process left half-written. Call with the lock held.
    pub fn clean(&self, experiment: &str) -> Result<()> {
        let Ok(arms) = fs::read_dir(self.root.join("runs").join(experiment)) else { return Ok(()) };
        for arm in arms.flatten() {
            let Ok(runs) = fs::read_dir(arm.path()) else { continue };
            for run in runs.flatten() {
                if run.file_name().to_string_lossy().starts_with(".partial-") {
                    fs::remove_dir_all(run.path())?;
                }
            }
        }
        Ok(())
    }
}

impl<S> FinishedRun<S> {
    /// Reads one of the run's CSV files.
    pub fn rows<Row: DeserializeOwned>(&self, file: &str) -> Result<Vec<Row>> {
        let path = self.directory.join(file);
        let mut reader = csv::Reader::from_path(&path).with_context(|| format!("cannot read {}", path.display()))?;
        reader.deserialize().collect::<Result<_, _>>().with_context(|| format!("{} is damaged", path.display()))
    }
}

fn write_files(directory: &Path, spec: &impl Spec, record: &dyn Record, manifest: &Manifest) -> Result<()> {
    fs::write(directory.join("config.toml"), spec.to_toml()?)?;
    record.write(directory)?;
    // Last: a directory with a manifest is complete.
    fs::write(directory.join("manifest.json"), serde_json::to_string_pretty(manifest)? + "\n")?;
    Ok(())
}

/// Writes named tensors as a .safetensors file.
pub(crate) fn write_weights(path: &Path, weights: &[(String, Tensor)]) -> Result<()> {
    let weights: HashMap<String, Tensor> = weights.iter().cloned().collect();
    candle_core::safetensors::save(&weights, path).with_context(|| format!("cannot write {}", path.display()))
}

/// Writes a CSV file of typed rows. Without rows there is no file, and one of earlier rows goes: readers take a file
/// without a header for damaged.
pub(crate) fn write_rows<Row: Serialize>(path: &Path, rows: &[Row]) -> Result<()> {
    if rows.is_empty() {
        return match fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        };
    }
    let mut writer = csv::Writer::from_path(path).with_context(|| format!("cannot write {}", path.display()))?;
    for row in rows {
        writer.serialize(row)?;
    }
    writer.flush()?;
    Ok(())
}
