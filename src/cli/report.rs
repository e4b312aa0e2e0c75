//! `han-exp report`

use super::{Exit, tell};
use crate::record::Store;
use crate::report;
use anyhow::Result;
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
        let report = report::redraw(&store, &name)?;
        tell(&report.text);
    }
    Ok(Exit::Success)
}
