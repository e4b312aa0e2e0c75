//! `han-exp plan`

use super::{Exit, checkerboard, tell};
use crate::config::{RunSpec, Spec};
use anyhow::Result;
use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    experiment: Planned,
}

#[derive(Debug, Subcommand)]
enum Planned {
    /// Runs of the checkerboard
    Checkerboard(checkerboard::Setting),
}

pub(super) fn run(arguments: Arguments) -> Result<Exit> {
    let Planned::Checkerboard(setting) = arguments.experiment;
    let experiment = setting.resolve()?.check()?;
    let runs = experiment.runs("cpu");
    let heading =
        format!("{}: {}\n{} runs, profile {}\n", experiment.title, experiment.claim, runs.len(), setting.profile);
    let lines = runs.iter().map(|run| Ok(format!("{}\n", line(run)?))).collect::<Result<String>>()?;
    tell(&(heading + &lines));
    Ok(Exit::Success)
}

fn line(run: &RunSpec) -> Result<String> {
    let size = run.model.size();
    Ok(format!(
        "{:8} {:>3} x {:<4} {:28} seed {:<3} {:>6} iterations  {}",
        run.arm,
        size.depth,
        size.width,
        run.point(),
        run.seed.0,
        run.fit.iterations,
        run.directory()?.display()
    ))
}
