//! Columns that tables of several experiments have.

use serde::Serialize;

/// What a row of many tables begins with. A row is a tuple of structs, of which this is the first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TableKey {
    pub experiment: String,
    /// The data set or table, or `sample`.
    pub data: String,
    pub arm: String,
}

/// Columns of `tables/<experiment>-seeds.csv` where a rate is chosen. A row is a tuple of structs, of which this is the last.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RatedSeed {
    pub seed: u64,
    /// Of the run that was scored; none where every run that could have given it diverged.
    pub learning_rate: Option<f64>,
    /// What is measured.
    pub metric: &'static str,
    /// None if that run diverged.
    pub value: Option<f64>,
}
