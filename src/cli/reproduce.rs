//! `han-exp reproduce`

use super::{Exit, Running, checkerboard, data::ImageSource, gradients, mixer, mnist_attack, stop_on_interrupt};
use crate::config::ProfileName;
use anyhow::Result;
use clap::{Args, Parser, ValueEnum};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// How much to run; paper is the full protocol [default: quick; paper for mixer on a GPU]
    #[arg(long, value_enum)]
    profile: Option<ProfileName>,
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
    /// The layer's own claims
    Gradients,
    /// Attacks and certificates on MNIST
    MnistAttack,
    /// Classifiers of colour images
    Mixer,
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
    let profile = arguments.profile.unwrap_or(ProfileName::Quick);
    // On a CPU the paper's 600 epochs would take weeks.
    let on_gpu = arguments.running.device.open()?.device.is_cuda();
    let of_mixer = arguments.profile.unwrap_or(if on_gpu { ProfileName::Paper } else { ProfileName::Quick });
    let checkerboard: checkerboard::Setting = defaults(profile);
    let mnist = defaults::<mnist_attack::Setting>(profile).with_source(arguments.source.clone());
    let mixer = defaults::<mixer::Setting>(of_mixer).with_source(arguments.source.clone());
    let wanted = |name: &&Name| arguments.only.as_ref().is_none_or(|only| only.contains(name));
    for name in Name::value_variants().iter().filter(wanted) {
        // A wrong directory is told before the experiments that do not need it, and data are fetched.
        match name {
            Name::Checkerboard | Name::Gradients => {}
            Name::MnistAttack => drop(mnist.plan("cpu")?),
            Name::Mixer => drop(mixer.plan("cpu")?),
        }
    }
    for name in Name::value_variants().iter().filter(wanted) {
        let exit = match name {
            Name::Checkerboard => checkerboard::execute(&checkerboard, &arguments.running, arguments.strict, &stop)?,
            Name::Gradients => gradients::execute(&defaults(profile), &arguments.running, arguments.strict, &stop)?,
            Name::MnistAttack => {
                let how = mnist_attack::How::of(&arguments.running, arguments.strict);
                mnist_attack::execute(&mnist, &how, &stop)?
            }
            Name::Mixer => mixer::execute(&mixer, &arguments.running, arguments.strict, &stop)?,
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
