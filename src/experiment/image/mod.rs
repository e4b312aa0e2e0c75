//! Trainings of image classifiers.

mod parts;
mod train;

pub use parts::Parts;
pub use train::Trainer;
