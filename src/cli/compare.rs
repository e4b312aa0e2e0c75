//! `han-exp compare`

use super::Exit;
use crate::console::{answer, note, one_line};
use crate::engine::compare::{Side, compare};
use crate::engine::page::listed;
use crate::engine::remembered;
use crate::engine::runs::Store;
use crate::engine::settings::nearest;
use crate::experiment::VERBS;
use anyhow::{Result, bail, ensure};
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
#[command(override_usage = "han-exp compare [OPTIONS] [COMMON] A B")]
pub(super) struct Arguments {
    /// Two results directories, or two of EXPERIMENT/ARM[/SETTING], such as checkerboard/hannet/tuned; before them, if you
    /// like, what they have in common: `checkerboard hannet fcnet`, `checkerboard/hannet tuned paper`, `checkerboard DIR DIR`
    #[arg(value_name = "SIDE", num_args = 2..=3, required = true)]
    what: Vec<String>,
    /// Results directory: where names are looked up, and where tables and chart are written
    #[arg(long, default_value = "results", value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit> {
    let (common, a, b) = match arguments.what.as_slice() {
        [common, a, b] => (common.as_str(), a, b),
        [a, b] => ("", a, b),
        _ => bail!("compare: name two sides"),
    };
    let out = Store::new(&arguments.out);
    match [a, b].map(|side| Path::new(side).is_dir()) {
        [true, true] => directories(&out, common, [a, b]),
        [false, false] => names(&out, [a, b].map(|name| joined(common, name))),
        [first, _] => {
            let directory = if first { a } else { b };
            bail!("compare {a} {b}: only {directory} is a directory; name two, or two of EXPERIMENT/ARM[/SETTING]")
        }
    }
}

fn joined(common: &str, name: &str) -> String {
    let name = name.trim_matches('/');
    if common.is_empty() { name.into() } else { format!("{}/{name}", common.trim_matches('/')) }
}

/// Every experiment of both, or the one that is named; one that cannot be compared does not keep back the others.
fn directories(out: &Store, common: &str, sides: [&str; 2]) -> Result<Exit> {
    let [first, second] = sides.map(Store::new);
    let (wanted, pattern) = split(common);
    let mut known = [remembered(&first)?, remembered(&second)?];
    known.iter_mut().for_each(|names| names.retain(|name| wanted.is_empty() || name == wanted));
    let [names, others] = &known;
    let (names, mut alone): (Vec<_>, Vec<_>) = names.iter().cloned().partition(|name| others.contains(name));
    let what = if wanted.is_empty() { "experiment" } else { wanted };
    ensure!(!names.is_empty(), "compare: {} and {} have no {what} in common", sides[0], sides[1]);
    for directory in sides {
        if !alone.is_empty() {
            note(&format!("left out: only {directory} has {}", listed(&alone)));
        }
        alone = others.iter().filter(|name| !names.contains(name)).cloned().collect();
    }
    let side = |store: &Store, directory: &str| Side {
        store: store.clone(),
        pattern: pattern.into(),
        directory: Some(directory.into()),
    };
    let mut exit = Exit::Success;
    for name in names {
        match compare(VERBS, out, &name, &[side(&first, sides[0]), side(&second, sides[1])]) {
            Ok(text) => answer(&text),
            Err(error) => {
                note(&format!("error: {name}: {}", one_line(&error)));
                exit = Exit::Failure;
            }
        }
    }
    Ok(exit)
}

fn names(out: &Store, names: [String; 2]) -> Result<Exit> {
    let known = remembered(out)?;
    let [a, b] = names.each_ref().map(|name| split(name));
    for (experiment, _) in [a, b] {
        let near = nearest(experiment, &known).join(", ");
        let root = out.root.display();
        ensure!(
            known.iter().any(|name| name == experiment),
            "{root} has no runs of {experiment:?}, it has those of {near}; name EXPERIMENT/ARM[/SETTING], or two directories"
        );
    }
    ensure!(a.0 == b.0, "{} and {} are of different experiments", names[0], names[1]);
    ensure!(a != b, "both sides are {}; name two", names[0]);
    let side = |pattern: &str| Side { store: out.clone(), pattern: pattern.into(), directory: None };
    answer(&compare(VERBS, out, a.0, &[side(a.1), side(b.1)])?);
    Ok(Exit::Success)
}

/// The experiment, and what of it.
fn split(name: &str) -> (&str, &str) {
    name.split_once('/').unwrap_or((name, ""))
}
