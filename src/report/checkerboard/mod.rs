//! The checkerboard's table, figures and Markdown.

mod figures;
mod markdown;
mod terminal;

use super::Report;
use super::verdict::Verdict;
use crate::config::{Expectation, Experiment, Phase, Statistic};
use crate::record::{FinishedRun, Store, Summary, TableRow, summarise};
use anyhow::Result;

/// Writes tables, figures and Markdown. `planned` is the number of runs that there should be: expectations are judged
/// when all are there.
///
/// # Errors
/// When a file of a run is missing or damaged, or nothing can be written.
pub fn write(store: &Store, experiment: &Experiment, planned: usize, runs: &[FinishedRun]) -> Result<Report> {
    let summaries = summarise(experiment, runs)?;
    let rows: Vec<TableRow> = summaries.iter().map(|summary| TableRow::of(experiment, summary)).collect();
    super::write_table(store, &experiment.name, &rows)?;
    let drawn = figures::draw(store, experiment, runs, &summaries)?;
    let missing = super::missing(runs.len(), planned);
    let verdicts = if missing.is_some() { Vec::new() } else { verdicts(experiment, &summaries) };
    let section = markdown::render(experiment, missing.as_deref(), runs, &summaries, &verdicts, &drawn);
    super::write_section(store, &experiment.name, &section)?;
    let missed = verdicts.iter().filter(|verdict| !verdict.met).count();
    let text = terminal::render(store, &summaries, experiment, missing.as_deref(), &verdicts, &drawn);
    Ok(Report { text, missed })
}

fn verdicts(experiment: &Experiment, summaries: &[Summary]) -> Vec<Verdict> {
    let judge = |e: &Expectation| {
        let summary =
            summaries.iter().find(|s| s.arm == e.arm && s.recipe == e.recipe && s.protocol.key() == e.protocol);
        let sample = summary.and_then(Summary::sample);
        let measured = sample.map(|s| match e.statistic {
            Statistic::Mean => s.mean,
            Statistic::Median => s.median,
            Statistic::Min => s.min,
        });
        let diverged = summary.map_or(0, Summary::diverged);
        // A value within rounding of the bound counts as met: both are decimal fractions in binary. A statistic over what
        // diverged seeds have left does not.
        let met = diverged == 0 && measured.is_some_and(|m| (m - e.value).abs() <= e.tolerance + 1e-9);
        let mut measured = measured.map_or("no value".into(), |m| format!("{:.2} %", 100.0 * m));
        if diverged > 0 {
            measured += &format!(" with {diverged} seeds diverged");
        }
        let (value, tolerance) = (100.0 * e.value, 100.0 * e.tolerance);
        let what = format!("{} {} of {}, recipe {}", e.protocol, e.statistic, e.arm, e.recipe);
        let verdict = if met { "met" } else { "MISSED" };
        Verdict {
            text: format!("{what}: expected {value:.2} +- {tolerance:.2} %, measured {measured}: {verdict}"),
            met,
        }
    };
    experiment.expectations.iter().map(judge).collect()
}

/// Full runs of an arm under a recipe.
fn full_runs<'a>(runs: &'a [FinishedRun], arm: &'a str, recipe: &'a str) -> impl Iterator<Item = &'a FinishedRun> {
    runs.iter().filter(move |r| r.spec.phase == Phase::Full && r.spec.arm == arm && r.spec.recipe == recipe)
}
