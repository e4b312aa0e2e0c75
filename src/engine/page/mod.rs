//! What an experiment shows: tables, charts and verdicts, on disk, in Markdown and on a terminal. All of it is made from CSV
//! files and manifests, so that it can be redrawn without a run.

mod drawn;
mod provenance;
mod table;
mod verdict;

pub use table::Table;
pub use verdict::{Verdict, judge, percent as measured};

use super::rows::{RunRow, Sample};
use super::runs::{Store, Walk, csv};
use super::settings::Heading;
use crate::console;
use crate::files;
use anyhow::{Context, Result, bail};
use drawn::Chart;
use serde::Serialize;
use std::fs;
use std::io::{self, IsTerminal};
use std::path::Path;

/// A part of a page.
pub enum Block {
    Text(String),
    Table(Table),
}

/// What an experiment shows of the runs that are finished.
pub struct Page {
    name: String,
    title: String,
    claim: String,
    /// What is said in a line above the closing table.
    pub subtitle: String,
    /// The closing table, and what follows it.
    pub closing: Vec<Block>,
    /// Tables and paragraphs of the report.
    pub blocks: Vec<Block>,
    /// Expectations; they are judged where all runs are there.
    pub verdicts: Vec<Verdict>,
    charts: Vec<Chart>,
    tables: Vec<(String, Vec<u8>)>,
}

impl Page {
    /// Without anything yet.
    pub fn new(heading: &Heading, subtitle: impl Into<String>) -> Self {
        Self {
            name: heading.name.clone(),
            title: heading.title(),
            claim: heading.claim.clone(),
            subtitle: subtitle.into(),
            closing: Vec::new(),
            blocks: Vec::new(),
            verdicts: Vec::new(),
            charts: Vec::new(),
            tables: Vec::new(),
        }
    }

    /// Adds a paragraph to the report.
    pub fn text(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Text(text.into()));
    }

    /// Adds a table to the report under a paragraph that explains it; neither where it has no row.
    pub fn table(&mut self, text: impl Into<String>, table: Table) {
        if !table.is_empty() {
            self.text(text);
            self.blocks.push(Block::Table(table));
        }
    }

    /// Adds `tables/<experiment><ending>.csv`.
    pub fn csv<Row: Serialize>(&mut self, ending: &str, rows: &[Row]) -> Result<()> {
        let bytes = if rows.is_empty() { Vec::new() } else { csv(rows)? };
        self.tables.push((format!("{}{ending}", self.name), bytes));
        Ok(())
    }

    pub fn chart(&mut self, title: &'static str, name: &'static str, image: Result<crate::figure::Image>) {
        self.charts.push(Chart { title, name, image });
    }

    /// Writes tables, charts and the report, and returns the closing table.
    pub fn publish(mut self, walk: &Walk<'_>) -> Result<Report> {
        let store = walk.store;
        let _lock = store.lock_pages()?;
        store.clean_pages(&self.name)?;
        let runs: Vec<RunRow> = walk.entries.iter().filter_map(|entry| RunRow::of(&self.name, entry)).collect();
        self.csv("-runs", &runs)?;
        for (name, bytes) in &self.tables {
            write_table(store, name, bytes)?;
        }
        let drawn = drawn::save(store, &self.name, std::mem::take(&mut self.charts))?;
        let (planned, finished) = (walk.planned(), walk.finished());
        let missing = (finished < planned).then(|| format!("{finished} of {planned} runs are finished"));
        if missing.is_some() {
            self.verdicts.clear();
        }
        let manifests: Vec<_> = walk.manifests().collect();
        let section = self.markdown(missing.as_deref(), &drawn::markdown(&drawn), &provenance::render(&manifests));
        write_section(store, &self.name, &section)?;
        let missed = self.verdicts.iter().filter(|verdict| !verdict.met).count();
        Ok(Report { text: self.terminal(store, missing.as_deref(), &drawn::missing(&drawn)), missed })
    }

    fn markdown(&self, missing: Option<&str>, charts: &str, provenance: &str) -> String {
        let mut text = format!("## {}\n\n", self.title);
        if !self.claim.is_empty() {
            text += &format!("Claim: {}\n\n", self.claim);
        }
        if let Some(missing) = missing {
            text += &format!("**{missing}**; figures are over those.\n\n");
        }
        for block in &self.blocks {
            match block {
                Block::Text(paragraph) => text += &format!("{paragraph}\n\n"),
                Block::Table(table) => text += &format!("{}\n", table.markdown()),
            }
        }
        if !self.verdicts.is_empty() {
            let lines: String = self.verdicts.iter().map(|verdict| format!("- {}\n", verdict.text)).collect();
            text += &format!("Expectations:\n\n{lines}\n");
        }
        text + charts + provenance
    }

    fn terminal(&self, store: &Store, missing: Option<&str>, not_drawn: &str) -> String {
        let width = terminal_width();
        let title =
            if self.subtitle.is_empty() { self.title.clone() } else { format!("{}{}", self.title, self.subtitle) };
        let mut text = format!("\n{}", wrapped(&title, width));
        for block in &self.closing {
            match block {
                Block::Text(paragraph) => text += &wrapped(paragraph, width),
                Block::Table(table) if table.is_empty() => text += "no run is finished yet\n",
                Block::Table(table) => text += &table.terminal(width),
            }
        }
        if let Some(missing) = missing {
            text += &wrapped(&format!("{missing}; figures are over those"), width);
        }
        self.verdicts.iter().for_each(|verdict| text += &wrapped(&verdict.text, width));
        text + not_drawn + &format!("\nfigures, tables and runs are in {}\n", store.root().display())
    }
}

