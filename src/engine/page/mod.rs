//! What an experiment shows: tables, charts and verdicts, saved as data (`section`), and three renderers of them: Markdown, a
//! terminal, HTML. All of it is made from CSV files and manifests, so that it can be redrawn without a run.

mod claim;
mod decide;
mod drawn;
mod html;
mod markdown;
mod provenance;
mod section;
mod table;
mod terminal;
#[cfg(test)]
mod testing;
mod words;

pub use claim::{Claim, Decision};
pub use section::SMOKE;
pub use table::Table;
pub use terminal::terminal_width;
pub use words::{
    counted, decimals, diverged, following, interval, interval_as, interval_of_fractions, listed, percent, signed,
    spread, spread_as, wrapped,
};

use super::invocation::Invocation;
use super::rows::RunRow;
use super::runs::{Store, Walk, csv, with_column};
use super::settings::{ClaimFile, Heading, is_table_ending};
use crate::console::note;
use crate::files;
use anyhow::{Context, Result, ensure};
use drawn::Chart;
use provenance::Provenance;
use section::Section;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

/// A part of a page.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Block {
    Text(String),
    Table(#[serde(deserialize_with = "table::whole")] Table),
}

/// What an experiment shows of the runs that are finished.
#[derive(Default)]
pub struct Page {
    pub section: Section,
    /// What is said in a line above the closing table.
    pub subtitle: String,
    /// The closing table, and what follows it.
    pub closing: Vec<Block>,
    claims: Vec<ClaimFile>,
    expect: Vec<ClaimFile>,
    charts: Vec<Chart>,
    tables: Vec<(String, Vec<u8>)>,
}

impl Page {
    /// Without anything yet.
    pub fn new(heading: &Heading, subtitle: impl Into<String>) -> Self {
        let (name, title, mut claim) = (heading.name.clone(), heading.title(), heading.claim.clone());
        if !(claim.is_empty() || heading.source.is_empty()) {
            claim += &format!(" Source: {}.", heading.source);
        }
        let section = Section { name, title, claim, ..Section::default() };
        let Heading { claims, expect, .. } = heading.clone();
        Self { section, subtitle: subtitle.into(), claims, expect, ..Self::default() }
    }

    /// Says that claims and expectations are not about these runs.
    pub fn void_claims(&mut self) {
        self.claims.iter_mut().chain(&mut self.expect).for_each(|claim| claim.void = true);
    }

    /// Adds a paragraph to the report.
    pub fn text(&mut self, text: impl Into<String>) {
        self.section.blocks.push(Block::Text(text.into()));
    }

    /// Adds a table to the report under a paragraph that explains it; neither where it has no row.
    pub fn table(&mut self, text: impl Into<String>, table: Table) {
        if !table.is_empty() {
            self.section.blocks.push(Block::Table(Table { caption: text.into(), ..table }));
        }
    }

    /// Adds `tables/<experiment><ending>.csv`.
    pub fn csv<Row: Serialize>(&mut self, ending: &str, rows: &[Row]) -> Result<()> {
        ensure!(is_table_ending(ending), "{ending} is missing from the endings of tables in settings/names.rs");
        let bytes = if rows.is_empty() { Vec::new() } else { csv(rows)? };
        self.tables.push((format!("{}{ending}", self.section.name), bytes));
        Ok(())
    }

    pub fn chart(&mut self, title: &'static str, name: &'static str, image: Result<crate::figure::Image>) {
        self.charts.push(Chart { title, name, image });
    }

