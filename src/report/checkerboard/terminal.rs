//! The closing table of a command.

use crate::config::Experiment;
use crate::record::{Protocol, Store, Summary};
use crate::report::drawn::{self, Drawn};
use crate::report::verdict::Verdict;
use crate::report::{percent, spread};
use std::fmt::Write;

pub(super) fn render(
    store: &Store,
    summaries: &[Summary],
    experiment: &Experiment,
    missing: Option<&str>,
    verdicts: &[Verdict],
    drawn: &[Drawn],
) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "\n{}: test accuracy in percent over seeds", experiment.title);
    let header = format!(
        "{:7} {:12} {:8} {:>10} {:>15} {:>7} {:>7} {:>3} {:>8} {:>7} {:>9}",
        "recipe",
        "protocol",
        "model",
        "parameters",
        "mean +- std",
        "median",
        "min",
        "n",
        "diverged",
        "paper",
        "s / seed"
    );
    let _ = writeln!(text, "{header}\n{}", "-".repeat(header.len()));
    for summary in summaries.iter().filter(|s| s.protocol != Protocol::LastIterate) {
        let sample = summary.sample();
        let _ = writeln!(
            text,
            "{:7} {:12} {:8} {:>10} {:>15} {:>7} {:>7} {:>3} {:>8} {:>7} {:>9.1}",
            summary.recipe,
            summary.protocol.key(),
            summary.arm,
            summary.parameters,
            spread(sample),
            percent(sample.map(|s| s.median)),
            percent(sample.map(|s| s.min)),
            summary.values.len(),
            summary.diverged(),
            percent(summary.paper(experiment)),
            summary.seconds,
        );
    }
    if summaries.is_empty() {
        let _ = writeln!(text, "no seed has all of its runs yet");
    }
    if let Some(missing) = missing {
        let _ = writeln!(text, "{missing}; means are over those");
    }
    for verdict in verdicts {
        let _ = writeln!(text, "{}", verdict.text);
    }
    text += &drawn::missing(drawn);
    let _ = writeln!(text, "\nfigures, tables and runs are in {}", store.root().display());
    text
}
