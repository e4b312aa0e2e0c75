//! `manifest.json`: where a run comes from, what it left, how it ended and how long it took.

use super::inventory::Inventory;
use crate::files;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

const NAME: &str = "manifest.json";

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// All steps made.
    Finished,
    /// Loss or parameters stopped being finite numbers.
    Diverged,
}

/// What is the same for all runs of one command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// As typed, the program without its directory, which would say where on which machine it lies.
    pub command_line: Vec<String>,
    pub version: String,
    /// Commit that it was built from, with "-dirty" if files had changed; empty outside a git checkout.
    pub git_commit: String,
    /// Compiler.
    pub rustc: String,
    pub candle: String,
    /// "cpu", or number and name of the GPU.
    pub device: String,
    /// Operating system and processor architecture.
    pub platform: String,
    /// The processor in its maker's words; empty where the system does not say.
    #[serde(default)]
    pub processor: String,
    /// Vector instruction set that the kernels use.
    pub simd: String,
    pub jobs: usize,
    /// Threads of one run.
    pub threads: usize,
}

/// The whole file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the files in a run directory.
    pub schema_version: u32,
    /// SHA-256 of the run's configuration and the revision of its kind.
    pub config_hash: String,
    /// SHA-256 of the data: coordinates, labels and split of a board, or images and labels.
    pub data_hash: String,
    /// SHA-256 of the files of other runs that it has read, by their place below the results directory.
    pub inputs: BTreeMap<PathBuf, String>,
    /// Trained scalars of the network.
    pub parameters: usize,
    pub outcome: RunOutcome,
    /// Step at which divergence was seen.
    pub diverged_at_step: Option<usize>,
    /// UTC.
    pub start: String,
    /// UTC.
    pub end: String,
    pub seconds: f64,
    /// Mean wall-clock seconds of training for an epoch, scores not counted; only of image classifiers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch_seconds: Option<f64>,
    pub environment: Environment,
    /// What every other file in the directory holds.
    pub files: Inventory,
    /// SHA-256 of this file with nothing between these quotation marks.
    pub seal: String,
}

/// What a results directory holds of a run.
#[derive(Debug, Clone)]
pub enum Look<T = Manifest> {
    /// Every file as it was saved.
    Whole(Box<T>),
    /// Nothing, or a run of another version, other data or other weights.
    Missing,
    /// A run that cannot be used: its directory, and what is wrong.
    Damaged(String),
}

impl<T> Look<T> {
    /// The run, if it can be used.
    pub fn finished(self) -> Option<T> {
        match self {
            Self::Whole(run) => Some(*run),
            Self::Missing | Self::Damaged(_) => None,
        }
    }

    /// The same of what is made of a run.
    pub fn map<U>(self, of: impl FnOnce(T) -> U) -> Look<U> {
        match self {
            Self::Whole(run) => Look::Whole(Box::new(of(*run))),
            Self::Missing => Look::Missing,
            Self::Damaged(what) => Look::Damaged(what),
        }
    }
}

impl Manifest {
    /// Reads the manifest of a run directory.
    pub(super) fn read(directory: &Path) -> Result<Look> {
        let path = directory.join(NAME);
        let read = files::if_there(files::read_within(&path, files::LONGEST_TEXT));
        let Some(bytes) = read.with_context(|| format!("cannot read {}", path.display()))? else {
            return Ok(Look::Missing);
        };
        let damaged = || Look::Damaged(format!("{}: {NAME} is damaged", directory.display()));
        Ok(Self::parse(bytes).map_or_else(damaged, |manifest| Look::Whole(Box::new(manifest))))
    }

    /// The same of its bytes; None if they are not what was written.
    pub(crate) fn parse(bytes: Vec<u8>) -> Option<Self> {
        let text = String::from_utf8(bytes).ok()?;
        let manifest: Self = serde_json::from_str(&text).ok()?;
        let unsealed = text.replacen(&manifest.seal, "", 1);
        (files::sha256(unsealed.as_bytes()) == manifest.seal).then_some(manifest)
    }

    /// Writes the manifest of a run directory, and syncs it to the disk.
    pub(super) fn write(&self, directory: &Path) -> Result<()> {
        let path = directory.join(NAME);
        fs::write(&path, self.sealed()?)?;
        Ok(fs::File::open(&path)?.sync_all()?)
    }

    /// The text of the file.
    pub(crate) fn sealed(&self) -> Result<String> {
        let unsealed = Self { seal: String::new(), ..self.clone() };
        let hash = files::sha256((serde_json::to_string_pretty(&unsealed)? + "\n").as_bytes());
        let sealed = Self { seal: hash, ..unsealed };
        Ok(serde_json::to_string_pretty(&sealed)? + "\n")
    }
}

impl Environment {
    /// Describes this program and this machine.
    pub fn here(device: String, jobs: usize) -> Self {
        Self {
            command_line: command_line(std::env::args_os()),
            version: env!("CARGO_PKG_VERSION").into(),
            git_commit: env!("HAN_EXP_GIT_COMMIT").into(),
            rustc: env!("HAN_EXP_RUSTC").into(),
            candle: env!("HAN_EXP_CANDLE").into(),
            device,
            platform: format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH),
            processor: processor(),
            // "V4(V4 { sse: .. })": the name is enough.
            simd: format!("{:?}", pulp::Arch::new()).chars().take_while(char::is_ascii_alphanumeric).collect(),
            jobs,
            threads: crate::nn::kernels::threads::count(),
        }
    }
}

fn command_line(mut words: impl Iterator<Item = OsString>) -> Vec<String> {
    let program = words.next().unwrap_or_default();
    let name = Path::new(&program).file_name().map(OsString::from).unwrap_or(program);
    [name].into_iter().chain(words).map(|word| word.to_string_lossy().into_owned()).collect()
}

pub(super) fn processor() -> String {
    let text = files::read_text(Path::new("/proc/cpuinfo")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("model name"));
    line.map_or_else(String::new, |line| line.trim_start_matches([' ', '\t', ':']).trim().to_string())
}
