//! What is shown of a checkerboard.

use super::check::Checkerboard;
use super::compare::paired;
use super::figures;
use super::spec::TrainingSpec;
use super::summary::{Protocol, Setting, Summary, summarise};
use crate::engine::page::{Block, Page, Table, percent, spread};
use crate::engine::runs::FinishedRun;
use crate::engine::settings::File;
use anyhow::Result;

pub(super) fn of(experiment: &Checkerboard, runs: &[FinishedRun<TrainingSpec>]) -> Result<Page> {
    let summaries = summarise(experiment, runs)?;
    let mut page = Page::new(&experiment.file.experiment, ": test accuracy in percent over seeds");
    page.csv("", &summaries.iter().map(|summary| summary.row(experiment)).collect::<Vec<_>>())?;
    page.csv("-seeds", &summaries.iter().flat_map(Summary::seed_rows).collect::<Vec<_>>())?;
    page.csv("-differences", &paired(experiment, &summaries))?;
    let shown = [Protocol::HeldOut, Protocol::BestOnTest];
    let columns = "recipe, model, protocol, parameters, s / seed, paper, diverged, seeds, min, median, mean +- std";
    page.closing.push(Block::Table(table(experiment, &summaries, &shown, columns)));
    for protocol in [Protocol::HeldOut, Protocol::BestOnTest, Protocol::LastIterate] {
        let columns = "recipe, model, parameters, learning rate, mean, std, min, median, max, seeds, diverged, paper";
        let table = table(experiment, &summaries, &[protocol], columns);
        let is_main = protocol != Protocol::LastIterate;
        page.table(explanation(protocol), if is_main { table.main() } else { table });
    }
    figures::draw(&mut page, experiment, runs, &summaries);
    Ok(page)
}

fn explanation(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::HeldOut => {
            "**held_out**: the learning rate is chosen on validation points cut from the training points, then one \
             training on all training points, scored once at its last iterate. Test accuracy in percent."
        }
        Protocol::BestOnTest => {
            "**best_on_test**: the paper's protocol, the best test accuracy over all iterations and learning rates. It \
             selects on the test set; it is here for comparison with the paper's figures alone."
        }
        Protocol::LastIterate => "**last_iterate**: the last iterate at each learning rate.",
    }
}

/// A row for each network under the protocols, with the columns that are named.
fn table(experiment: &Checkerboard, summaries: &[Summary], protocols: &[Protocol], columns: &'static str) -> Table {
    let mut table = Table::with(columns);
    for summary in summaries.iter().filter(|summary| protocols.contains(&summary.of.protocol)) {
        let (Setting { arm: name, recipe, protocol, .. }, sample) = (&summary.of, summary.sample());
        let arm = experiment.file.arm(name);
        let cell = |column| match column {
            "recipe" => recipe.clone(),
            "model" => arm.map_or(name, |arm| &arm.label).clone(),
            "protocol" => protocol.key().into(),
            "parameters" => summary.trained.parameters.to_string(),
            "learning rate" => summary.trained.learning_rate.map_or("-".into(), |rate| rate.to_string()),
            "mean" => percent(sample.map(|sample| sample.mean)),
            "std" => percent(sample.and_then(|sample| sample.deviation)),
            "min" => percent(sample.map(|sample| sample.min)),
            "median" => percent(sample.map(|sample| sample.median)),
            "max" => percent(sample.map(|sample| sample.max)),
            "seeds" => sample.map_or(0, |sample| sample.n).to_string(),
            "diverged" => summary.accuracies().diverged().to_string(),
            "paper" => percent(summary.paper(experiment)),
            "s / seed" => format!("{:.1}", summary.seconds),
            _ => spread(sample),
        };
        table.row(columns.split(", ").map(cell));
    }
    table.without_empty(&["learning rate", "paper"])
}
