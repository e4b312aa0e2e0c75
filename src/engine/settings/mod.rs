//! What a command runs: a file, a profile laid over it, flags over both.

mod altered;
mod argument;
mod claims;
mod extended;
mod file;
mod flags;
mod given;
mod limits;
mod names;
mod overlay;
mod profile;
mod several;
mod text;
mod tree;

pub use claims::{ClaimFile, Evidence};
pub use file::{Arm, Change, File};
pub(crate) use file::{usual_arm, usual_fields};
pub use flags::{Flag, Takes, choices, number, word};
pub use given::Given;
pub use limits::{
    MOST, MOST_EPOCHS, MOST_SEEDS, MOST_STEPS, check_count, check_fraction, check_once, check_runs, number as decimal,
    rate_cure, rate_problem, refuse,
};
pub(crate) use names::named;
pub use names::{Named, check_names, check_other, is_table_ending, keep, known, labelled, name_cure, names_problem};
pub use profile::ProfileName;
pub use several::Several;
pub use text::{Heading, check_labels};
pub use tree::{from_table, to_table};
pub(crate) use tree::{get, keys, nearest};

#[cfg(test)]
pub use flags::every_flag_sets_a_key;
#[cfg(test)]
pub use tree::every_key_can_be_set;
