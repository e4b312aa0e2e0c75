//! Verbs of verbs: `plan checkerboard`, `submit mixer`.

use crate::engine::{Verb, verb};
use crate::experiment::VERBS;
use anyhow::{Context, Result};
use clap::ArgMatches;

/// The experiment that a verb is about.
pub(super) fn nested(matches: &ArgMatches) -> Result<(&'static Verb, &ArgMatches)> {
    let (name, matches) = matches.subcommand().context("name an experiment")?;
    Ok((verb(VERBS, name).context("name an experiment")?, matches))
}
