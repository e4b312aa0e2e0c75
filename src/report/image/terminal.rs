//! The closing table of a command.

use super::Results;
use crate::record::Store;
use crate::report::drawn::{self, Drawn};
use crate::report::verdict::Verdict;
use crate::report::{percent, spread};
use std::fmt::Write;

pub(super) fn render(store: &Store, results: &Results<'_>, verdicts: &[Verdict], drawn: &[Drawn]) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "\n{}, data {}: test accuracy in percent, mean +- std over seeds",
        results.experiment.title,
        results.setting()
    );
    let width = results.arms.iter().map(|arm| results.label(&arm.arm).len()).max().unwrap_or(0).max(7);
    let header = format!(
        "{:width$} {:>10} {:>5} {:>15} {:>15} {:>7} {:>7} {:>7} {:>9}",
        "network", "parameters", "seeds", "top-1", "top-5", "best", "worst", "paper", "s / epoch"
    );
    let _ = writeln!(text, "{header}\n{}", "-".repeat(header.len()));
    for arm in &results.arms {
        let sample = arm.sample("test", "accuracy");
        let diverged = match arm.diverged.len() {
            0 => String::new(),
            diverged => format!("  {diverged} diverged"),
        };
        let _ = writeln!(
            text,
            "{:width$} {:>10} {:>5} {:>15} {:>15} {:>7} {:>7} {:>7} {:>9}{diverged}",
            results.label(&arm.arm),
            arm.parameters,
            sample.map_or(0, |sample| sample.n),
            spread(sample),
            spread(arm.sample("test", "top5")),
            percent(sample.map(|s| s.max)),
            percent(sample.map(|s| s.min)),
            percent(results.paper(&arm.arm)),
            arm.epoch_seconds.map_or("-".into(), |seconds| format!("{seconds:.1}")),
        );
    }
    if let Some(missing) = results.missing() {
        let _ = writeln!(text, "{missing}; means are over those");
    }
    for arm in &results.arms {
        if let Some((other, difference)) = results.difference(arm) {
            let (names, points) = ((results.label(&arm.arm), results.label(&other.arm)), 100.0 * difference.mean);
            let seeds = if difference.n == 1 { "1 seed".into() } else { format!("{} seeds", difference.n) };
            let spread = difference.deviation.map_or(String::new(), |d| format!(" +- {:.2}", 100.0 * d));
            let interval = difference.confidence_interval();
            let interval = interval.map_or(String::new(), |(low, high)| {
                format!(", 95 % interval {:+.2} to {:+.2}", 100.0 * low, 100.0 * high)
            });
            let _ = writeln!(text, "{} less {}: {points:+.2}{spread} points over {seeds}{interval}", names.0, names.1);
        }
    }
    for verdict in verdicts {
        let _ = writeln!(text, "{}", verdict.text);
    }
    text += &drawn::missing(drawn);
    let _ = writeln!(text, "\nfigures, tables and runs are in {}", store.root().display());
    text
}
