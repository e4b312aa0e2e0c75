//! The charts of an experiment, from the CSV files of its runs.

use super::check::Checkerboard;
use super::file::ArmFile;
use super::rows::{PredictionRow, TestCurveRow};
use super::spec::{Phase, TrainingSpec};
use super::summary::{Protocol, Setting, Summary};
use crate::engine::page::{Page, counted, diverged, percent};
use crate::engine::rows::{RatedSeed, Sample};
use crate::engine::runs::FinishedRun;
use crate::engine::settings::File;
use crate::figure::{
    AxisScale, DecisionPanel, Drawing, Image, LinePanel, LineQuantity, LineSeries, decision_maps, line_panels,
};
use anyhow::{Result, ensure};
use std::cmp::Ordering;
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

/// The full runs of an arm under a recipe, each at the learning rate that its validation points chose, with what it scored; by seed.
fn chosen_runs<'a>(
    runs: &'a [FinishedRun<TrainingSpec>],
    summaries: &'a [Summary],
    arm: &str,
    recipe: &str,
) -> Vec<(&'a RatedSeed, &'a FinishedRun<TrainingSpec>)> {
    let of_arm = |s: &&Summary| s.of.arm == arm && s.of.recipe == recipe && s.of.protocol == Protocol::HeldOut;
    let chosen = |value: &'a RatedSeed| {
        let same = |run: &&FinishedRun<TrainingSpec>| {
            let TrainingSpec { phase, seed, fit, .. } = &run.spec;
            let at_rate = seed.0 == value.seed && Some(fit.learning_rate) == value.learning_rate;
            at_rate && *phase == Phase::Full && run.spec.arm == arm && run.spec.recipe == recipe
        };
        runs.iter().find(same).filter(|_| value.value.is_some()).map(|run| (value, run))
    };
    summaries.iter().find(of_arm).into_iter().flat_map(|summary| &summary.values).filter_map(chosen).collect()
}

/// Networks that diverged with every seed under a protocol, in words: a chart has nothing else to show of them.
fn lost(experiment: &Checkerboard, summaries: &[Summary], protocol: Protocol) -> Vec<String> {
    let lost = summaries.iter().filter(|summary| summary.of.protocol == protocol && summary.sample().is_none());
    let words = |summary: &Summary| {
        let (Setting { arm, recipe, .. }, seeds) = (&summary.of, summary.values.len());
        let label = experiment.file.recipe.iter().find(|own| own.name == *recipe).map_or(recipe, |own| &own.label);
        format!("{}, {label}: {}", experiment.file.label(arm), diverged(seeds, seeds))
    };
    lost.map(words).collect()
}

