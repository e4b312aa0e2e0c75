//! Keys of a settings file: `train.iterations`, `arm.hannet.model.hannet.width`, `recipe.*.epochs`.

use crate::console::shown;
use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

/// Keys of tables that hold one of several variants: another one takes the first one's place.
pub(super) const CHOICES: [&str; 4] = ["model", "optimizer", "schedule", "loss"];
/// Keys by which items of a list are told apart.
pub(super) const NAMES: [&str; 2] = ["name", "norm"];
/// Parts of the longest key, as in TOML: what a key leads to is opened part by part.
const DEEPEST: usize = 80;
/// Bytes of a key that are compared with others to find those that are like it.
const COMPARED: usize = 200;
/// Keys that are suggested for a wrong one.
const SUGGESTED: usize = 3;

/// A file as a table, by way of its text. So files are written and read anyway; to do it from and to tables as well is another
/// megabyte of code, derived for every type in a file.
pub fn to_table(file: &impl Serialize) -> Result<Table> {
    let text = toml::to_string(file).context("cannot write the settings as TOML")?;
    Ok(toml::from_str(&text)?)
}

/// A file from a table, likewise; an error is a line that says what is wrong.
pub fn from_table<F: DeserializeOwned>(table: &Table) -> Result<F, String> {
    let text = toml::to_string(table).map_err(|error| error.to_string())?;
    toml::from_str(&text).map_err(|mut error: toml::de::Error| {
        // The user has not seen this text.
        error.set_input(None);
        error.to_string().trim_end().replace('\n', " ")
    })
}

/// Sets a key, and says how often it was there. With a `*` it is set where it is there already; without, it is made where a
/// file may have it.
pub(super) fn set(table: &mut Table, key: &str, value: &Value) -> usize {
    let parts: Vec<&str> = key.split('.').collect();
    let mut root = Value::Table(std::mem::take(table));
    let times = set_below(&mut root, &parts, value, parts.contains(&"*"));
    if let Value::Table(root) = root {
        *table = root;
    }
    times
}

fn set_below(below: &mut Value, parts: &[&str], value: &Value, everywhere: bool) -> usize {
    let Some((first, rest)) = parts.split_first() else {
        *below = value.clone();
        return 1;
    };
    let fits = |part: &str| *first == "*" || part == *first;
    match below {
        Value::Table(table) => {
            if !everywhere {
                let made = table.entry(*first).or_insert_with(|| Value::Table(Table::new()));
                // Another variant takes the place of the first, which may be its name alone.
                if CHOICES.contains(first) && rest.first().is_some_and(|next| made.get(*next).is_none()) {
                    *made = Value::Table(Table::new());
                }
            }
            let meant = table.iter_mut().filter(|(name, _)| fits(name));
            meant.map(|(_, below)| set_below(below, rest, value, everywhere)).sum()
        }
        Value::Array(items) => {
            let is_meant = |place: usize, item: &Value| fits(&place.to_string()) || name(item) == Some(*first);
            let meant = items.iter_mut().enumerate().filter(|(place, item)| is_meant(*place, item));
            meant.map(|(_, below)| set_below(below, rest, value, everywhere)).sum()
        }
        _ => 0,
    }
}

fn name(item: &Value) -> Option<&str> {
    NAMES.into_iter().find_map(|key| item.get(key))?.as_str()
}

/// Every key that holds a value, in the form in which `--set` takes it.
pub(crate) fn keys(table: &Table) -> Vec<String> {
    let mut keys = Vec::new();
    table.iter().for_each(|(key, value)| collect(key, value, &mut keys));
    keys
}

fn collect(key: &str, value: &Value, keys: &mut Vec<String>) {
    match value {
        Value::Table(table) if !table.is_empty() => {
            table.iter().for_each(|(name, value)| collect(&format!("{key}.{name}"), value, keys));
        }
        Value::Array(items) if items.iter().any(Value::is_table) => {
            for (place, item) in items.iter().enumerate() {
                let part = name(item).map_or_else(|| place.to_string(), str::to_string);
                collect(&format!("{key}.{part}"), item, keys);
            }
        }
        _ => keys.push(key.to_string()),
    }
}

/// Sets every key of a file to the value that it has, for the tests of the rooms.
#[cfg(test)]
pub fn every_key_can_be_set<F: Serialize + DeserializeOwned + PartialEq>(file: &F) {
    let table = to_table(file).expect("a table");
    let all = keys(&table);
    assert!(all.len() > 10, "{all:?}");
    for key in all {
        let value = get(&table, &key).unwrap_or_else(|| panic!("{key} leads nowhere"));
        let set = set_key(file, &format!("{key}={value}")).unwrap_or_else(|error| panic!("{key}: {error:#}"));
        assert!(set == *file, "{key}={value} changes something else");
    }
}

/// The value at a key, as `--set` names it.
pub(crate) fn get<'t>(table: &'t Table, key: &str) -> Option<&'t Value> {
    let mut parts = key.split('.');
    let mut value = table.get(parts.next()?)?;
    for part in parts {
        value = match value {
            Value::Table(table) => table.get(part)?,
            Value::Array(items) => {
                let place = part.parse().ok();
                items.iter().enumerate().find(|(at, item)| name(item) == Some(part) || Some(*at) == place)?.1
            }
            _ => return None,
        };
    }
    Some(value)
}

