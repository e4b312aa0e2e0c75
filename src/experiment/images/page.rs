//! The section of a comparison in `results/README.md`.

use super::Results;
use crate::record::image::ArmResults;
use crate::report::drawn::{self, Drawn};
use crate::report::verdict::{self, Verdict};
use crate::report::{markdown, percent, provenance, spread};
use std::fmt::Write;

pub(super) fn render(results: &Results<'_>, verdicts: &[Verdict], drawn: &[Drawn]) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "## {}\n\nClaim: {}\n", results.experiment.title, results.experiment.claim);
    let note = match results.data() {
        "sample" => ", some images of CIFAR-10 inside the program: not comparable with figures for the whole data set",
        _ => "",
    };
    let _ = writeln!(text, "data = {}{note}\n", results.data());
    if let Some(training) = training(results) {
        let _ = writeln!(text, "{training}\n");
    }
    if let Some(missing) = results.missing() {
        let _ = writeln!(text, "**{missing}**; means are over those.\n");
    }
    networks(&mut text, results);
    differences(&mut text, results);
    text += &verdict::markdown(verdicts);
    text += &drawn::markdown(drawn);
    let manifests: Vec<_> = results.runs.iter().map(|run| &run.manifest).collect();
    let diverged = manifests.iter().filter(|manifest| manifest.diverged_at_step.is_some()).count();
    text += &provenance::render(&format!("{} trainings", results.runs.len()), diverged, &manifests);
    text
}

/// How the networks were trained.
fn training(results: &Results<'_>) -> Option<String> {
    let first = results.runs.first()?;
    let (spec, fit) = (&first.spec, &first.spec.fit);
    Some(format!(
        "Training: {} epochs of {} steps, {} images a step, base learning rate {}, augmentation {}. Scores are those of \
         the last iterate; nothing is chosen on test images.",
        fit.iterations / fit.report_every,
        fit.report_every,
        fit.batch_size,
        fit.learning_rate,
        spec.augment.name(),
    ))
}

fn networks(text: &mut String, results: &Results<'_>) {
    let _ = writeln!(
        text,
        "**Networks.** Accuracy in percent, mean +- standard deviation over seeds, with the 95 % interval of the mean of \
         top-1 (Student's t). train: some training images as they are, without augmentation. The seconds are of the \
         machine below.\n"
    );
    let shown = Columns::of(results);
    let mut columns = vec!["network", "parameters", "seeds", "diverged", "train"];
    columns.extend(shown.validation.then_some("validation"));
    columns.extend(["test top-1", "interval", "best", "worst", "top-5", "cross-entropy"]);
    columns.extend(shown.paper.then_some("paper"));
    columns.push("seconds an epoch");
    markdown::head(text, &columns);
    for arm in &results.arms {
        markdown::row(text, &cells(results, arm, shown));
    }
    let _ = writeln!(text);
}

/// The columns that are there only where there is something in them.
#[derive(Debug, Clone, Copy)]
struct Columns {
    validation: bool,
    paper: bool,
}

impl Columns {
    fn of(results: &Results<'_>) -> Self {
        let validated = |arm: &ArmResults| arm.sample("validation", "accuracy").is_some();
        Self {
            validation: results.arms.iter().any(validated),
            paper: results.experiment.arms.iter().any(|arm| results.paper(&arm.name).is_some()),
        }
    }
}

fn cells(results: &Results<'_>, arm: &ArmResults, columns: Columns) -> Vec<String> {
    let sample = arm.sample("test", "accuracy");
    let interval = sample.and_then(|sample| sample.confidence_interval());
    let mut cells = vec![
        results.label(&arm.arm),
        arm.parameters.to_string(),
        sample.map_or(0, |sample| sample.n).to_string(),
        arm.diverged.len().to_string(),
        spread(arm.sample("train", "accuracy")),
    ];
    cells.extend(columns.validation.then(|| spread(arm.sample("validation", "accuracy"))));
    cells.extend([
        spread(sample),
        interval.map_or("-".into(), |(low, high)| format!("{:.2} to {:.2}", 100.0 * low, 100.0 * high)),
        percent(sample.map(|sample| sample.max)),
        percent(sample.map(|sample| sample.min)),
        spread(arm.sample("test", "top5")),
        arm.sample("test", "cross_entropy").map_or("-".into(), |sample| format!("{:.4}", sample.mean)),
    ]);
    cells.extend(columns.paper.then(|| percent(results.paper(&arm.arm))));
    cells.push(arm.epoch_seconds.map_or("-".into(), |seconds| format!("{seconds:.1}")));
    cells
}

fn differences(text: &mut String, results: &Results<'_>) {
    let differences: Vec<_> = results
        .arms
        .iter()
        .filter_map(|arm| results.difference(arm).map(|(other, sample)| (arm, other, sample)))
        .collect();
    if differences.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "**Differences.** Test accuracy of a network less that of another with the same seed, in percentage points: mean \
         and standard deviation over the seeds that both have, 95 % interval of the mean (Student's t).\n"
    );
    let columns = ["network", "less", "parameters more", "seeds", "difference", "interval", "lowest", "highest"];
    markdown::head(text, &columns);
    for (arm, other, sample) in differences {
        let more = arm.parameters as i64 - other.parameters as i64;
        let interval = sample.confidence_interval();
        let cells = [
            results.label(&arm.arm),
            results.label(&other.arm),
            more.to_string(),
            sample.n.to_string(),
            spread(Some(sample)),
            interval.map_or("-".into(), |(low, high)| format!("{:.2} to {:.2}", 100.0 * low, 100.0 * high)),
            percent(Some(sample.min)),
            percent(Some(sample.max)),
        ];
        markdown::row(text, &cells);
    }
    let _ = writeln!(text);
}
