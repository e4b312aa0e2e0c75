//! The section of an experiment in `results/README.md`.

use crate::config::{Experiment, Phase};
use crate::record::{FinishedRun, Protocol, Summary};
use crate::report::drawn::{self, Drawn};
use crate::report::verdict::{self, Verdict};
use crate::report::{markdown, percent, provenance};
use std::fmt::Write;

pub(super) fn render(
    experiment: &Experiment,
    missing: Option<&str>,
    runs: &[FinishedRun],
    summaries: &[Summary],
    verdicts: &[Verdict],
    drawn: &[Drawn],
) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "## {}\n\nClaim: {}\n", experiment.title, experiment.claim);
    if let Some(missing) = missing {
        let _ = writeln!(text, "**{missing}**; means are over those.\n");
    }
    for protocol in [Protocol::HeldOut, Protocol::BestOnTest] {
        let _ = writeln!(text, "{}\n", explanation(protocol));
        table(&mut text, experiment, summaries, protocol);
    }
    let _ = writeln!(text, "{}\n", explanation(Protocol::LastIterate));
    table(&mut text, experiment, summaries, Protocol::LastIterate);
    chosen_rates(&mut text, summaries);
    text += &verdict::markdown(verdicts);
    text += &drawn::markdown(drawn);
    let selection = runs.iter().filter(|run| run.spec.phase == Phase::Selection).count();
    let what = format!("{} full runs and {selection} selection runs", runs.len() - selection);
    let diverged = runs.iter().filter(|run| run.manifest.diverged_at_step.is_some()).count();
    text += &provenance::render(&what, diverged, &runs.iter().map(|run| &run.manifest).collect::<Vec<_>>());
    text
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

fn table(text: &mut String, experiment: &Experiment, summaries: &[Summary], protocol: Protocol) {
    let by_rate = protocol == Protocol::LastIterate;
    let with_paper = protocol == Protocol::BestOnTest;
    let mut columns = vec!["recipe", "model", "parameters"];
    columns.extend(by_rate.then_some("learning rate"));
    columns.extend(["mean", "std", "min", "median", "max", "seeds", "diverged"]);
    columns.extend(with_paper.then_some("paper"));
    markdown::head(text, &columns);
    for summary in summaries.iter().filter(|s| s.protocol == protocol) {
        let sample = summary.sample();
        let arm = experiment.arm(&summary.arm);
        let label = arm.map_or(summary.arm.as_str(), |arm| arm.label.as_str());
        let mut cells = vec![summary.recipe.clone(), label.to_string(), summary.parameters.to_string()];
        cells.extend(by_rate.then(|| summary.learning_rate.map_or("-".into(), |rate| rate.to_string())));
        cells.push(percent(sample.map(|s| s.mean)));
        cells.push(percent(sample.and_then(|s| s.deviation)));
        cells.extend([
            percent(sample.map(|s| s.min)),
            percent(sample.map(|s| s.median)),
            percent(sample.map(|s| s.max)),
        ]);
        cells.extend([summary.values.len().to_string(), summary.diverged().to_string()]);
        cells.extend(with_paper.then(|| percent(summary.paper(experiment))));
        markdown::row(text, &cells);
    }
    let _ = writeln!(text);
}

/// Every seed under the honest protocol: what was chosen, what came out.
fn chosen_rates(text: &mut String, summaries: &[Summary]) {
    let _ = writeln!(text, "Seeds of held_out: learning rate chosen, test accuracy in percent.\n");
    for summary in summaries.iter().filter(|s| s.protocol == Protocol::HeldOut) {
        let values: Vec<String> = summary
            .values
            .iter()
            .map(|value| {
                let rate = value.learning_rate.map_or("none".into(), |rate| rate.to_string());
                let accuracy = value.accuracy.map_or("diverged".into(), |a| format!("{:.2}", 100.0 * a));
                format!("{rate}: {accuracy}")
            })
            .collect();
        let _ = writeln!(text, "- {}, {}: {}", summary.recipe, summary.arm, values.join("; "));
    }
    let _ = writeln!(text);
}
