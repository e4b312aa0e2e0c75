//! The closing table of a command.

use super::Results;
use crate::record::Store;
use crate::record::robustness::ArmMeasurements;
use crate::record::scores::Figure;
use crate::report::drawn::{self, Drawn};
use crate::report::verdict::Verdict;
use crate::report::{probability, spread};
use std::fmt::Write;

pub(super) fn render(store: &Store, results: &Results<'_>, verdicts: &[Verdict], drawn: &[Drawn]) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "\n{}, data {}: accuracy in percent, mean +- std over seeds",
        results.experiment.title,
        results.data()
    );
    let columns = columns(results);
    let width = results.measured.arms.iter().map(|arm| results.label(&arm.arm).len()).max().unwrap_or(0).max(7);
    let mut header = format!("{:width$} {:>10} {:>5} {:>8}", "model", "parameters", "seeds", "attacked");
    for (name, _) in &columns {
        let _ = write!(header, " {name:>0$}", room(name));
    }
    let _ = writeln!(text, "{header}\n{}", "-".repeat(header.len()));
    for arm in &results.measured.arms {
        let seeds = arm.values.values().map(Vec::len).max().unwrap_or(0);
        let _ = write!(text, "{:width$} {:>10} {seeds:>5} {:>8}", results.label(&arm.arm), arm.parameters, arm.images);
        for (name, figure) in &columns {
            let _ = write!(text, " {:>1$}", spread(arm.sample(figure)), room(name));
        }
        let diverged = match arm.diverged.len() {
            0 => String::new(),
            diverged => format!("  {diverged} diverged"),
        };
        let _ = writeln!(text, "{diverged}");
    }
    if let Some(missing) = results.missing() {
        let _ = writeln!(text, "{missing}; means are over those");
    }
    if results.measured.arms.is_empty() {
        let _ = writeln!(text, "no network is trained and attacked yet");
    }
    let _ = writeln!(
        text,
        "clean and proved (certified, L2): all test images. worst: no attack of all broke it; of the attacked images."
    );
    comparisons(&mut text, results);
    checklist(&mut text, results);
    for verdict in verdicts {
        let _ = writeln!(text, "{}", verdict.text);
    }
    text += &drawn::missing(drawn);
    let _ = writeln!(text, "\nfigures, tables and runs are in {}", store.root().display());
    text
}

/// Width of a column: a size such as 8/255 has many digits.
fn room(name: &str) -> usize {
    name.len().max(15)
}

/// Heading and figure of each column.
fn columns(results: &Results<'_>) -> Vec<(String, Figure)> {
    // Weights from a file have no training, and only the attacked images then say how right they are.
    let trained = results.measured.arms.iter().any(|arm| arm.sample(&Figure::of("test", "accuracy")).is_some());
    let mut columns = vec![("clean".to_string(), Figure::of(if trained { "test" } else { "attacked" }, "accuracy"))];
    for threat in &results.experiment.threats {
        for &eps in &threat.eps {
            let figure = Figure::under("worst_case", threat.norm, eps);
            columns.push((format!("worst {} {eps}", threat.norm.name()), figure));
        }
    }
    let l2 = results.experiment.threats.iter().find(|threat| threat.norm.name() == "l2");
    for radius in [0.3, 1.58] {
        columns.extend(
            l2.map(|threat| (format!("proved {radius}"), Figure::certified("certified_accuracy", threat.norm, radius))),
        );
    }
    let any = |figure: &Figure| results.measured.arms.iter().any(|arm: &ArmMeasurements| arm.sample(figure).is_some());
    columns.retain(|(_, figure)| any(figure));
    columns
}

/// Of every pair of networks and ball: in how many seeds the first is ahead, and the largest p-value.
fn comparisons(text: &mut String, results: &Results<'_>) {
    let rows = &results.measured.comparisons;
    let mut seen: Vec<(&str, &str, &str, f64)> = Vec::new();
    for row in rows {
        let key = (row.first.as_str(), row.second.as_str(), row.norm.as_str(), row.epsilon);
        if seen.contains(&key) {
            continue;
        }
        seen.push(key);
        let same: Vec<_> =
            rows.iter().filter(|r| (r.first.as_str(), r.second.as_str(), r.norm.as_str(), r.epsilon) == key).collect();
        let ahead = same.iter().filter(|row| row.first_accuracy > row.second_accuracy).count();
        let p = same.iter().map(|row| row.p_value).fold(0.0, f64::max);
        let ball = if row.norm.is_empty() { "clean".into() } else { format!("{} {}", row.norm, row.epsilon) };
        let _ = writeln!(
            text,
            "{} against {}, {ball}: ahead in {ahead} of {} seeds, largest McNemar p {}",
            results.label(key.0),
            results.label(key.1),
            same.len(),
            probability(p)
        );
    }
}

fn checklist(text: &mut String, results: &Results<'_>) {
    let all = results.checks().count();
    if all == 0 {
        return;
    }
    let failed: Vec<_> = results.checks().filter(|(_, check)| !check.passed).collect();
    let _ = writeln!(text, "checklist for hidden gradients: {} of {all} rows pass", all - failed.len());
    for (arm, check) in failed {
        let _ = writeln!(
            text,
            "  FAIL {}, {} {}: {}: {:.3e}, at most {:.1e}",
            results.label(arm),
            check.norm,
            check.epsilon,
            check.check,
            check.measured,
            check.threshold
        );
    }
}
