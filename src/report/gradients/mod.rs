//! Tables, figures and Markdown of the measurements of the layer's claims.

mod depth;
mod figures;
mod flow;
mod markdown;
mod terminal;

use super::verdict::Verdict;
use super::{Report, write_section, write_table};
use crate::config::gradients::{Claims, Extreme, Limit, Runs};
use crate::record::Store;
use crate::record::gradients::{Accuracies, ClaimRow, CostRow, Finished, accuracies, claim_rows};
use anyhow::Result;

/// What is finished, and what it has measured.
struct Results<'r> {
    claims: &'r Claims,
    /// Runs that the command asks for.
    planned: usize,
    finished: &'r Finished,
    rows: Vec<ClaimRow>,
    accuracies: Vec<Accuracies>,
    costs: Vec<CostRow>,
}

impl Results<'_> {
    /// The name of a network on charts.
    fn label(&self, arm: &str) -> String {
        match arm {
            "layer-han" => "Han-layer".into(),
            "layer-dense" => "dense layer".into(),
            _ => self.claims.arm(arm).map_or_else(|| arm.to_string(), |arm| arm.label.clone()),
        }
    }

    /// How many runs are finished; nothing if all are.
    fn missing(&self) -> Option<String> {
        super::missing(self.finished.len(), self.planned)
    }
}

/// Writes tables, figures and Markdown of what is finished of the runs.
///
/// # Errors
/// When a file of a run is missing or damaged, or nothing can be written.
pub fn write(store: &Store, claims: &Claims, runs: &Runs, finished: &Finished) -> Result<Report> {
    let results = Results {
        claims,
        planned: finished.planned(runs),
        finished,
        rows: claim_rows(claims, runs, finished)?,
        accuracies: accuracies(claims, &runs.selections, finished)?,
        costs: finished.rows("cost.csv")?,
    };
    write_table(store, &claims.name, &results.rows)?;
    write_table(store, &format!("{}-cost", claims.name), &results.costs)?;
    let drawn = figures::draw(store, &results)?;
    let verdicts = verdicts(&results);
    write_section(store, &claims.name, &markdown::render(&results, &verdicts, &drawn))?;
    let missed = verdicts.iter().filter(|verdict| !verdict.met).count();
    Ok(Report { text: terminal::render(store, &results, &verdicts, &drawn), missed })
}

/// Expectations are judged when all runs are there.
fn verdicts(results: &Results<'_>) -> Vec<Verdict> {
    if results.missing().is_some() {
        return Vec::new();
    }
    results.claims.expectations.iter().map(|limit| judge(results, limit)).collect()
}

fn judge(results: &Results<'_>, limit: &Limit) -> Verdict {
    let Limit { part, arm, metric, state, precision, depth, statistic, at_least, at_most } = limit;
    let mut fitting = results.rows.iter().filter(|row| {
        (row.part, row.arm.as_str(), row.metric.as_str()) == (*part, arm.as_str(), metric.as_str())
            && (state.is_none() || row.state == *state)
            && (precision.is_none() || row.precision == *precision)
            && (depth.is_none() || row.depth == *depth)
    });
    // An expectation that fits several rows says nothing of any.
    let row = fitting.next().filter(|_| fitting.next().is_none());
    let value = row.and_then(|row| match statistic {
        Extreme::Max => row.max,
        Extreme::Median => row.median,
        Extreme::Min => row.min,
    });
    // A seed that diverged has no value, and is worse than any.
    let whole = row.is_some_and(|row| row.diverged == 0);
    let met = value.is_some_and(|value| {
        whole && at_least.is_none_or(|least| value >= least) && at_most.is_none_or(|most| value <= most)
    });
    let metric = metric.replace('_', " ");
    // "largest largest gradient ratio" says nothing that "largest gradient ratio" does not.
    let what = if metric.starts_with(&statistic.to_string()) { metric } else { format!("{statistic} {metric}") };
    let mut text = format!("{what} of {}", results.label(arm));
    if let Some(depth) = depth {
        text += &format!(" with {depth} layers");
    }
    if let Some(precision) = precision {
        text += &format!(" in {precision}");
    }
    match (at_least, at_most) {
        (Some(least), Some(most)) => text += &format!(" is from {least} to {most}"),
        (Some(least), None) => text += &format!(" is at least {least}"),
        (None, Some(most)) => text += &format!(" is at most {}", number(*most)),
        (None, None) => {}
    }
    let mut found = value.map_or("no single value".into(), number);
    if let Some(row) = row.filter(|row| row.diverged > 0) {
        found += &format!(" with {} seeds diverged", row.diverged);
    }
    let verdict = if met { "met" } else { "MISSED" };
    Verdict { text: format!("{text}: measured {found}: {verdict}"), met }
}

/// A number that may be missing in a table.
fn number_or_dash(value: Option<f64>) -> String {
    value.map_or("-".into(), number)
}

/// A number of any size in a table.
fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let off = (value - 1.0).abs();
    match value.abs() {
        _ if off > 0.0 && off < 5e-4 => format!("1 {} {off:.1e}", if value < 1.0 { "-" } else { "+" }),
        size if (1e-2..1e4).contains(&size) => format!("{value:.4}"),
        _ => format!("{value:.2e}"),
    }
}
