//! What a measurement leaves.

use super::rows::{CostRow, ExtentRow, FlowRow, JacobianRow, NeighbourRow, StretchRow};
use crate::record::rows::EpochRow;
use crate::record::run_dir::{Ending, Record, write_rows};
use anyhow::Result;
use std::path::Path;

/// Everything that a measurement produced.
#[derive(Debug)]
pub struct ProbeRecord {
    /// How it ended.
    pub ending: Ending,
    /// The result in a few words.
    pub headline: String,
    /// The course of a training, if there was one.
    pub epochs: Vec<EpochRow>,
    /// What was measured.
    pub rows: Rows,
}

/// Rows of the files; a measurement fills one or two.
#[derive(Debug, Default)]
pub struct Rows {
    /// `jacobian.csv`
    pub jacobian: Vec<JacobianRow>,
    /// `extents.csv`
    pub extents: Vec<ExtentRow>,
    /// `flow.csv`
    pub flow: Vec<FlowRow>,
    /// `neighbours.csv`
    pub neighbours: Vec<NeighbourRow>,
    /// `stretch.csv`
    pub stretch: Vec<StretchRow>,
    /// `cost.csv`
    pub cost: Vec<CostRow>,
}

impl Record for ProbeRecord {
    fn ending(&self) -> &Ending {
        &self.ending
    }

    fn headline(&self) -> String {
        self.ending.divergence().unwrap_or_else(|| self.headline.clone())
    }

    fn write(&self, directory: &Path) -> Result<()> {
        write_rows(&directory.join("epochs.csv"), &self.epochs)?;
        write_rows(&directory.join("jacobian.csv"), &self.rows.jacobian)?;
        write_rows(&directory.join("extents.csv"), &self.rows.extents)?;
        write_rows(&directory.join("flow.csv"), &self.rows.flow)?;
        write_rows(&directory.join("neighbours.csv"), &self.rows.neighbours)?;
        write_rows(&directory.join("stretch.csv"), &self.rows.stretch)?;
        write_rows(&directory.join("cost.csv"), &self.rows.cost)
    }
}
