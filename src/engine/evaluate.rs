//! `han-exp evaluate`: scores of saved or foreign weights.

use super::runs::Exit;
use anyhow::Result;
use clap::{ArgMatches, Args, Command};

/// The flags of an evaluation, and what it does.
pub trait Evaluate: Args {
    /// A line for the help.
    const ABOUT: &'static str;

    /// Prints scores.
    fn run(&self) -> Result<Exit>;
}

/// [`Evaluate`] without its type.
pub struct Evaluation {
    /// A command of that name with the flags.
    pub command: fn(&'static str) -> Command,
    pub run: fn(&ArgMatches) -> Result<Exit>,
}

impl Evaluation {
    /// That of a type.
    pub const fn of<A: Evaluate>() -> Self {
        Self {
            command: |name| A::augment_args(Command::new(name)).about(A::ABOUT),
            run: |matches| A::from_arg_matches(matches)?.run(),
        }
    }
}
