//! Accuracy against depth.

use super::{Results, layers, medians};
use crate::engine::page::counted;
use crate::engine::settings::File;
use crate::experiment::gradients::depth::Accuracies;
use crate::experiment::gradients::rows::NeighbourRow;
use crate::figure::{AxisScale, Drawing, Image, LinePanel, LineQuantity, LineSeries, line_panels};
use anyhow::{Result, ensure};

/// Median and range over the seeds at every depth, and how alike neighbouring gradients are there before training.
pub(super) fn against_depth(results: &Results<'_>) -> Result<Image> {
    ensure!(!results.accuracies.is_empty(), "no network has been trained at any depth");
    let file = &results.claims.file;
    let series = file.arm.iter().map(|arm| {
        let of_arm = || results.accuracies.iter().filter(|scores| scores.arm == arm.name);
        let samples = || of_arm().filter_map(|scores| Some((scores.depth as f64, scores.values.sample()?)));
        let points: Vec<_> = samples().map(|(depth, sample)| (depth, sample.median)).collect();
        let ending = points.last().map(|(_, median)| format!("{:.2} %", 100.0 * median)).into_iter().collect();
        let band = samples().map(|(depth, sample)| (depth, sample.min, sample.max)).collect();
        let seeds = counted(file.seeds(arm).count(), "seed");
        let label = format!("{} ({seeds} trained{})", arm.label, without_a_point(of_arm()));
        LineSeries { band, ending, ..LineSeries::of(&arm.name, &label, Drawing::Marked, points) }
    });
    let y = LineQuantity::new("accuracy on held-out points (%)", AxisScale::Percent);
    let title = format!("{} steps of {} points for every network", file.depth.iterations, file.depth.batch_size);
    let zeros = file.data.checkerboard.zeros();
    let trained = LinePanel::of(title, layers(), y, series.collect());
    let trained = trained.map(|panel| panel.with_level(zeros, "answering class 0 everywhere"));
    let any = trained.is_some();
    let panels: Vec<LinePanel> = trained.into_iter().chain(likeness(results)?).collect();
    if !any {
        return line_panels("Every training diverged; how alike neighbouring gradients were before", &panels, &[]);
    }
    let notes = [(Drawing::Marked, "median seed; the learning rate is chosen on validation points")];
    line_panels(&seen(results), &panels, &notes)
}

/// What the deepest networks that were trained reach, in a title.
fn seen(results: &Results<'_>) -> String {
    let trained = || results.accuracies.iter().filter_map(|scores| Some((scores, scores.values.sample()?.median)));
    let deepest = trained().map(|(scores, _)| scores.depth).max();
    let best = trained().filter(|(scores, _)| Some(scores.depth) == deepest).max_by(|a, b| a.1.total_cmp(&b.1));
    let Some((best, median)) = best else { return "Checkerboard accuracy against depth".into() };
    let told = |scores: &Accuracies, median: f64| {
        format!("{:.2} % with {} layers ({})", 100.0 * median, scores.depth, results.claims.label(&scores.arm))
    };
    // Beside the network under study, at its deepest.
    let first = results.claims.file.arm.first().filter(|arm| arm.name != best.arm);
    let own = trained().filter(|(scores, _)| first.is_some_and(|arm| arm.name == scores.arm));
    let own = own.max_by_key(|(scores, _)| scores.depth);
    let rest = own.map_or(String::new(), |(scores, median)| format!(", {}", told(scores, median)));
    format!("Checkerboard accuracy of the median seed: {}{rest}", told(best, median))
}

/// The depths at which every seed of a network diverged, for the legend: they have no point on the line.
fn without_a_point<'a>(of_arm: impl Iterator<Item = &'a Accuracies>) -> String {
    let depths: Vec<String> =
        of_arm.filter(|scores| scores.values.sample().is_none()).map(|scores| scores.depth.to_string()).collect();
    if depths.is_empty() { String::new() } else { format!(", diverged with {} layers", depths.join(", ")) }
}

/// Mean cosines of neighbouring gradients against depth; None where nobody has measured any.
fn likeness(results: &Results<'_>) -> Result<Option<LinePanel>> {
    let rows: Vec<NeighbourRow> = results.findings.rows("neighbours.csv")?;
    let series = results.claims.file.arm.iter().map(|arm| {
        let of_arm = rows.iter().filter(|row| row.arm == arm.name);
        let cosines =
            of_arm.filter_map(|row| Some((row.depth as f64, row.cosine.filter(|cosine| cosine.is_finite())?)));
        LineSeries::of(&arm.name, &arm.label, Drawing::Marked, medians(cosines))
    });
    let y = LineQuantity::new("mean cosine of neighbouring gradients", AxisScale::Close);
    Ok(LinePanel::of("Untrained: is the slope the same one grid step away?", layers(), y, series.collect()))
}
