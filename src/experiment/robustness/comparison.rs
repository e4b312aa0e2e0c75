//! Networks compared image by image.

use super::rows::ExampleRow;
use super::summary::Measurements;
use super::tables::ComparisonRow;
use crate::engine::rows::{Differences, Items, differences, on_common};
use anyhow::{Context, Result};
use serde::Serialize;

/// Every network against the one that it is compared to, seed by seed.
pub(super) fn compare(measured: &Measurements<'_>) -> Result<Vec<ComparisonRow>> {
    let file = &measured.experiment.file;
    let mut rows = Vec::new();
    for arm in &file.arm {
        let first = arm.compared_to.as_deref().and_then(|name| measured.arm(name));
        let (Some(first), Some(second)) = (first, measured.arm(&arm.name)) else { continue };
        for ((seed, norm), examples) in &first.examples {
            let Some(against) = second.examples.get(&(*seed, *norm)) else { continue };
            let threat = file.threat.iter().find(|threat| threat.norm.name() == *norm);
            let sizes: Vec<f64> = std::iter::once(0.0).chain(threat.iter().flat_map(|t| t.eps.clone())).collect();
            for eps in sizes {
                let paired = on_common(&resisting(examples, eps), &resisting(against, eps));
                let (pair, [a, b]) = paired.context("two networks were attacked on no common image")?;
                let (difference_low, difference_high) = pair.difference();
                let row = ComparisonRow {
                    experiment: file.experiment.name.clone(),
                    data: measured.data.into(),
                    first: first.arm.clone(),
                    second: second.arm.clone(),
                    seed: *seed,
                    norm: if eps == 0.0 { String::new() } else { (*norm).into() },
                    epsilon: eps,
                    first_accuracy: a,
                    second_accuracy: b,
                    first_only: pair.first_only,
                    second_only: pair.second_only,
                    n: pair.images,
                    difference_low,
                    difference_high,
                    p_value: pair.p_value(),
                };
                // The images as they are come with every norm.
                if !rows.contains(&row) {
                    rows.push(row);
                }
            }
        }
    }
    rows.sort_by(|a, b| {
        let key = |row: &ComparisonRow| (row.second.clone(), row.norm.clone());
        key(a).cmp(&key(b)).then(a.epsilon.total_cmp(&b.epsilon)).then(a.seed.cmp(&b.seed))
    });
    Ok(rows)
}

/// `tables/<experiment>-differences.csv`: the accuracy of a network under all attacks less that of another, over the seeds of both.
pub(super) type DifferenceRow = (DifferenceColumns, Differences);

#[derive(Serialize)]
pub(super) struct DifferenceColumns {
    experiment: String,
    data: String,
    arm: String,
    against: String,
    /// linf, l2, or nothing for the images as they are.
    norm: String,
    epsilon: f64,
}

/// Pairs of networks over seeds, from those of each seed.
pub(super) fn over_seeds(pairs: &[ComparisonRow]) -> Vec<DifferenceRow> {
    let same = |a: &ComparisonRow, b: &ComparisonRow| {
        (&a.first, &a.second, &a.norm) == (&b.first, &b.second, &b.norm) && a.epsilon == b.epsilon
    };
    let row = |pairs: &[ComparisonRow]| {
        let ComparisonRow { experiment, data, first, second, norm, epsilon, .. } = &pairs[0];
        let columns = DifferenceColumns {
            experiment: experiment.clone(),
            data: data.clone(),
            arm: first.clone(),
            against: second.clone(),
            norm: norm.clone(),
            epsilon: *epsilon,
        };
        let of = |value: fn(&ComparisonRow) -> f64| pairs.iter().map(move |pair| (pair.seed, value(pair)));
        (columns, differences(of(|pair| pair.first_accuracy), of(|pair| pair.second_accuracy)).into())
    };
    pairs.chunk_by(same).map(row).collect()
}

/// Which images a network gets right everywhere in a ball; with 0, as they are.
pub(super) fn resisting(examples: &[ExampleRow], eps: f64) -> Items {
    examples.iter().map(|row| (row.index, row.resists(eps))).collect()
}
