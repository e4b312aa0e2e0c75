//! Runs of a robustness experiment: trainings, and attacks on what they trained.

mod attack;
mod checklist;
mod export;
mod ledger;
mod stages;
mod train;

pub use attack::Attacker;
pub use export::Export;
pub use train::Trainer;

/// Classes of the data sets.
pub const CLASSES: usize = 10;