/// What a command says at its end.
#[derive(Debug)]
pub struct Report {
    /// The closing table, the expectations, and where things are.
    pub text: String,
    /// Expectations that were missed.
    pub missed: usize,
}

/// Columns of the terminal that reads standard output; None where there is none.
pub fn terminal_width() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))
}

/// Lines of at most so many characters, broken between words.
pub fn wrapped(text: &str, width: Option<usize>) -> String {
    let Some(width) = width else { return format!("{text}\n") };
    let mut lines = String::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let fits = line.chars().count() + word.chars().count() < width;
        if !line.is_empty() && !fits {
            lines += &format!("{line}\n");
            line = format!("  {word}");
        } else {
            line += if line.is_empty() { "" } else { " " };
            line += word;
        }
    }
    lines + &line + "\n"
}

/// Writes `tables/<name>.csv`.
fn write_table(store: &Store, name: &str, bytes: &[u8]) -> Result<()> {
    let tables = store.root().join("tables");
    fs::create_dir_all(&tables).with_context(|| format!("--out: cannot make {}", tables.display()))?;
    let path = tables.join(format!("{name}.csv"));
    if !bytes.is_empty() {
        return write(&path, bytes);
    }
    // Readers take a file without a header for damaged, and one of earlier rows for this.
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => bail!("cannot remove {}: {error}", path.display()),
        _ => Ok(()),
    }
}

/// Writes a file whole or not at all.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    files::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

/// Writes the section of an experiment, and puts the sections of all experiments into `README.md`.
fn write_section(store: &Store, name: &str, section: &str) -> Result<()> {
    let tables = store.root().join("tables");
    write(&tables.join(format!("{name}.md")), section.as_bytes())?;
    let mut text =
        "# Results\n\nWritten by `han-exp`; `han-exp report` writes it anew from the CSV files.\n".to_string();
    let mut sections: Vec<_> = fs::read_dir(&tables)?.flatten().map(|entry| entry.path()).collect();
    sections.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    sections.sort();
    for path in sections {
        match files::read_text(&path) {
            Ok(section) => text += &format!("\n{section}"),
            Err(error) => console::note(&format!("warning: {} is left out: {error}", path.display())),
        }
    }
    write(&store.root().join("README.md"), text.as_bytes())
}

/// A number of things, in words: `1 seed`, `2 seeds`.
pub fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// A part of a whole in percent.
pub fn percent(value: Option<f64>) -> String {
    value.map_or("-".into(), |value| format!("{:.2}", 100.0 * value))
}

/// Mean and standard deviation in percent; the mean alone of a single value.
pub fn spread(sample: Option<Sample>) -> String {
    spread_as(sample, hundredth)
}

/// The 95 % interval of the mean in percent.
pub fn interval(sample: Option<Sample>) -> String {
    interval_as(sample, hundredth)
}

fn hundredth(part: f64) -> String {
    percent(Some(part))
}

/// Mean and standard deviation as `show` writes them; the mean alone of a single value, a dash without one.
pub fn spread_as(sample: Option<Sample>, show: fn(f64) -> String) -> String {
    let Some(Sample { mean, deviation, .. }) = sample else { return "-".into() };
    deviation.map_or_else(|| show(mean), |deviation| format!("{} +- {}", show(mean), show(deviation)))
}

/// The 95 % interval of the mean as `show` writes its ends; a dash without one.
pub fn interval_as(sample: Option<Sample>, show: fn(f64) -> String) -> String {
    let interval = sample.and_then(|sample| sample.confidence_interval());
    interval.map_or("-".into(), |(low, high)| format!("{} to {}", show(low), show(high)))
}
