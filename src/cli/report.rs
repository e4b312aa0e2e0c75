//! `han-exp report`

use super::Exit;
use super::splice::splice;
use crate::console::{answer, note, one_line};
use crate::engine::runs::{RESULTS, Store};
use crate::engine::{Recalled, last, overview, remembered};
use crate::experiment::VERBS;
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;

/// Missing runs that are named.
const NAMED: usize = 5;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Results directory
    #[arg(long, default_value = RESULTS, value_name = "DIR")]
    out: PathBuf,
    /// Then write the figures into these Markdown files, at the markers that name a CSV file; if DIR has no runs, the figures
    /// come from the CSV files in it
    #[arg(long, value_delimiter = ',', value_name = "FILE,..")]
    splice: Vec<PathBuf>,
    /// An SVG beside every PNG
    #[arg(long)]
    svg: bool,
}

/// Redraws every experiment; one that cannot be does not keep back the others.
pub(super) fn run(arguments: &Arguments) -> Result<Exit> {
    let store = Store { svg: arguments.svg, ..Store::new(&arguments.out) };
    let (mut exit, mut all_drawn) = (Exit::Success, true);
    let names = if arguments.splice.is_empty() { remembered(&store)? } else { store.experiments()? };
    let redrawn = !names.is_empty();
    for name in names {
        // What a kill has left is settled first.
        let noted = store.clean(&name).and_then(|()| last(VERBS, &store, &name));
        match noted.and_then(|(kind, note)| kind.redraw(&store, note)) {
            Ok(Recalled { made, absent, .. }) if absent.is_empty() => answer(&made.text),
            Ok(Recalled { made, planned, absent }) => {
                answer(&made.text);
                let (missing, more) = (absent.len(), absent.len().saturating_sub(NAMED));
                note(&format!(
                    "error: {name}: {missing} of {planned} runs are missing; run the experiment's command to make them"
                ));
                absent.iter().take(NAMED).for_each(|run| note(&format!("  {run}")));
                if more > 0 {
                    note(&format!("  and {more} more"));
                }
                exit = Exit::Failure;
            }
            Err(error) => {
                note(&format!("error: {name}: {}", one_line(&error)));
                (exit, all_drawn) = (Exit::Failure, false);
            }
        }
    }
    // A directory of tables alone, as a repository shows them, keeps its pages.
    if redrawn {
        overview(VERBS, &store)?;
    }
    // Tables of fewer runs than planned are tables of those runs. Of an experiment that cannot be redrawn they may be old.
    if all_drawn {
        splice(&arguments.out, &arguments.splice)?;
    }
    Ok(exit)
}
