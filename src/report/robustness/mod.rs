//! Tables, figures and Markdown of a robustness experiment.

mod figures;
mod markdown;
mod terminal;
mod verdicts;

use super::{Report, write_section, write_table};
use crate::config::robustness::{AttackSpec, Robustness, TrainingSpec};
use crate::record::robustness::{CheckRow, Measurements, measure};
use crate::record::{FinishedRun, Store};
use anyhow::Result;

/// The runs of an experiment that are finished, and what they have measured.
struct Results<'r> {
    experiment: &'r Robustness,
    /// Runs that the command asks for.
    planned: usize,
    trainings: &'r [FinishedRun<TrainingSpec>],
    attacks: &'r [FinishedRun<AttackSpec>],
    measured: Measurements,
}

impl Results<'_> {
    /// The data set's name, or `sample`.
    fn data(&self) -> &'static str {
        let of_attacks = self.attacks.first().map(|run| run.spec.data.name());
        let of_trainings = || self.trainings.first().map(|run| run.spec.data.name());
        of_attacks.or_else(of_trainings).unwrap_or(self.experiment.dataset.name())
    }

    /// How many runs are finished; nothing if all are.
    fn missing(&self) -> Option<String> {
        super::missing(self.trainings.len() + self.attacks.len(), self.planned)
    }

    /// The name of a network on charts.
    fn label(&self, arm: &str) -> String {
        self.experiment.arm(arm).map_or_else(|| arm.to_string(), |arm| arm.label.clone())
    }

    /// Every row of every network's masking checklist.
    fn checks(&self) -> impl Iterator<Item = (&str, &CheckRow)> {
        self.measured.arms.iter().flat_map(|arm| arm.checks.iter().map(|check| (arm.arm.as_str(), check)))
    }
}

/// Writes tables, figures and Markdown. `planned` is the number of runs that there should be: expectations are judged
/// when all are there.
///
/// # Errors
/// When a file of a run is missing or damaged, or nothing can be written.
pub fn write(
    store: &Store,
    experiment: &Robustness,
    planned: usize,
    trainings: &[FinishedRun<TrainingSpec>],
    attacks: &[FinishedRun<AttackSpec>],
) -> Result<Report> {
    let measured = measure(experiment, trainings, attacks)?;
    let results = Results { experiment, planned, trainings, attacks, measured };
    let name = &experiment.name;
    write_table(store, name, &results.measured.summary_rows(experiment, results.data()))?;
    write_table(store, &format!("{name}-seeds"), &results.measured.seed_rows(experiment, results.data()))?;
    write_table(store, &format!("{name}-paired"), &results.measured.comparisons)?;
    let drawn = figures::draw(store, &results)?;
    let verdicts = verdicts::of(&results);
    write_section(store, name, &markdown::render(&results, &verdicts, &drawn))?;
    let missed = verdicts.iter().filter(|verdict| !verdict.met).count();
    Ok(Report { text: terminal::render(store, &results, &verdicts, &drawn), missed })
}
