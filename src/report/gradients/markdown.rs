//! The section of the layer's claims in `results/README.md`.

use super::{Results, number_or_dash};
use crate::config::gradients::Part;
use crate::record::gradients::ClaimRow;
use crate::report::drawn::{self, Drawn};
use crate::report::verdict::{self, Verdict};
use crate::report::{markdown, provenance, spread};
use std::fmt::Write;

/// What a table of each part begins with.
const PARTS: [(Part, &str); 5] = [
    (
        Part::Jacobian,
        "**Jacobians.** Deviation: the largest entry of J^T J less the identity. Singular values: of the Jacobian from the \
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

pub(super) fn render(results: &Results<'_>, verdicts: &[Verdict], drawn: &[Drawn]) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "## {}\n\nClaim: {}\n", results.claims.title, results.claims.claim);
    if let Some(missing) = results.missing() {
        let _ = writeln!(text, "**{missing}**; numbers are over those.\n");
    }
    text += &verdict::markdown(verdicts);
    for (part, heading) in PARTS {
        // Accuracies have a table of their own.
        let of_part = results.rows.iter().filter(|row| row.part == part && row.metric != "test_accuracy");
        table(&mut text, heading, of_part.collect(), results);
    }
    depth(&mut text, results);
    text += &drawn::markdown(drawn);
    let finished = results.finished;
    let trainings = finished.selections.iter().chain(&finished.finals).map(|run| &run.manifest);
    let manifests: Vec<_> = finished.probes.iter().map(|run| &run.manifest).chain(trainings).collect();
    let diverged = manifests.iter().filter(|manifest| manifest.diverged_at_step.is_some()).count();
    text += &provenance::render(&format!("{} measurements and trainings", manifests.len()), diverged, &manifests);
    text
}

fn table(text: &mut String, heading: &str, rows: Vec<&ClaimRow>, results: &Results<'_>) {
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(text, "{heading}\n");
    // Most tables have no seed that diverged.
    let diverged = rows.iter().any(|row| row.diverged > 0);
    let mut columns = vec!["of", "measured", "layers", "state", "precision", "n"];
    columns.extend(diverged.then_some("diverged"));
    columns.extend(["smallest", "median", "largest"]);
    markdown::head(text, &columns);
    let or_nothing = |word: &Option<String>| word.clone().unwrap_or_default();
    for row in rows {
        let mut cells = vec![
            results.label(&row.arm),
            row.metric.replace('_', " "),
            row.depth.map_or(String::new(), |depth| depth.to_string()),
            or_nothing(&row.state),
            or_nothing(&row.precision),
            row.n.to_string(),
        ];
        cells.extend(diverged.then(|| row.diverged.to_string()));
        cells.extend([row.min, row.median, row.max].map(number_or_dash));
        markdown::row(text, &cells);
    }
    let _ = writeln!(text);
}

/// Accuracy against depth.
fn depth(text: &mut String, results: &Results<'_>) {
    if results.accuracies.is_empty() {
        return;
    }
    let file = &results.claims.file().depth;
    let _ = writeln!(
        text,
        "**Depth.** Accuracy on the held-out points of the checkerboard in percent, mean +- standard deviation over seeds. \
         {} steps of {} points for every network; the learning rate is chosen on validation points, of the same number of \
         rates. A ResNet of n layers has n / 2 blocks.\n",
        file.iterations, file.batch_size
    );
    let columns = [
        "network",
        "layers",
        "parameters",
        "seeds",
        "diverged",
        "test accuracy",
        "median",
        "worst",
        "best",
        "rates chosen",
    ];
    markdown::head(text, &columns);
    for scores in &results.accuracies {
        let sample = scores.sample();
        let mut rates: Vec<f64> = scores.seeds.iter().filter_map(|seed| seed.learning_rate).collect();
        rates.sort_by(f64::total_cmp);
        rates.dedup();
        let percent = |value: Option<f64>| crate::report::percent(value);
        let cells = [
            results.label(&scores.arm),
            scores.depth.to_string(),
            scores.parameters.to_string(),
            scores.seeds.len().to_string(),
            scores.diverged().to_string(),
            spread(sample),
            percent(sample.map(|s| s.median)),
            percent(sample.map(|s| s.min)),
            percent(sample.map(|s| s.max)),
            if rates.is_empty() {
                "none".into()
            } else {
                rates.iter().map(f64::to_string).collect::<Vec<_>>().join(", ")
            },
        ];
        markdown::row(text, &cells);
    }
    let _ = writeln!(text);
}
