//! A comparison for the terminal, and its chart.

use super::contender::Unit;
use super::pair::{Comparison, Pair, listed};
use crate::engine::page::{self, Table, counted, terminal_width, wrapped};
use crate::figure::{DifferenceRow, Image, paired_differences, significant};
use anyhow::Result;

/// Characters of a setting's value that are shown.
const LONGEST: usize = 60;
/// Rows of a chart.
const ROWS: usize = 40;

/// What is said of a pair.
pub fn text(pair: &Pair<'_>, shown: &[String; 2]) -> String {
    let width = terminal_width();
    let seeds = counted(pair.figures.iter().map(|figure| figure.seeds.len()).max().unwrap_or(0), "seed");
    let heading = format!("A = {}, B = {}, data {}, {seeds} in common", shown[0], shown[1], pair.sides[0].data);
    let mut text = format!("\n{}", wrapped(&heading, width));
    text += &over_seeds(pair).terminal(width);
    let images = image_by_image(pair);
    if !images.is_empty() {
        text += &wrapped("Image by image: right in one alone; 95 % interval of A - B; McNemar's exact p.", width);
        text += &images.terminal(width);
    }
    for (side, name) in ["A", "B"].into_iter().enumerate() {
        if !pair.alone[side].is_empty() {
            text += &wrapped(&format!("left out: seeds {} of {name} alone", listed(&pair.alone[side])), width);
        }
        if !pair.diverged[side].is_empty() {
            text += &wrapped(
                &format!("left out where they diverged: seeds {} of {name}", listed(&pair.diverged[side])),
                width,
            );
        }
    }
    text + &settings(pair, width)
}

fn over_seeds(pair: &Pair<'_>) -> Table {
    let mut table = Table::with("metric, A, B, n, A - B, 95 % interval, ahead").yielding(&["A", "B", "n", "ahead"]);
    for figure in &pair.figures {
        table.row([
            label(figure),
            value(figure.unit, figure.mean(0)),
            value(figure.unit, figure.mean(1)),
            figure.seeds.len().to_string(),
            signed(figure.unit, figure.difference.mean),
            interval(figure.unit, figure.difference.confidence_interval()),
            figure.ahead().map_or("-".into(), |side| ["A", "B"][side].into()),
        ]);
    }
    table
}

fn image_by_image(pair: &Pair<'_>) -> Table {
    let mut table =
        Table::with("metric, seed, A alone, B alone, images, 95 % interval, p").yielding(&["A alone", "B alone"]);
    for figure in &pair.figures {
        for seed in &figure.seeds {
            let Some(items) = seed.items else { continue };
            table.row([
                label(figure),
                seed.seed.to_string(),
                items.first_only.to_string(),
                items.second_only.to_string(),
                items.images.to_string(),
                interval(figure.unit, Some(items.difference())),
                probability(items.p_value()),
            ]);
        }
    }
    table
}

fn settings(pair: &Pair<'_>, width: Option<usize>) -> String {
    let short = |value: &String| match value.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}..", &value[..end]),
        None => value.clone(),
    };
    let line =
        |(key, [a, b]): &(&str, [String; 2])| wrapped(&format!("  {key}: {} in A, {} in B", short(a), short(b)), width);
    let lines: String = pair.settings().iter().map(line).collect();
    if lines.is_empty() { "their settings are the same\n".into() } else { format!("settings that differ:\n{lines}") }
}

/// Draws the differences of all pairs in the unit of the first; `names` are what tells the pairs apart.
pub fn chart(title: &str, pairs: &[(String, Pair<'_>)]) -> Result<Image> {
    let all = || pairs.iter().flat_map(|(name, pair)| pair.figures.iter().map(move |figure| (name, figure)));
    let unit = all().next().map_or(Unit::Percent, |(_, figure)| figure.unit);
    let scale = if unit == Unit::Percent { 100.0 } else { 1.0 };
    let row = |(name, figure): (&String, &Comparison)| DifferenceRow {
        label: if pairs.len() == 1 { label(figure) } else { format!("{name}: {}", label(figure)) },
        seeds: figure.seeds.iter().map(|pair| scale * (pair.values[0] - pair.values[1])).collect(),
        mean: scale * figure.difference.mean,
        interval: figure.difference.confidence_interval().map(|(low, high)| (scale * low, scale * high)),
    };
    let rows: Vec<DifferenceRow> = all().filter(|(_, figure)| figure.unit == unit).map(row).collect();
    let most = rows.len().min(ROWS);
    let count = all().count();
    let part = if most < count { format!(", {most} of {count} figures") } else { String::new() };
    let label = match unit {
        Unit::Percent => "A minus B, percentage points".to_string(),
        Unit::Number(unit) => format!("A minus B, {unit}"),
    };
    paired_differences(&format!("{title}{part}"), &label, &rows[..most])
}

fn label(figure: &Comparison) -> String {
    let metric = figure.metric.replace('_', " ");
    let epsilon = figure.epsilon.map_or(String::new(), |epsilon| format!(" {} {}", figure.norm, significant(epsilon)));
    metric + &epsilon
}

fn value(unit: Unit, value: f64) -> String {
    if unit == Unit::Percent { format!("{:.2}", 100.0 * value) } else { page::decimals(value, decimals(value)) }
}

fn signed(unit: Unit, value: f64) -> String {
    if unit == Unit::Percent { format!("{:+.2}", 100.0 * value) } else { page::signed(value, decimals(value)) }
}

/// Large numbers have units of their own, and need fewer.
fn decimals(value: f64) -> usize {
    if value.abs() < 10.0 { 4 } else { 2 }
}

fn interval(unit: Unit, ends: Option<(f64, f64)>) -> String {
    ends.map_or("-".into(), |(low, high)| format!("{} to {}", signed(unit, low), signed(unit, high)))
}

/// A probability with few digits: 0.25, 2e-5.
fn probability(p: f64) -> String {
    if p < 1e-3 { format!("{p:.0e}") } else { significant(p) }
}
