//! From an experiment file to a checked list of runs.
//!
//! [`ExperimentFile`] is what the file says, a profile and flags applied; [`ExperimentFile::check`] turns it into an
//! [`Experiment`], the only type that can run.

mod arms;
mod experiment;
mod file;
pub mod gradients;
pub mod image;
mod limits;
mod overrides;
pub mod robustness;
mod run;
mod spec;
#[cfg(test)]
mod tests;
mod text;

pub use crate::evaluate::attack::Norm;
pub use experiment::{Arm, Experiment, Recipe};
pub use file::{DataFile, Expectation, ExperimentFile, ProfileName, Statistic};
pub use overrides::{Overrides, Sized};
pub use run::{Phase, RunSpec};
pub use spec::Spec;
