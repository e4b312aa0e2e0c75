//! What is made of the last command of an experiment in a results directory: pages, comparisons, how things stand.

use super::compare::Contender;
use super::kind::{Kind, Verb};
use super::page::Report;
use super::recall::Recalled;
use super::runs::{SMOKE_RESULTS, Store};
use crate::files;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::path::Path;

/// The name of the kind, before anything else is known.
#[derive(Deserialize)]
struct KindOf {
    kind: String,
}

/// Names of the experiments that a results directory holds.
pub fn remembered(store: &Store) -> Result<Vec<String>> {
    let names = store.experiments()?;
    let root = store.root().display();
    let smoke = Path::new(SMOKE_RESULTS);
    let elsewhere =
        if smoke.join("runs").is_dir() { format!(" (smoke runs are in {SMOKE_RESULTS})") } else { String::new() };
    ensure!(!names.is_empty(), "{root} holds no runs; run `han-exp reproduce` first, or see --out{elsewhere}");
    Ok(names)
}

/// Writes tables, figures and report of an experiment as it was run last anew.
///
/// # Errors
/// When it has no finished run, or a file is damaged.
pub fn redraw(verbs: &[Verb], store: &Store, name: &str) -> Result<Recalled<Report>> {
    let (kind, remembered) = memory(verbs, store, name)?;
    // What a kill has left is settled first.
    store.clean(name)?;
    kind.redraw(store, remembered)
}

/// What can be compared of an experiment as it was run last.
///
/// # Errors
/// As [`redraw`].
pub fn contenders(verbs: &[Verb], store: &Store, name: &str) -> Result<Recalled<Vec<Contender>>> {
    let (kind, remembered) = memory(verbs, store, name)?;
    kind.contenders(store, remembered)
}

/// How the runs of an experiment stand, in words.
///
/// # Errors
/// When a file is damaged.
pub fn standing(verbs: &[Verb], store: &Store, name: &str) -> Result<String> {
    let (kind, remembered) = memory(verbs, store, name)?;
    kind.standing(store, remembered)
}

/// What the last command of an experiment noted down.
fn memory<'v>(verbs: &'v [Verb], store: &Store, name: &str) -> Result<(&'v dyn Kind, toml::Table)> {
    let path = store.remembers(name);
    let text = files::read_text(&path).with_context(|| format!("cannot read {}", path.display()))?;
    noted(verbs, &text, &path)
}

/// The kind of a note, and the note as a table; messages name its file.
pub(crate) fn noted<'v>(verbs: &'v [Verb], text: &str, path: &Path) -> Result<(&'v dyn Kind, toml::Table)> {
    let shown = path.display();
    let KindOf { kind } =
        toml::from_str(text).with_context(|| format!("{shown} is of another version; run the command"))?;
    let verb = verbs.iter().find(|verb| verb.kind.name() == kind);
    let verb = verb.with_context(|| format!("{shown}: there is no kind {kind:?}"))?;
    Ok((verb.kind, toml::from_str(text)?))
}
