//! The masking checklist of a network as rows, with the curves behind it.

use super::rows::{CheckRow, EffortRow};
use crate::engine::runs::Halt;
use crate::evaluate::attack::{Attack, Classifier, Examples, Outcome, Setting, Stop};
use crate::evaluate::masking::{self, Check, Checklist};
use crate::model::{Model, Network};
use anyhow::Result;
use candle_core::{Device, FloatDType};
use serde::{Deserialize, Serialize};

/// What the checklist found.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Findings {
    pub checks: Vec<CheckRow>,
    pub effort: Vec<EffortRow>,
}

/// The network under suspicion, and the images.
pub(super) struct Subject<'s, T> {
    pub classifier: &'s Classifier<'s, T>,
    /// The same network in f64.
    pub precise: &'s Model,
    pub examples: &'s Examples<T>,
    pub halt: &'s Halt<'s>,
}

/// Makes all rows; `surrogates` are other networks by name, in the same numbers, whose adversarial images are shown to
/// this one.
pub(super) fn make<T: FloatDType>(
    subject: &Subject<'_, T>,
    setting: &Setting,
    surrogates: &[(String, Model)],
    device: &Device,
) -> Result<Findings> {
    let Subject { classifier, precise, examples, halt } = *subject;
    let precise = halt.network(precise.frozen.as_ref());
    let precise = Classifier::<f64>::on(&precise, classifier.inputs(), device)?;
    let setting = Setting { stop: Stop::AtSuccess, ..*setting };
    let list = masking::checklist(classifier, Some(&precise), examples, &setting)?;
    let mut rows: Vec<(String, Check)> = list.rows.iter().map(|check| (check.name.to_string(), *check)).collect();
    for (name, model) in surrogates {
        let other = halt.network(model.frozen.as_ref());
        let made = transferred(&other, examples, classifier, &setting, device)?;
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
fn transferred<T: FloatDType>(
    network: &dyn Network,
    examples: &Examples<T>,
    classifier: &Classifier<'_, T>,
    setting: &Setting,
    device: &Device,
) -> Result<Vec<Outcome<T>>> {
    let other = Classifier::<T>::on(network, classifier.inputs(), device)?;
    let other = other.with_batch(classifier.batch());
    let (labels, indices) = examples.iter().map(|example| (example.label, example.index)).unzip();
    let examples = Examples::of_indices(&other, examples.images().to_vec(), labels, indices)?;
    // Images deep in the other network's wrong class transfer best, so the attack goes on after its success.
    Ok(Attack::Pgd.run(&other, &examples, &Setting { stop: Stop::Never, ..*setting })?)
}
