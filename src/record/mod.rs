//! What runs leave behind: directories with typed CSV rows, a manifest and weights; tables made from them.

mod manifest;
pub mod proportion;
mod rows;
mod run_dir;
pub mod statistics;
mod table;

pub use manifest::{Environment, Manifest, RunOutcome};
pub use rows::{EpochRow, EvaluationRow, PredictionRow, TestCurveRow};
pub(crate) use run_dir::write_rows;
pub use run_dir::{FinishedRun, ResultsLock, RunRecord, Store};
pub use table::{Protocol, SeedValue, Summary, TableRow, summarise};
