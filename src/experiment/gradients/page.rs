//! What is shown of the layer's claims.

use super::Findings;
use super::depth::accuracies;
use super::figures::{self, Results};
use super::file::Part;
use super::plan::Claims;
use super::summary::{ClaimRow, claim_rows, number};
use crate::engine::page::{Block, Page, Table, percent, spread};
use anyhow::Result;

/// What a table of each part begins with.
const PARTS: [(Part, &str); 5] = [
    (
        Part::Jacobian,
        "**Jacobians.** Deviation: the largest entry of J^T J minus the identity. Singular values: of the Jacobian from the \
         plane to the last hidden state and to the outputs, over points of the board and seeds.",
    ),
    (
        Part::Norms,
        "**Gradients.** Length at the first hidden layer over that at the last; of the samples of every seed the smallest and \
         the largest ratio.",
    ),
    (Part::Cost, "**Cost.** Exponent k of time = a d^k."),
    (
        Part::Lipschitz,
        "**Lipschitz constant of the hidden layers.** Largest ratio that gradient ascent found, and the product of spectral \
         norms that bounds it.",
    ),
    (
        Part::Depth,
        "**Neighbours.** Mean cosine between the gradients of untrained networks at points of the board that are one grid step \
         apart.",
    ),
];

pub(super) fn of(claims: &Claims, findings: &Findings) -> Result<Page> {
    let (accuracies, costs) = (accuracies(claims, findings)?, findings.rows("cost.csv")?);
    let rows = claim_rows(claims, findings, &accuracies, &costs)?;
    let mut page = Page::new(&claims.file.experiment, "");
    page.csv("", &rows)?;
    let name = &claims.file.experiment.name;
    page.csv("-seeds", &accuracies.iter().flat_map(|scores| scores.seed_rows(name)).collect::<Vec<_>>())?;
    page.csv("-cost", &costs)?;
    page.closing.push(Block::Table(closing(claims, &rows)));
    for (part, heading) in PARTS {
        // Accuracies have a table of their own.
        let of_part = rows.iter().filter(|row| row.part == part && row.metric != "test_accuracy");
        page.table(heading, table(claims, of_part));
    }
    let results = Results { claims, findings, accuracies, costs };
    page.table(explanation(claims), depth(&results).main());
    figures::draw(&mut page, &results);
    Ok(page)
}

fn table<'r>(claims: &Claims, rows: impl Iterator<Item = &'r ClaimRow>) -> Table {
    let mut table = Table::with("of, measured, layers, state, precision, n, diverged, smallest, median, largest");
    for row in rows {
        let [min, median, max] = [row.min, row.median, row.max].map(number_or_dash);
        table.row([
            claims.label(&row.arm),
            row.metric.replace('_', " "),
            row.depth.map_or(String::new(), |depth| depth.to_string()),
            row.state.clone().unwrap_or_default(),
            row.precision.clone().unwrap_or_default(),
            row.n.to_string(),
            row.diverged.to_string(),
            min,
            median,
            max,
        ]);
    }
    table.without_empty(&["layers", "state", "precision", "diverged"])
}

fn explanation(claims: &Claims) -> String {
    let file = &claims.file.depth;
    format!(
        "**Depth.** Accuracy on the held-out points of the checkerboard in percent, mean +- standard deviation over seeds. \
         {} steps of {} points for every network; the learning rate is chosen on validation points. A ResNet of n layers has n / 2 blocks.",
        file.iterations, file.batch_size
    )
}

/// Accuracy against depth.
fn depth(results: &Results<'_>) -> Table {
    let mut table =
        Table::with("network, layers, parameters, seeds, diverged, test accuracy, median, worst, best, rates chosen");
    for scores in &results.accuracies {
        let sample = scores.values.sample();
        let mut rates: Vec<f64> = scores.rates.values().copied().collect();
        rates.sort_by(f64::total_cmp);
        rates.dedup();
        let rates: Vec<String> = rates.iter().map(f64::to_string).collect();
        table.row([
            results.claims.label(&scores.arm),
            scores.depth.to_string(),
            scores.parameters.to_string(),
            sample.map_or(0, |sample| sample.n).to_string(),
            scores.values.diverged().to_string(),
            spread(sample),
            percent(sample.map(|s| s.median)),
            percent(sample.map(|s| s.min)),
            percent(sample.map(|s| s.max)),
            if rates.is_empty() { "none".into() } else { rates.join(", ") },
        ]);
    }
    table
}

fn closing(claims: &Claims, rows: &[ClaimRow]) -> Table {
    let mut table = Table::with("measured, n, diverged, smallest, median, largest");
    for row in rows.iter().filter(|row| is_shown(rows, row)) {
        let mut name = format!("{}: {}", claims.label(&row.arm), row.metric.replace('_', " "));
        let layers = row.depth.map(|depth| format!("{depth} layers"));
        for word in [&layers, &row.state, &row.precision].into_iter().flatten() {
            name += &format!(", {word}");
        }
        let [min, median, max] = [row.min, row.median, row.max].map(number_or_dash);
        table.row([name, row.n.to_string(), row.diverged.to_string(), min, median, max]);
    }
    table.without_empty(&["diverged"])
}

/// Of what is measured at many depths, the deepest; all is in the table on disk.
fn is_shown(rows: &[ClaimRow], row: &ClaimRow) -> bool {
    let key = |row: &ClaimRow| (row.arm.clone(), row.metric.clone(), row.state.clone(), row.precision.clone());
    let deepest = || rows.iter().filter(|other| key(other) == key(row)).filter_map(|other| other.depth).max();
    row.part == Part::Depth || row.depth == deepest()
}

fn number_or_dash(value: Option<f64>) -> String {
    value.map_or("-".into(), number)
}
