//! `han-exp report`

use super::Exit;
use crate::console::{answer, note, one_line};
use crate::engine::runs::Store;
use crate::engine::{Redrawn, redraw, remembered};
use crate::experiment::VERBS;
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
    /// An SVG beside every PNG
    #[arg(long)]
    svg: bool,
}

/// Redraws every experiment; one that cannot be does not keep back the others.
pub(super) fn run(arguments: &Arguments) -> Result<Exit> {
    let store = Store::new(&arguments.out).with_svg(arguments.svg);
    let mut exit = Exit::Success;
    for name in remembered(&store)? {
        match redraw(VERBS, &store, &name) {
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
