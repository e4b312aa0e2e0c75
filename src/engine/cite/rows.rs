//! Rows of a CSV file, and those of them that have certain values.

use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;

/// Values and columns that a message lists.
const SHOWN: usize = 12;

/// Rows of a file that have what was asked for.
#[derive(Debug)]
pub struct Rows {
    /// For messages: the file and what was asked for.
    pub source: String,
    pub header: Vec<String>,
    pub rows: Vec<Vec<String>>,
    /// Why there is none, where a filter has left none: the first that did, and what it could have asked for.
    pub nothing: Option<String>,
}

impl Rows {
    /// All rows of a CSV file.
    pub fn parse(source: &str, bytes: &[u8]) -> Result<Self> {
        let mut reader = csv::Reader::from_reader(bytes);
        let header = reader.headers().with_context(|| source.to_string())?.iter().map(str::to_string).collect();
        let row = |row: csv::Result<csv::StringRecord>| Ok(row?.iter().map(str::to_string).collect());
        let rows = reader.records().map(row).collect::<csv::Result<_>>().with_context(|| source.to_string())?;
        Ok(Self { source: source.to_string(), header, rows, nothing: None })
    }

    pub fn keep(&mut self, filter: &str) -> Result<()> {
        let (column, wanted) = filter.split_once('=').context("a filter is column=value")?;
        let place = self.place(column)?;
        let fits = |row: &Vec<String>| wanted.split(',').any(|wanted| equal(&row[place], wanted));
        if self.nothing.is_none() && !self.rows.iter().any(fits) {
            self.nothing = Some(format!("{}: no row has {filter}; {column} is {}", self.source, self.values(column)?));
        }
        self.rows.retain(fits);
        self.source += &format!(" {filter}");
        Ok(())
    }

    fn place(&self, column: &str) -> Result<usize> {
        let place = self.header.iter().position(|name| name == column);
        place.with_context(|| format!("{} has no column {column:?}; it has {}", self.source, self.header.join(", ")))
    }

    /// What a column holds, in a few words.
    pub fn values(&self, column: &str) -> Result<String> {
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
