//! `han-exp report`

use super::{Exit, answer};
use crate::console::{note, one_line};
use crate::record::Store;
use crate::report::{self, Redrawn};
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;

/// Missing runs that are named.
const NAMED: usize = 5;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Results directory
    #[arg(long, default_value = "results", value_name = "DIR")]
    out: PathBuf,
}

/// Redraws every experiment; one that cannot be does not keep back the others.
pub(super) fn run(arguments: &Arguments) -> Result<Exit> {
    let store = Store::new(&arguments.out);
    let mut exit = Exit::Success;
    for name in report::remembered(&store)? {
        match redraw(&store, &name) {
            Ok(Redrawn { report, absent, .. }) if absent.is_empty() => answer(&report.text),
            Ok(Redrawn { report, planned, absent }) => {
                answer(&report.text);
                let (missing, more) = (absent.len(), absent.len().saturating_sub(NAMED));
                note(&format!("error: {name}: {missing} of {planned} runs are not there; its command makes them"));
                absent.iter().take(NAMED).for_each(|run| note(&format!("  {run}")));
                if more > 0 {
                    note(&format!("  and {more} more"));
                }
                exit = Exit::Failure;
            }
            Err(error) => {
                note(&format!("error: {name}: {}", one_line(&error)));
                exit = Exit::Failure;
            }
        }
    }
    Ok(exit)
}

/// What a kill has left is settled first, unless a command is running that may be about to do it itself.
fn redraw(store: &Store, name: &str) -> Result<Redrawn> {
    let lock = store.lock(name).ok();
    if lock.is_some() {
        store.clean(name)?;
    }
    report::redraw(store, name)
}
