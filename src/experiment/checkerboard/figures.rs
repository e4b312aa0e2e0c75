//! The charts of an experiment, from the CSV files of its runs.

use super::check::Checkerboard;
use super::file::RecipeFile;
use super::rows::{PredictionRow, TestCurveRow};
use super::spec::{Phase, TrainingSpec};
use super::summary::{Protocol, SeedValue, Summary};
use crate::engine::page::{Page, percent};
use crate::engine::rows::Sample;
use crate::engine::runs::FinishedRun;
use crate::engine::settings::File;
use crate::figure::{
    AxisScale, Curve, CurvePanel, DecisionPanel, Image, LineQuantity, Mark, SpanPoint, ValuePanel, accuracy_curves,
    against_parameters, decision_maps,
};
use anyhow::{Result, ensure};
use std::collections::BTreeMap;

/// Draws every chart.
pub(super) fn draw(
    page: &mut Page,
    experiment: &Checkerboard,
    runs: &[FinishedRun<TrainingSpec>],
    summaries: &[Summary],
) {
    page.chart("Decision maps", "decision-maps", maps(experiment, runs, summaries));
    page.chart("Test accuracy over iterations", "test-accuracy", curves(experiment, runs, summaries));
    // One network alone is compared with nothing.
    if experiment.file.arm.len() > 1 {
        page.chart("Test accuracy against parameters", "parameters", parameters(experiment, summaries));
    }
}

/// Full runs of an arm under a recipe.
fn full_runs<'a>(
    runs: &'a [FinishedRun<TrainingSpec>],
    arm: &'a str,
    recipe: &'a str,
) -> impl Iterator<Item = &'a FinishedRun<TrainingSpec>> {
    runs.iter().filter(move |r| r.spec.phase == Phase::Full && r.spec.arm == arm && r.spec.recipe == recipe)
}

/// Truth and every network side by side, a row for each recipe: the run of the median seed under held_out.
fn maps(experiment: &Checkerboard, runs: &[FinishedRun<TrainingSpec>], summaries: &[Summary]) -> Result<Image> {
    let (mut rows, mut seen) = (Vec::new(), String::new());
    for recipe in &experiment.file.recipe {
        let (mut panels, mut accuracies) = (Vec::new(), Vec::new());
        for arm in &experiment.file.arm {
            let Some((value, run)) = median_run(runs, summaries, &arm.name, &recipe.name) else { continue };
            let predictions: Vec<PredictionRow> = run.rows("predictions.csv")?;
            if panels.is_empty() {
                panels.push(truth(experiment, &predictions));
            }
            let accuracy = percent(value.accuracy);
            let note = format!("test {accuracy} %, seed {}, rate {}", value.seed, run.spec.fit.learning_rate);
            accuracies.push(format!("{} {accuracy} %", arm.label));
            panels.push(DecisionPanel {
                title: format!("{}, {}", arm.label, recipe.label),
                note,
                side: experiment.board().side,
                classes: predictions.iter().map(|p| p.prediction).collect(),
                train: training_points(&predictions),
                wrong: Some(predictions.iter().map(|p| p.prediction != p.label).collect()),
            });
        }
        if !panels.is_empty() {
            rows.push(panels);
            seen = format!("{}: {}", recipe.label, accuracies.join(", "));
        }
    }
    ensure!(!rows.is_empty(), "no seed has all of its runs finished without divergence");
    // The last recipe is the one that is compared in the end.
    let title = format!("{}, {seen} of test points right (median seed)", experiment.file.experiment.title());
    decision_maps(&title, &rows)
}

fn truth(experiment: &Checkerboard, predictions: &[PredictionRow]) -> DecisionPanel {
    let train = training_points(predictions);
    DecisionPanel {
        title: "Truth".into(),
        note: format!("{} training points of {}", train.len(), predictions.len()),
        side: experiment.board().side,
        classes: predictions.iter().map(|p| p.label).collect(),
        train,
        wrong: None,
    }
}

fn training_points(predictions: &[PredictionRow]) -> Vec<(usize, usize)> {
    predictions.iter().filter(|p| p.split == "train").map(|p| (p.row, p.column)).collect()
}

/// The full run behind the middle value (the lower one of two) of an arm under held_out.
fn median_run<'a>(
    runs: &'a [FinishedRun<TrainingSpec>],
    summaries: &'a [Summary],
    arm: &'a str,
    recipe: &'a str,
) -> Option<(&'a SeedValue, &'a FinishedRun<TrainingSpec>)> {
    let of_arm = |s: &&Summary| s.arm == arm && s.recipe == recipe && s.protocol == Protocol::HeldOut;
    let mut values: Vec<&SeedValue> =
        summaries.iter().find(of_arm)?.values.iter().filter(|value| value.accuracy.is_some()).collect();
    values.sort_by(|a, b| a.accuracy.partial_cmp(&b.accuracy).unwrap_or(std::cmp::Ordering::Equal));
    let value = *values.get(values.len().checked_sub(1)? / 2)?;
    let same = |r: &&FinishedRun<TrainingSpec>| {
        r.spec.seed.0 == value.seed && Some(r.spec.fit.learning_rate) == value.learning_rate
    };
    full_runs(runs, arm, recipe).find(same).map(|run| (value, run))
}

