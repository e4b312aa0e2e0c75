//! The command line: the verbs of experiments from their list, and one file for each other verb.

mod compare;
mod completions;
mod data;
mod report;
mod reproduce;
mod rerun;
mod splice;
mod status;
mod submit;

#[doc(hidden)]
pub use splice::spliced;

pub use crate::engine::runs::Exit;

use crate::engine::runs::{Look, Running, Store, cores, stop_on_signals};
use crate::engine::{Verb, verb};
use crate::experiment::{VERBS, checkerboard, images};
use anyhow::{Context, Result};
use clap::{ArgMatches, Args, Command, FromArgMatches, Subcommand};
use std::ffi::OsString;
use std::path::Path;

/// What was typed.
pub struct Cli(ArgMatches);

fn subcommands(command: Command) -> Command {
    command.subcommand_required(true).arg_required_else_help(true)
}

fn command() -> Command {
    let mut command = subcommands(Command::new("han-exp"))
        .version(env!("CARGO_PKG_VERSION"))
        .about("Reproduces the experiments of \"A Lightweight and Gradient-Stable Neural Layer\" (Yu and Zhang, 2024)")
        .after_help("Exit codes: 1 for errors, 2 for invalid flags, 3 for a missed expectation with --strict; after a signal, 128 plus its number")
        .max_term_width(100);
    let mut plan = subcommands(Command::new("plan").about("List the runs that an experiment's command would make"));
    let mut submit = subcommands(Command::new("submit").about("Hand the runs of an experiment's command to Slurm"));
    for verb in VERBS {
        command = command.subcommand(verb.kind.arguments(Command::new(verb.name).about(verb.about), true));
        plan = plan.subcommand(verb.kind.arguments(Command::new(verb.name).about(verb.about), false));
        let own = verb.kind.arguments(Command::new(verb.name).about(verb.about), true);
        submit = submit.subcommand(submit::command(own).about(verb.about));
    }
    let about = "Run the experiments, then write the report";
    // Its flags' documentation would take the place of a text that was there before.
    let reproduce = reproduce::Arguments::augment_args(Command::new("reproduce")).about(about);
    let reproduce =
        ["stage", "run"].into_iter().fold(reproduce, |all, of_one| all.mut_arg(of_one, |arg| arg.hide(true)));
    Other::augment_subcommands(command.subcommand(reproduce).subcommand(plan).subcommand(submit))
}

// The verbs that belong to no experiment. No doc comment: clap would print it as the program's description.
#[derive(Subcommand)]
enum Other {
    /// Score saved or foreign (PyTorch) weights
    #[command(subcommand)]
    Evaluate(Evaluate),
    /// Show the state of the runs in a results directory: finished, running, begun, failed, missing
    Status(status::Arguments),
    /// Redraw tables, figures and report from the CSV files of finished runs
    Report(report::Arguments),
    /// Compare two networks, settings or results directories, paired by seed
    Compare(compare::Arguments),
    /// Repeat one run from its config.toml
    Rerun(rerun::Arguments),
    /// List, fetch and verify the data sets
    Data(data::Arguments),
    /// Print the completion script for a shell
    Completions(completions::Completions),
    /// Print or write the manual pages
    Man(completions::Pages),
}

#[derive(Subcommand)]
enum Evaluate {
    Checkerboard(checkerboard::Arguments),
    Mixer(images::Arguments),
}

impl Cli {
    /// Parses a command line, the program's name first.
    ///
    /// # Errors
    /// With what is wrong, or with the help that was asked for.
    pub fn parse(line: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        command().try_get_matches_from(line).map(Self)
    }

    /// The verb, and what follows it.
    fn verb(&self) -> (&str, &ArgMatches) {
        self.0.subcommand().expect("clap demands a subcommand")
    }

    /// Threads that one run may use, to be set in the environment before candle or rayon start any.
    pub fn threads_per_run(&self) -> usize {
        let (name, matches) = self.verb();
        let makes_runs = name == "reproduce" || verb(VERBS, name).is_some();
        let running = Running::from_arg_matches(matches).ok().filter(|_| makes_runs);
        running.map_or(cores(), |running| cores() / running.jobs()).max(1)
    }

    /// Runs the command.
    pub fn run(&self) -> Result<Exit> {
        let (name, matches) = self.verb();
        if let Some(verb) = verb(VERBS, name) {
            return verb.kind.run(VERBS, verb, matches, &stop_on_signals()?);
        }
        match name {
            "plan" => {
                let (verb, matches) = nested(matches)?;
                verb.kind.plan(VERBS, verb, matches).map(|()| Exit::Success)
            }
            "submit" => submit::run(matches),
            "reproduce" => reproduce::run(matches),
            _ => match Other::from_arg_matches(&self.0)? {
                Other::Evaluate(Evaluate::Checkerboard(arguments)) => arguments.run(),
                Other::Evaluate(Evaluate::Mixer(arguments)) => arguments.run(),
                Other::Status(arguments) => status::run(&arguments),
                Other::Report(arguments) => report::run(&arguments),
                Other::Compare(arguments) => compare::run(&arguments),
                Other::Rerun(arguments) => rerun::run(&arguments),
                Other::Data(arguments) => data::run(&arguments),
                Other::Completions(arguments) => Ok(completions::completions(command(), &arguments)),
                Other::Man(arguments) => completions::man(command(), &arguments),
            },
        }
    }
}

/// The experiment that a verb of verbs is about: `plan checkerboard`, `submit mixer`.
fn nested(matches: &ArgMatches) -> Result<(&'static Verb, &ArgMatches)> {
    let (name, matches) = matches.subcommand().context("name an experiment")?;
    Ok((verb(VERBS, name).context("name an experiment")?, matches))
}

/// What is on disk of a run, for the tests of this crate: nothing, "whole", or what is damaged. A killed process's leftovers of
/// its experiment are settled first, as every command does.
///
/// # Errors
/// When it cannot be read.
#[doc(hidden)]
pub fn inspect(out: &Path, run: &Path) -> Result<String> {
    let store = Store::new(out);
    let arm = run.parent().and_then(Path::parent).and_then(Path::file_name).unwrap_or_default();
    store.clean(&arm.to_string_lossy())?;
    Ok(match store.look(run, |_| true)? {
        Look::Whole(_) => "whole".into(),
        Look::Missing => String::new(),
        Look::Damaged(what) => what,
    })
}
