//! The command line: types for clap, and one file a verb.

mod checkerboard;
mod data;
mod evaluate;
mod gradients;
mod mixer;
mod mnist_attack;
mod plan;
mod report;
mod reproduce;
mod rerun;

use crate::config::ProfileName;
use crate::console::{answer, note};
use crate::device::{ChosenDevice, DeviceChoice};
use crate::experiment::scheduler::Scheduler;
use crate::files;
use crate::record::{Environment, ResultsLock, Store};
use crate::report::Report;
use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Reproduces the experiments of "A Lightweight and Gradient-Stable Neural Layer" (Yu and Zhang, 2024).
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Generalization on a checkerboard: HanNet against dense networks
    Checkerboard(Arguments<checkerboard::Setting>),
    /// Attack and certify classifiers of MNIST: HanNet against dense networks
    MnistAttack(mnist_attack::Arguments),
    /// Classify colour images: MLP-Mixer with and without Han blocks, and a ResNet
    Mixer(Arguments<mixer::Setting>),
    /// The layer's own claims, measured: Jacobian, gradients over depth, cost, Lipschitz constant
    Gradients(Arguments<gradients::Setting>),
    /// Run every experiment, then write the report
    Reproduce(reproduce::Arguments),
    /// List the runs that an experiment would make
    Plan(plan::Arguments),
    /// Score saved or foreign (PyTorch) weights
    Evaluate(evaluate::Arguments),
    /// Redraw tables, figures and report from the CSV files of finished runs
    Report(report::Arguments),
    /// Make one run again from its config.toml
    Rerun(rerun::Arguments),
    /// The image data sets: what is on this machine, fetching, verifying
    Data(data::Arguments),
}

/// What an experiment's command takes.
#[derive(Debug, Args)]
struct Arguments<S: Args> {
    #[command(flatten)]
    setting: S,
    #[command(flatten)]
    running: Running,
    /// Exit with code 3 when an expectation of the experiment file is missed
    #[arg(long)]
    strict: bool,
}

/// Which experiment, and how much of it.
#[derive(Debug, Clone, Args)]
struct Chosen {
    /// How much to run
    #[arg(long, value_enum, default_value_t = ProfileName::Quick)]
    profile: ProfileName,
    /// Read another experiment file than the one compiled in
    #[arg(long, value_name = "FILE")]
    experiment: Option<PathBuf>,
}

impl Chosen {
    /// The text of the experiment file and its name in messages: the user's, or else the one that is compiled in.
    fn text(&self, compiled_in: &str, name: &str) -> Result<(String, String)> {
        let Some(path) = &self.experiment else { return Ok((compiled_in.into(), format!("experiments/{name}.toml"))) };
        let text = files::read_text(path).with_context(|| format!("--experiment {}", path.display()))?;
        Ok((text, path.display().to_string()))
    }
}

/// How to run, whatever is run.
#[derive(Debug, Clone, Args)]
struct Running {
    /// Where tensors live: auto, cpu or cuda:N
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    device: DeviceChoice,
    /// Runs at a time [default: the number of CPU cores; 1 on a GPU]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Results directory
    #[arg(long, default_value = "results", value_name = "DIR")]
    out: PathBuf,
    /// Make finished runs again
    #[arg(long)]
    force: bool,
    /// No progress, only the closing table
    #[arg(long)]
    quiet: bool,
}

/// How a command ended, as an exit code. clap itself answers wrong usage with 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All done.
    Success = 0,
    /// An error, told on standard error.
    Failure = 1,
    /// `--strict`, and an expectation was missed.
    Missed = 3,
    /// Ctrl-C.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

impl Cli {
    /// Threads that one run may use, to be set in the environment before candle or rayon start any.
    pub fn threads_per_run(&self) -> usize {
        let cores = cores();
        match &self.command {
            Command::Checkerboard(arguments) => cores / arguments.running.jobs(),
            Command::MnistAttack(arguments) => cores / arguments.running.jobs(),
            Command::Mixer(arguments) => cores / arguments.running.jobs(),
            Command::Gradients(arguments) => cores / arguments.running.jobs(),
            Command::Reproduce(arguments) => cores / arguments.running.jobs(),
            Command::Plan(_) | Command::Report(_) | Command::Rerun(_) | Command::Evaluate(_) | Command::Data(_) => {
                cores
            }
        }
        .max(1)
    }

    /// Runs the command.
    pub fn run(self) -> Result<Exit> {
        match self.command {
            Command::Checkerboard(arguments) => checkerboard::run(&arguments),
            Command::MnistAttack(arguments) => mnist_attack::run(arguments),
            Command::Mixer(arguments) => mixer::run(&arguments),
            Command::Gradients(arguments) => gradients::run(&arguments),
            Command::Reproduce(arguments) => reproduce::run(arguments),
            Command::Plan(arguments) => plan::run(arguments),
            Command::Evaluate(arguments) => evaluate::run(&arguments),
            Command::Report(arguments) => report::run(&arguments),
            Command::Rerun(arguments) => rerun::run(&arguments),
            Command::Data(arguments) => data::run(&arguments),
        }
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

impl Running {
    /// Runs at a time. A GPU is shared badly by several processes' worth of small kernels, so there it is one.
    fn jobs(&self) -> usize {
        let on_gpu = match self.device {
            DeviceChoice::Cpu => false,
            DeviceChoice::Cuda(_) => true,
            DeviceChoice::Auto => cfg!(feature = "cuda"),
        };
        self.jobs.map_or(if on_gpu { 1 } else { cores() }, usize::from)
    }

    /// Opens the device, and tells what it could not be.
    fn open_device(&self) -> Result<ChosenDevice> {
        let device = self.device.open()?;
        if let Some(text) = &device.note {
            note(&format!("note: {text}"));
        }
        Ok(device)
    }
}

/// What the runs of a command are made with: the results directory, locked and clean, and the device.
struct Workplace<'r> {
    running: &'r Running,
    store: Store,
    device: ChosenDevice,
    environment: Environment,
    _lock: ResultsLock,
}

impl<'r> Workplace<'r> {
    /// Takes the results directory for an experiment, and removes what a killed process left half-written.
    fn take(running: &'r Running, device: ChosenDevice, experiment: &str) -> Result<Self> {
        let store = Store::new(&running.out);
        let lock = store.lock(experiment)?;
        store.clean(experiment)?;
        let environment = Environment::here(format!("{:?}", device.device.location()), running.jobs());
        Ok(Self { running, store, device, environment, _lock: lock })
    }

    fn scheduler<'s>(&'s self, stop: &'s AtomicBool) -> Scheduler<'s> {
        Scheduler {
            store: &self.store,
            device: &self.device.device,
            environment: &self.environment,
            jobs: self.running.jobs(),
            force: self.running.force,
            stop,
        }
    }
}

/// How a command ends that has made so many runs of those planned and reported on them.
fn ending(done: usize, planned: usize, report: &Report, strict: bool) -> Exit {
    if done < planned {
        note(&format!(
            "interrupted: {done} of {planned} runs are finished and kept; the same command goes on from there"
        ));
        return Exit::Interrupted;
    }
    if strict && report.missed > 0 { Exit::Missed } else { Exit::Success }
}

/// A flag that Ctrl-C (or a polite kill) sets; a second Ctrl-C ends the program at once.
fn stop_on_interrupt() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(Exit::Interrupted as u8));
        }
        note("stopping; finished runs are kept (Ctrl-C again to stop at once)");
    })
    .context("cannot start the thread that waits for Ctrl-C; allow more processes or memory")?;
    Ok(stop)
}