    /// Writes tables, charts and the section, and returns the closing table. [`write_pages`] is left to do.
    ///
    /// `noted` is what a command noted when it began. It is written again: another command may have begun since, and the note and
    /// the tables have to be of the same one.
    pub fn publish(mut self, walk: &Walk<'_>, invocation: Option<&Invocation>, noted: Option<&str>) -> Result<Report> {
        let store = walk.store;
        let _lock = store.lock_pages()?;
        let name = &self.section.name;
        store.clean_pages(name)?;
        if let Some(noted) = noted {
            write(&store.remembers(name), noted.as_bytes())?;
        }
        let runs: Vec<RunRow> = walk.entries.iter().filter_map(|entry| RunRow::of(name, entry)).collect();
        self.csv("-runs", &runs)?;
        let profile = invocation.map_or(String::new(), |called| called.profile.to_string());
        for (name, bytes) in &self.tables {
            write_table(store, name, &with_column(bytes, "profile", &profile)?)?;
        }
        let (subtitle, closing) = (std::mem::take(&mut self.subtitle), std::mem::take(&mut self.closing));
        let section = self.section(walk, invocation)?;
        section.replace(store);
        section.save(store)?;
        let path = store.root.join("tables").join(format!("{}.md", section.name));
        write(&path, markdown::whole(&section).as_bytes())?;
        let (judged, missed) = (section.verdicts.len(), section.missed().count());
        Ok(Report { text: terminal::render(&section, &subtitle, &closing, &store.root), judged, missed })
    }

    /// Draws the charts, and fills in what the runs say.
    fn section(self, walk: &Walk<'_>, invocation: Option<&Invocation>) -> Result<Section> {
        let Self { mut section, claims, expect, charts, tables, .. } = self;
        let (planned, finished) = (walk.planned(), walk.finished());
        if finished < planned {
            // Tables may wait for all runs of a seed; that of the runs never does.
            let has_figures = tables.iter().any(|(name, rows)| !(rows.is_empty() || name.ends_with("-runs")));
            let figures = if has_figures { "figures are over those" } else { "there are no figures yet" };
            section.missing = Some(format!("{finished} of {planned} runs are finished; {figures}"));
        }
        let (profile, unfinished) = (invocation.map(|called| called.profile), walk.unfinished());
        let bench = unfinished.as_ref().map(|unfinished| decide::Bench {
            experiment: &section.name,
            profile,
            store: walk.store,
            unfinished,
            tables: tables.iter().map(|(name, _)| name.as_str()).collect(),
        });
        let decided = |claim| {
            let Some(bench) = &bench else { return Claim::without_figure(claim, Decision::NotRun) };
            // All runs are made, and what a mistake in one claim leaves is worth its page.
            decide::decide(claim, bench).unwrap_or_else(|error| {
                note(&format!("warning: {}: {:?} is not decided: {error:#}", section.name, claim.says));
                Claim::without_figure(claim, Decision::Unreadable)
            })
        };
        let decided: Vec<Claim> = claims.iter().map(decided).collect();
        let expected = claims.iter().filter(|claim| claim.expected).chain(&expect);
        let complete = bench.as_ref().filter(|_| section.missing.is_none());
        let verdicts = complete.map(|bench| expected.filter_map(|claim| decide::expected(claim, bench)).collect());
        (section.claims, section.verdicts) = (decided, verdicts.unwrap_or_default());
        section.invocation = invocation.cloned();
        let written = tables.iter().filter(|(_, rows)| !rows.is_empty());
        section.tables = written.map(|(name, _)| format!("tables/{name}.csv")).collect();
        section.provenance = Provenance::of(walk);
        let stamp = section.is_smoke().then_some(SMOKE);
        section.charts = drawn::save(walk.store, &section.name, charts, stamp)?;
        Ok(section)
    }
}

/// An entry of `provenance.json`: what made the results of an experiment.
#[derive(Serialize)]
struct Made<'s> {
    experiment: &'s str,
    command: Option<String>,
    #[serde(flatten)]
    provenance: &'s Provenance,
}

impl<'s> Made<'s> {
    fn of(section: &'s Section) -> Self {
        let command = section.invocation.as_ref().map(Invocation::command);
        Self { experiment: &section.name, command, provenance: &section.provenance }
    }
}

