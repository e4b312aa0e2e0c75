//! The standardised parts of a table.

use super::{Split, Standardizer, Statistics, Table};
use crate::data::Points;
use crate::rng::Seed;
use anyhow::{Result, ensure};
use candle_core::{Device, Tensor};

/// Some rows of a table, standardised.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Number of features.
    pub columns: usize,
    /// (rows, columns), row by row, in standard deviations
    pub features: Vec<f64>,
    /// (rows), in standard deviations
    pub targets: Vec<f64>,
}

impl Part {
    /// The given rows of a table in the units of a standardizer.
    ///
    /// # Errors
    /// When a number is so many deviations from the mean that single precision has no place for it.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn of(table: &Table, rows: &[usize], standardizer: &Standardizer) -> Result<Self> {
        let mut features = Vec::with_capacity(rows.len() * table.columns.len());
        for &row in rows {
            for ((value, scale), name) in table.row(row).iter().zip(&standardizer.features).zip(&table.columns) {
                features.push(single(scale.standardised(*value), name)?);
            }
        }
        let target = |row: &usize| single(standardizer.target.standardised(table.targets[*row]), &table.target);
        let targets = rows.iter().map(target).collect::<Result<_>>()?;
        Ok(Self { columns: table.columns.len(), features, targets })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.targets.len()
    }

    /// What a network is trained or scored on, in single precision.
    ///
    /// # Shapes
    /// -> inputs (rows, columns), targets (rows, 1)
    ///
    /// # Errors
    /// When the device has no memory for it.
    pub fn points(&self, device: &Device) -> candle_core::Result<Points> {
        let single = |numbers: &[f64]| numbers.iter().map(|number| *number as f32).collect::<Vec<_>>();
        Ok(Points {
            inputs: Tensor::from_vec(single(&self.features), (self.rows(), self.columns), device)?,
            targets: Tensor::from_vec(single(&self.targets), (self.rows(), 1), device)?,
        })
    }
}

fn single(value: f64, name: &str) -> Result<f64> {
    ensure!((value as f32).is_finite(), "{name:?} has a value {value:e} deviations from its mean; remove it");
    Ok(value)
}

/// The three parts of a table, and the units that they are in.
#[derive(Debug, Clone, PartialEq)]
pub struct Parts {
    /// Trained on.
    pub train: Part,
    /// Everything is chosen by these.
    pub validation: Part,
    /// Touched once, when everything is chosen.
    pub test: Part,
    /// Turns predictions into the table's units.
    pub standardizer: Standardizer,
}

impl Parts {
    /// The parts of a table for a seed.
    ///
    /// # Errors
    /// When there are too few rows, or one is too far from the others for single precision.
    pub fn of(table: &Table, seed: Seed, statistics: Statistics) -> Result<Self> {
        let split = Split::seeded(table.rows(), seed)?;
        let standardizer = match statistics {
            Statistics::Training => Standardizer::fit(table, &split.train),
            Statistics::Whole => Standardizer::fit(table, &(0..table.rows()).collect::<Vec<_>>()),
        };
        let part = |rows: &[usize]| Part::of(table, rows, &standardizer);
        let [train, validation, test] = [part(&split.train)?, part(&split.validation)?, part(&split.test)?];
        Ok(Self { train, validation, test, standardizer })
    }
}
