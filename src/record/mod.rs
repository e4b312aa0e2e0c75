//! What runs leave behind: directories with typed CSV rows, a manifest and weights; tables made from them.

mod checkerboard;
pub mod gradients;
pub mod image;
mod inventory;
mod manifest;
pub mod proportion;
pub mod robustness;
mod rows;
mod run_dir;
pub mod scores;
mod selection;
pub mod statistics;
mod store;
mod table;

pub use checkerboard::RunRecord;
pub use inventory::{Contents, Inventory};
pub use manifest::{Environment, Manifest, RunOutcome};
pub use rows::{EpochRow, EvaluationRow, PredictionRow, TestCurveRow};
pub(crate) use run_dir::csv;
pub use run_dir::{Ending, FinishedRun, Record};
pub use store::{ResultsLock, Search, Store};
pub use table::{Protocol, SeedValue, Summary, TableRow, summarise};
