//! `manifest.json`: where a run comes from, how it ended and how long it took.

use serde::{Deserialize, Serialize};

/// Version of the files in a run directory; raised when their columns change.
pub const SCHEMA_VERSION: u32 = 1;

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
    /// As typed.
    pub command_line: Vec<String>,
    /// Of this program.
    pub version: String,
    /// Commit that it was built from, with "-dirty" if files had changed; empty outside a git checkout.
    pub git_commit: String,
    /// Compiler.
    pub rustc: String,
    /// Version of candle.
    pub candle: String,
    /// Device in words.
    pub device: String,
    /// Operating system and processor architecture.
    pub platform: String,
    /// Vector instruction set that the kernels use.
    pub simd: String,
    /// Runs at a time.
    pub jobs: usize,
    /// Threads of one run.
    pub threads: usize,
}

/// The whole file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the files in a run directory.
    pub schema_version: u32,
    /// SHA-256 of the run's configuration and the program's version.
    pub config_hash: String,
    /// SHA-256 of the data: coordinates, labels and split of a board, or images and labels.
    pub data_hash: String,
    /// Trained scalars of the network.
    pub parameters: usize,
    /// How it ended.
    pub outcome: RunOutcome,
    /// Step at which divergence was seen.
    pub diverged_at_step: Option<usize>,
    /// UTC.
    pub start: String,
    /// UTC.
    pub end: String,
    /// Wall-clock seconds.
    pub seconds: f64,
    /// Mean wall-clock seconds of training for an epoch, scores not counted; only of image classifiers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch_seconds: Option<f64>,
    /// Program and machine.
    pub environment: Environment,
}

impl Environment {
    /// Describes this program and this machine.
    pub fn here(device: String, jobs: usize) -> Self {
        Self {
            command_line: std::env::args().collect(),
            version: env!("CARGO_PKG_VERSION").into(),
            git_commit: env!("HAN_EXP_GIT_COMMIT").into(),
            rustc: env!("HAN_EXP_RUSTC").into(),
            candle: env!("HAN_EXP_CANDLE").into(),
            device,
            platform: format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH),
            // "V4(V4 { sse: .. })": the name is enough.
            simd: format!("{:?}", pulp::Arch::new()).chars().take_while(char::is_ascii_alphanumeric).collect(),
            jobs,
            threads: rayon::current_num_threads(),
        }
    }
}
