//! What an experiment shows, as data: `page.json` beside its runs. The pages of a results directory are made from those of
//! all its experiments, whichever command wrote them.

use super::claim::Verdict;
use super::drawn::Drawn;
use super::provenance::Provenance;
use super::{Block, Claim, write};
use crate::console::{note, shown};
use crate::engine::invocation::Invocation;
use crate::engine::runs::Store;
use crate::engine::settings::{ProfileName, name_cure};
use crate::files;
use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

const NAME: &str = "page.json";

/// What every chart of a smoke run says.
pub const SMOKE: &str = "SMOKE: a look at everything in seconds; the figures mean nothing";

/// The section of an experiment.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Section {
    pub name: String,
    pub title: String,
    /// The paper's claim in a sentence.
    pub claim: String,
    /// The command; None where a version before this one noted none.
    pub invocation: Option<Invocation>,
    /// How many runs are finished, if not all are, and what that means for the figures.
    pub missing: Option<String>,
    pub claims: Vec<Claim>,
    pub verdicts: Vec<Verdict>,
    /// Checks that failed, in sentences.
    pub failed: Vec<String>,
    pub blocks: Vec<Block>,
    pub(super) charts: Vec<Drawn>,
    /// CSV files, below the results directory.
    pub tables: Vec<String>,
    pub(super) provenance: Provenance,
}

impl Section {
    /// Writes `runs/<name>/page.json`.
    pub(super) fn save(&self, store: &Store) -> Result<()> {
        write(&path(store, &self.name), (serde_json::to_string_pretty(self)? + "\n").as_bytes())
    }

    /// Reads `page.json` of the experiment of that name.
    fn read(path: &Path, name: &str) -> Result<Self> {
        Self::parse(&files::read_within(path, files::LONGEST_TEXT)?, name)
    }

    /// Removes the tables and charts of this experiment's page before this one that this one does not have: they would be taken
    /// for its own. One that cannot be removed stays.
    pub(super) fn replace(&self, store: &Store) {
        let Ok(before) = Self::read(&path(store, &self.name), &self.name) else { return };
        let root = &store.root;
        for table in before.tables.iter().filter(|table| !self.tables.contains(table)) {
            // The file may have been damaged, and other experiments have tables there too.
            if table.starts_with(&format!("tables/{}", self.name)) {
                let _ = fs::remove_file(root.join(table));
            }
        }
        for chart in before.charts.iter().filter(|chart| self.charts.iter().all(|own| own.file != chart.file)) {
            if chart.file.starts_with(&self.name) {
                let path = root.join("figures").join(&chart.file);
                [path.with_extension("svg"), path].iter().for_each(|path| drop(fs::remove_file(path)));
            }
        }
    }

    /// The same of its bytes. What it says becomes part of paths and of pages that are read in a browser, so it is not taken
    /// on trust.
    pub(super) fn parse(bytes: &[u8], name: &str) -> Result<Self> {
        let section: Self = serde_json::from_slice(bytes)?;
        ensure!(section.name == name && name_cure(name).is_none(), "it is the page of another experiment");
        for file in section.charts.iter().map(|chart| chart.file.as_str()) {
            ensure!(is_name(file, ".png"), "{} is no chart in figures/", shown(file));
        }
        for file in &section.tables {
            let table = file.strip_prefix("tables/").is_some_and(|name| is_name(name, ".csv"));
            ensure!(table, "{} is no file in tables/", shown(file));
        }
        Ok(section)
    }

    /// Whether its figures mean nothing.
    pub fn is_smoke(&self) -> bool {
        self.invocation.as_ref().is_some_and(|called| called.profile == ProfileName::Smoke)
    }

