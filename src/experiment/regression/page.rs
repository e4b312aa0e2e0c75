//! What is shown of a regression.

use super::check::{Facts, INSIDE, Regression};
use super::compare::{is_hannet, less, paired};
use super::figures;
use super::file::Recipe;
use super::spec::RegressionSpec;
use super::summary::Arm;
use crate::engine::page::{Block, Page, Table, decimals, interval_as, signed, spread_as};
use crate::engine::runs::{FinishedRun, Spec};
use crate::engine::settings::word;
use crate::figure::significant;
use anyhow::Result;
use std::collections::BTreeSet;

pub(super) fn of(experiment: &Regression, facts: &Facts, runs: &[FinishedRun<RegressionSpec>]) -> Result<Page> {
    let train = &experiment.file.train;
    let arms = Arm::all(experiment, runs)?;
    let note = if facts.stand_ins { format!(", {INSIDE}") } else { String::new() };
    let subtitle = format!("{note}: RMSE on test rows in standard deviations of the target, mean +- std over seeds");
    let mut page = Page::new(&experiment.file.experiment, subtitle);
    page.csv("", &arms.iter().flat_map(Arm::rows).collect::<Vec<_>>())?;
    page.csv("-seeds", &arms.iter().flat_map(Arm::seed_rows).collect::<Vec<_>>())?;
    page.csv("-differences", &paired(&arms))?;
    let sentences = sentences(&arms);
    let columns = "data, arm, recipe, parameters, rates, in units, R^2, diverged, n, RMSE";
    page.closing.push(Block::Table(errors(&arms, columns)));
    page.closing.extend(sentences.iter().cloned().map(Block::Text));
    let mut tables = Table::new(["table", "rows", "features", "from", "SHA-256"]);
    for table in &facts.tables {
        let (rows, features) = (table.rows.to_string(), table.features.to_string());
        // It may come from a file that somebody has edited.
        let sha256 = table.sha256.get(..16).unwrap_or(&table.sha256);
        tables.row([&table.name, &*rows, &*features, table.origin.words(), sha256]);
    }
    page.table(format!("**Tables**{note}. Constant columns are not counted."), tables);
    page.text(format!(
        "Every seed splits the rows at random: 80 % for training, 12 % for testing, 8 % for validation. Networks are trained \
         for {} epochs in batches of {} rows. Validation rows choose the epoch of a training, the learning rate of a seed (in \
         brackets: by how many seeds) and the settings of ridge regression and extra trees; test rows choose nothing.",
        train.epochs, train.batch_size
    ));
    let explanation = format!(
        "**Errors**{note}. Root mean squared error on test rows in standard deviations of the target and in its unit, mean +- \
         standard deviation over seeds, 95 % interval of the mean (Student's t). Recipe released does as the released code: \
         all rows have a say in the standardisation, and milestones of the learning rate are counted in steps; what that code \
         reports is column validation. beats: methods with a larger mean error on the same rows.",
    );
    let columns = "data, arm, recipe, parameters, n, diverged, RMSE, interval, in units, R^2, validation, rates, beats";
    page.table(explanation, errors(&arms, columns).main());
    page.text(sentences.iter().map(|sentence| format!("- {sentence}\n")).collect::<String>());
    figures::draw(&mut page, experiment, facts, &arms);
    Ok(page)
}

/// A row for each arm on each table, with the columns that are named.
fn errors(arms: &[Arm<'_>], columns: &'static str) -> Table {
    let mut table = Table::new(columns.split(", "));
    for arm in arms {
        let of = |split, metric, show| spread_as(arm.sample(split, metric), show);
        let cell = |column| match column {
            "data" => arm.spec.table.name.clone(),
            "arm" => arm.spec.arm.clone(),
            "recipe" => arm.spec.recipe().map_or("-".into(), |recipe| word(&recipe)),
            "parameters" => arm.parameters().map_or("-".into(), |count| count.to_string()),
            "n" => arm.chosen.len().to_string(),
            "diverged" => arm.scored.diverged.len().to_string(),
            "interval" => interval_as(arm.sample("test", "rmse"), error),
            "in units" => of("test", "rmse_in_units", significant),
            "R^2" => of("test", "r_squared", error),
            "validation" => of("validation", "rmse", error),
            "rates" => arm.rates(),
            "beats" => beaten(arm, arms),
            _ => of("test", "rmse", error),
        };
        table.row(columns.split(", ").map(cell));
    }
    table.without_empty(&["diverged", "recipe", "rates"])
}

fn error(value: f64) -> String {
    decimals(value, 4)
}

fn beaten(arm: &Arm<'_>, arms: &[Arm<'_>]) -> String {
    let methods = arms.iter().filter(|other| arm.spec.recipe().is_some() && other.spec.recipe().is_none());
    let (better, worse): (Vec<_>, Vec<_>) =
        methods.filter_map(|other| Some((less(arm, other)?, &*other.spec.arm))).partition(|(less, _)| less.mean < 0.0);
    match (better.is_empty(), worse.is_empty()) {
        (true, true) => "-".into(),
        (true, false) => "none".into(),
        (false, _) => better.into_iter().map(|(_, name)| name).collect::<Vec<_>>().join(", "),
    }
}

/// What the paper's claim comes to, every HanNet beside every other network; and where a network is worse than a plain method.
fn sentences(arms: &[Arm<'_>]) -> Vec<String> {
    let (mut claims, mut losses) = (Vec::new(), Vec::new());
    let mut counts = [("smaller", 0), ("larger", 0), ("undecided", 0)];
    let mut lost = 0;
    for (one, other) in arms.iter().flat_map(|one| arms.iter().map(move |other| (one, other))) {
        if one.spec.recipe() != Some(Recipe::HeldOut) {
            continue;
        }
        let is_claim = is_hannet(one) && other.spec.recipe().is_some() && !is_hannet(other);
        let Some(less) = less(one, other) else {
            let alike = one.spec.table == other.spec.table && one.spec.recipe() == other.spec.recipe();
            lost += usize::from(is_claim && alike && (one.has_diverged() || other.has_diverged()));
            continue;
        };
        let (word, count) = match less.confidence_interval() {
            Some((_, high)) if high < 0.0 => &mut counts[0],
            Some((low, _)) if low > 0.0 => &mut counts[1],
            _ => &mut counts[2],
        };
        let interval = interval_as(Some(less), error);
        let (data, name, rival) = (&one.spec.table.name, one.spec.arm(), other.spec.arm());
        let told = format!(
            "{data}: RMSE of {name} minus that of {rival}: {} (95 % interval {interval}, n = {}), {word}",
            signed(less.mean, 4),
            less.n
        );
        if other.spec.recipe().is_none() && less.mean > 0.0 {
            losses.push(told);
        } else if is_claim {
            *count += 1;
            claims.push(told);
        }
    }
    let tables: BTreeSet<&str> = arms.iter().map(|arm| arm.spec.table.name.as_str()).collect();
    let compared = claims.len() + lost;
    let of = if compared > tables.len() { "comparisons" } else { "tables" };
    let lost = (lost > 0).then_some(("diverged", lost));
    let counts = counts.into_iter().chain(lost).map(|(word, count)| format!("{word} on {count}"));
    let counts = counts.collect::<Vec<_>>().join(", ");
    let claim =
        format!("The error of a HanNet beside that of a dense network, by these intervals: {counts} of the {of}");
    let claim = (compared > 0).then_some(claim);
    claims.into_iter().chain(claim).chain(losses).collect()
}
