//! Runs: what determines one, where it is kept, who makes it, and how far it is.

mod checkpoint;
mod desk;
mod directory;
mod estimate;
mod exit;
mod inventory;
mod job;
mod lock;
mod manifest;
mod part;
mod progress;
mod record;
mod scheduler;
mod spec;
mod stop;
mod store;
mod training;
mod unwritable;
mod walk;
mod workplace;

pub use crate::model::Halt;
pub use estimate::duration;
pub use exit::Exit;
pub use job::Job;
pub use manifest::{Manifest, RunOutcome};
pub use record::{Ending, FinishedRun, Record, csv, with_column};
pub use scheduler::{Runner, Way};
pub(crate) use spec::common_fields;
pub use spec::{Details, Spec};
pub use stop::{Stop, stop_on_signals};
pub use store::{Attempt, Look, Store};
pub use training::{Seen, Trained, fit_problem, train};
pub use walk::{Entry, Rerun, Walk};
pub use workplace::{RESULTS, Running, SMOKE_RESULTS, Workplace, cores};
