//! `han-exp reproduce`

use super::{Exit, Running, checkerboard, data::ImageSource, mnist_attack, stop_on_interrupt};
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
    #[command(flatten)]
    source: ImageSource,
    /// Exit with code 3 when an expectation is missed
    #[arg(long)]
    strict: bool,
}

/// Experiments in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Generalization on a checkerboard
    Checkerboard,
    /// Attacks and certificates on MNIST
    MnistAttack,
}

/// An experiment's own flags at their defaults.
#[derive(Debug, Parser)]
struct Defaults<S: Args> {
    #[command(flatten)]
    setting: S,
}

fn defaults<S: Args>(profile: ProfileName) -> S {
    Defaults::parse_from(["reproduce", "--profile", &profile.to_string()]).setting
}

pub(super) fn run(arguments: Arguments) -> Result<Exit> {
    let stop = stop_on_interrupt()?;
    let mut missed = false;
    let wanted = |name: &&Name| arguments.only.as_ref().is_none_or(|only| only.contains(name));
    let mnist = defaults::<mnist_attack::Setting>(arguments.profile).with_source(arguments.source.clone());
    if Name::value_variants().iter().filter(wanted).any(|name| *name == Name::MnistAttack) {
        // A wrong directory is told before the experiments that do not need it, and data are fetched.
        mnist.plan("cpu")?;
    }
    for name in Name::value_variants().iter().filter(wanted) {
        let exit = match name {
            Name::Checkerboard => {
                let setting: checkerboard::Setting = defaults(arguments.profile);
                checkerboard::execute(&setting, &arguments.running, arguments.strict, &stop)?
            }
            Name::MnistAttack => {
                let how = mnist_attack::How::of(&arguments.running, arguments.strict);
                mnist_attack::execute(&mnist, &how, &stop)?
            }
        };
        match exit {
            Exit::Success => {}
            // The other experiments are still wanted.
            Exit::Missed => missed = true,
            Exit::Failure | Exit::Interrupted => return Ok(exit),
        }
    }
    Ok(if missed { Exit::Missed } else { Exit::Success })
}
