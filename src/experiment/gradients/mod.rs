//! The layer's own claims, measured: measurements of layers and networks, and trainings of networks of growing depth.

mod check;
mod compare;
mod depth;
mod figures;
mod file;
mod measure;
mod page;
mod plan;
mod rows;
mod spec;
mod summary;
#[cfg(test)]
mod tests;

pub use plan::Claims;
pub use spec::ProbeSpec;

use super::checkerboard::{Trainer, TrainingSpec};
use crate::engine::Experiment;
use crate::engine::compare::Contender;
use crate::engine::experiment::NoFacts;
use crate::engine::page::Page;
use crate::engine::runs::{Exit, FinishedRun, Rerun, Walk, Way};
use crate::engine::settings::Flag;
use crate::engine::source::Source;
use anyhow::Result;
use depth::Choices;
use file::ClaimsFile;
use measure::Prober;
use serde::de::DeserializeOwned;

/// The experiment file.
pub const TEXT: &str = include_str!("../../../experiments/gradients.toml");

/// What is finished.
pub struct Findings {
    /// Measurements, timings among them.
    probes: Vec<FinishedRun<ProbeSpec>>,
    /// Trainings at the chosen rate.
    finals: Vec<FinishedRun<TrainingSpec>>,
    /// One selection of every repetition whose selections all diverged: it has no final training.
    ended: Vec<FinishedRun<TrainingSpec>>,
}

impl Findings {
    /// The rows of a file of all measurements that have it.
    fn rows<Row: DeserializeOwned>(&self, file: &str) -> Result<Vec<Row>> {
        let rows = self.probes.iter().map(|run| run.rows(file)).collect::<Result<Vec<Vec<Row>>>>()?;
        Ok(rows.into_iter().flatten().collect())
    }
}

impl Experiment for Claims {
    type File = ClaimsFile;
    type Extra = ();
    type Data = ();
    type Facts = NoFacts;
    type Findings = Findings;

    const FLAGS: &'static [Flag<ClaimsFile>] = file::FLAGS;
    const READS_DATA: bool = false;

    fn check(file: ClaimsFile) -> Result<Self> {
        Self::of(file)
    }

    fn file(&self) -> &ClaimsFile {
        &self.file
    }

    fn gather(&self, _extra: &(), _source: &Source) -> Result<((), NoFacts)> {
        Ok(((), NoFacts {}))
    }

    fn stages(&self, _facts: &NoFacts, _data: Option<&()>, walk: &mut Walk<'_>) -> Result<Findings> {
        let runs = self.runs(walk.device);
        // Beside other runs, times would be those of a busy machine.
        let mut probes = walk.stage(&runs.timings, Some(Prober), Way { alone: true, ..Way::default() })?;
        probes.extend(walk.stage(&runs.probes, Some(Prober), Way::default())?);
        let selections = walk.stage(&runs.selections, Some(Trainer), Way::default())?;
        let Choices { finals, ended, pending } = Choices::of(&runs.selections, &selections)?;
        walk.pending += pending;
        Ok(Findings { probes, finals: walk.stage(&finals, Some(Trainer), Way::default())?, ended })
    }

    fn page(&self, _facts: &NoFacts, findings: &Findings, _walk: &Walk<'_>) -> Result<Page> {
        page::of(self, findings)
    }

    fn contenders(&self, _facts: &NoFacts, findings: &Self::Findings) -> Result<Vec<Contender>> {
        compare::contenders(findings)
    }

    fn rerun(call: &Rerun<'_>) -> Result<Option<Exit>> {
        let Some(spec) = call.spec::<ProbeSpec>()? else { return Ok(None) };
        call.make(&spec, |_| Prober).map(Some)
    }
}
