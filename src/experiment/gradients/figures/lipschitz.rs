//! Lipschitz constants, from below and from above.

use super::{Results, interval};
use crate::experiment::gradients::rows::StretchRow;
use crate::experiment::gradients::spec::layers_of;
use crate::experiment::gradients::summary::number;
use crate::figure::{AxisScale, Body, CategoryPanel, Entry, Image, Key, LineQuantity, category_panels};
use anyhow::{Result, ensure};
use std::collections::BTreeSet;

pub(super) fn from_below(results: &Results<'_>) -> Result<Image> {
    let rows: Vec<StretchRow> = results.findings.rows("stretch.csv")?;
    ensure!(!rows.is_empty(), "no Lipschitz constant has been searched for");
    let file = &results.claims.file;
    let (trained, alone): (Vec<&StretchRow>, Vec<&StretchRow>) = rows.iter().partition(|row| row.point == "course");
    let depths: BTreeSet<usize> = alone.iter().map(|row| row.depth).collect();
    let untrained = depths.iter().enumerate().flat_map(|(place, depth)| {
        let of_depth: Vec<&StretchRow> = alone.iter().copied().filter(|row| row.depth == *depth).collect();
        entries(results, place, &of_depth)
    });
    let sizes = file.arm.iter().filter(|arm| arm.course).map(|arm| {
        let (layers, width) = (layers_of(&arm.model), arm.model.size().width);
        format!("{} {layers} × {width}", arm.label)
    });
    let sizes = sizes.collect::<Vec<_>>().join(", ");
    let states = [("start", "at the start"), ("trained", "trained")];
    let in_training = states.iter().enumerate().flat_map(|(place, (state, _))| {
        let of_state: Vec<&StretchRow> = trained.iter().copied().filter(|row| row.state == *state).collect();
        entries(results, place, &of_state)
    });
    let panel = |title: String, (x, y): (&str, &str), categories: Vec<String>, entries: Vec<Entry>| CategoryPanel {
        title,
        x_label: x.into(),
        categories,
        y: LineQuantity::new(format!("{y} (scale wider near 1)"), AxisScale::Exponent),
        entries,
        level: Some((0.0, "1: no two points move apart".into())),
    };
    let layers = depths.iter().map(usize::to_string).collect();
    let states = states.map(|(_, words)| words.to_string()).to_vec();
    let mut panels = vec![
        panel(
            format!("Untrained, width {}", file.lipschitz.width),
            ("number of hidden layers", "|f(x) − f(y)| / |x − y|"),
            layers,
            untrained.collect(),
        ),
        panel(format!("On the checkerboard: {sizes}"), ("", "ratio on the board"), states, in_training.collect()),
    ];
    panels.retain(|panel| !panel.entries.is_empty());
    ensure!(!panels.is_empty(), "no network with a Lipschitz constant");
    let notes = [
        (Key::Filled, "largest ratio that gradient ascent found: lowest, median and highest seed"),
        (Key::Open, "product of the layers' spectral norms, which no ratio can pass"),
        (
            Key::Text,
            "no filled mark: images as near as rounding, or no training that ended; no open one: no such bound",
        ),
    ];
    category_panels(&seen(results, &alone), &panels, &notes)
}

/// Found ratios and products of norms of every network, as decimal logarithms.
fn entries(results: &Results<'_>, category: usize, rows: &[&StretchRow]) -> Vec<Entry> {
    let mut entries = Vec::new();
    for arm in &results.claims.file.arm {
        let of_arm = || rows.iter().filter(|row| row.arm == arm.name);
        let found = of_arm().filter_map(|row| row.found.filter(|found| *found > 0.0).map(f64::log10));
        entries.extend(interval(arm, category, (Body::Whisker, false), found));
        let norms = of_arm().filter_map(|row| row.log10_of_norms);
        entries.extend(interval(arm, category, (Body::Whisker, true), norms));
    }
    entries
}

/// What was found in the deepest untrained networks of the first arm, in a title.
fn seen(results: &Results<'_>, rows: &[&StretchRow]) -> String {
    let plain = "How far apart the hidden layers can move two points";
    let Some(arm) = results.claims.file.arm.first() else { return plain.into() };
    let found = rows.iter().filter(|row| row.arm == arm.name).filter_map(|row| Some((row.depth, row.found?)));
    let Some((depth, most)) = found.reduce(|a, b| if b.0 > a.0 || (b.0 == a.0 && b.1 > a.1) { b } else { a }) else {
        return plain.into();
    };
    format!("Untrained {} of {depth} layers: the largest ratio found is {}", arm.label, number(most))
}
