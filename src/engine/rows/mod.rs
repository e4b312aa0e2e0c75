//! Rows of CSV files, and figures over them.

mod columns;
mod proportion;
#[expect(clippy::module_inception, reason = "rows of runs beside what is made of them")]
mod rows;
mod runs;
mod scores;
mod seeds;
mod selection;
mod statistics;

pub use columns::{RatedSeed, TableKey};
pub use proportion::{Items, Paired, Proportion, on_common};
pub use rows::{EpochRow, EvaluationRow, RunKey, keyed};
pub use runs::RunRow;
pub use scores::{Figure, Score, Scored, SeedScore};
pub use seeds::{Differences, Seeds, Statistics};
pub use selection::Candidate;
pub use statistics::Sample;
