//! What the lists of arms of all experiment files have in common: names, choosing, resizing, repetitions.

use super::overrides::Sized;
use anyhow::{Result, bail, ensure};

/// What is found by its name.
pub(super) trait Named {
    fn name(&self) -> &str;
}

/// Keeps what is named; `origin` is the flag or key that names it.
pub(super) fn keep<T: Named>(items: &mut Vec<T>, names: &[String], origin: &str) -> Result<()> {
    if let Some(unknown) = names.iter().find(|name| items.iter().all(|item| item.name() != **name)) {
        bail!("{origin} {unknown}: use one or more of {}", known(items));
    }
    items.retain(|item| names.iter().any(|name| name == item.name()));
    Ok(())
}

/// All names in a sentence.
pub(super) fn known<T: Named>(items: &[T]) -> String {
    items.iter().map(Named::name).collect::<Vec<_>>().join(", ")
}

/// Applies the sizes of a flag, each arm once. A bare number is for the first arm, the network under study; the others
/// change only when they are named.
pub(super) fn resize_each<'s, T: Named>(
    items: &mut [T],
    flag: &str,
    sizes: impl IntoIterator<Item = &'s Sized>,
    mut resize: impl FnMut(&mut T, usize) -> Result<()>,
) -> Result<()> {
    let mut resized: Vec<String> = Vec::new();
    for Sized { arm, value } in sizes {
        let cure = known(items);
        let item = match arm {
            Some(name) => items.iter_mut().find(|item| item.name() == name),
            None => items.first_mut(),
        };
        let Some(item) = item else {
            let given = arm.as_ref().map_or_else(|| value.to_string(), |arm| format!("{arm}={value}"));
            bail!("{flag} {given}: use MODEL=N with one of {cure}")
        };
        let name = item.name().to_string();
        ensure!(!resized.contains(&name), "{flag}: {name} is given twice; use one number for each model");
        resize(item, *value)?;
        resized.push(name);
    }
    Ok(())
}

/// Names of arms or recipes become parts of paths and keys of tables, as does the experiment's own.
pub(super) fn check_names<T: Named>(experiment: &str, items: &[T]) -> Result<()> {
    let names: Vec<&str> = items.iter().map(Named::name).collect();
    for (place, name) in names.iter().enumerate() {
        ensure!(!names[..place].contains(name), "{experiment}: the name {name:?} is given twice");
    }
    for name in names.into_iter().chain([experiment]) {
        let fits = !name.is_empty() && is_plain(name);
        ensure!(fits, "{experiment}: the name {name:?} becomes part of a path; use letters, digits, - and _");
    }
    Ok(())
}

/// Whether a name can be part of a path.
pub(super) fn is_plain(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

/// Repetitions: at least one and at most `most`, counted up from the first.
pub(super) fn check_seeds(experiment: &str, seeds: usize, first_seed: u64, most: usize) -> Result<()> {
    ensure!(seeds >= 1, "{experiment}: seeds is {seeds}; use at least 1");
    ensure!(seeds <= most, "{experiment}: seeds is {seeds}; use at most {most}");
    let last = first_seed.checked_add(most as u64);
    ensure!(last.is_some(), "{experiment}: first_seed is {first_seed}; use a smaller number");
    Ok(())
}
