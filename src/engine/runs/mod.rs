//! Runs: what determines one, where it is kept, who makes it, and how far it is.

mod checkpoint;
mod desk;
mod estimate;
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
mod walk;
mod workplace;

pub use crate::model::Halt;
pub use estimate::duration;
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
pub use workplace::{Exit, RESULTS, Running, SMOKE_RESULTS, Workplace, cores};

use std::fmt;
use std::path::PathBuf;

/// Context of an error that has to do with the disk and not with a run: no other run can be made then either.
#[derive(Debug)]
pub(crate) struct Unwritable(pub PathBuf);

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot write {}", self.0.display())
    }
}
