//! What a command runs: a file, a profile laid over it, flags over both.

mod file;
mod flags;
mod limits;
mod names;
mod overlay;
mod text;
mod tree;

pub use file::{Arm, Change, File, Heading, ProfileName, Statistic, Sweep};
pub use flags::{Flag, Given, Sized, Takes, choices, number, switch};
pub use limits::{MOST, MOST_EPOCHS, MOST_STEPS, check_count, check_fraction, number as decimal, rate_cure};
pub use names::{Named, check_names, check_other, check_seeds, keep, names_problem};
pub use text::{check_labels, labelled};

#[cfg(test)]
pub use tree::every_key_can_be_set;
