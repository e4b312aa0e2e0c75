//! HanNets beside the other networks, seed by seed; and what `han-exp compare` compares of a checkerboard.

use super::check::Checkerboard;
use super::spec::TrainingSpec;
use super::summary::{METRIC, Protocol, Setting, Summary, summarise};
use crate::engine::compare::{Contender, Series};
use crate::engine::rows::Differences;
use crate::engine::runs::FinishedRun;
use crate::engine::settings::{File, decimal};
use crate::model::ModelConfig;
use anyhow::Result;
use serde::Serialize;

/// Keys of a run that say what it was trained and scored on.
const DATA: [&str; 2] = ["board", "split"];

/// Every network under every recipe, and at every learning rate where that is asked for.
pub(super) fn contenders(experiment: &Checkerboard, runs: &[FinishedRun<TrainingSpec>]) -> Result<Vec<Contender>> {
    let mut contenders: Vec<Contender> = Vec::new();
    for summary in summarise(experiment, runs)? {
        let (Setting { arm, recipe, protocol, .. }, rate) = (&summary.of, summary.trained.learning_rate);
        let setting = rate.map_or(recipe.clone(), |rate| format!("{recipe}/lr{}", decimal(rate)));
        let known = contenders.iter().position(|known| known.arm == *arm && known.setting == setting);
        let place = known.unwrap_or(contenders.len());
        if known.is_none() {
            let mut contender = Contender::new(arm, &setting, "board");
            contender.on_demand = rate.is_some();
            let of_setting = |run: &&FinishedRun<TrainingSpec>| {
                let same = run.spec.arm == *arm && run.spec.recipe == *recipe;
                same && rate.is_none_or(|rate| run.spec.fit.learning_rate == rate)
            };
            runs.iter().filter(of_setting).try_for_each(|run| contender.add(run, &DATA, &[]))?;
            contenders.push(contender);
        }
        contenders[place].series.push(Series::new(protocol.key(), summary.accuracies()));
    }
    Ok(contenders)
}

/// `tables/<experiment>-differences.csv`: the accuracy of a HanNet minus that of another network with the same seed.
pub(super) type PairRow = (PairColumns, Differences);

#[derive(Serialize)]
pub(super) struct PairColumns {
    experiment: String,
    recipe: String,
    protocol: Protocol,
    arm: String,
    against: String,
    metric: &'static str,
}

/// Every HanNet beside every other network, under the honest protocol.
pub(super) fn paired(experiment: &Checkerboard, summaries: &[Summary]) -> Vec<PairRow> {
    let is_hannet = |summary: &Summary| {
        experiment.file.arm(&summary.of.arm).is_some_and(|arm| matches!(arm.model, ModelConfig::Hannet(_)))
    };
    let held_out = || summaries.iter().filter(|summary| summary.of.protocol == Protocol::HeldOut);
    let row = |one: &Summary, other: &Summary| {
        let columns = PairColumns {
            experiment: experiment.file.experiment.name.clone(),
            recipe: one.of.recipe.clone(),
            protocol: one.of.protocol,
            arm: one.of.arm.clone(),
            against: other.of.arm.clone(),
            metric: METRIC,
        };
        (columns, one.accuracies().less(&other.accuracies()).into())
    };
    let of = |one: &Summary| -> Vec<PairRow> {
        let rivals = held_out().filter(|other| other.of.recipe == one.of.recipe && !is_hannet(other));
        rivals.map(|other| row(one, other)).collect()
    };
    held_out().filter(|summary| is_hannet(summary)).flat_map(of).collect()
}
