//! Rows of CSV files: `checkerboard arm=hannet protocol=held_out` is the row of `tables/checkerboard.csv` with those two values.

use super::rows::Rows;
use super::template::render;
use crate::files;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Words of a source, those of the names in it among them: names that lead to other names may double again and again.
const MOST_WORDS: usize = 1000;
/// Bytes of the largest CSV file that is cited.
const LARGEST: u64 = 256 << 20;

/// A results directory.
pub struct Results<'r> {
    pub root: &'r Path,
    /// Short names of sources.
    pub names: &'r BTreeMap<String, String>,
}

impl Results<'_> {
    pub fn render(&self, source: &str, template: &str) -> Result<String> {
        ensure!(template.contains('{'), "{template:?} has no {{column}}");
        let rows = self.rows(source)?;
        let nothing = || rows.nothing.clone().unwrap_or_else(|| format!("{} has no row", rows.source));
        ensure!(!rows.rows.is_empty(), "{}", nothing());
        render(template, &rows)
    }

    /// Whether there is a table of that name.
    pub fn has_table(&self, name: &str) -> bool {
        self.places(name)[0].exists()
    }

    /// The rows of a source: the last file that it names, and every `column=value`, or `column=value,value`.
    pub fn rows(&self, source: &str) -> Result<Rows> {
        let (file, filters) = self.parsed(source, &mut { MOST_WORDS })?;
        let mut found = self.read(&file)?;
        filters.iter().try_for_each(|filter| found.keep(filter))?;
        Ok(found)
    }

    fn parsed(&self, source: &str, left: &mut usize) -> Result<(String, Vec<String>)> {
        let (mut file, mut filters) = (None, Vec::new());
        for word in source.split_whitespace() {
            *left = left.checked_sub(1).with_context(|| format!("{word:?} leads to itself, or to too many others"))?;
            if word.contains('=') {
                filters.push(word.to_string());
            } else if let Some(meant) = self.names.get(word) {
                let (named, more) = self.parsed(meant, left)?;
                file = Some(named);
                filters.extend(more);
            } else {
                file = Some(word.to_string());
            }
        }
        Ok((file.with_context(|| format!("{source:?} names no CSV file"))?, filters))
    }

    fn places(&self, name: &str) -> [PathBuf; 2] {
        ["tables", ""].map(|part| self.root.join(part).join(format!("{name}.csv")))
    }

    fn read(&self, name: &str) -> Result<Rows> {
        let places = self.places(name);
        let path = places.iter().find(|path| path.exists());
        let path = path.with_context(|| format!("{} is not there", places[0].display()))?;
        let shown = path.display().to_string();
        let bytes = files::read_within(path, LARGEST).with_context(|| format!("cannot read {shown}"))?;
        Rows::parse(&shown, &bytes)
    }
}
