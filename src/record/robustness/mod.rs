//! What the runs of a robustness experiment leave, and the tables over their seeds.

mod comparison;
mod rows;
mod runs;
mod summary;
mod tables;

pub use rows::{ATTACKS, CheckRow, EffortRow, ExampleRow, RADII};
pub use runs::{AttackRecord, TrainingRecord};
pub use summary::{ArmMeasurements, Measurements, attacks_made, measure};
pub use tables::{ComparisonRow, SeedRow, SummaryRow};
