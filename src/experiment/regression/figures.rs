//! The charts of a regression.

use super::check::{Facts, INSIDE, Regression};
use super::file::Recipe;
use super::spec::{Method, PredictionRow};
use super::summary::Arm;
use crate::baseline::Baseline;
use crate::engine::page::{Page, diverged, listed};
use crate::figure::{AxisScale, Drawing, Image, LinePanel, LineQuantity, LineSeries, line_panels, scatter_panels};
use anyhow::{Result, ensure};
use std::collections::BTreeSet;

/// Points of a cloud; more would hide each other.
const POINTS: usize = 400;
/// Arms beside each other.
const ARMS: usize = 3;

/// Draws every chart.
pub(super) fn draw(page: &mut Page, experiment: &Regression, facts: &Facts, arms: &[Arm<'_>]) {
    let note = if facts.stand_ins { format!("; {INSIDE}") } else { String::new() };
    // What networks do under the other recipe is in the tables.
    let arms: Vec<&Arm<'_>> = arms.iter().filter(|arm| arm.spec.recipe() != Some(Recipe::Released)).collect();
    page.chart("Predicted against true values", "predictions", predictions(experiment, &arms, &note));
    let counted = |arm: &&Arm<'_>| arm.parameters().map(|_| arm.spec.arm.clone());
    let networks: BTreeSet<String> = arms.iter().filter_map(counted).collect();
    // One network alone is compared with nothing.
    if networks.len() > 1 {
        page.chart("Test error against parameters", "parameters", errors(experiment, facts, &arms, &note));
    }
}

/// A row of panels for each table: networks, and trees beside them, on test rows of the first seed.
fn predictions(experiment: &Regression, arms: &[&Arm<'_>], note: &str) -> Result<Image> {
    let seed = experiment.file.first_seed;
    let (mut panels, mut without) = (Vec::new(), BTreeSet::new());
    for of_table in arms.chunk_by(|a, b| a.spec.table == b.spec.table) {
        let is_ridge = |arm: &&&Arm<'_>| matches!(arm.spec.method, Method::Baseline(Baseline::Ridge));
        for (place, arm) in of_table.iter().filter(|arm| !is_ridge(arm)).enumerate() {
            let run = arm.chosen.iter().find(|run| run.spec.seed.0 == seed);
            let Some(run) = run.filter(|_| place < ARMS) else {
                without.insert(format!("{} of {}", label(arm), arm.spec.table.name));
                continue;
            };
            let rows: Vec<PredictionRow> = run.rows("predictions.csv")?;
            let count = rows.len().min(POINTS);
            let points = (0..count).map(|place| &rows[place * rows.len() / count]);
            let points = points.map(|row| (row.target, row.prediction)).collect();
            let label = label(arm);
            let title = format!("{}: {label}", arm.spec.table.name);
            let x = LineQuantity::new("true value (unit of the table)", AxisScale::Close);
            let y = LineQuantity::new("predicted value (unit of the table)", AxisScale::Close);
            let series = vec![LineSeries::of(&arm.spec.arm, &label, Drawing::Dots, points)];
            panels.extend(LinePanel::of(title, x, y, series));
        }
    }
    ensure!(!panels.is_empty(), "no run of seed {seed} is finished without divergence");
    let without = if without.is_empty() { String::new() } else { format!("; not shown: {}", listed(&without)) };
    let title = format!("Predicted against true values of test rows, seed {seed}, up to {POINTS} rows{note}{without}");
    scatter_panels(&title, &panels)
}

/// A panel for each table; trees, which have no parameters, are a line across.
fn errors(experiment: &Regression, facts: &Facts, arms: &[&Arm<'_>], note: &str) -> Result<Image> {
    let mut panels = Vec::new();
    for table in &facts.tables {
        let of_table = || arms.iter().filter(|arm| arm.spec.table == *table);
        let spot = |arm: &&Arm<'_>| {
            let (sample, size) = (arm.sample("test", "rmse")?, arm.parameters()? as f64);
            let failed = arm.scored.diverged.len();
            Some(LineSeries {
                band: vec![(size, sample.min, sample.max)],
                note: diverged(failed, failed + arm.chosen.len()),
                ..LineSeries::of(&arm.spec.arm, &label(arm), Drawing::Spots, vec![(size, sample.mean)])
            })
        };
        let series = of_table().filter_map(spot).collect();
        let uncounted = of_table().find(|arm| arm.parameters().is_none());
        let level = uncounted.and_then(|arm| Some((arm.sample("test", "rmse")?.mean, format!("{}, mean", label(arm)))));
        let x = LineQuantity::new("number of parameters (log scale)", AxisScale::Log);
        // Tables share no range: beside the errors of all of them the bars of one would be shorter than its marks.
        let y = LineQuantity::new(format!("test RMSE, {} (standard deviations)", table.name), AxisScale::Close);
        let panel = LinePanel::of(&table.name, x, y, series);
        panels.extend(panel.map(|panel| LinePanel { level, ..panel }));
    }
    ensure!(!panels.is_empty(), "no run is finished without divergence");
    let title = format!("{}: test error against parameters{note}", experiment.file.experiment.title());
    let lost = arms.iter().filter(|arm| arm.has_diverged());
    let seeds = |arm: &Arm<'_>| diverged(arm.scored.diverged.len(), arm.scored.diverged.len());
    let lost: Vec<String> =
        lost.map(|arm| format!("{}, {}: {}", arm.spec.table.name, label(arm), seeds(arm))).collect();
    let mut notes =
        vec![(Drawing::Spots, "measured: mean, lowest and highest seed; differences by seed are in the table")];
    notes.extend(lost.iter().map(|words| (Drawing::Dots, words.as_str())));
    line_panels(&title, &panels, &notes)
}

/// What an arm is called on a chart: networks of the paper as the paper calls them.
fn label(arm: &Arm<'_>) -> String {
    match arm.spec.arm.as_str() {
        "hannet" => "HanNet".into(),
        "fcnet" => "FCNet".into(),
        name => name.replace('-', " "),
    }
}
