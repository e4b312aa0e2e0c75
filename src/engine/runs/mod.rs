//! Runs: what determines one, where it is kept, who makes it, and how far it is.

mod estimate;
mod inventory;
mod lock;
mod manifest;
mod progress;
mod record;
mod scheduler;
mod spec;
mod store;
mod training;
mod walk;
mod workplace;

pub use crate::model::Halt;
pub use estimate::duration;
pub use manifest::{Manifest, RunOutcome};
pub use record::{Ending, FinishedRun, Record, csv, with_column};
pub use scheduler::{Runner, Tick, Way};
pub(crate) use spec::common_fields;
pub use spec::{Details, Spec};
pub use store::{Look, Store};
pub use training::{Started, fit_problem, start, train};
pub use walk::{Entry, Rerun, Walk};
pub use workplace::{Exit, RESULTS, Running, SMOKE_RESULTS, Workplace, cores, stop_on_interrupt};
