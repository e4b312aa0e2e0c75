//! `han-exp compare`: two arms, settings or results directories, paired by seed, and by image where images are known.

mod contender;
mod pair;
mod rows;
mod select;
mod show;

pub use contender::{Better, Contender, Series, Unit};

use super::kind::Verb;
use super::last::last;
use super::page::{SMOKE, terminal_width, wrapped, write_table};
use super::recall::Recalled;
use super::runs::{Store, csv, with_column};
use super::settings::ProfileName;
use crate::console::note;
use crate::figure::Image;
use crate::files;
use anyhow::{Context, Result};
use pair::Pair;
use std::fs;

/// Characters of the texts that become parts of names of files.
const LONGEST_NAME: usize = 160;

/// One side of a comparison.
pub struct Side {
    pub store: Store,
    /// What of the experiment: an arm, an arm and a setting, or nothing for all.
    pub pattern: String,
    /// The directory, where the sides are two.
    pub directory: Option<String>,
}

impl Side {
    /// What a contender is called.
    fn shown(&self, name: &str) -> String {
        self.directory.as_ref().map_or_else(|| name.to_string(), |directory| format!("{directory}:{name}"))
    }
}

/// Compares two sides of an experiment as it was run last, writes tables and a chart into a results directory, and returns
/// what is to be said.
///
/// # Errors
/// When a side has nothing of that name, or they cannot be compared.
pub fn compare(verbs: &[Verb], out: &Store, experiment: &str, sides: &[Side; 2]) -> Result<String> {
    let [a, b] = sides;
    let first = recall(verbs, &a.store, experiment)?;
    let apart = a.store.root != b.store.root;
    let second = if apart { Some(recall(verbs, &b.store, experiment)?) } else { None };
    let contenders = [first.as_slice(), second.as_deref().unwrap_or(&first)];
    let asked = sides.each_ref().map(|side| side.shown(format!("{experiment}/{}", side.pattern).trim_end_matches('/')));
    let pairs = select::pairs(contenders, [&a.pattern, &b.pattern], &asked)?;
    let mut alone = String::new();
    for (side, directory) in sides.iter().enumerate().filter_map(|(side, of)| Some((side, of.directory.as_ref()?))) {
        let paired: Vec<&Contender> = pairs.iter().map(|pair| pair[side]).collect();
        if let Some(names) = select::alone(contenders[side], &sides[side].pattern, &asked[side], &paired)? {
            alone += &format!("\n{}", wrapped(&format!("left out: only {directory} has {names}"), terminal_width()));
        }
    }
    let mut compared = Vec::new();
    for pair in pairs {
        let shown = [0, 1].map(|side| sides[side].shown(&pair[side].name()));
        compared.push((shown.clone(), Pair::of(pair, &shown)?));
    }
    let profiles = [0, 1].map(|side| compared[0].1.sides[side].profile);
    let is_smoke = profiles.contains(&Some(ProfileName::Smoke));
    let stamp = if is_smoke { wrapped(SMOKE, terminal_width()) } else { String::new() };
    let mut text =
        format!("{stamp}{experiment}: A - B by seed, means over common seeds, 95 % interval (Student's t)\n");
    let (mut figures, mut seeds) = (Vec::new(), Vec::new());
    for (shown, pair) in &compared {
        text += &show::text(pair, shown);
        let (of_pair, of_seeds) = rows::of(experiment, pair, shown);
        figures.extend(of_pair);
        seeds.extend(of_seeds);
    }
    text += &alone;
    let [one, other] = [0, 1].map(|side| {
        let Side { pattern, directory, .. } = &sides[side];
        directory.clone().unwrap_or_else(|| pattern.clone())
    });
    // Two directories are compared in one part of the experiment, if one is named.
    let of = if a.directory.is_some() { format!("{experiment}/{}", a.pattern) } else { experiment.into() };
    let of = of.trim_end_matches('/');
    let title = format!("{of}: A = {one}, B = {other}");
    let same_data = compared.iter().all(|(_, pair)| pair.sides[0].data == compared[0].1.sides[0].data);
    let data = |pair: &Pair<'_>| if same_data { String::new() } else { format!(", {}", pair.sides[0].data) };
    let names: Vec<_> = compared.into_iter().map(|(_, pair)| (name_of(&pair) + &data(&pair), pair)).collect();
    let name = slug(&format!("compare-{of}-{one}-{other}"));
    let chart = show::chart(&title, &names)?;
    let chart = if is_smoke { chart.stamped(SMOKE)? } else { chart };
    let [a, b] = profiles.map(|profile| profile.map_or_else(String::new, |profile| profile.to_string()));
    let profile = if a == b { a } else { format!("{a}, {b}") };
    let [figures, seeds] = [csv(&figures)?, csv(&seeds)?];
    save(out, &name, [with_column(&figures, "profile", &profile)?, with_column(&seeds, "profile", &profile)?], &chart)?;
    let place = format!("tables and chart are {name}*.csv and .png in {}", out.root.display());
    text += &format!("\n{}", wrapped(&place, terminal_width()));
    Ok(text)
}

/// Writes both tables and the chart.
fn save(out: &Store, name: &str, [figures, seeds]: [Vec<u8>; 2], chart: &Image) -> Result<()> {
    let _lock = out.lock_pages()?;
    for (ending, bytes) in [("", figures), ("-seeds", seeds)] {
        write_table(out, &format!("{name}{ending}"), &bytes)?;
    }
    let figures = out.root.join("figures");
    fs::create_dir_all(&figures).with_context(|| format!("--out: cannot make {}", figures.display()))?;
    files::write_with(&figures.join(format!("{name}.png")), |temporary| chart.save(temporary))
}

/// What tells a pair from the others.
fn name_of(pair: &Pair<'_>) -> String {
    let [a, b] = pair.sides.map(Contender::name);
    if a == b { a } else { format!("{a} - {b}") }
}

fn recall(verbs: &[Verb], store: &Store, experiment: &str) -> Result<Vec<Contender>> {
    let (kind, noted) = last(verbs, store, experiment)?;
    let Recalled { made, planned, absent } = kind.contenders(store, noted)?;
    if !absent.is_empty() {
        let (missing, root) = (absent.len(), store.root.display());
        note(&format!("warning: {root}: {missing} of {planned} runs of {experiment} are missing"));
    }
    Ok(made)
}

/// A text as part of a path; of a long one the beginning and a hash.
fn slug(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._".contains(c) { c } else { '-' };
    let name: String = text.chars().map(plain).take(LONGEST_NAME).collect();
    let is_whole = text.chars().count() <= LONGEST_NAME;
    if is_whole { name } else { format!("{name}-{}", &files::sha256(text.as_bytes())[..8]) }
}
