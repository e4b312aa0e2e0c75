//! What the runs of a robustness experiment leave, and the tables over their seeds.

mod rows;
mod runs;
mod summary;

pub use rows::{ATTACKS, CheckRow, EffortRow, ExampleRow, RADII};
pub use runs::{AttackRecord, TrainingRecord};
pub use summary::{ArmMeasurements, ComparisonRow, Measurements, SeedRow, SummaryRow, attacks_made, measure};
