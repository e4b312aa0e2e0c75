//! `han-exp plan`

use super::{Exit, checkerboard, mnist_attack, tell};
use crate::config::robustness::{AttackSpec, TrainingSpec};
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
    /// Trainings and attacks on MNIST
    MnistAttack(mnist_attack::Setting),
}

pub(super) fn run(arguments: Arguments) -> Result<Exit> {
    let (heading, lines) = match arguments.experiment {
        Planned::Checkerboard(setting) => {
            let experiment = setting.resolve()?.check()?;
            let lines = experiment.runs("cpu").iter().map(line).collect::<Result<Vec<_>>>()?;
            (
                format!(
                    "{}: {}\n{} runs, profile {}",
                    experiment.title,
                    experiment.claim,
                    lines.len(),
                    setting.profile
                ),
                lines,
            )
        }
        Planned::MnistAttack(setting) => {
            let mnist_attack::Plan { experiment, trainings, attacks, .. } = setting.plan("cpu")?;
            let trainings = trainings.iter().map(training).collect::<Result<Vec<_>>>()?;
            let attacks = attacks.iter().map(attack).collect::<Result<Vec<_>>>()?;
            let runs = format!("{} trainings and {} attack runs", trainings.len(), attacks.len());
            (
                format!("{}: {}\n{runs}, profile {}", experiment.title, experiment.claim, setting.profile),
                [trainings, attacks].concat(),
            )
        }
    };
    tell(&format!("{heading}\n{}\n", lines.join("\n")));
    Ok(Exit::Success)
}

fn training(run: &TrainingSpec) -> Result<String> {
    let size = run.model.size();
    let steps = run.fit.iterations;
    let (arm, seed, directory) = (&run.arm, run.seed.0, run.directory()?);
    let (depth, width) = (size.depth, size.width);
    Ok(format!(
        "{arm:14} {depth:>3} x {width:<4} training     seed {seed:<3} {steps:>6} iterations  {}",
        directory.display()
    ))
}

fn attack(run: &AttackSpec) -> Result<String> {
    let size = run.model.size();
    let (arm, point, seed, images) = (&run.arm, run.point(), run.seed.0, run.images);
    let (depth, width, directory) = (size.depth, size.width, run.directory()?);
    Ok(format!(
        "{arm:14} {depth:>3} x {width:<4} {point:12} seed {seed:<3} {images:>6} images      {}",
        directory.display()
    ))
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
