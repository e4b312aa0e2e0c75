//! Generalization on a checkerboard: trainings that choose a learning rate, trainings that are scored, and three protocols
//! over them.

mod check;
mod compare;
mod evaluate;
mod figures;
mod file;
mod page;
mod rows;
mod run;
mod spec;
mod summary;
#[cfg(test)]
mod tests;

pub use check::Checkerboard;
pub use evaluate::Arguments;
pub use file::DataFile;
pub use run::{INPUTS, OUTPUTS, Trainer, data_hash};
pub use spec::{Phase, TrainingSpec};

use crate::engine::Experiment;
use crate::engine::compare::Contender;
use crate::engine::experiment::NoFacts;
use crate::engine::page::Page;
use crate::engine::runs::{Exit, FinishedRun, Rerun, Walk, Way};
use crate::engine::settings::Flag;
use crate::engine::source::Source;
use anyhow::Result;
use file::CheckerboardFile;

/// The experiment file.
pub const TEXT: &str = include_str!("../../../experiments/checkerboard.toml");

impl Experiment for Checkerboard {
    type File = CheckerboardFile;
    type Extra = ();
    type Data = ();
    type Facts = NoFacts;
    type Findings = Vec<FinishedRun<TrainingSpec>>;

    const FLAGS: &'static [Flag<CheckerboardFile>] = file::FLAGS;
    const READS_DATA: bool = false;

    fn check(file: CheckerboardFile) -> Result<Self> {
        Self::of(file)
    }

    fn file(&self) -> &CheckerboardFile {
        &self.file
    }

    fn gather(&self, _extra: &(), _source: &Source) -> Result<((), NoFacts)> {
        Ok(((), NoFacts {}))
    }

    fn stages(&self, _facts: &NoFacts, _data: Option<&()>, walk: &mut Walk<'_>) -> Result<Self::Findings> {
        walk.stage(&self.runs(walk.device), Some(Trainer), Way::default())
    }

    fn page(&self, _facts: &NoFacts, runs: &Self::Findings, _walk: &Walk<'_>) -> Result<Page> {
        page::of(self, runs)
    }

    fn contenders(&self, _facts: &NoFacts, runs: &Self::Findings) -> Result<Vec<Contender>> {
        compare::contenders(self, runs)
    }

    fn rerun(call: &Rerun<'_>) -> Result<Option<Exit>> {
        let Some(spec) = call.spec::<TrainingSpec>()? else { return Ok(None) };
        call.make(&spec, |_| Trainer).map(Some)
    }
}
