//! `han-exp report`

use super::Exit;
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
        let (experiment, runs) = report::recall(&store, &name)?;
        let report = report::write(&store, &experiment, &runs)?;
        print!("{}", report.text);
    }
    Ok(Exit::Success)
}
