//! The charts of a robustness experiment.

use super::Results;
use crate::record::Store;
use crate::report::drawn::{self, Drawn};
use anyhow::Result;

/// Draws every chart.
pub(super) fn draw(store: &Store, results: &Results<'_>) -> Result<Vec<Drawn>> {
    drawn::save(store, &results.experiment.name, [])
}
