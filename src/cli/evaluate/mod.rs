//! `han-exp evaluate`

mod checkerboard;
mod foreign;
mod mixer;

pub(super) use foreign::Foreign;

use super::Exit;
use anyhow::Result;
use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    experiment: Evaluated,
}

#[derive(Debug, Subcommand)]
enum Evaluated {
    /// Train and test accuracy on the checkerboard
    Checkerboard(checkerboard::Arguments),
    /// Test accuracy on colour images
    Mixer(mixer::Arguments),
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit> {
    match &arguments.experiment {
        Evaluated::Checkerboard(arguments) => checkerboard::run(arguments),
        Evaluated::Mixer(arguments) => mixer::run(arguments),
    }
}
