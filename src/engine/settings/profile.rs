//! How much a command runs.

use serde::{Deserialize, Serialize};

/// How much of an experiment to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum ProfileName {
    /// A look at nearly everything in seconds; the figures mean nothing.
    Smoke,
    /// What two CPU cores do in minutes or hours.
    Quick,
    /// The paper's full protocol.
    Paper,
}

impl std::fmt::Display for ProfileName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.serialize(f)
    }
}