/// Median and range over seeds, each at the learning rate that its validation points chose.
fn curves(experiment: &Checkerboard, runs: &[FinishedRun<TrainingSpec>], summaries: &[Summary]) -> Result<Image> {
    let mut panels = Vec::new();
    for recipe in &experiment.file.recipe {
        let mut drawn = Vec::new();
        for arm in &experiment.file.arm {
            let chosen = chosen_runs(runs, summaries, &arm.name, recipe);
            let points = band(&chosen)?;
            if !points.is_empty() {
                let label = match chosen.len() {
                    all if all == experiment.file.seeds(arm).count() => format!("{} ({all} seeds)", arm.label),
                    some => format!("{} ({some} of {} seeds)", arm.label, experiment.file.seeds(arm).count()),
                };
                drawn.push(Curve { arm: arm.name.clone(), label, points });
            }
        }
        if !drawn.is_empty() {
            let baseline = Some((experiment.file.data.checkerboard.zeros(), "always class 0".into()));
            panels.push(CurvePanel { title: capitalised(&recipe.label), curves: drawn, baseline });
        }
    }
    ensure!(!panels.is_empty(), "no seed has all of its runs finished without divergence");
    accuracy_curves(
        &format!("{}: test accuracy during training, median and range over seeds", experiment.file.experiment.title()),
        &panels,
    )
}

fn chosen_runs<'a>(
    runs: &'a [FinishedRun<TrainingSpec>],
    summaries: &[Summary],
    arm: &'a str,
    recipe: &'a RecipeFile,
) -> Vec<&'a FinishedRun<TrainingSpec>> {
    let of_arm = |s: &&Summary| s.arm == arm && s.recipe == recipe.name && s.protocol == Protocol::HeldOut;
    let Some(summary) = summaries.iter().find(of_arm) else { return Vec::new() };
    let chosen = |run: &FinishedRun<TrainingSpec>| {
        let value = summary.values.iter().find(|value| value.seed == run.spec.seed.0);
        value.is_some_and(|v| v.accuracy.is_some() && v.learning_rate == Some(run.spec.fit.learning_rate))
    };
    full_runs(runs, arm, &recipe.name).filter(|run| chosen(run)).collect()
}

fn band(runs: &[&FinishedRun<TrainingSpec>]) -> Result<Vec<SpanPoint>> {
    let mut by_step: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for run in runs {
        for row in run.rows::<TestCurveRow>("test_curve.csv")? {
            by_step.entry(row.step).or_default().push(row.test_accuracy);
        }
    }
    let point = |(step, values): (usize, Vec<f64>)| {
        let Sample { median, min, max, .. } = Sample::of(&values)?;
        Some(SpanPoint { at: step as f64, middle: median, low: min, high: max })
    };
    Ok(by_step.into_iter().filter_map(point).collect())
}

fn parameters(experiment: &Checkerboard, summaries: &[Summary]) -> Result<Image> {
    let mut panels = Vec::new();
    for recipe in &experiment.file.recipe {
        for (protocol, title) in [(Protocol::HeldOut, "held-out"), (Protocol::BestOnTest, "best on test")] {
            let marks: Vec<Mark> = summaries
                .iter()
                .filter(|s| s.recipe == recipe.name && s.protocol == protocol)
                .filter_map(|s| mark(experiment, s))
                .collect();
            if !marks.is_empty() {
                let title = format!("{}, {title}", capitalised(&recipe.label));
                let y = LineQuantity::new("test accuracy (%)", AxisScale::Percent);
                panels.push(ValuePanel { title, y, marks, level: None });
            }
        }
    }
    ensure!(!panels.is_empty(), "no seed has all of its runs finished without divergence");
    against_parameters(&format!("{}: test accuracy against parameters", experiment.file.experiment.title()), &panels)
}

fn mark(experiment: &Checkerboard, summary: &Summary) -> Option<Mark> {
    let sample = summary.sample()?;
    let arm = experiment.file.arm(&summary.arm)?;
    let label = match summary.diverged() {
        0 => arm.label.clone(),
        diverged => format!("{}, {diverged} of {} diverged", arm.label, summary.values.len()),
    };
    Some(Mark {
        arm: arm.name.clone(),
        label,
        parameters: summary.parameters,
        mean: sample.mean,
        low: sample.min,
        high: sample.max,
        paper: summary.paper(experiment),
    })
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}
