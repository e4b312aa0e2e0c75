//! What the lists of arms of all experiment files have in common: names, choosing, repetitions.

use super::limits::{MOST_ITEMS, check_once};
use super::text::shortened;
use anyhow::{Result, bail, ensure};
use std::collections::HashSet;

/// What is found by its name.
pub trait Named {
    fn name(&self) -> &str;
}

/// [`Named`] of a type with a field `name`.
macro_rules! named {
    ($named:ty) => {
        impl $crate::engine::settings::Named for $named {
            fn name(&self) -> &str {
                &self.name
            }
        }
    };
}
pub(crate) use named;

/// Keeps what is named; `origin` is the flag or key that names it.
pub fn keep<T: Named>(items: &mut Vec<T>, names: &[String], origin: &str) -> Result<()> {
    if let Some(unknown) = names.iter().find(|name| items.iter().all(|item| item.name() != **name)) {
        bail!("{origin} {unknown}: use one or more of {}", known(items));
    }
    check_once(origin, "the list", names)?;
    items.retain(|item| names.iter().any(|name| name == item.name()));
    Ok(())
}

/// All names in a sentence.
pub fn known<T: Named>(items: &[T]) -> String {
    items.iter().map(Named::name).collect::<Vec<_>>().join(", ")
}

/// What a network or recipe is called on charts: its label, or else its name.
pub fn labelled(label: &str, named: &impl Named) -> String {
    if label.is_empty() { named.name().to_string() } else { label.to_string() }
}

/// Most bytes of a name. With all that is added to it, no part of a path comes near the 255 that file systems take.
const LONGEST_NAME: usize = 100;

/// The table that all experiments share. One of that name would overwrite it.
const CLAIMS: &str = "claims";
/// What follows an experiment's name in those of its tables. Another experiment's name must not end so: its table would be one of
/// them.
const TABLES: [&str; 6] = ["-differences", "-seeds", "-runs", "-paired", "-checklist", "-cost"];
/// What the names of the tables of `han-exp compare` begin with.
const COMPARED: &str = "compare-";

/// Whether tables may end in that, after the name of their experiment.
pub fn is_table_ending(ending: &str) -> bool {
    ending.is_empty() || TABLES.contains(&ending)
}

/// Names of arms or recipes become parts of paths and keys of tables, as does the experiment's own.
pub fn check_names<T: Named>(experiment: &str, items: &[T]) -> Result<()> {
    let names: Vec<&str> = items.iter().map(Named::name).collect();
    // The experiment's own comes first: the other messages begin with it.
    let own = std::iter::once(("experiment.name", experiment));
    for (origin, name) in own.chain(names.iter().map(|name| (experiment, *name))) {
        if let Some(cure) = name_cure(name) {
            bail!("{origin}: the name {} {cure}", shortened(name));
        }
    }
    let name = experiment.to_ascii_lowercase();
    let of_another = TABLES.into_iter().find(|ending| name.ends_with(ending));
    for (is_taken, whose) in [
        (name == CLAIMS, "the claims of all experiments"),
        (of_another.is_some(), "which an experiment named without that ending writes"),
        (name.starts_with(COMPARED), "a comparison of two networks"),
    ] {
        let file = format!("tables/{name}.csv");
        ensure!(!is_taken, "experiment.name: {experiment:?} would overwrite {file}, {whose}; use another");
    }
    let mut seen = HashSet::new();
    for name in &names {
        ensure!(seen.insert(name), "{experiment}: the name {name:?} is given twice");
    }
    let count = names.len();
    ensure!(count <= MOST_ITEMS, "{experiment}: there are {count} networks or recipes; use at most {MOST_ITEMS}");
    Ok(())
}

/// Why a name cannot be part of a path, if so, and what can.
pub fn name_cure(name: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || !name.chars().all(plain) {
        return Some("becomes part of a path; use letters, digits, - and _".into());
    }
    let length = name.len();
    (length > LONGEST_NAME).then(|| format!("has {length} characters; use at most {LONGEST_NAME}"))
}

/// Why the names of a run cannot be parts of a path, if so; `kinds` says what they are names of.
pub fn names_problem(kinds: &str, names: &[&str]) -> Option<String> {
    let fit = names.iter().all(|name| name_cure(name).is_none());
    (!fit).then(|| format!("{kinds} are names of letters, digits, - and _, at most {LONGEST_NAME} of them"))
}

/// Repetitions: at least one and at most `most`, counted up from the first.
pub fn check_seeds(experiment: &str, seeds: usize, first_seed: u64, most: usize) -> Result<()> {
    ensure!(seeds >= 1, "{experiment}: seeds is {seeds}; use at least 1");
    ensure!(seeds <= most, "{experiment}: seeds is {seeds}; use at most {most}");
    // TOML, in which every run is noted down, has no larger integers than i64.
    let largest = i64::MAX as u64 - most as u64;
    ensure!(first_seed <= largest, "{experiment}: first_seed is {first_seed}; use at most {largest}");
    Ok(())
}

/// What an arm is compared to has to be another one.
pub fn check_other(experiment: &str, arm: &str, key: &str, other: Option<&str>) -> Result<()> {
    ensure!(other != Some(arm), "{experiment}: arm {arm}: {key} names the arm itself; name another one");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Arm;

    impl Named for Arm {
        fn name(&self) -> &str {
            "claims"
        }
    }

    #[test]
    fn no_experiment_has_the_name_of_a_table_of_others() {
        for (name, file) in [
            ("claims", "claims.csv"),
            ("Claims", "claims.csv"),
            ("board-differences", "board-differences.csv"),
            ("board-Runs", "board-runs.csv"),
            ("compare-two", "compare-two.csv"),
        ] {
            let told = check_names(name, &[Arm]).expect_err("a name that is taken").to_string();
            assert!(told.contains("experiment.name") && told.contains(file), "{told}");
        }
        for name in ["claims2", "seeds", "board-differences2", "comparison"] {
            check_names(name, &[Arm]).expect("a name that is free");
        }
    }
}