/// Writes `tables/claims.csv`, `provenance.json`, `README.md` and `report.html` of a results directory from the sections of all
/// experiments in it; those that `order` names come first.
pub fn write_pages(store: &Store, order: &[&str]) -> Result<()> {
    let _lock = store.lock_pages()?;
    let sections = section::all(store, order)?;
    let claims = sections.iter().flat_map(|of| claim::rows(&of.name, &of.claims, of.invocation.as_ref()));
    let claims: Vec<_> = claims.collect();
    write_table(store, "claims", &if claims.is_empty() { Vec::new() } else { csv(&claims)? })?;
    let made: Vec<_> = sections.iter().map(Made::of).collect();
    let root = &store.root;
    write(&root.join(Store::PROVENANCE), (serde_json::to_string_pretty(&made)? + "\n").as_bytes())?;
    write(&root.join(Store::README), markdown::short(&sections).as_bytes())?;
    write(&root.join(Store::REPORT), html::report(&sections, root).as_bytes())
}

/// The pages of a section that was saved, for the tests of all readers of files: two in Markdown, HTML, a terminal's.
pub(crate) fn rendered(bytes: &[u8], name: &str, root: &Path) -> Result<[String; 4]> {
    let section = [Section::parse(bytes, name)?];
    let whole = markdown::whole(&section[0]);
    let terminal = terminal::render(&section[0], "", &section[0].blocks, root);
    Ok([whole, markdown::short(&section), html::report(&section, root), terminal])
}

/// What a command says at its end.
#[derive(Debug, Default)]
pub struct Report {
    /// The closing table, the expectations, and where things are.
    pub text: String,
    /// Expectations that were judged, and those that were missed.
    pub judged: usize,
    pub missed: usize,
}

/// Writes `tables/<name>.csv`.
pub fn write_table(store: &Store, name: &str, bytes: &[u8]) -> Result<()> {
    let tables = store.root.join("tables");
    fs::create_dir_all(&tables).with_context(|| format!("--out: cannot make {}", tables.display()))?;
    let path = tables.join(format!("{name}.csv"));
    if !bytes.is_empty() {
        return write(&path, bytes);
    }
    // Readers take a file without a header for damaged, and one of earlier rows for this.
    files::if_there(fs::remove_file(&path)).with_context(|| format!("cannot remove {}", path.display()))?;
    Ok(())
}

/// Writes a file whole or not at all.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    files::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_written_over_our_own_and_over_nobody_elses() -> Result<()> {
        let directory = tempfile::tempdir()?;
        let store = Store::new(directory.path());
        write_pages(&store, &[])?;
        for name in [Store::README, Store::REPORT] {
            let path = directory.path().join(name);
            let own = fs::read(&path)?;
            fs::write(&path, "# My project\n")?;
            let told = write_pages(&store, &[]).expect_err("a page of somebody else's").to_string();
            assert!(told.contains(name) && told.contains("--out"), "{told}");
            assert_eq!(fs::read_to_string(&path)?, "# My project\n");
            fs::write(&path, own)?;
        }
        let smoke = testing::section(2);
        fs::create_dir_all(files::parent(&store.remembers(&smoke.name)))?;
        smoke.save(&store)?;
        write_pages(&store, &[])?;
        write_pages(&store, &[])
    }

    #[test]
    fn who_publishes_notes_the_command_of_these_tables() -> Result<()> {
        let directory = tempfile::tempdir()?;
        let store = Store::new(directory.path());
        let note = store.remembers("board");
        fs::create_dir_all(files::parent(&note))?;
        fs::write(&note, "of a later command")?;
        let page = || Page { section: Section { name: "board".into(), ..Section::default() }, ..Page::default() };
        let walk = Walk::looking(&store, "cpu");
        page().publish(&walk, None, None)?;
        assert_eq!(fs::read_to_string(&note)?, "of a later command");
        page().publish(&walk, None, Some("of this one"))?;
        assert_eq!(fs::read_to_string(&note)?, "of this one");
        Ok(())
    }
}
