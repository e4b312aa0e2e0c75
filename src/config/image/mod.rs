//! Comparison of classifiers of colour images: from an experiment file to a list of trainings.
//!
//! [`ImageFile`] is what the file says, a profile and flags applied; [`ImageFile::check`] turns it into a
//! [`Comparison`], the only type that can run.

mod experiment;
mod file;
mod flags;
mod run;
#[cfg(test)]
mod tests;

pub use experiment::{Arm, Comparison};
pub use file::{ImageFile, Requirement};
pub use flags::{Blocks, Flags};
pub use run::{ImageSet, ImageSpec};
