//! The text of an experiment file: parsed, with every number finite, and in words that charts and tables can show.

use super::claims::{ClaimFile, check_claims};
use super::limits::MOST_ITEMS;
use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

/// Most characters of a title: it stands in one or two lines above a chart.
const LONGEST_TITLE: usize = 200;
/// Most characters of a label: it stands in a cell of a table and in the legend of a chart.
const LONGEST_LABEL: usize = 100;
/// Most characters of a claim or a source: a few sentences.
const LONGEST_CLAIM: usize = 2000;
/// Most characters of a text that a message repeats.
const REPEATED: usize = 40;

/// Checks that every number of a file is one, and that no list of tables is longer than anybody's; `origin` names the file in
/// messages. No setting here has a use for NaN or infinity, which TOML can say: a comparison with NaN is false, so that a
/// check may pass it by.
pub(super) fn check_values(text: &str, origin: &str) -> Result<()> {
    let table = toml::Value::Table(toml::from_str(text).with_context(|| origin.to_string())?);
    if let Some((key, number)) = not_finite("", &table) {
        bail!("{origin}: {key} is {number}; use a finite number");
    }
    if let Some((key, items)) = too_long("", &table) {
        bail!("{origin}: {key} has {items} items; use at most {MOST_ITEMS}");
    }
    Ok(())
}

/// The first list with too many tables, and how many it has.
fn too_long(key: &str, value: &toml::Value) -> Option<(String, usize)> {
    let long = |items: &&Vec<toml::Value>| items.len() > MOST_ITEMS && items.iter().any(toml::Value::is_table);
    first(key, value, &|value| value.as_array().filter(long).map(Vec::len))
}

/// The first number that is none, and its key.
pub(super) fn not_finite(key: &str, value: &toml::Value) -> Option<(String, f64)> {
    first(key, value, &|value| value.as_float().filter(|number| !number.is_finite()))
}

/// The first value below a key in which something is found, by its own key.
fn first<T>(key: &str, value: &toml::Value, find: &dyn Fn(&toml::Value) -> Option<T>) -> Option<(String, T)> {
    if let Some(found) = find(value) {
        return Some((key.to_string(), found));
    }
    match value {
        toml::Value::Array(items) => {
            items.iter().enumerate().find_map(|(place, item)| first(&format!("{key}[{place}]"), item, find))
        }
        toml::Value::Table(table) => table.iter().find_map(|(name, item)| {
            let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
            first(&key, item, find)
        }),
        _ => None,
    }
}

/// `[experiment]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heading {
    /// Names run directories, tables and charts.
    pub name: String,
    /// For charts and reports.
    #[serde(default)]
    pub title: String,
    /// Where the paper has it.
    #[serde(default)]
    pub source: String,
    /// The paper's claim in a sentence.
    #[serde(default)]
    pub claim: String,
    /// Its claims one by one, with what decides each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<ClaimFile>,
    /// What ought to come out, likewise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<ClaimFile>,
}

impl Heading {
    /// What charts and reports are headed with.
    pub fn title(&self) -> String {
        if self.title.is_empty() { self.name.clone() } else { self.title.clone() }
    }

    /// Checks what charts and reports show.
    pub fn check(&self) -> Result<()> {
        for (key, text, most) in [
            ("title", &self.title, LONGEST_TITLE),
            ("source", &self.source, LONGEST_CLAIM),
            ("claim", &self.claim, LONGEST_CLAIM),
        ] {
            check_text(&self.name, &format!("experiment.{key}"), text, most)?;
        }
        check_claims(&self.name, &self.claims)?;
        check_claims(&self.name, &self.expect)
    }
}

/// Checks the labels of arms or recipes, given with their names.
pub fn check_labels<'l>(
    experiment: &str,
    kind: &str,
    labels: impl IntoIterator<Item = (&'l str, &'l str)>,
) -> Result<()> {
    let mut labels = labels.into_iter();
    labels
        .try_for_each(|(name, label)| check_text(experiment, &format!("label of {kind} {name}"), label, LONGEST_LABEL))
}

fn check_text(experiment: &str, key: &str, text: &str, most: usize) -> Result<()> {
    let length = text.chars().count();
    ensure!(length <= most, "{experiment}: {key} has {length} characters; use at most {most}");
    let plain = !text.chars().any(char::is_control);
    ensure!(plain, "{experiment}: {key} is {}; use one line without control characters", shortened(text));
    Ok(())
}

/// A text in quotation marks, for a message that has to stay readable however long the text is.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(REPEATED) {
        Some((end, _)) => format!("{:?}..", &text[..end]),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_none_is_named_with_its_key() {
        for (text, told) in [
            ("a = 1.0\nb = nan", "file: b is NaN; use a finite number"),
            ("[[arm]]\npaper = 0.5\n[[arm]]\npaper = inf", "file: arm[1].paper is inf; use a finite number"),
            ("[a.b]\nc = [1.0, [-inf]]", "file: a.b.c[1][0] is -inf; use a finite number"),
        ] {
            let error = check_values(text, "file").expect_err(text);
            assert_eq!(error.to_string(), told);
        }
        assert!(check_values("a = [1.0, 2]\nb = 'nan'", "file").is_ok());
    }

    #[test]
    fn a_list_of_more_networks_than_anybody_has_is_named_with_its_key() {
        let arms = |count: usize| check_values(&format!("p.a = [{}]", "{b = 1},".repeat(count)), "file");
        assert!(arms(MOST_ITEMS).is_ok());
        assert_eq!(arms(1001).expect_err("a long list").to_string(), "file: p.a has 1001 items; use at most 1000");
        assert!(check_values(&format!("a = [{}]", "1,".repeat(2000)), "file").is_ok());
    }

    #[test]
    fn texts_are_one_short_line() {
        let label = |text: &str| check_labels("mine", "arm", [("hannet", text)]).map_err(|error| error.to_string());
        assert_eq!(label("HanNet, |.|, größer"), Ok(()));
        assert_eq!(label(&"ä".repeat(100)), Ok(()));
        let told = label(&"x".repeat(20_000)).expect_err("a long label");
        assert_eq!(told, "mine: label of arm hannet has 20000 characters; use at most 100");
        for text in ["a\nb", "a\tb", "\u{1b}[31m"] {
            let told = label(text).expect_err("a control character");
            assert!(told.contains("use one line without control characters"), "{told}");
        }
        assert_eq!(shortened(&"y".repeat(41)), format!("\"{}\"..", "y".repeat(40)));
    }
}
