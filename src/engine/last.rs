//! The last command of an experiment in a results directory. What is made of it, [`Kind`] says.

use super::kind::{Kind, Verb};
use super::runs::{SMOKE_RESULTS, Store};
use crate::files;
use anyhow::{Context, Result, ensure};
use std::path::Path;

/// Names of the experiments that a results directory holds.
pub fn remembered(store: &Store) -> Result<Vec<String>> {
    let names = store.experiments()?;
    let root = store.root.display();
    let smoke = Path::new(SMOKE_RESULTS);
    let elsewhere =
        if smoke.join("runs").is_dir() { format!(" (smoke runs are in {SMOKE_RESULTS})") } else { String::new() };
    // Runs that `rerun` has made again, or that were copied.
    let alone = store.experiments_with("")?.join(", ");
    let is_noted = !names.is_empty() || alone.is_empty();
    ensure!(
        is_noted,
        "{root} holds runs of {alone}, but no record of the command that makes them all; run the experiment's command with --out {root}"
    );
    ensure!(!names.is_empty(), "{root} holds no runs; run `han-exp reproduce` first, or see --out{elsewhere}");
    Ok(names)
}

/// What the last command of an experiment noted down.
///
/// # Errors
/// When there is no such note, or it is damaged.
pub fn last<'v>(verbs: &'v [Verb], store: &Store, name: &str) -> Result<(&'v dyn Kind, toml::Table)> {
    let path = store.remembers(name);
    let text = files::read_text(&path).with_context(|| format!("cannot read {}", path.display()))?;
    noted(verbs, &text, &path)
}

/// The kind of a note, and the note as a table; messages name its file.
pub(crate) fn noted<'v>(verbs: &'v [Verb], text: &str, path: &Path) -> Result<(&'v dyn Kind, toml::Table)> {
    let shown = path.display();
    let of_another = || format!("{shown} was written by another version; run the experiment's command again");
    let note: toml::Table = toml::from_str(text).with_context(of_another)?;
    let kind = note.get("kind").and_then(toml::Value::as_str).with_context(of_another)?;
    let verb = verbs.iter().find(|verb| verb.kind.name() == kind);
    let verb = verb.with_context(|| {
        format!("{shown}: there is no kind {kind:?} in this version; run the experiment's command again")
    })?;
    Ok((verb.kind, note))
}
