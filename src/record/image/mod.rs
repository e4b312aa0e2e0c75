//! What the trainings of image classifiers leave, and the tables over their seeds.

mod rows;
mod run;
mod summary;

pub use rows::{ConfusionRow, CurveRow};
pub use run::ImageRecord;
pub use summary::{ArmResults, SeedRow, TableRow, measure, seed_rows, table_rows};
