//! `han-exp report`

use super::{Exit, tell};
use crate::record::Store;
use crate::report;
use anyhow::{Result, ensure};
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Results directory
    #[arg(long, default_value = "results", value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit> {
    let store = Store::new(&arguments.out);
    for name in report::remembered(&store)? {
        let (experiment, runs) = report::recall(&store, &name)?;
        let root = arguments.out.display();
        ensure!(!runs.is_empty(), "{root} has no run of {name} as it was set up last; nothing is redrawn");
        let report = report::write(&store, &experiment, &runs)?;
        tell(&report.text);
    }
    Ok(Exit::Success)
}
