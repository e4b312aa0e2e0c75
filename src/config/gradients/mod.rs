//! From the experiment file of the layer's own claims to a checked list of measurements and trainings.

mod check;
mod claim;
mod experiment;
mod file;
mod flags;
mod probe;
#[cfg(test)]
mod tests;

pub use claim::{Extreme, Limit, Part};
pub use experiment::{Arm, Claims, Family, Runs, layers_of};
pub use file::ClaimsFile;
pub use flags::Flags;
pub use probe::{Course, Probe, ProbeSpec};