/// Applies `--set KEY=VALUE`, and checks it like the file itself.
///
/// # Errors
/// With the keys that come nearest to one that is not there.
pub(super) fn set_key<F: Serialize + DeserializeOwned>(file: &F, assignment: &str) -> Result<F> {
    let told = format!("--set {}", shown(assignment));
    let (key, text) = assignment.split_once('=').with_context(|| format!("{told}: use KEY=VALUE"))?;
    let key = key.trim();
    ensure!(key.split('.').count() <= DEEPEST, "{told}: the key has more than {DEEPEST} parts");
    let mut table = to_table(file)?;
    let known = keys(&table);
    let value = parse(text);
    if let Some((_, number)) = super::text::not_finite("", &value) {
        bail!("{told}: it is {number}; use a finite number");
    }
    let unknown = |what: String| {
        let near = nearest(key, &known).join(", ");
        format!("{told}: {what}; the nearest keys are {near}")
    };
    ensure!(!key.is_empty() && set(&mut table, key, &value) > 0, unknown(format!("there is no {}", shown(key))));
    match from_table(&table) {
        Ok(file) => Ok(file),
        Err(error) if ["unknown", "unexpected", "missing"].iter().any(|word| error.starts_with(word)) => {
            bail!(unknown(error))
        }
        Err(error) => bail!("{told}: {error}"),
    }
}

/// TOML, or a word without quotation marks.
pub(super) fn parse(text: &str) -> Value {
    let parsed: Option<Table> = toml::from_str(&format!("value = {text}")).ok();
    let value = parsed.and_then(|mut table| table.remove("value").filter(|_| table.is_empty()));
    value.unwrap_or_else(|| Value::String(text.trim().to_string()))
}

/// The keys that are most like another: those that end alike first.
pub(crate) fn nearest(key: &str, known: &[String]) -> Vec<String> {
    let key = &key[..key.floor_char_boundary(COMPARED)];
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_string();
    let likeness = |other: &String| {
        strsim::jaro_winkler(&last(key), &last(other)) + strsim::normalized_damerau_levenshtein(key, other)
    };
    let mut near: Vec<(f64, &String)> = known.iter().map(|other| (likeness(other), other)).collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    near.into_iter().take(SUGGESTED).map(|(_, key)| key.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FILE: &str = "seeds = 1\n[train]\nsteps = 5\nschedule.cosine = { warmup = 0.1 }\n[[arm]]\nname = 'x'\nmodel = 'plain'\n\
                        [[arm]]\nname = 'y'\nseeds = 2\nmodel.net = { width = 3 }\n[[other]]\nvalue = 1.5\n[rates]\nx = [1, 2]";

    fn after(key: &str, text: &str) -> (usize, Table) {
        let mut table: Table = toml::from_str(FILE).expect("TOML");
        (set(&mut table, key, &parse(text)), table)
    }

    #[test]
    fn a_key_leads_through_tables_names_and_numbers() {
        let table: Table = toml::from_str(FILE).expect("TOML");
        for key in keys(&table).into_iter().filter(|key| !key.ends_with(".name")) {
            let (set, changed) = after(&key, "[7]");
            assert_eq!((set, get(&changed, &key)), (1, Some(&Value::Array(vec![Value::Integer(7)]))), "{key}");
        }
        assert_eq!(after("arm.z.seeds", "1").0, 0);
        assert_eq!(after("other.1.value", "1").0, 0);
        assert_eq!(after("seeds.more", "1").0, 0);
        // Where it is there already, and nowhere else.
        let (set, changed) = after("arm.*.seeds", "9");
        assert_eq!((set, get(&changed, "arm.y.seeds").and_then(Value::as_integer)), (1, Some(9)));
        assert_eq!(get(&changed, "arm.x.seeds"), None);
        assert_eq!(after("arm.x.seeds", "9").0, 1);
    }

    #[test]
    fn another_variant_takes_the_place_of_the_first() {
        let (_, changed) = after("train.schedule.step.at", "[0.5]");
        assert_eq!(get(&changed, "train.schedule.cosine"), None);
        assert!(get(&changed, "train.schedule.step.at").is_some());
        let (_, changed) = after("arm.x.model.net.width", "4");
        assert_eq!(get(&changed, "arm.x.model.net.width").and_then(Value::as_integer), Some(4));
    }

    #[test]
    fn a_key_of_any_length_is_refused_in_a_message_that_can_be_read() {
        let file: Table = toml::from_str(FILE).expect("TOML");
        for key in ["a.".repeat(60_000) + "a", "a.".repeat(79) + "a", "a".repeat(100_000)] {
            let told = set_key(&file, &format!("{key}=1")).map(|_| ()).map_err(|error| format!("{error:#}"));
            if let Err(told) = told {
                assert!(told.len() < 1000, "{told}");
            }
        }
        let told = set_key(&file, &("a.".repeat(80) + "a=1")).expect_err("81 parts");
        assert!(told.to_string().ends_with("the key has more than 80 parts"), "{told}");
    }

    proptest! {
        #![proptest_config(crate::same_cases())]

        #[test]
        fn any_assignment_is_a_table_or_an_error(
            parts in prop::collection::vec("[a-z*]{0,6}|arm|train|schedule|model|[0-2]", 0..8), text in "[ -~]{0,20}|\\[{0,99}",
        ) {
            let mut table: Table = toml::from_str(FILE).expect("TOML");
            let key = parts.join(".");
            set(&mut table, &key, &parse(&text));
            if let Err(error) = set_key(&table, &format!("{key}={text}")) {
                prop_assert!(error.to_string().starts_with("--set "), "{error:#}");
            }
        }
    }

    #[test]
    fn values_are_toml_or_words() {
        assert_eq!(parse("1e-3"), Value::Float(1e-3));
        assert_eq!(parse(" basic"), Value::String("basic".into()));
        assert_eq!(parse("[1, 2]").as_array().map(Vec::len), Some(2));
        assert_eq!(parse("1\nother = 2"), Value::String("1\nother = 2".into()));
    }
}
