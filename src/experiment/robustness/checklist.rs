//! The masking checklist of a network as rows, with the curves behind it.

use super::rows::{CheckRow, EffortRow};
use super::stages::{Number, sliced};
use crate::engine::runs::Job;
use crate::evaluate::attack::{Attack, Classifier, Examples, Outcome, Setting, Stop};
use crate::evaluate::masking::{self, Attempt, Check, Checklist, Subject};
use crate::model::{Model, Network};
use anyhow::Result;

/// What the checklist found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub checks: Vec<CheckRow>,
    pub effort: Vec<EffortRow>,
}

/// Makes all rows. `precise` is the network in f64; `surrogates` are other networks by name, in the same numbers as this one,
/// to which their adversarial images are shown.
pub(super) fn make<T: Number>(
    subject: &Subject<'_, T>,
    precise: &Model,
    surrogates: &[(String, Model)],
    job: &Job<'_>,
) -> Result<Findings> {
    let Subject { classifier, examples, setting } = *subject;
    let precise = job.halt.network(precise.frozen.as_ref());
    let precise = Classifier::<f64>::on(&precise, classifier.inputs(), job.device)?;
    let list = masking::checklist_by(subject, Some(&precise), &|attempt: &Attempt<'_, T>| {
        sliced(job, "checklist", examples, attempt, &|outcome| {
            outcome.last = Vec::new();
            if let Some(found) = &mut outcome.adversarial {
                found.image = Vec::new();
            }
        })
    })?;
    let mut rows: Vec<(String, Check)> = list.rows.iter().map(|check| (check.name.to_string(), *check)).collect();
    for (name, model) in surrogates {
        let made = transferred(&job.halt.network(model.frozen.as_ref()), subject, job)?;
        let check = masking::transfer_adds_nothing(classifier, &list.white_box, &made, setting.threat)?;
        rows.push((format!("{} ({name})", check.name), check));
    }
    let norm = setting.threat.norm.name();
    let (epsilon, n) = (setting.threat.eps, examples.len());
    let row = |(name, check): (String, Check)| CheckRow {
        check: name,
        norm: norm.into(),
        epsilon,
        measured: check.measured,
        threshold: check.threshold,
        passed: check.passed,
        n,
    };
    Ok(Findings { checks: rows.into_iter().map(row).collect(), effort: effort(&list, norm, epsilon, n) })
}

fn effort<T>(list: &Checklist<T>, norm: &str, epsilon: f64, n: usize) -> Vec<EffortRow> {
    let row = |kind: &str, amount, accuracy, mean_margin| EffortRow {
        kind: kind.into(),
        amount,
        norm: norm.into(),
        epsilon,
        accuracy,
        mean_margin,
        n,
    };
    let steps = list.steps.iter().map(|point| row("steps", point.steps, point.accuracy, Some(point.mean_margin)));
    let restarts = list.restarts.iter().zip(1..).map(|(accuracy, runs)| row("restarts", runs, *accuracy, None));
    steps.chain(restarts).collect()
}

/// The strongest of the cheap attacks on another network, on the same images.
fn transferred<T: Number>(network: &dyn Network, subject: &Subject<'_, T>, job: &Job<'_>) -> Result<Vec<Outcome<T>>> {
    let Subject { classifier, examples, setting } = *subject;
    let other = Classifier::<T>::on(network, classifier.inputs(), job.device)?.with_batch(classifier.batch());
    let (labels, indices) = examples.iter().map(|example| (example.label, example.index)).unzip();
    let examples = Examples::of_indices(&other, examples.images().to_vec(), labels, indices)?;
    // Images deep in the other network's wrong class transfer best, so the attack goes on after its success.
    let setting = Setting { stop: Stop::Never, ..*setting };
    sliced(job, "transfer", &examples, &|examples| Attack::Pgd.run(&other, examples, &setting), &|_| ())
}
