//! What is shown of a comparison.

use super::check::Comparison;
use super::figures;
use super::spec::{ImageFacts, ImageSpec};
use super::summary::{ArmResults, Results};
use crate::engine::page::{
    Block, Page, Table, counted, decimals, interval, interval_of_fractions, listed, percent, spread,
};
use crate::engine::rows::{Figure, Sample};
use crate::engine::runs::{FinishedRun, Store};
use anyhow::Result;

pub(super) fn of(
    experiment: &Comparison,
    facts: &ImageFacts,
    runs: &[FinishedRun<ImageSpec>],
    store: &Store,
) -> Result<Page> {
    let results = Results::of(experiment, facts, runs)?;
    let setting = setting(&results);
    let subtitle = format!(", data {setting}: test accuracy in percent, mean +- std over seeds");
    let mut page = Page::new(&experiment.file.experiment, subtitle);
    page.csv("", &results.table_rows())?;
    page.csv("-seeds", &results.seed_rows())?;
    if experiment.trainings().len() > 1 {
        page.csv("-differences", &results.difference_rows())?;
    }
    let columns = "network, parameters, seeds, diverged, s / epoch, paper, worst, best, top-5, top-1";
    page.closing.push(Block::Table(networks(&results, columns)));
    let differences = differences(&results);
    page.closing.extend(differences.iter().map(|difference| Block::Text(difference.sentence())));
    let note = match results.set.sample {
        true => ", some images of CIFAR-10 inside the program: not comparable with figures for the whole data set",
        false => "",
    };
    page.text(format!("data = {}{note}", results.set.name()));
    let train = &experiment.file.train;
    page.text(format!(
        "Training: {} epochs of {} steps, {} images a step, base learning rate {}, augmentation {}. Scores are those of the \
         last iterate; nothing is chosen on test images.",
        listed(train.epochs.iter()),
        experiment.steps(facts),
        train.batch_size,
        train.learning_rate,
        listed(train.augment.iter()),
    ));
    page.table(
        "**Networks.** Accuracy in percent, mean +- standard deviation over seeds, with the 95 % interval of the mean of top-1 \
         (Student's t). train: some training images as they are, without augmentation; from top-1 on: test images. likeness: \
         mean cosine between the gradients of the loss at an image and at a neighbour with every byte one higher or lower, before \
         training and after it. The seconds are of the machine below.",
        networks(
            &results,
            "network, parameters, seeds, diverged, train, validation, top-1, interval, best, worst, top-5, cross-entropy, likeness, paper, \
             s / epoch",
        )
        .main(),
    );
    page.table(
        "**Differences.** Test accuracy of a network minus that of another with the same seed, in percentage points: mean and \
         standard deviation over the seeds that both have, 95 % interval of the mean (Student's t).",
        difference_table(&differences).main(),
    );
    figures::draw(&mut page, &results, &setting, store);
    Ok(page)
}

/// What is trained and scored on, in words.
fn setting(results: &Results<'_>) -> String {
    let epochs = match &*results.experiment.file.train.epochs {
        [epochs] => counted(*epochs, "epoch"),
        several => format!("{} epochs", listed(several)),
    };
    let limit = |limit: Option<usize>, of: &str| limit.map(|limit| format!("{limit} {of} images"));
    let parts = [limit(results.set.train_limit, "training"), limit(results.set.test_limit, "test")];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let part = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) };
    format!("{}{part}, {epochs}", results.set.name())
}

/// A row for each network, with the columns that are named.
fn networks(results: &Results<'_>, columns: &'static str) -> Table {
    let mut table = Table::with(columns);
    for result in &results.arms {
        let accuracy = result.accuracy();
        let cell = |column| match column {
            "network" => result.arm.label.clone(),
            "parameters" => result.scored.parameters.to_string(),
            "seeds" => result.runs.len().to_string(),
            "diverged" => result.scored.diverged.len().to_string(),
            "train" | "validation" => spread(result.sample(column, "accuracy")),
            "interval" => interval_of_fractions(accuracy),
            "best" => percent(accuracy.map(|sample| sample.max)),
            "worst" => percent(accuracy.map(|sample| sample.min)),
            "top-5" => spread(result.sample("test", "top5")),
            "cross-entropy" => {
                let sample = result.sample("test", "cross_entropy");
                sample.map_or("-".into(), |sample| decimals(sample.mean, 4))
            }
            "likeness" => {
                let [before, after] = ["likeness_before", "likeness"].map(|metric| result.sample("test", metric));
                let figures =
                    before.zip(after).map(|(before, after)| [before.mean, after.mean].map(|mean| format!("{mean:.2}")));
                figures.map_or(String::new(), |figures| figures.join(", "))
            }
            "paper" => percent(results.paper(result)),
            "s / epoch" => result.epoch_seconds().map_or("-".into(), |seconds| format!("{seconds:.1}")),
            _ => spread(accuracy),
        };
        table.row(columns.split(", ").map(cell));
    }
    table.without_empty(&["diverged", "validation", "likeness", "paper"])
}

/// Test accuracy of a network minus that of the one that it is compared to, seed by seed.
struct Difference<'r> {
    of: &'r ArmResults<'r>,
    to: &'r ArmResults<'r>,
    sample: Sample,
}

fn differences<'r>(results: &'r Results<'r>) -> Vec<Difference<'r>> {
    let difference = |of: &'r ArmResults<'r>| {
        let to = results.other(of)?;
        Some(Difference { of, to, sample: of.scored.less(&to.scored, &Figure::of("test", "accuracy"))? })
    };
    results.arms.iter().filter_map(difference).collect()
}

impl Difference<'_> {
    fn sentence(&self) -> String {
        let (of, to, points) = (&self.of.arm.label, &self.to.arm.label, 100.0 * self.sample.mean);
        let seeds = counted(self.sample.n, "seed");
        let spread = self.sample.deviation.map_or(String::new(), |d| format!(" +- {:.2}", 100.0 * d));
        let interval = self.sample.confidence_interval().map_or(String::new(), |(low, high)| {
            format!(", 95 % interval {:+.2} to {:+.2}", 100.0 * low, 100.0 * high)
        });
        format!("{of} minus {to}: {points:+.2}{spread} points over {seeds}{interval}")
    }
}

fn difference_table(differences: &[Difference<'_>]) -> Table {
    let columns = "network, against, parameters more, seeds, difference, interval, lowest, highest";
    let mut table = Table::with(columns);
    for Difference { of, to, sample } in differences {
        table.row([
            of.arm.label.clone(),
            to.arm.label.clone(),
            (of.scored.parameters as i64 - to.scored.parameters as i64).to_string(),
            sample.n.to_string(),
            spread(Some(*sample)),
            interval(Some(*sample)),
            percent(Some(sample.min)),
            percent(Some(sample.max)),
        ]);
    }
    table
}
