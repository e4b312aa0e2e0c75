//! Tables of numbers for regression: some columns are features, one is the target.
//!
//! [`Dataset::read`] gives a published table, [`read`] any CSV file. [`Parts::of`] cuts a table into training, validation
//! and test rows for a seed, and standardises them.

pub(super) mod cells;
mod dataset;
mod embedded;
mod file;
mod origin;
mod parts;
mod pin;
mod split;
mod standardizer;
mod target;
#[cfg(test)]
mod tests;

pub use dataset::Dataset;
pub use file::{parse, read};
pub use origin::{Noted, Origin, read_all};
pub use parts::{Part, Parts};
pub use pin::Pin;
pub use split::{Sizes, Split};
pub use standardizer::{Scale, Standardizer, Statistics};
pub use target::Target;

use anyhow::{Result, ensure};
use cells::Grid;

/// Most characters of [`Table::key`].
const KEY: usize = 50;

/// A table that networks can be trained on: every number is finite, no column is constant.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Name of the data set, or of the file without its ending.
    pub name: String,
    /// Names of the features.
    pub columns: Vec<String>,
    /// Name of the target.
    pub target: String,
    /// (rows, columns), row by row
    pub features: Vec<f64>,
    /// (rows)
    pub targets: Vec<f64>,
    /// SHA-256 of the file, in hexadecimal; of [`Table::to_csv`] for a table inside the program.
    pub sha256: String,
    /// Names of the constant columns that were dropped: they say nothing, and have no standard deviation to divide by.
    pub dropped: Vec<String>,
    /// Whether the header of its file has numbers beside text: it may be a row with a mistake in it.
    pub mixed_header: bool,
}

impl Table {
    /// A table out of all its cells.
    ///
    /// # Errors
    /// When there is no such target, it is constant, or there are too few rows or columns.
    fn of(name: &str, grid: &Grid, target: &Target, sha256: String) -> Result<Self> {
        let place = target.find(&grid.columns)?;
        let varies: Vec<bool> = (0..grid.columns.len()).map(|column| grid.varies(column)).collect();
        let label = grid.label(place);
        ensure!(varies[place], "{label}: the target is the same in every row; choose another target");
        let kept: Vec<usize> = (0..varies.len()).filter(|column| *column != place && varies[*column]).collect();
        ensure!(!kept.is_empty(), "there is no feature beside the target that is not the same in every row");
        let sizes = Sizes::of(grid.rows());
        ensure!(
            sizes.train > kept.len(),
            "{} feature columns and {} rows, {} of them for training; regression needs more training rows than columns",
            kept.len(),
            grid.rows(),
            sizes.train
        );
        let constant = |column: &usize| *column != place && !varies[*column];
        let names = |columns: &[usize]| columns.iter().map(|column| grid.columns[*column].clone()).collect();
        Ok(Self {
            name: name.into(),
            columns: names(&kept),
            target: grid.columns[place].clone(),
            features: grid.lines().flat_map(|row| kept.iter().map(|column| row[*column])).collect(),
            targets: grid.lines().map(|row| row[place]).collect(),
            sha256,
            dropped: names(&(0..varies.len()).filter(constant).collect::<Vec<_>>()),
            mixed_header: grid.mixed_header,
        })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.targets.len()
    }

    /// The features of a row.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row(&self, row: usize) -> &[f64] {
        &self.features[row * self.columns.len()..][..self.columns.len()]
    }

    /// Its name with letters, digits, - and _ alone, so that it can be part of a path.
    pub fn key(&self) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
        self.name.chars().take(KEY).map(plain).collect()
    }

    /// The table as CSV: a header, commas, the target last. [`read`] gives the same numbers back, and the same names if
    /// one of them is no number: a header of numbers alone looks like a row.
    pub fn to_csv(&self) -> String {
        let mut writer = csv::WriterBuilder::new().quote_style(csv::QuoteStyle::NonNumeric).from_writer(Vec::new());
        let memory = "writing to memory cannot fail";
        writer.write_record(self.columns.iter().chain([&self.target])).expect(memory);
        for (row, target) in self.targets.iter().enumerate() {
            // The shortest text that reads as the same number.
            let cells = self.row(row).iter().chain([target]).map(|cell| format!("{cell:?}"));
            writer.write_record(cells).expect(memory);
        }
        String::from_utf8(writer.into_inner().expect(memory)).expect("names and numbers are UTF-8")
    }
}
