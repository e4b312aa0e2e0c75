//! `han-exp reproduce`

use super::{Exit, Running, checkerboard, stop_on_interrupt};
use crate::config::ProfileName;
use anyhow::Result;
use clap::{Args, Parser, ValueEnum};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// How much to run; paper is the full protocol
    #[arg(long, value_enum, default_value_t = ProfileName::Quick)]
    profile: ProfileName,
    /// Only these experiments
    #[arg(long, value_enum, value_delimiter = ',', value_name = "EXPERIMENT,..")]
    only: Option<Vec<Name>>,
    #[command(flatten)]
    pub(super) running: Running,
    /// Exit with code 3 when an expectation is missed
    #[arg(long)]
    strict: bool,
}

/// Experiments in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Generalization on a checkerboard
    Checkerboard,
}

/// An experiment's own flags at their defaults.
#[derive(Debug, Parser)]
struct Defaults {
    #[command(flatten)]
    setting: checkerboard::Setting,
}

pub(super) fn run(arguments: Arguments) -> Result<Exit> {
    let stop = stop_on_interrupt()?;
    for name in Name::value_variants() {
        if arguments.only.as_ref().is_some_and(|only| !only.contains(name)) {
            continue;
        }
        let exit = match name {
            Name::Checkerboard => {
                let profile = arguments.profile.to_string();
                let Defaults { setting } = Defaults::parse_from(["reproduce", "--profile", &profile]);
                checkerboard::execute(&setting, &arguments.running, arguments.strict, &stop)?
            }
        };
        if exit != Exit::Success {
            return Ok(exit);
        }
    }
    Ok(Exit::Success)
}
