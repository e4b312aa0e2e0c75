//! From an experiment file to a checked list of runs.
//!
//! [`ExperimentFile`] is what the file says, a profile and flags applied; [`ExperimentFile::check`] turns it into an
//! [`Experiment`], the only type that can run.

mod experiment;
mod file;
mod run;

pub use experiment::{Arm, Experiment, Recipe};
pub use file::{Expectation, ExperimentFile, Overrides, ProfileName, Sized, Statistic};
pub use run::{Phase, RunSpec};