    /// What stands before its headings.
    pub fn stamp(&self) -> &'static str {
        if self.is_smoke() { "SMOKE: " } else { "" }
    }

    /// Its heading.
    pub fn heading(&self) -> String {
        format!("{}{}", self.stamp(), self.title)
    }

    /// Expectations that were missed, then checks that failed.
    pub fn wrong(&self) -> impl Iterator<Item = &str> {
        self.missed().chain(self.failed.iter().map(String::as_str))
    }

    pub fn missed(&self) -> impl Iterator<Item = &str> {
        self.verdicts.iter().filter(|verdict| !verdict.met).map(|verdict| &*verdict.text)
    }

    /// Profile, changes, seeds, runs, program, machine, command.
    pub fn facts(&self) -> Vec<(String, String)> {
        let mut facts = Vec::new();
        if let Some(called) = &self.invocation {
            let changed = if called.changed.is_empty() { "nothing".into() } else { called.changed.join(" ") };
            facts.push(("Command".into(), format!("`{}`", called.command())));
            facts.push(("Profile".into(), called.profile.to_string()));
            facts.push(("Changed by flags".into(), changed));
        }
        facts.extend(self.provenance.facts());
        facts
    }
}

/// What stands before the heading of a page of all.
pub(super) fn stamp_of_all(sections: &[Section]) -> &'static str {
    if !sections.is_empty() && sections.iter().all(Section::is_smoke) { "SMOKE: " } else { "" }
}

/// The sections of a results directory: the names of `order` first, then others by name, those whose runs are on another machine
/// too. One that cannot be read is reported and left out.
pub(super) fn all(store: &Store, order: &[&str]) -> Result<Vec<Section>> {
    let mut sections = Vec::new();
    for name in store.experiments_with(NAME)? {
        let path = path(store, &name);
        match Section::read(&path, &name) {
            Ok(section) => sections.push(section),
            Err(error) => {
                note(&format!("warning: {} is left out: {error:#}; `han-exp report` writes it anew", path.display()))
            }
        }
    }
    sections.sort_by_key(|section: &Section| {
        let place = order.iter().position(|name| *name == section.name).unwrap_or(order.len());
        (place, section.name.clone())
    });
    Ok(sections)
}

/// Whether a text is the name of a file with this end, in whatever directory it is looked for.
fn is_name(file: &str, end: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    file.strip_suffix(end).is_some_and(|name| !name.is_empty() && name.chars().all(plain))
}

fn path(store: &Store, name: &str) -> PathBuf {
    store.remembers(name).with_file_name(NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_without_runs_is_shown() -> Result<()> {
        let root = tempfile::tempdir()?;
        let store = Store::new(root.path().to_path_buf());
        for name in ["board", "layers"] {
            fs::create_dir_all(root.path().join("runs").join(name))?;
            Section { name: name.into(), ..Section::default() }.save(&store)?;
        }
        fs::write(store.remembers("layers"), "")?;
        let names: Vec<String> = all(&store, &["layers"])?.into_iter().map(|section| section.name).collect();
        assert_eq!(names, ["layers", "board"]);
        Ok(())
    }

    #[test]
    fn what_a_page_no_longer_has_goes_and_nothing_of_others() -> Result<()> {
        let root = tempfile::tempdir()?;
        let store = Store::new(root.path().to_path_buf());
        let of = |tables: &[&str], charts: &[&str]| {
            let chart = |name: &&str| Drawn { title: String::new(), file: (*name).into(), size: (0, 0), missing: None };
            let (tables, charts) =
                (tables.iter().map(|name| (*name).into()).collect(), charts.iter().map(chart).collect());
            Section { name: "board".into(), tables, charts, ..Section::default() }
        };
        let files = ["tables/board.csv", "tables/board-differences.csv", "tables/claims.csv", "figures/board-a.png"];
        let files = [&files[..], &["figures/board-b.png", "figures/board-b.svg", "figures/other.png"]].concat();
        for directory in ["tables", "figures", "runs/board"] {
            fs::create_dir_all(root.path().join(directory))?;
        }
        files.iter().try_for_each(|file| fs::write(root.path().join(file), ""))?;
        of(&files[..3], &["board-a.png", "board-b.png", "other.png"]).save(&store)?;
        of(&files[..1], &["board-a.png"]).replace(&store);
        let left: Vec<&str> = files.into_iter().filter(|file| root.path().join(file).exists()).collect();
        assert_eq!(left, ["tables/board.csv", "tables/claims.csv", "figures/board-a.png", "figures/other.png"]);
        Ok(())
    }
}
