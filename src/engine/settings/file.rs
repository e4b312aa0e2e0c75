//! What every experiment file has.

use super::names::Named;
use super::text::Heading;
use anyhow::Result;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What an experiment file says, typed. Unknown keys are errors; `extends`, `models` and `profile` are the engine's and
/// never get here.
pub trait File: Clone + PartialEq + Serialize + DeserializeOwned + 'static {
    /// A network in it.
    type Arm: Arm;

    /// What is shown, and where the paper shows it.
    fn heading(&self) -> &Heading;

    /// The networks.
    fn arms(&mut self) -> &mut Vec<Self::Arm>;

    /// Checks what the file says of its own parts. A profile or a flag may drop an arm, and an expectation that names nothing
    /// would never be missed, so the whole file is asked before.
    ///
    /// # Errors
    /// With what is wrong; `origin` names the file.
    fn check_references(&self, origin: &str) -> Result<()>;

    /// Drops what belongs to arms that are no longer there.
    fn forget_dropped(&mut self);

    /// Drops the expectations and the paper's figures that `own` had and that no longer hold after a change: they are about
    /// the data, networks and training of the file. This is the one place that decides it, for profiles, flags and `--set`.
    fn void(&mut self, own: &Self, change: Change);

    /// Gives the arms of a sweep what other parts of the file say of the arm that they come from.
    fn inherit(&mut self, _sweep: &Sweep) {}
}

/// What made one file of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A profile.
    Profile(ProfileName),
    /// Flags and `--set`.
    Flags,
}

/// An arm that was replaced by several of different sizes.
#[derive(Debug)]
pub struct Sweep {
    /// Its name.
    pub arm: String,
    /// Those of the new arms.
    pub copies: Vec<String>,
}

/// A network in an experiment file.
pub trait Arm: Named + Clone + PartialEq {
    /// Gives it another name, and adds to its label what tells it from its neighbours.
    fn rename(&mut self, name: String, addition: &str);
}

/// One number for several seeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Statistic {
    /// Arithmetic mean.
    Mean,
    /// Middle seed.
    Median,
    /// Worst seed.
    Min,
}

impl std::fmt::Display for Statistic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Mean => "mean",
            Self::Median => "median",
            Self::Min => "min",
        })
    }
}

/// How much of an experiment to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum ProfileName {
    /// A look at everything in seconds; the figures mean nothing.
    Smoke,
    /// What two CPU cores do in minutes.
    Quick,
    /// The paper's full protocol.
    Paper,
}

impl std::fmt::Display for ProfileName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Smoke => "smoke",
            Self::Quick => "quick",
            Self::Paper => "paper",
        })
    }
}
