//! What flags have made of a file: whether it still does what the file does, and as often.

use super::tree;
use toml::Value;

/// Whether a file differs from its own in nothing but that it leaves out networks, recipes or parts.
pub(super) fn selects(mut own: toml::Table, mut file: toml::Table, lists: &[&str]) -> bool {
    for key in lists {
        let items = |table: &toml::Table| match tree::get(table, key) {
            Some(Value::Array(items)) => items.clone(),
            one => one.cloned().into_iter().collect(),
        };
        let (all, some) = (items(&own), items(&file));
        if !some.iter().all(|item| all.contains(item)) {
            return false;
        }
        for table in [&mut own, &mut file] {
            tree::set(table, key, &Value::Array(Vec::new()));
        }
    }
    file.iter().all(|(key, value)| match (own.get(key), value) {
        (Some(Value::Array(all)), Value::Array(some)) => some.iter().all(|item| all.contains(item)),
        (own, value) => own == Some(value),
    })
}

/// Where a file says how often everything is repeated, and which seed is the first.
const REPETITIONS: [&str; 3] = ["seeds", "fewer_seeds", "first_seed"];

/// Whether a file repeats everything as often as its own, and begins at no earlier seed: those before the first have been used to choose
/// what is run.
pub(super) fn repeats(own: &toml::Table, file: &toml::Table) -> bool {
    let number = |table: &toml::Table, key: &str| table.get(key).and_then(Value::as_integer);
    let no_less = |own: &toml::Table, file: &toml::Table, keys: [&str; 2]| {
        keys.iter().all(|key| number(own, key).is_none_or(|least| number(file, key).is_none_or(|count| count >= least)))
    };
    let fewer = |table: &toml::Table| table.get("fewer_seeds").and_then(Value::as_table).cloned();
    let long_ones = match (fewer(own), fewer(file)) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(own), Some(file)) => no_less(&own, &file, ["from_epochs", "seeds"]),
    };
    // An arm has its own number or, if that is less, that of all.
    let arms = |table: &toml::Table| -> Vec<(Option<Value>, Option<i64>)> {
        let arms = table.get("arm").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_table);
        let all = number(table, "seeds");
        arms.map(|arm| (arm.get("name").cloned(), number(arm, "seeds").into_iter().chain(all).min())).collect()
    };
    let own_arms = arms(own);
    let as_often = |(name, count): &(Option<Value>, Option<i64>)| {
        own_arms.iter().find(|(own, _)| own == name).is_none_or(|(_, least)| count >= least)
    };
    no_less(own, file, ["seeds", "first_seed"]) && long_ones && arms(file).iter().all(as_often)
}

/// Takes away how often a file is repeated, and its heading.
pub(super) fn forget_repetitions(table: &mut toml::Table) {
    let arms = table.get_mut("arm").and_then(Value::as_array_mut).into_iter().flatten();
    arms.filter_map(Value::as_table_mut).for_each(|arm| drop(arm.remove("seeds")));
    REPETITIONS.into_iter().chain(["experiment"]).for_each(|key| drop(table.remove(key)));
}
