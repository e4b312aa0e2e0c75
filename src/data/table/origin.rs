//! Where a table is from: a published one by its name, or a file of anyone. What is noted of it suffices to read it again.

use super::{Dataset, Sizes, Table, Target, file};
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Cells of the largest table that can be read: each takes two bytes of a file at least.
const MOST_CELLS: usize = 1 << 27;

/// Enough to read a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Origin {
    /// A published table.
    Published(Dataset),
    /// A CSV file.
    File {
        /// Absolute.
        path: PathBuf,
        /// Its target column.
        target: Target,
    },
}

/// A table that was read, without its numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Noted {
    /// Letters, digits, - and _ alone, so that it can be part of a path.
    pub name: String,
    /// Number of rows.
    pub rows: usize,
    /// Number of features; constant columns are not counted.
    pub features: usize,
    /// Of the file, in hexadecimal.
    pub sha256: String,
    /// Where it is from.
    pub origin: Origin,
}

impl Origin {
    /// A published table by its name, or else the path of a CSV file, which may be relative.
    ///
    /// # Errors
    /// When the path is empty, or there is no current directory for it to be relative to.
    pub fn of(text: &str, target: &Target) -> Result<Self> {
        Ok(match Dataset::ALL.into_iter().find(|dataset| dataset.name() == text) {
            Some(dataset) => Self::Published(dataset),
            None => Self::File {
                path: std::path::absolute(text).with_context(|| format!("the path {text:?}"))?,
                target: target.clone(),
            },
        })
    }

    /// Whether it can only be read from a directory.
    pub fn needs_directory(&self) -> bool {
        matches!(self, Self::Published(dataset) if !dataset.is_embedded())
    }

    /// Whether it is a published table whose file, of whatever contents, is in a directory.
    pub fn is_in(&self, directory: &Path) -> bool {
        matches!(self, Self::Published(dataset) if self.needs_directory() && dataset.file(directory).exists())
    }

    /// Reads the table; published ones that are not inside the program from a directory.
    ///
    /// # Errors
    /// As [`Dataset::read`] and [`read`](super::read).
    pub fn read(&self, directory: Option<&Path>) -> Result<Table> {
        match self {
            Self::Published(dataset) => dataset.read(directory),
            Self::File { path, target } => file::read(path, target),
        }
    }

    /// In words: published, inside the program, or file.
    pub fn words(&self) -> &'static str {
        match self {
            Self::Published(_) if self.needs_directory() => "published",
            Self::Published(_) => "inside the program",
            Self::File { .. } => "file",
        }
    }
}

impl Noted {
    /// What is to be noted of a table.
    pub fn of(table: &Table, origin: Origin) -> Self {
        let (name, sha256) = (table.key(), table.sha256.clone());
        Self { name, rows: table.rows(), features: table.columns.len(), sha256, origin }
    }

    /// Why no table is so large, if so.
    pub fn problem(&self) -> Option<String> {
        let Self { rows, features, .. } = *self;
        let fits = features > 0 && rows.checked_mul(features).is_some_and(|cells| cells <= MOST_CELLS);
        (Sizes::of(rows).train == 0 || !fits)
            .then(|| format!("there is no table of {rows} rows with {features} features"))
    }

    /// Reads the same table again.
    ///
    /// # Errors
    /// As [`Origin::read`], and when it has another hash.
    pub fn read(&self, directory: Option<&Path>) -> Result<Table> {
        let table = self.origin.read(directory)?;
        let Self { name, sha256, .. } = self;
        let found = &table.sha256;
        ensure!(found == sha256, "it is another table {name}: its SHA-256 was {sha256}, here it is {found}");
        Ok(table)
    }
}

/// Reads tables, no two of one name.
///
/// # Errors
/// As [`Origin::read`], and when two have the same name.
pub fn read_all(origins: Vec<Origin>, directory: Option<&Path>) -> Result<Vec<(Table, Noted)>> {
    let mut tables: Vec<(Table, Noted)> = Vec::new();
    for origin in origins {
        let table = origin.read(directory)?;
        let noted = Noted::of(&table, origin);
        let twice = tables.iter().any(|(_, other)| other.name == noted.name);
        ensure!(!twice, "two tables have the name {}; rename a file", noted.name);
        tables.push((table, noted));
    }
    Ok(tables)
}
