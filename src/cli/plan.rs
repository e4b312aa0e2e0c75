//! `han-exp plan`

use super::{Exit, answer, checkerboard, gradients, mixer, mnist_attack};
use crate::config::gradients::ProbeSpec;
use crate::config::image::{Comparison, ImageSpec};
use crate::config::robustness::{AttackSpec, TrainingSpec};
use crate::config::{RunSpec, Spec};
use crate::model::image::ImageModelConfig;
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
    /// Trainings of image classifiers
    Mixer(mixer::Setting),
    /// Measurements of the layer's claims
    Gradients(gradients::Setting),
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
                    setting.chosen.profile
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
                format!("{}: {}\n{runs}, profile {}", experiment.title, experiment.claim, setting.chosen.profile),
                [trainings, attacks].concat(),
            )
        }
        Planned::Mixer(setting) => {
            let mixer::Plan { experiment, runs, .. } = setting.plan("cpu")?;
            let lines = runs.iter().map(|run| image_training(run, &experiment)).collect::<Result<Vec<_>>>()?;
            let (title, claim, profile) = (&experiment.title, &experiment.claim, setting.chosen.profile);
            (format!("{title}: {claim}\n{} trainings, profile {profile}", lines.len()), lines)
        }
        Planned::Gradients(setting) => {
            let (claims, runs) = setting.plan("cpu")?;
            let probes = runs.timings.iter().chain(&runs.probes).map(probe).collect::<Result<Vec<_>>>()?;
            let trainings = runs.selections.iter().map(line).collect::<Result<Vec<_>>>()?;
            let counts = format!(
                "{} measurements, {} trainings that choose a learning rate, and {} at the rates that they choose",
                probes.len(),
                trainings.len(),
                runs.final_trainings()
            );
            let (title, claim, profile) = (&claims.title, &claims.claim, setting.chosen.profile);
            (format!("{title}: {claim}\n{counts}, profile {profile}"), [probes, trainings].concat())
        }
    };
    answer(&format!("{heading}\n{}\n", lines.join("\n")));
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

fn image_training(run: &ImageSpec, experiment: &Comparison) -> Result<String> {
    let label = experiment.arm(&run.arm).map_or("", |arm| arm.label.as_str());
    let channels = match &run.model {
        ImageModelConfig::Mixer(config) => format!("{} channels", config.channels),
        ImageModelConfig::Resnet32 => String::new(),
    };
    let (seed, directory) = (run.seed.0, run.directory()?);
    let (steps, epochs) = (run.fit.iterations, run.fit.iterations / run.fit.report_every);
    Ok(format!(
        "{:14} {label:16} {channels:13} {:9} seed {seed:<3} {epochs:>4} epochs, {steps:>6} iterations  {}",
        run.arm,
        run.data.name(),
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

fn probe(run: &ProbeSpec) -> Result<String> {
    let (arm, point, seed, directory) = (&run.arm, run.point(), run.seed.0, run.directory()?);
    Ok(format!("{arm:24} {point:20} seed {seed:<3} {}", directory.display()))
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
