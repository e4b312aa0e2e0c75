//! A file laid over the one that it extends.

use super::overlay;
use anyhow::{Context, Result, ensure};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The place of what stands in another text.
pub(super) const ELSEWHERE: std::ops::Range<usize> = 0..0;

/// A table of another text than the one that messages show.
fn elsewhere(table: DeTable<'_>) -> DeTable<'_> {
    fn value(of: Spanned<DeValue<'_>>) -> Spanned<DeValue<'_>> {
        let of = match of.into_inner() {
            DeValue::Table(table) => DeValue::Table(elsewhere(table)),
            DeValue::Array(items) => DeValue::Array(items.into_iter().map(value).collect()),
            other => other,
        };
        Spanned::new(ELSEWHERE, of)
    }
    table.into_iter().map(|(key, of)| (Spanned::new(ELSEWHERE, key.into_inner()), value(of))).collect()
}

/// A file laid over the one that it extends, which may extend another.
pub(super) fn extended<'t>(
    mut table: DeTable<'t>,
    origin: &str,
    compiled_in: &dyn Fn(&str) -> Option<&'static str>,
) -> Result<DeTable<'t>> {
    let Some(base) = table.remove("extends") else { return Ok(table) };
    let base =
        base.as_ref().as_str().with_context(|| format!("{origin}: extends is not a text; name an experiment"))?;
    let below = compiled_in(base)
        .with_context(|| format!("{origin}: extends {base:?}: there is no such experiment of this kind"))?;
    let heading = table.get("experiment").and_then(|heading| heading.get_ref().as_table());
    let name = heading.and_then(|heading| heading.get("name"));
    // A name that is not a text is reported later, with its line.
    ensure!(
        name.is_some_and(|name| name.get_ref().as_str().is_none_or(|name| !name.eq_ignore_ascii_case(base))),
        "{origin}: give it a name of its own, as in experiment.name = \"mine\"; under that of {base} it would take the place of \
         its tables and charts"
    );
    let below = DeTable::parse(below).with_context(|| base.to_string())?.into_inner();
    let mut below = extended(below, base, compiled_in)?;
    // Claims, expectations and the paper's figures are about that experiment's networks and data, as is its title.
    if let Some(DeValue::Table(heading)) = below.get_mut("experiment").map(Spanned::get_mut) {
        for key in ["title", "claim", "claims", "expect"] {
            heading.remove(key);
        }
    }
    if let Some(DeValue::Array(arms)) = below.get_mut("arm").map(Spanned::get_mut) {
        for arm in arms.iter_mut() {
            if let DeValue::Table(arm) = arm.get_mut() {
                arm.remove("paper");
            }
        }
    }
    let mut below = elsewhere(below);
    overlay::lay(&mut below, table).with_context(|| origin.to_string())?;
    Ok(below)
}
