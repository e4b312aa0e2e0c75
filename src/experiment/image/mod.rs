//! Trainings of image classifiers.

mod contact;
mod parts;
mod train;

pub use contact::write_contact;
pub use parts::Parts;
pub use train::Trainer;
