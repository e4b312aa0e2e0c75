//! Flags: each is one entry of a list. What it sets is a key of the file, the sizes of networks, or a function.

use super::file::{Arm, File};
use super::names::Named;
use crate::model::Size;
use anyhow::{Context, Result, anyhow};
use clap::builder::PossibleValue;

/// A flag of an experiment's command.
pub struct Flag<F: File> {
    /// Without the dashes.
    pub name: &'static str,
    /// What stands for its value in the help.
    pub value: &'static str,
    /// For the help.
    pub help: &'static str,
    pub takes: Takes,
    /// Whether it takes several values with commas between them.
    pub many: bool,
    /// A flag that cannot be given with it.
    pub conflicts: Option<&'static str>,
    pub(super) sets: Sets<F>,
}

/// What a flag's value is.
#[derive(Clone, Copy)]
pub enum Takes {
    /// A number of things.
    Count,
    /// A number of at least one thing.
    Positive,
    /// Any number.
    Number,
    /// A text, which may be a path.
    Text,
    /// One of some words.
    Word(fn() -> Vec<PossibleValue>),
    /// What a function accepts, as a text.
    Checked(fn(&str) -> Result<(), String>),
    /// true or false; true where nothing follows.
    Switch,
    /// N, or NAME=N for one of the networks; one or more.
    Sizes,
    /// The same, which may be 0.
    Counts,
}

pub(super) enum Sets<F: File> {
    Keys(&'static [&'static str]),
    Size(fn(&mut F::Arm, usize) -> Result<()>),
    SizeOfAll(fn(&mut F::Arm, usize) -> Result<()>),
    Function(fn(&mut F, &[String]) -> Result<()>),
}

impl<F: File> Flag<F> {
    /// Repetitions, those of single networks among them.
    pub const SEEDS: Self = Self::key(
        "seeds",
        "N",
        Takes::Count,
        &["seeds", "arm.*.seeds"],
        "Independent repetitions of the whole procedure",
    );
    /// The first of their seeds.
    pub const FIRST_SEED: Self =
        Self::key("first-seed", "N", Takes::Count, &["first_seed"], "Seed of the first repetition; the others follow");

    /// Width of the networks that [`Arm::model`] gives.
    pub const WIDTH: Self = Self::size(
        "width",
        Takes::Sizes,
        |arm, width| resize::<F>(arm, |size| Size { width, ..size }),
        "Width of the hidden layers: N for the first of the models (HanNet), MODEL=N for another; several values make one arm each",
    );
    /// Depth of the same networks.
    pub const DEPTH: Self = Self::size(
        "depth",
        Takes::Sizes,
        |arm, depth| resize::<F>(arm, |size| Size { depth, ..size }),
        "Number of hidden layers (residual blocks in a ResNet), likewise",
    );

    const fn new(name: &'static str, value: &'static str, takes: Takes, sets: Sets<F>, help: &'static str) -> Self {
        Self { name, value, help, takes, many: false, conflicts: None, sets }
    }

    /// Sets keys of the file; one with a `*` where it is there.
    pub const fn key(
        name: &'static str,
        value: &'static str,
        takes: Takes,
        keys: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self::new(name, value, takes, Sets::Keys(keys), help)
    }

    /// Sets a size of the first network, or of one that is named; several values make an arm of each.
    pub const fn size(
        name: &'static str,
        takes: Takes,
        of: fn(&mut F::Arm, usize) -> Result<()>,
        help: &'static str,
    ) -> Self {
        Self::new(name, "[MODEL=]N,..", takes, Sets::Size(of), help).many()
    }

    /// Sets a size of every network that has it; several values make an arm of each.
    pub const fn size_of_all(name: &'static str, of: fn(&mut F::Arm, usize) -> Result<()>, help: &'static str) -> Self {
        Self::new(name, "N,..", Takes::Positive, Sets::SizeOfAll(of), help).many()
    }

    /// Does what no key says.
    pub const fn function(
        name: &'static str,
        value: &'static str,
        takes: Takes,
        function: fn(&mut F, &[String]) -> Result<()>,
        help: &'static str,
    ) -> Self {
        Self::new(name, value, takes, Sets::Function(function), help)
    }

    /// The same with several values.
    pub const fn many(self) -> Self {
        // A constant function cannot drop what it leaves out of `..self`.
        Self { many: true, ..self }
    }

    /// The same, never beside another.
    pub const fn conflicts_with(self, other: &'static str) -> Self {
        Self { conflicts: Some(other), ..self }
    }
}

fn resize<F: File>(arm: &mut F::Arm, change: impl FnOnce(Size) -> Size) -> Result<()> {
    let cure = format!("{} has no width and depth; name a network that has, MODEL=N", arm.name());
    let model = arm.model().context(cure)?;
    model.resize(change(model.size()));
    Ok(())
}

/// The words of an enum on the command line.
pub fn choices<T: clap::ValueEnum>() -> Vec<PossibleValue> {
    T::value_variants().iter().filter_map(clap::ValueEnum::to_possible_value).collect()
}

/// One of these words.
pub fn word<T: clap::ValueEnum>(choice: &T) -> String {
    choice.to_possible_value().map(|value| value.get_name().to_string()).unwrap_or_default()
}

/// A whole number that a flag's parser has accepted.
pub fn number(text: &str) -> Result<usize> {
    text.parse().map_err(|_| anyhow!("{text} is too large"))
}

/// A size from a flag, `64` or `fcnet=64`: the network, if one is named, and the number.
pub(super) fn sized(text: &str, least: usize) -> Result<(Option<&str>, usize), String> {
    let (arm, number) = text.split_once('=').map_or((None, text), |(arm, number)| (Some(arm), number));
    match number.parse() {
        Ok(value) if value >= least => Ok((arm, value)),
        _ if least > 0 => Err("use a positive number N, or MODEL=N".into()),
        _ => Err("use a number N of 0 or more, or MODEL=N".into()),
    }
}

/// Gives every key that a flag sets a value of no type that any key has, for the tests of the rooms: a file that knows the key
/// refuses the value, one that does not refuses the key.
#[cfg(test)]
pub fn every_flag_sets_a_key<F: File>(flags: &[Flag<F>], file: &F) {
    for flag in flags {
        let Sets::Keys(keys) = flag.sets else { continue };
        for key in keys {
            let mut table = super::tree::to_table(file).expect("a table");
            super::tree::set(&mut table, key, &toml::Value::Array(vec![toml::Value::Boolean(true)]));
            match super::tree::from_table::<F>(&table) {
                Err(refused) => assert!(!refused.contains("unknown field"), "--{}: {key}: {refused}", flag.name),
                // Set only where it is there, and it is nowhere in this file.
                Ok(_) => assert!(key.contains('*'), "--{} sets {key}, and nothing happens", flag.name),
            }
        }
    }
}
