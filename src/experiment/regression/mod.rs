//! Regression on tables of numbers: HanNet and a dense network, trained alike, beside ridge regression and trees.

mod check;
mod compare;
mod figures;
mod file;
mod page;
mod spec;
mod summary;
#[cfg(test)]
mod tests;
mod train;

pub use check::Regression;
pub use spec::RegressionSpec;

use crate::data::table::Table;
use crate::engine::Experiment;
use crate::engine::compare::Contender;
use crate::engine::page::Page;
use crate::engine::runs::{Exit, FinishedRun, Rerun, Walk, Way};
use crate::engine::settings::Flag;
use crate::engine::source::Source;
use anyhow::Result;
use check::Facts;
use file::RegressionFile;
use train::Trainer;

/// The experiment file.
pub const TEXT: &str = include_str!("../../../experiments/regression.toml");

impl Experiment for Regression {
    type File = RegressionFile;
    type Extra = ();
    type Data = Vec<Table>;
    type Facts = Facts;
    type Findings = Vec<FinishedRun<RegressionSpec>>;

    const FLAGS: &'static [Flag<RegressionFile>] = file::FLAGS;
    const READS_DATA: bool = true;

    fn check(file: RegressionFile) -> Result<Self> {
        Self::of(file)
    }

    fn file(&self) -> &RegressionFile {
        &self.file
    }

    fn gather(&self, _extra: &(), source: &Source) -> Result<(Vec<Table>, Facts)> {
        self.read(source)
    }

    fn reads_elsewhere(facts: &Facts) -> bool {
        facts.stand_ins
    }

    fn stages(&self, facts: &Facts, data: Option<&Vec<Table>>, walk: &mut Walk<'_>) -> Result<Self::Findings> {
        walk.stage(&self.runs(facts, walk.device)?, data.map(|tables| Trainer { tables }), Way::default())
    }

    fn page(&self, facts: &Facts, runs: &Self::Findings, _walk: &Walk<'_>) -> Result<Page> {
        page::of(self, facts, runs)
    }

    fn contenders(&self, _facts: &Facts, runs: &Self::Findings) -> Result<Vec<Contender>> {
        compare::contenders(self, runs)
    }

    fn rerun(call: &Rerun<'_>) -> Result<Option<Exit>> {
        let Some(spec) = call.spec::<RegressionSpec>()? else { return Ok(None) };
        let table = spec.table.read(call.source.directory().as_deref())?;
        call.make(&spec, |_| Trainer { tables: std::slice::from_ref(&table) }).map(Some)
    }
}
