//! Which column of a file is the target.

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

/// Column names in an error message; a wide table has too many to list.
const LISTED: usize = 12;

/// The target column: its name, or its number counted from 1; none for the last column. A name goes before a number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Target(pub Option<String>);

impl Target {
    /// A column by its name or number.
    pub fn column(name: &str) -> Self {
        Self(Some(name.into()))
    }

    /// Its place among all columns, from 0.
    ///
    /// # Errors
    /// When there is no such column, or several have that name.
    pub fn find(&self, columns: &[String]) -> Result<usize> {
        let Some(wanted) = &self.0 else {
            return columns.len().checked_sub(1).ok_or_else(|| anyhow::anyhow!("there are no columns"));
        };
        let named: Vec<usize> = (0..columns.len()).filter(|column| columns[*column] == *wanted).collect();
        match named[..] {
            [column] => Ok(column),
            [] => match wanted.parse::<usize>() {
                Ok(number) if (1..=columns.len()).contains(&number) => Ok(number - 1),
                Ok(_) => bail!("target is {wanted}; use a column from 1 to {}", columns.len()),
                Err(_) => bail!("target is {wanted:?}, which is no column; use one of {}", listed(columns)),
            },
            _ => {
                let numbers: Vec<String> = named.iter().map(|column| (column + 1).to_string()).collect();
                bail!("target is {wanted:?}, the name of columns {}; use a number", numbers.join(" and "))
            }
        }
    }
}

fn listed(columns: &[String]) -> String {
    let mut listed = columns.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join(", ");
    if columns.len() > LISTED {
        listed.push_str(&format!(" and {} more", columns.len() - LISTED));
    }
    listed
}
