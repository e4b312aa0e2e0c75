//! `han-exp reproduce`

use super::{Exit, Running, stop_on_signals};
use crate::console::{note, one_line};
use crate::engine::invocation::typed;
use crate::engine::runs::is_unwritable;
use crate::engine::settings::ProfileName;
use crate::engine::source::Source;
use crate::engine::{Reproduce, Verb};
use crate::experiment::VERBS;
use anyhow::{Result, ensure};
use clap::builder::PossibleValuesParser;
use clap::{ArgMatches, Args, Command, FromArgMatches};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// How much to run; paper is the full protocol [default: quick; paper for mixer on a GPU]
    #[arg(long, value_enum)]
    profile: Option<ProfileName>,
    /// Only these experiments [default: all but mixer-budget]
    #[arg(long, value_delimiter = ',', value_name = "EXPERIMENT,..", value_parser = names())]
    only: Option<Vec<String>>,
    #[command(flatten)]
    running: Running,
    #[command(flatten)]
    source: Source,
    /// Exit with code 3 when an expectation is missed
    #[arg(long)]
    strict: bool,
}

fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(VERBS.iter().map(|verb| verb.name))
}

pub(super) fn run(matches: &ArgMatches) -> Result<Exit> {
    let Arguments { profile, only, running, source, strict } = &Arguments::from_arg_matches(matches)?;
    let typed = typed(&Arguments::augment_args(Command::new("reproduce")), matches);
    let part = &running.part;
    ensure!(
        part.run.is_empty() && part.stage.is_none(),
        "--run and --stage select runs of one experiment; use that experiment's own command"
    );
    let stop = stop_on_signals()?;
    let on_gpu = running.device.open()?.device.is_cuda();
    let is_wanted =
        |verb: &&Verb| only.as_ref().map_or(!verb.only_by_name, |only| only.iter().any(|name| name == verb.name));
    let wanted = || VERBS.iter().filter(is_wanted);
    // A directory for several experiments may lack the tables of numbers.
    let source = if wanted().count() > 1 { &source.shared() } else { source };
    let (mut missed, mut failed) = (false, false);
    for only_check in [true, false] {
        for verb in wanted() {
            let usual = verb.on_gpu.filter(|_| on_gpu).unwrap_or(ProfileName::Quick);
            let profile = profile.unwrap_or(usual);
            let how = Reproduce { profile, source, running, typed: &typed, strict: *strict, stop: &stop, only_check };
            // The other experiments are still wanted, unless they could write nothing either.
            match verb.kind.reproduce(VERBS, verb, &how) {
                Ok(Exit::Success) => {}
                Ok(Exit::Missed) => missed = true,
                Ok(Exit::Failure) => failed = true,
                Ok(exit @ Exit::Stopped(_)) => return Ok(exit),
                Err(error) if only_check || is_unwritable(&error) => return Err(error),
                Err(error) => {
                    note(&format!("error: {}: {}", verb.name, one_line(&error)));
                    failed = true;
                }
            }
        }
    }
    Ok(match (failed, missed) {
        (true, _) => Exit::Failure,
        (false, true) => Exit::Missed,
        (false, false) => Exit::Success,
    })
}
