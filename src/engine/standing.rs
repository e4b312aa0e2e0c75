//! How the runs of an experiment stand: finished, under way, begun, failed, missing.

use super::page::{terminal_width, wrapped};
use super::runs::{Attempt, Entry, Look, Walk, duration};
use anyhow::Result;

/// Lines of one sort that are shown.
const SHOWN: usize = 20;

/// What is said of all runs: a line of numbers, then those that are neither finished nor just missing.
pub(super) fn text(name: &str, walk: &Walk<'_>) -> Result<String> {
    let [mut running, mut begun, mut failed, mut damaged] = [const { Vec::new() }; 4];
    let mut missing = walk.pending;
    for entry in &walk.entries {
        match (&entry.state, walk.store.attempt(&entry.directory)?) {
            (Look::Whole(_), _) => {}
            (_, Some(attempt)) if attempt.holder.is_some() => running.push(under_way(entry, &attempt)),
            (Look::Damaged(what), _) => damaged.push(format!("{}: {what}", named(entry))),
            (Look::Missing, _) if entry.failure.is_some() => {
                failed.push(format!("{}: {}", named(entry), entry.failure.as_deref().unwrap_or_default()));
            }
            (Look::Missing, Some(Attempt { step: Some(step), .. })) => {
                begun.push(format!("{}: goes on from step {step} of {}", named(entry), entry.steps));
            }
            (Look::Missing, _) => missing += 1,
        }
    }
    let (finished, planned) = (walk.finished(), walk.planned());
    let mut heading = format!("{name}: {finished} of {planned} runs finished");
    for (lines, what) in [(&running, "running"), (&begun, "begun"), (&failed, "failed"), (&damaged, "damaged")] {
        if !lines.is_empty() {
            heading += &format!(", {} {what}", lines.len());
        }
    }
    if missing > 0 {
        heading += &format!(", {missing} to make");
    }
    let width = terminal_width();
    let mut text = wrapped(&heading, width);
    for (what, lines) in [("running", running), ("begun", begun), ("failed", failed), ("damaged", damaged)] {
        for line in lines.iter().take(SHOWN) {
            text += &wrapped(&format!("  {what} {line}"), width);
        }
        if lines.len() > SHOWN {
            text += &format!("  and {} more\n", lines.len() - SHOWN);
        }
    }
    Ok(text)
}

fn named(entry: &Entry) -> String {
    format!("{} {} seed {}", entry.arm, entry.point, entry.seed)
}

fn under_way(entry: &Entry, attempt: &Attempt) -> String {
    let by = attempt.holder.as_deref().unwrap_or_default();
    let mut text = format!("{} by {by}", named(entry));
    if let (Some(step), Some(seconds)) = (attempt.step, attempt.seconds) {
        text += &format!(", {step} of {}", entry.steps);
        if step > 0 {
            let left = seconds * entry.steps.saturating_sub(step) as f64 / step as f64;
            text += &format!(", about {} left", duration(left));
        }
    }
    text
}
