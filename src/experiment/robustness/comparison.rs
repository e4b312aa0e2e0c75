//! Networks compared image by image.

use super::file::ThreatFile;
use super::rows::ExampleRow;
use super::summary::{ArmMeasurements, Measurements};
use super::tables::ComparisonRow;
use crate::engine::rows::{Differences, Items, Sample, TableKey, on_common};
use anyhow::{Context, Result};
use serde::Serialize;

/// Every network against the one that it is compared to, seed by seed.
pub(super) fn compare(measured: &Measurements<'_>) -> Result<Vec<ComparisonRow>> {
    let file = &measured.experiment.file;
    let mut rows = Vec::new();
    for [first, second] in rivals(measured) {
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
                    arm: first.arm.clone(),
                    against: second.arm.clone(),
                    seed: *seed,
                    norm: if eps == 0.0 { String::new() } else { (*norm).into() },
                    epsilon: eps,
                    arm_accuracy: a,
                    against_accuracy: b,
                    arm_only: pair.first_only,
                    against_only: pair.second_only,
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
        let key = |row: &ComparisonRow| (row.against.clone(), row.norm.clone());
        key(a).cmp(&key(b)).then(a.epsilon.total_cmp(&b.epsilon)).then(a.seed.cmp(&b.seed))
    });
    Ok(rows)
}

/// Every network that is compared to another, behind that one, as soon as both were attacked or were lost.
fn rivals<'m>(measured: &'m Measurements<'_>) -> impl Iterator<Item = [&'m ArmMeasurements; 2]> {
    let arms = measured.experiment.file.arm.iter();
    let pairs = arms.filter_map(|arm| Some([measured.arm(arm.compared_to.as_deref()?)?, measured.arm(&arm.name)?]));
    let is_told = |arm: &ArmMeasurements| !(arm.examples.is_empty() && arm.scored.diverged.is_empty());
    pairs.filter(move |pair| pair.iter().all(|arm| is_told(arm)))
}

/// `tables/<experiment>-differences.csv`: the accuracy of a network under all attacks minus that of another, over the seeds of both.
pub(super) type DifferenceRow = (TableKey, DifferenceColumns, Differences);

#[derive(Serialize)]
pub(super) struct DifferenceColumns {
    against: String,
    /// linf, l2, or nothing for the images as they are.
    norm: String,
    epsilon: f64,
}

/// Networks over seeds, from their pairs of each seed. A network that always diverged has no pair; its rows are there, and empty.
pub(super) fn over_seeds(measured: &Measurements<'_>, pairs: &[ComparisonRow]) -> Vec<DifferenceRow> {
    let file = &measured.experiment.file;
    let of_threat = |threat: &ThreatFile| threat.eps.iter().map(|eps| (threat.norm.name(), *eps)).collect::<Vec<_>>();
    let balls = std::iter::once(("", 0.0)).chain(file.threat.iter().flat_map(of_threat)).collect::<Vec<_>>();
    let row = |[first, second]: [&ArmMeasurements; 2], (norm, epsilon): (&str, f64)| {
        let columns = DifferenceColumns { against: second.arm.clone(), norm: norm.into(), epsilon };
        let own = |pair: &&ComparisonRow| {
            (&pair.arm, &pair.against, &*pair.norm) == (&first.arm, &second.arm, norm) && pair.epsilon == epsilon
        };
        let differences = pairs.iter().filter(own).map(|pair| pair.arm_accuracy - pair.against_accuracy);
        (measured.key(&first.arm), columns, Sample::of(&differences.collect::<Vec<_>>()).into())
    };
    let of_balls = |two| balls.iter().map(|ball| row(two, *ball)).collect::<Vec<_>>();
    let mut rows: Vec<DifferenceRow> = rivals(measured).flat_map(of_balls).collect();
    rows.sort_by(|(_, a, _), (_, b, _)| {
        (&a.against, &a.norm).cmp(&(&b.against, &b.norm)).then(a.epsilon.total_cmp(&b.epsilon))
    });
    rows
}

/// Which images a network gets right everywhere in a ball; with 0, as they are.
pub(super) fn resisting(examples: &[ExampleRow], eps: f64) -> Items {
    examples.iter().map(|row| (row.index, row.resists(eps))).collect()
}
