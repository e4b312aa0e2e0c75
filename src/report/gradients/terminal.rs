//! The closing table of a command.

use super::{Results, number_or_dash};
use crate::record::Store;
use crate::record::gradients::ClaimRow;
use crate::report::drawn::{self, Drawn};
use crate::report::verdict::Verdict;
use std::fmt::Write;

pub(super) fn render(store: &Store, results: &Results<'_>, verdicts: &[Verdict], drawn: &[Drawn]) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "\n{}", results.claims.title);
    let width = results.rows.iter().map(|row| name(results, row).len()).max().unwrap_or(0).max(8);
    let header = format!("{:width$} {:>6} {:>13} {:>13} {:>13}", "measured", "n", "smallest", "median", "largest");
    let mut part = None;
    for row in results.rows.iter().filter(|row| shown(results, row)) {
        if part != Some(row.part) {
            part = Some(row.part);
            let _ = writeln!(text, "\n{header}\n{}", "-".repeat(header.len()));
        }
        let diverged = if row.diverged > 0 { format!("  {} diverged", row.diverged) } else { String::new() };
        let _ = writeln!(
            text,
            "{:width$} {:>6} {:>13} {:>13} {:>13}{diverged}",
            name(results, row),
            row.n,
            number_or_dash(row.min),
            number_or_dash(row.median),
            number_or_dash(row.max),
        );
    }
    let _ = writeln!(text);
    if let Some(missing) = results.missing() {
        let _ = writeln!(text, "{missing}; numbers are over those");
    }
    for verdict in verdicts {
        let _ = writeln!(text, "{}", verdict.text);
    }
    text += &drawn::missing(drawn);
    let _ = writeln!(text, "\nfigures, tables and runs are in {}", store.root().display());
    text
}

/// Of what is measured at many depths, the deepest; all is in the table on disk.
fn shown(results: &Results<'_>, row: &ClaimRow) -> bool {
    use crate::config::gradients::Part;
    if row.part == Part::Depth || row.depth.is_none() {
        return true;
    }
    let same = |other: &&ClaimRow| {
        (&other.arm, &other.metric, &other.state, &other.precision)
            == (&row.arm, &row.metric, &row.state, &row.precision)
    };
    row.depth == results.rows.iter().filter(same).filter_map(|other| other.depth).max()
}

fn name(results: &Results<'_>, row: &ClaimRow) -> String {
    let mut name = format!("{}: {}", results.label(&row.arm), row.metric.replace('_', " "));
    if let Some(depth) = row.depth {
        name += &format!(", {depth} layers");
    }
    for word in [&row.state, &row.precision].into_iter().flatten() {
        name += &format!(", {word}");
    }
    name
}
