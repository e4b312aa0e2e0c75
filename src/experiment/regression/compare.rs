//! Networks and methods beside each other, seed by seed; and what `han-exp compare` compares of a regression.

use super::check::Regression;
use super::file::Recipe;
use super::spec::{Method, RegressionSpec};
use super::summary::{Arm, same};
use crate::engine::compare::{Better, Contender, Series, Unit};
use crate::engine::rows::{Differences, Figure, Sample, TableKey};
use crate::engine::runs::{FinishedRun, Spec};
use crate::engine::settings::word;
use crate::model::ModelConfig;
use anyhow::Result;
use serde::Serialize;

/// Keys of a run that say what it was fitted to and scored on.
const DATA: [&str; 1] = ["table"];

/// Every arm on every table.
pub(super) fn contenders(experiment: &Regression, runs: &[FinishedRun<RegressionSpec>]) -> Result<Vec<Contender>> {
    let contender = |arm: &Arm<'_>| {
        let (recipe, table) = (arm.spec.recipe().map_or(String::new(), |recipe| word(&recipe)), &arm.spec.table.name);
        // Errors are in other units there.
        let data = if is_released(arm) { format!("{table}, standardised by all rows") } else { table.clone() };
        let mut contender = Contender::new(&arm.spec.arm, &recipe, &data);
        runs.iter().filter(|run| same(&run.spec, arm.spec)).try_for_each(|run| contender.add(run, &DATA, &[]))?;
        let mut figures: Vec<Figure> = arm.figures().into_iter().collect();
        figures.sort_by_key(|figure| (figure.split != "test", figure.metric != "rmse"));
        contender.series = figures.iter().map(|figure| series(arm, figure)).collect();
        Ok(contender)
    };
    Arm::all(experiment, runs)?.iter().map(contender).collect()
}

fn series(arm: &Arm<'_>, figure: &Figure) -> Series {
    let series = Series::of(&format!("{}_{}", figure.split, figure.metric), &arm.scored, figure);
    let (unit, better) = match figure.metric.as_str() {
        "r_squared" => ("R^2", Better::Higher),
        "rmse_in_units" => ("units of the target", Better::Lower),
        _ => ("standard deviations of the target", Better::Lower),
    };
    series.with(Unit::Number(unit), better)
}

fn is_released(arm: &Arm<'_>) -> bool {
    arm.spec.recipe() == Some(Recipe::Released)
}

/// A figure of an arm minus that of another on the same table; None where they are in other units.
fn less_in(one: &Arm<'_>, other: &Arm<'_>, figure: &Figure) -> Option<Sample> {
    one.scored.less(&other.scored, figure).filter(|_| are_comparable(one, other))
}

fn are_comparable(one: &Arm<'_>, other: &Arm<'_>) -> bool {
    one.spec.table == other.spec.table && is_released(one) == is_released(other)
}

/// The test error of an arm minus that of another on the same table.
pub(super) fn less(one: &Arm<'_>, other: &Arm<'_>) -> Option<Sample> {
    less_in(one, other, &Figure::of("test", "rmse"))
}

pub(super) fn is_hannet(arm: &Arm<'_>) -> bool {
    matches!(arm.spec.method, Method::Network { model: ModelConfig::Hannet(_), .. })
}

/// `tables/<experiment>-differences.csv`: a figure of a network on test rows minus that of another arm with the same seed.
pub(super) type PairRow = (TableKey, PairColumns, Differences);

#[derive(Serialize)]
pub(super) struct PairColumns {
    recipe: Option<String>,
    against: String,
    /// None of what is no network.
    against_recipe: Option<String>,
    metric: String,
}

/// Every HanNet beside every other network, and every network beside every other method.
pub(super) fn paired(arms: &[Arm<'_>]) -> Vec<PairRow> {
    let mut rows = Vec::new();
    for (one, other) in arms.iter().flat_map(|one| arms.iter().map(move |other| (one, other))) {
        let rivals = other.spec.recipe().is_none() || (is_hannet(one) && !is_hannet(other));
        if one.spec.recipe().is_none() || !rivals || !are_comparable(one, other) {
            continue;
        }
        for figure in one.figures().into_iter().filter(|figure| figure.split == "test") {
            let columns = PairColumns {
                recipe: one.spec.details().recipe,
                against: other.spec.arm.clone(),
                against_recipe: other.spec.details().recipe,
                metric: figure.metric.clone(),
            };
            // Where all seeds of one diverged, the row is there and empty.
            rows.push((one.key(), columns, less_in(one, other, &figure).into()));
        }
    }
    rows
}