/// Truth and every network side by side, a row for each recipe: the run of the median seed under held_out.
fn maps(experiment: &Checkerboard, runs: &[FinishedRun<TrainingSpec>], summaries: &[Summary]) -> Result<Image> {
    let (mut rows, mut seen) = (Vec::new(), String::new());
    for recipe in &experiment.file.recipe {
        let (mut panels, mut accuracies) = (Vec::new(), Vec::new());
        for arm in &experiment.file.arm {
            let mut chosen = chosen_runs(runs, summaries, &arm.name, &recipe.name);
            chosen.sort_by(|a, b| a.0.value.partial_cmp(&b.0.value).unwrap_or(Ordering::Equal));
            // The middle value, the lower one of two.
            let Some(&(value, run)) = chosen.get(chosen.len().saturating_sub(1) / 2) else { continue };
            let predictions: Vec<PredictionRow> = run.rows("predictions.csv")?;
            if panels.is_empty() {
                panels.push(truth(experiment, &predictions));
            }
            let accuracy = percent(value.value);
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
    let lost = lost(experiment, summaries, Protocol::HeldOut);
    let without = if lost.is_empty() { String::new() } else { format!("; not shown: {}", lost.join("; ")) };
    let title = format!("{}, {seen} of test points right (median seed){without}", experiment.file.experiment.title());
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

/// Median and range over seeds, each at the learning rate that its validation points chose.
fn curves(experiment: &Checkerboard, runs: &[FinishedRun<TrainingSpec>], summaries: &[Summary]) -> Result<Image> {
    let (mut panels, zeros) = (Vec::new(), experiment.file.data.checkerboard.zeros());
    for recipe in &experiment.file.recipe {
        let mut series = Vec::new();
        for arm in &experiment.file.arm {
            let chosen = chosen_runs(runs, summaries, &arm.name, &recipe.name);
            let samples = over_steps(&chosen)?;
            let Some((_, last)) = samples.last() else { continue };
            let mut ending = vec![format!("{} %", percent(Some(last.median)))];
            let (some, all) = (chosen.len(), experiment.file.seeds(arm).count());
            if some < all {
                ending.push(format!("{some} of {all} seeds"));
            }
            let medians = samples.iter().map(|(step, sample)| (*step, sample.median)).collect();
            series.push(LineSeries {
                band: samples.iter().map(|(step, sample)| (*step, sample.min, sample.max)).collect(),
                ending,
                ..LineSeries::of(&arm.name, &arm.label, Drawing::Few, medians)
            });
        }
        let x = LineQuantity::new("training iteration", AxisScale::Count);
        let y = LineQuantity::new("test accuracy (%)", AxisScale::Percent);
        let level = format!("always class 0: {} %", percent(Some(zeros)));
        let panel = LinePanel::of(capitalised(&recipe.label), x, y, series);
        panels.extend(panel.map(|panel| panel.with_level(zeros, level)));
    }
    ensure!(!panels.is_empty(), "no seed has all of its runs finished without divergence");
    let title = experiment.file.experiment.title();
    let title = format!("{title}: test accuracy during training, median and range over seeds");
    let note = format!(
        "line and number: median of {}, each at the rate that it chose on validation points",
        seeds(experiment)
    );
    let lost = lost(experiment, summaries, Protocol::HeldOut);
    let mut notes = vec![(Drawing::Few, note.as_str())];
    notes.extend(lost.iter().map(|words| (Drawing::Dots, words.as_str())));
    line_panels(&title, &panels, &notes)
}

/// How many seeds there are, and which networks have fewer: "5 seeds, ResNet 3".
fn seeds(experiment: &Checkerboard) -> String {
    let file = &experiment.file;
    let count = |arm: &ArmFile| file.seeds(arm).count();
    let most = file.arm.iter().map(count).max().unwrap_or(0);
    let fewer = file.arm.iter().filter(|arm| count(arm) < most);
    fewer.fold(counted(most, "seed"), |text, arm| format!("{text}, {} {}", arm.label, count(arm)))
}

fn over_steps(runs: &[(&RatedSeed, &FinishedRun<TrainingSpec>)]) -> Result<Vec<(f64, Sample)>> {
    let mut by_step: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for (_, run) in runs {
        for row in run.rows::<TestCurveRow>("test_curve.csv")? {
            by_step.entry(row.step).or_default().push(row.test_accuracy);
        }
    }
    Ok(by_step.into_iter().filter_map(|(step, values)| Some((step as f64, Sample::of(&values)?))).collect())
}

fn parameters(experiment: &Checkerboard, summaries: &[Summary]) -> Result<Image> {
    let mut panels: Vec<LinePanel> = Vec::new();
    let protocols = [(Protocol::HeldOut, "held-out"), (Protocol::BestOnTest, "best on test")];
    for recipe in &experiment.file.recipe {
        for (protocol, title) in protocols {
            let shown = summaries.iter().filter(|s| s.of.recipe == recipe.name && s.of.protocol == protocol);
            let series = shown.flat_map(|summary| spots(experiment, summary)).collect();
            let title = format!("{}, {title}", capitalised(&recipe.label));
            let x = LineQuantity::new("number of parameters (log scale)", AxisScale::Log);
            let y = LineQuantity::new("test accuracy (%)", AxisScale::Percent);
            panels.extend(LinePanel::of(title, x, y, series));
        }
    }
    ensure!(!panels.is_empty(), "no seed has all of its runs finished without divergence");
    let mut notes = vec![(Drawing::Spots, "measured: mean, lowest and highest seed")];
    if panels.iter().flat_map(|panel| &panel.series).any(|series| series.drawing == Drawing::Rings) {
        notes.push((Drawing::Rings, "the paper's figure"));
    }
    let lost = protocols.map(|(protocol, title)| {
        lost(experiment, summaries, protocol).into_iter().map(move |words| format!("{title}, {words}"))
    });
    let lost: Vec<String> = lost.into_iter().flatten().collect();
    notes.extend(lost.iter().map(|words| (Drawing::Dots, words.as_str())));
    let title = format!("{}: test accuracy against parameters", experiment.file.experiment.title());
    line_panels(&title, &panels, &notes)
}

/// What was measured of an arm, and what the paper states.
fn spots(experiment: &Checkerboard, summary: &Summary) -> Vec<LineSeries> {
    let (Some(sample), Some(arm)) = (summary.sample(), experiment.file.arm(&summary.of.arm)) else { return Vec::new() };
    let size = summary.trained.parameters as f64;
    let spot = |drawing, value| LineSeries::of(&arm.name, &arm.label, drawing, vec![(size, value)]);
    let measured = LineSeries {
        band: vec![(size, sample.min, sample.max)],
        note: diverged(summary.accuracies().diverged(), summary.values.len()),
        ..spot(Drawing::Spots, sample.mean)
    };
    [measured].into_iter().chain(summary.paper(experiment).map(|value| spot(Drawing::Rings, value))).collect()
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}
