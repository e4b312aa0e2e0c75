//! The chart of accuracy against depth.

use super::Results;
use crate::figure::{AxisScale, Drawing, Image, LinePanel, LineQuantity, LineSeries, line_panels};
use crate::record::gradients::{Accuracies, NeighbourRow};
use crate::record::statistics::Sample;
use anyhow::{Result, ensure};
use std::collections::BTreeMap;

/// Median and range over the seeds at every depth, and how alike neighbouring gradients are there before training.
pub(super) fn against_depth(results: &Results<'_>) -> Result<Image> {
    ensure!(!results.accuracies.is_empty(), "no network has been trained at any depth");
    let mut arms: Vec<(&str, Vec<(&Accuracies, Sample)>)> = Vec::new();
    for scores in &results.accuracies {
        let Some(sample) = scores.sample() else { continue };
        match arms.last_mut() {
            Some((arm, all)) if *arm == scores.arm => all.push((scores, sample)),
            _ => arms.push((&scores.arm, vec![(scores, sample)])),
        }
    }
    let series = |(arm, all): &(&str, Vec<(&Accuracies, Sample)>)| LineSeries {
        arm: (*arm).to_string(),
        label: results.label(arm) + &without_a_point(results, arm),
        drawing: Drawing::Marked,
        points: all.iter().map(|(scores, sample)| (scores.depth as f64, sample.median)).collect(),
        band: all.iter().map(|(scores, sample)| (scores.depth as f64, sample.min, sample.max)).collect(),
        ending: all.last().map(|(_, sample)| format!("{:.1} %", 100.0 * sample.median)),
    };
    let file = results.claims.file();
    let panel = LinePanel {
        title: format!("{} steps of {} points for every network", file.depth.iterations, file.depth.batch_size),
        x: LineQuantity::new("number of layers (log scale)", AxisScale::Log),
        y: LineQuantity::new("accuracy on held-out points (%)", AxisScale::Percent),
        series: arms.iter().map(series).collect(),
        level: Some((results.claims.zeros(), "answering class 0 everywhere".into())),
    };
    let mut panels = vec![panel];
    panels.retain(|panel| !panel.series.is_empty());
    panels.extend(likeness(results)?);
    if arms.is_empty() {
        return line_panels("Every training diverged; how alike neighbouring gradients were before", &panels, &[]);
    }
    let notes = [(Drawing::Marked, "median seed; the learning rate is chosen on validation points")];
    line_panels("Checkerboard accuracy against depth, and how alike neighbouring gradients are", &panels, &notes)
}

/// The depths at which every seed of a network diverged, for the legend: they have no point on the line.
fn without_a_point(results: &Results<'_>, arm: &str) -> String {
    let of_arm = results.accuracies.iter().filter(|scores| scores.arm == arm && scores.sample().is_none());
    let depths: Vec<String> = of_arm.map(|scores| scores.depth.to_string()).collect();
    if depths.is_empty() { String::new() } else { format!(" (diverged with {} layers)", depths.join(", ")) }
}

/// Mean cosines of neighbouring gradients against depth; None where nobody has measured any above 0.
fn likeness(results: &Results<'_>) -> Result<Option<LinePanel>> {
    let rows: Vec<NeighbourRow> = results.finished.rows("neighbours.csv")?;
    let mut series = Vec::new();
    for arm in &results.claims.arms {
        let mut depths: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        for row in rows.iter().filter(|row| row.arm == arm.name) {
            depths.entry(row.depth).or_default().extend(row.cosine.map(|cosine| cosine.max(0.0)));
        }
        let median = |(depth, cosines): (usize, Vec<f64>)| Some((depth as f64, Sample::of(&cosines)?.median));
        let points: Vec<(f64, f64)> = depths.into_iter().filter_map(median).collect();
        if !points.is_empty() {
            let (name, label, drawing) = (arm.name.clone(), arm.label.clone(), Drawing::Marked);
            series.push(LineSeries { arm: name, label, drawing, points, band: Vec::new(), ending: None });
        }
    }
    Ok((!series.is_empty()).then(|| LinePanel {
        title: "Untrained: is the slope the same one grid step away?".into(),
        x: LineQuantity::new("number of layers (log scale)", AxisScale::Log),
        y: LineQuantity::new("mean cosine of neighbouring gradients", AxisScale::Linear),
        series,
        level: None,
    }))
}
