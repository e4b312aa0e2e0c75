//! What `han-exp compare` compares of image classifiers.

use super::summary::{ArmResults, Results};
use crate::engine::compare::{Better, Contender, Series, Unit};
use crate::engine::rows::Figure;
use anyhow::Result;

/// Keys of a run that say what it was trained and scored on.
const DATA: [&str; 1] = ["data"];

/// Every network, test images first.
pub(super) fn contenders(results: &Results<'_>) -> Result<Vec<Contender>> {
    let contender = |arm: &ArmResults<'_>| {
        let mut contender = Contender::new(&arm.arm.name, "", results.set.name());
        arm.runs.iter().try_for_each(|run| contender.add(run, &DATA, &[]))?;
        let mut figures: Vec<Figure> = arm.figures(&results.set).into_iter().collect();
        figures.sort_by_key(|figure| figure.split != "test");
        contender.series = figures.iter().map(|figure| series(arm, figure)).collect();
        Ok(contender)
    };
    results.arms.iter().map(contender).collect()
}

fn series(arm: &ArmResults<'_>, figure: &Figure) -> Series {
    let series = Series::of(&format!("{}_{}", figure.split, figure.metric), &arm.scored, figure);
    match figure.metric.as_str() {
        "cross_entropy" => series.with(Unit::Number("nats"), Better::Lower),
        "likeness" | "likeness_before" => series.with(Unit::Number("cosine"), Better::Higher),
        _ => series,
    }
}
