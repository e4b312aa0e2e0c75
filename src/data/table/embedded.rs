//! Two small published tables inside the program, from the crate `linfa-datasets`.

use super::cells::Grid;
use super::{Dataset, Table, Target};
use crate::files;
use anyhow::{Context, Result, bail};

/// The features of the diabetes data by the names of its authors: the crate's own spell out two abbreviations wrongly
/// ("tc" is total cholesterol, "ltg" the logarithm of triglycerides).
const DIABETES: [&str; 10] = ["age", "sex", "bmi", "bp", "tc", "ldl", "hdl", "tch", "ltg", "glu"];

/// Reads a table inside the program. The crate takes the first of the 442 patients of the diabetes data for a header, so
/// there are 441.
///
/// # Errors
/// When the table is not inside, or another version of the crate changed it.
pub(super) fn read(dataset: Dataset) -> Result<Table> {
    let (columns, rows) = match dataset {
        Dataset::WineQuality => {
            let data = linfa_datasets::winequality();
            let columns =
                data.feature_names().iter().map(String::as_str).chain(["quality"]).map(String::from).collect();
            let targets = data.targets.iter().map(|quality| *quality as f64);
            (columns, joined(data.records.rows().into_iter().map(|row| row.to_vec()), targets))
        }
        Dataset::Diabetes => {
            let data = linfa_datasets::diabetes();
            let columns = DIABETES.into_iter().chain(["progression"]).map(String::from).collect();
            (columns, joined(data.records.rows().into_iter().map(|row| row.to_vec()), data.targets.iter().copied()))
        }
        _ => bail!("{dataset} is not inside the program"),
    };
    let grid = Grid { columns, cells: rows };
    let mut table = Table::of(dataset.name(), &grid, &Target::default(), String::new())?;
    table.sha256 = files::sha256(table.to_csv().as_bytes());
    dataset.pin().check(&table.sha256).with_context(|| format!("{dataset} in linfa-datasets"))?;
    Ok(table)
}

/// Rows with their target as the last cell, one after the other.
fn joined(rows: impl Iterator<Item = Vec<f64>>, targets: impl Iterator<Item = f64>) -> Vec<f64> {
    rows.zip(targets).flat_map(|(row, target)| row.into_iter().chain([target])).collect()
}
