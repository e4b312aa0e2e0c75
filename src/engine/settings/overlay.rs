//! One TOML document laid over another. Values keep their place in the text, so that a mistake is reported with its line.

use super::tree::{CHOICES, NAMES};
use anyhow::{Result, bail};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Lays a table over another: tables key by key; networks, recipes and balls, which have names, name by name, whether they
/// stand there as `[[arm]]` with a name or as `[arm.NAME]`; all else is replaced.
pub(super) fn lay<'t>(base: &mut DeTable<'t>, over: DeTable<'t>) -> Result<()> {
    for (key, value) in over {
        match base.get_mut(key.get_ref().as_ref()) {
            Some(below) => lay_value(key.get_ref(), below, value)?,
            None => drop(base.insert(key, value)),
        }
    }
    Ok(())
}

fn lay_value<'t>(key: &str, below: &mut Spanned<DeValue<'t>>, value: Spanned<DeValue<'t>>) -> Result<()> {
    let span = value.span();
    match (below.get_mut(), value.into_inner()) {
        // Another choice replaces the first.
        (DeValue::Table(table), DeValue::Table(over))
            if !CHOICES.contains(&key) || over.keys().all(|name| table.contains_key(name.get_ref().as_ref())) =>
        {
            lay(table, over)?;
        }
        (DeValue::Array(items), DeValue::Array(over)) if named(items) && named(&over) && !over.is_empty() => {
            for item in over {
                match items.iter_mut().find(|known| name(known) == name(&item)) {
                    Some(known) => lay_value("", known, item)?,
                    None => items.push(item),
                }
            }
        }
        (DeValue::Array(items), DeValue::Table(over)) if named(items) => {
            for (key, value) in over {
                let all = items.iter().filter_map(name).collect::<Vec<_>>().join(", ");
                match items.iter_mut().find(|known| name(known) == Some(key.get_ref().as_ref())) {
                    Some(known) => lay_value("", known, value)?,
                    None => bail!("names the unknown {:?}; use {all}", key.get_ref()),
                }
            }
        }
        (_, value) => *below = Spanned::new(span, value),
    }
    Ok(())
}

/// Whether every item has a name.
fn named(items: &[Spanned<DeValue<'_>>]) -> bool {
    items.iter().all(|item| name(item).is_some())
}

/// The name of an arm or a recipe, the norm of a ball.
fn name<'v>(item: &'v Spanned<DeValue<'_>>) -> Option<&'v str> {
    let DeValue::Table(table) = item.as_ref() else { return None };
    let key = NAMES.into_iter().find(|key| table.contains_key(*key))?;
    table.get(key)?.as_ref().as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laid(base: &str, over: &str) -> Result<toml::Table, String> {
        let parse = |text: &'static str| DeTable::parse(text).expect("TOML").into_inner();
        let (base, over) = (String::from(base).leak(), String::from(over).leak());
        let mut table = parse(base);
        lay(&mut table, parse(over)).map_err(|error| error.to_string())?;
        let end = base.len();
        serde::Deserialize::deserialize(toml::de::Deserializer::from(Spanned::new(0..end, table)))
            .map_err(|error: toml::de::Error| error.to_string())
    }

    #[test]
    fn tables_are_laid_key_by_key_and_what_has_a_name_by_its_name() {
        let base =
            "a = 1\nlist = [1, 2]\n[[arm]]\nname = 'x'\nseeds = 3\n[[arm]]\nname = 'y'\n[t.schedule.cosine]\nw = 1";
        let told = |over: &str| laid(base, over).map(|table| table.to_string());
        assert!(told("b = 2").expect("laid").contains("a = 1\nb = 2"));
        assert!(told("list = [3]").expect("laid").contains("list = [3]"));
        for over in ["[[arm]]\nname = 'x'\nseeds = 5", "arm.x.seeds = 5"] {
            let text = told(over).expect("laid");
            assert!(text.contains("seeds = 5") && !text.contains("seeds = 3") && text.contains("\"y\""), "{text}");
        }
        assert!(told("[[arm]]\nname = 'z'").expect("laid").contains("\"z\""));
        assert_eq!(told("arm.q.seeds = 5"), Err("names the unknown \"q\"; use x, y".into()));
        // Another schedule takes the place of the first; the same one keeps what is not said.
        assert!(!told("t.schedule.step = { at = 1 }").expect("laid").contains("cosine"));
        assert!(told("t.schedule.cosine = { v = 1 }").expect("laid").contains("w = 1"));
        assert!(!told("arm = []").expect("laid").contains("name"));
    }
}
