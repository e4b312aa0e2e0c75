//! Tables, figures and Markdown, all made from the CSV files of finished runs: they can be redrawn without a run.

mod figures;
mod markdown;
mod terminal;

use crate::config::{Expectation, Experiment, ExperimentFile, Phase, Statistic};
use crate::record::{FinishedRun, Store, Summary, TableRow, summarise};
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::fs;

/// What a command tells at its end.
#[derive(Debug)]
pub struct Report {
    /// The closing table, the expectations, and where things are.
    pub text: String,
    /// Expectations that were missed.
    pub missed: usize,
}

/// What `han-exp report` needs to know of the last command.
#[derive(Debug, Serialize, Deserialize)]
struct Remembered {
    device: String,
    experiment: ExperimentFile,
}

/// Notes which experiment the store holds, so that [`recall`] finds its runs.
pub fn remember(store: &Store, file: &ExperimentFile, device: &str) -> Result<()> {
    let remembered = Remembered { device: device.into(), experiment: file.clone() };
    let path = store.root().join("runs").join(&file.experiment.name).join("experiment.toml");
    fs::write(&path, toml::to_string(&remembered)?).with_context(|| format!("cannot write {}", path.display()))
}

/// Names of the experiments that the store holds.
pub fn remembered(store: &Store) -> Result<Vec<String>> {
    let runs = store.root().join("runs");
    let mut names: Vec<String> = fs::read_dir(&runs)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().join("experiment.toml").exists())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let root = store.root().display();
    ensure!(!names.is_empty(), "{root} holds no runs; run `han-exp reproduce` first, or see --out");
    Ok(names)
}

/// An experiment as it was run last, and its finished runs.
pub fn recall(store: &Store, name: &str) -> Result<(Experiment, Vec<FinishedRun>)> {
    let path = store.root().join("runs").join(name).join("experiment.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let Remembered { device, experiment } = toml::from_str(&text).with_context(|| path.display().to_string())?;
    let experiment = experiment.check()?;
    let mut runs = Vec::new();
    for spec in experiment.runs(&device) {
        runs.extend(store.find(&spec)?);
    }
    Ok((experiment, runs))
}

/// Writes tables, figures and Markdown.
pub fn write(store: &Store, experiment: &Experiment, runs: &[FinishedRun]) -> Result<Report> {
    let summaries = summarise(experiment, runs)?;
    let rows: Vec<TableRow> = summaries.iter().map(|summary| TableRow::of(experiment, summary)).collect();
    let tables = store.root().join("tables");
    fs::create_dir_all(&tables).with_context(|| format!("--out: cannot make {}", tables.display()))?;
    crate::record::write_rows(&tables.join(format!("{}.csv", experiment.name)), &rows)?;

    let drawn = figures::draw(store, experiment, runs, &summaries)?;
    let verdicts = verdicts(experiment, &summaries);
    let section = tables.join(format!("{}.md", experiment.name));
    fs::write(&section, markdown::render(experiment, runs, &summaries, &verdicts, &drawn))
        .with_context(|| format!("cannot write {}", section.display()))?;
    write_readme(store)?;

    let missed = verdicts.iter().filter(|verdict| !verdict.met).count();
    let text = terminal::render(store, &summaries, experiment, &verdicts, &drawn);
    Ok(Report { text, missed })
}

/// Puts the sections of all experiments into `README.md`.
fn write_readme(store: &Store) -> Result<()> {
    let mut text =
        "# Results\n\nWritten by `han-exp`; `han-exp report` writes it anew from the CSV files.\n".to_string();
    let mut sections: Vec<_> = fs::read_dir(store.root().join("tables"))?.flatten().map(|entry| entry.path()).collect();
    sections.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    sections.sort();
    for section in sections {
        text += "\n";
        text += &fs::read_to_string(&section).with_context(|| format!("cannot read {}", section.display()))?;
    }
    let path = store.root().join("README.md");
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// An expectation held against what was measured.
struct Verdict {
    text: String,
    met: bool,
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

fn percent(value: Option<f64>) -> String {
    value.map_or("-".into(), |value| format!("{:.2}", 100.0 * value))
}
