//! `han-exp status`

use super::Exit;
use crate::console::{answer, note, one_line};
use crate::engine::runs::{RESULTS, Store};
use crate::engine::{last, remembered};
use crate::experiment::VERBS;
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Results directory
    #[arg(long, default_value = RESULTS, value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn run(Arguments { out }: &Arguments) -> Result<Exit> {
    let store = Store { by_sizes: true, ..Store::new(out) };
    let mut exit = Exit::Success;
    for name in remembered(&store)? {
        match last(VERBS, &store, &name).and_then(|(kind, note)| kind.standing(&store, note)) {
            Ok(text) => answer(&text),
            Err(error) => {
                note(&format!("error: {name}: {}", one_line(&error)));
                exit = Exit::Failure;
            }
        }
    }
    Ok(exit)
}
