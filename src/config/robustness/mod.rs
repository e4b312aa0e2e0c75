//! Robustness of image classifiers: from an experiment file to two lists of runs, trainings and attacks on them.
//!
//! [`RobustnessFile`] is what the file says, a profile and flags applied; [`RobustnessFile::check`] turns it into a
//! [`Robustness`], the only type that can run.

mod check;
mod experiment;
mod file;
mod overrides;
mod run;
#[cfg(test)]
mod tests;

pub use experiment::{Arm, Robustness, validation_images};
pub use file::{Metric, Requirement, RobustnessFile};
pub use overrides::{Flags, Sizes, WeightsFile, size};
pub use run::{AttackSpec, Effort, ImageSet, Precision, Stopping, TrainingSpec, WeightsSource};
