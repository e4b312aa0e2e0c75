//! `han-exp evaluate`: scores of saved or foreign weights.

use super::runs::Exit;
use anyhow::Result;
use clap::{ArgMatches, Args, Command};
use std::marker::PhantomData;

/// The flags of an evaluation, and what it does.
pub trait Evaluate: Args {
    /// A line for the help.
    const ABOUT: &'static str;

    /// Prints scores.
    fn run(&self) -> Result<Exit>;
}

/// [`Evaluate`] without its type.
pub trait Evaluation: Sync {
    /// A command with the flags.
    fn command(&self, name: &'static str) -> Command;

    /// Prints scores.
    fn run(&self, matches: &ArgMatches) -> Result<Exit>;
}

/// [`Evaluation`] of an [`Evaluate`].
pub struct EvaluateOf<A>(PhantomData<fn() -> A>);

impl<A> EvaluateOf<A> {
    /// The only value.
    pub const NEW: Self = Self(PhantomData);
}

impl<A: Evaluate> Evaluation for EvaluateOf<A> {
    fn command(&self, name: &'static str) -> Command {
        A::augment_args(Command::new(name)).about(A::ABOUT)
    }

    fn run(&self, matches: &ArgMatches) -> Result<Exit> {
        A::from_arg_matches(matches)?.run()
    }
}
