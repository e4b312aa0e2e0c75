//! Rows of CSV files: `checkerboard arm=hannet protocol=held_out` is the row of `tables/checkerboard.csv` with those two values.

use super::template::{Template, parted};
use crate::files;
use anyhow::{Context, Result, bail, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Values and columns that a message lists.
const SHOWN: usize = 12;

/// A results directory.
pub struct Results<'r> {
    pub root: &'r Path,
    /// Short names of sources.
    pub names: &'r BTreeMap<String, String>,
}

/// Rows of a file that have what was asked for.
#[derive(Debug)]
pub struct Rows {
    /// For messages: the file and what was asked for.
    pub source: String,
    header: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Results<'_> {
    /// The text that `SOURCE: TEMPLATE` stands for.
    pub fn say(&self, said: &str) -> Result<String> {
        let (source, template) = parted(said);
        self.render(source, template)
    }

    pub fn render(&self, source: &str, template: &str) -> Result<String> {
        ensure!(template.contains('{'), "{template:?} has no {{column}}");
        let rows = self.rows(source)?;
        ensure!(!rows.rows.is_empty(), "{}", self.nothing(source)?);
        Template(template).render(&rows)
    }

    /// The rows of a source: the last file that it names, and every `column=value`, or `column=value,value`.
    pub fn rows(&self, source: &str) -> Result<Rows> {
        let (file, filters) = self.parsed(source)?;
        let mut found = self.read(&file)?;
        for filter in &filters {
            found.keep(filter)?;
        }
        Ok(found)
    }

    fn parsed(&self, source: &str) -> Result<(String, Vec<String>)> {
        let (mut file, mut filters) = (None, Vec::new());
        for word in source.split_whitespace() {
            if word.contains('=') {
                filters.push(word.to_string());
            } else if let Some(meant) = self.names.get(word) {
                let (named, more) = self.parsed(meant)?;
                file = Some(named);
                filters.extend(more);
            } else {
                file = Some(word.to_string());
            }
        }
        Ok((file.with_context(|| format!("{source:?} names no CSV file"))?, filters))
    }

    fn read(&self, name: &str) -> Result<Rows> {
        let places: [PathBuf; 2] = ["tables", ""].map(|part| self.root.join(part).join(format!("{name}.csv")));
        let path = places.iter().find(|path| path.exists());
        let path = path.with_context(|| format!("{} is not there", places[0].display()))?;
        let shown = path.display().to_string();
        let bytes = files::read(path).with_context(|| format!("cannot read {shown}"))?;
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        let header = reader.headers().with_context(|| shown.clone())?.iter().map(str::to_string).collect();
        let row = |row: csv::Result<csv::StringRecord>| Ok(row?.iter().map(str::to_string).collect());
        let rows = reader.records().map(row).collect::<csv::Result<_>>().with_context(|| shown.clone())?;
        Ok(Rows { source: shown, header, rows })
    }

    /// Why a source has no row: the first filter that leaves none, and what it could have asked for.
    fn nothing(&self, source: &str) -> Result<String> {
        let (file, filters) = self.parsed(source)?;
        let mut found = self.read(&file)?;
        for filter in &filters {
            let before = found.source.clone();
            let column = filter.split('=').next().unwrap_or_default();
            let values = found.values(column)?;
            found.keep(filter)?;
            if found.rows.is_empty() {
                return Ok(format!("{before}: no row has {filter}; {column} is {values}"));
            }
        }
        Ok(format!("{} has no row", found.source))
    }
}

impl Rows {
    fn keep(&mut self, filter: &str) -> Result<()> {
        let (column, wanted) = filter.split_once('=').context("a filter is column=value")?;
        let place = self.place(column)?;
        self.rows.retain(|row| wanted.split(',').any(|wanted| equal(&row[place], wanted)));
        self.source += &format!(" {filter}");
        Ok(())
    }

    fn place(&self, column: &str) -> Result<usize> {
        let place = self.header.iter().position(|name| name == column);
        place.with_context(|| format!("{} has no column {column:?}; it has {}", self.source, self.header.join(", ")))
    }

    /// What a column holds, in a few words.
    fn values(&self, column: &str) -> Result<String> {
        let place = self.place(column)?;
        let all: BTreeSet<&str> = self.rows.iter().map(|row| row[place].as_str()).collect();
        let named = |value: &&str| if value.is_empty() { "empty".to_string() } else { (*value).to_string() };
        let more = if all.len() > SHOWN { ", .." } else { "" };
        Ok(all.iter().take(SHOWN).map(named).collect::<Vec<_>>().join(", ") + more)
    }

    /// All cells of a column.
    pub fn column(&self, column: &str) -> Result<Vec<&str>> {
        let place = self.place(column)?;
        Ok(self.rows.iter().map(|row| row[place].as_str()).collect())
    }

    /// The only cell of a column.
    pub fn cell(&self, column: &str) -> Result<&str> {
        let cells = self.column(column)?;
        match cells.as_slice() {
            [cell] => Ok(cell),
            _ => bail!("{} are {} rows; {}", self.source, cells.len(), self.difference()),
        }
    }

    /// In which columns the rows differ, those that may be filtered.
    fn difference(&self) -> String {
        let differs = |place: &usize| self.rows.iter().any(|row| row[*place] != self.rows[0][*place]);
        let columns = (0..self.header.len()).filter(differs).map(|place| self.header[place].as_str());
        format!("they differ in {}", columns.take(SHOWN).collect::<Vec<_>>().join(", "))
    }
}

/// As texts or as numbers.
fn equal(cell: &str, wanted: &str) -> bool {
    let number = |text: &str| text.parse::<f64>().ok();
    cell == wanted || number(cell).is_some_and(|cell| Some(cell) == number(wanted))
}
