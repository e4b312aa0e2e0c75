//! Means and standard deviations of a table's columns.

use super::Table;
use serde::{Deserialize, Serialize};

/// The rows whose statistics standardise a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Statistics {
    /// Those for training: nothing is known of the others.
    #[default]
    Training,
    /// All of them, as in the authors' code: the test rows have a say in how they are measured.
    Whole,
}

/// Mean and deviation of one column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// Mean, in the column's unit.
    pub mean: f64,
    /// Standard deviation (divided by the number of rows), in the column's unit; 1 where the column is constant.
    pub deviation: f64,
}

impl Scale {
    /// Of some values; mean 0 and deviation 1 if there are none.
    pub fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let count = values.clone().count().max(1) as f64;
        let mean = values.clone().sum::<f64>() / count;
        // Over the largest difference: the square of a small one would vanish.
        let largest = values.clone().map(|value| (value - mean).abs()).fold(0.0, f64::max);
        let deviation =
            largest * (values.clone().map(|value| ((value - mean) / largest).powi(2)).sum::<f64>() / count).sqrt();
        let first = values.clone().next();
        // By the values, not by the deviation: the mean of equal numbers may round to another number.
        let constant = values.clone().all(|value| Some(value) == first);
        let usable = !constant && deviation.is_normal();
        if usable { Self { mean, deviation } } else { Self { mean: first.unwrap_or(0.0), deviation: 1.0 } }
    }

    /// A value in deviations from the mean.
    pub fn standardised(self, value: f64) -> f64 {
        (value - self.mean) / self.deviation
    }
}

/// The scale of every column.
#[derive(Debug, Clone, PartialEq)]
pub struct Standardizer {
    /// Of the features, in order.
    pub features: Vec<Scale>,
    /// Of the target.
    pub target: Scale,
}

impl Standardizer {
    /// The scales of some rows of a table.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn fit(table: &Table, rows: &[usize]) -> Self {
        let column = |column: usize| Scale::of(rows.iter().map(move |row| table.row(*row)[column]));
        Self {
            features: (0..table.columns.len()).map(column).collect(),
            target: Scale::of(rows.iter().map(|row| table.targets[*row])),
        }
    }
}
