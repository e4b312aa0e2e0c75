//! What `han-exp compare` compares of attacked networks: the figures of single seeds, image by image where they are known so.

use super::Findings;
use super::comparison::resisting;
use super::spec::WeightsSource;
use super::summary::{ArmMeasurements, Measurements, table_figures};
use crate::engine::compare::{Contender, Series};
use crate::engine::rows::Figure;
use anyhow::Result;

/// Keys of a run that say what it was trained and scored on.
const DATA: [&str; 1] = ["data"];
/// Of an attack, what its trainings say as well, and networks that only the checklist shows.
const ELSEWHERE: [&str; 2] = ["weights", "surrogates"];

/// Every network.
pub(super) fn contenders(measured: &Measurements<'_>, findings: &Findings) -> Result<Vec<Contender>> {
    let figures = table_figures(measured.experiment);
    let contender = |arm: &ArmMeasurements| {
        let mut contender = Contender::new(&arm.arm, "", measured.data);
        let mut trainings = findings.trainings.iter().filter(|run| run.spec.arm == arm.arm);
        trainings.try_for_each(|run| contender.add(run, &DATA, &[]))?;
        for run in findings.attacks.iter().filter(|run| run.spec.arm == arm.arm) {
            let trained = matches!(run.spec.weights, WeightsSource::Trained(_));
            contender.add(run, &DATA, if trained { &ELSEWHERE } else { &ELSEWHERE[1..] })?;
        }
        contender.series = figures.iter().map(|(metric, figure)| series(arm, metric, figure)).collect();
        Ok(contender)
    };
    measured.arms.iter().map(contender).collect()
}

fn series(arm: &ArmMeasurements, metric: &str, figure: &Figure) -> Series {
    let mut series = Series::of(metric, &arm.scored, figure);
    if figure.split == "attacked" {
        // As they are, images are the same under every norm.
        let of_norm = arm.examples.iter().filter(|((_, norm), _)| series.norm.is_empty() || *norm == series.norm);
        let eps = series.epsilon.unwrap_or(0.0);
        series.items = of_norm.map(|((seed, _), examples)| (*seed, resisting(examples, eps))).collect();
    }
    series
}
