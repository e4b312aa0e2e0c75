//! Tables, figures and Markdown of a comparison of image classifiers.

mod figures;
mod markdown;
mod terminal;

use super::verdict::{self, Measured, Verdict, Wanted};
use super::{Report, write_section, write_table};
use crate::config::image::{Comparison, ImageSpec, Requirement};
use crate::record::image::{ArmResults, measure, seed_rows, table_rows};
use crate::record::statistics::Sample;
use crate::record::{FinishedRun, Store};
use anyhow::Result;
use std::path::PathBuf;

/// The runs of an experiment that are finished, and what they have measured.
struct Results<'r> {
    experiment: &'r Comparison,
    /// Runs that the command asks for.
    planned: usize,
    runs: &'r [FinishedRun<ImageSpec>],
    arms: Vec<ArmResults>,
}

impl Results<'_> {
    /// The data set's name, or `sample`.
    fn data(&self) -> &'static str {
        self.runs.first().map_or(self.experiment.dataset.name(), |run| run.spec.data.name())
    }

    /// What is trained and scored on, in words.
    fn setting(&self) -> String {
        let Some(spec) = self.runs.first().map(|run| &run.spec) else { return self.data().into() };
        let epochs = spec.fit.iterations / spec.fit.report_every;
        let part = spec.data.train_limit.map_or(String::new(), |limit| format!(" ({limit} training images)"));
        format!("{}{part}, {epochs} {}", self.data(), if epochs == 1 { "epoch" } else { "epochs" })
    }

    /// How many runs are finished; nothing if all are.
    fn missing(&self) -> Option<String> {
        super::missing(self.runs.len(), self.planned)
    }

    /// The name of a network on charts.
    fn label(&self, arm: &str) -> String {
        self.experiment.arm(arm).map_or_else(|| arm.to_string(), |arm| arm.label.clone())
    }

    /// The paper's figure for a network; it has none for the sample.
    fn paper(&self, arm: &str) -> Option<f64> {
        self.experiment.arm(arm)?.paper.filter(|_| self.data() == self.experiment.dataset.name())
    }

    fn arm(&self, name: &str) -> Option<&ArmResults> {
        self.arms.iter().find(|arm| arm.arm == name)
    }

    /// The network that a network is compared to, and its test accuracy less the other's, seed by seed.
    fn difference(&self, arm: &ArmResults) -> Option<(&ArmResults, Sample)> {
        let other = self.arm(self.experiment.arm(&arm.arm)?.compared_to.as_deref()?)?;
        Some((other, arm.difference(other, "test", "accuracy")?))
    }
}

/// Where a command leaves a few augmented images for the contact sheet.
pub fn contact_file(store: &Store, experiment: &str) -> PathBuf {
    store.root().join("runs").join(experiment).join("augmented.safetensors")
}

/// Writes tables, figures and Markdown. `planned` is the number of runs that there should be: expectations are judged
/// when all are there.
///
/// # Errors
/// When a file of a run is missing or damaged, or nothing can be written.
pub fn write(
    store: &Store,
    experiment: &Comparison,
    planned: usize,
    runs: &[FinishedRun<ImageSpec>],
) -> Result<Report> {
    let results = Results { experiment, planned, runs, arms: measure(experiment, runs)? };
    let name = &experiment.name;
    write_table(store, name, &table_rows(experiment, results.data(), &results.arms))?;
    write_table(store, &format!("{name}-seeds"), &seed_rows(experiment, results.data(), &results.arms))?;
    let drawn = figures::draw(store, &results)?;
    let verdicts = verdicts(&results);
    write_section(store, name, &markdown::render(&results, &verdicts, &drawn))?;
    let missed = verdicts.iter().filter(|verdict| !verdict.met).count();
    Ok(Report { text: terminal::render(store, &results, &verdicts, &drawn), missed })
}

/// Expectations are for the whole data set and for all seeds.
fn verdicts(results: &Results<'_>) -> Vec<Verdict> {
    if results.data() == "sample" || results.missing().is_some() {
        return Vec::new();
    }
    let measured = |name: &str| {
        results.arm(name).map(|arm| Measured { scores: arm.of("test", "accuracy"), diverged: arm.diverged.len() })
    };
    let judge = |requirement: &Requirement| {
        let Requirement { arm, statistic, at_least, above, .. } = requirement;
        let wanted = Wanted {
            what: format!("{statistic} test accuracy of {}", results.label(arm)),
            statistic: *statistic,
            at_least: *at_least,
            above: above.as_deref().map(|other| (results.label(other), measured(other))),
        };
        verdict::judge(wanted, measured(arm))
    };
    results.experiment.expectations.iter().map(judge).collect()
}
