//! Two small published tables inside the program, from the crate `linfa-datasets`.

use super::cells::Grid;
use super::{Pin, Table, Target};
use crate::files;
use anyhow::{Context, Result};

/// The features of the diabetes data by the names of its authors: the crate's own spell out two abbreviations wrongly
/// ("tc" is total cholesterol, "ltg" the logarithm of triglycerides).
const DIABETES: [&str; 10] = ["age", "sex", "bmi", "bp", "tc", "ldl", "hdl", "tch", "ltg", "glu"];

/// Wine quality, compared with its pinned hash.
///
/// # Errors
/// When another version of the crate changed it.
pub(super) fn wine_quality(name: &str, pin: &Pin) -> Result<Table> {
    let data = linfa_datasets::winequality();
    let columns = data.feature_names().iter().map(String::as_str).chain(["quality"]).map(String::from).collect();
    let targets = data.targets.iter().map(|quality| *quality as f64);
    table(name, columns, joined(data.records.rows().into_iter().map(|row| row.to_vec()), targets), pin)
}

/// Progress of diabetes, compared with its pinned hash. The crate takes the first of the 442 patients for a header, so there are 441.
///
/// # Errors
/// When another version of the crate changed it.
pub(super) fn diabetes(name: &str, pin: &Pin) -> Result<Table> {
    let data = linfa_datasets::diabetes();
    let columns = DIABETES.into_iter().chain(["progression"]).map(String::from).collect();
    let cells = joined(data.records.rows().into_iter().map(|row| row.to_vec()), data.targets.iter().copied());
    table(name, columns, cells, pin)
}

fn table(name: &str, columns: Vec<String>, cells: Vec<f64>, pin: &Pin) -> Result<Table> {
    let mut table = Table::of(name, &Grid { columns, cells, mixed_header: false }, &Target::default(), String::new())?;
    table.sha256 = files::sha256(table.to_csv().as_bytes());
    pin.check(&table.sha256).with_context(|| format!("{name} in linfa-datasets"))?;
    Ok(table)
}

/// Rows with their target as the last cell, one after the other.
fn joined(rows: impl Iterator<Item = Vec<f64>>, targets: impl Iterator<Item = f64>) -> Vec<f64> {
    rows.zip(targets).flat_map(|(row, target)| row.into_iter().chain([target])).collect()
}
