//! Signs that a network hides its gradients rather than resists: attacks then fail although small perturbations break
//! it. Each sign is a row that passes or fails.
//!
//! The signs are those of Athalye, Carlini and Wagner, "Obfuscated Gradients Give a False Sense of Security", 2018,
//! Section 3.1, and of Carlini et al., "On Evaluating Adversarial Robustness", 2019. [`checklist`] makes the attacks
//! and all rows; the functions behind it take outcomes, so that attacks that were made anyway serve again.
//!
//! A red row is a reason to distrust the robust accuracy, no proof that it is wrong; green rows prove nothing.

mod curves;
mod gradient;
#[cfg(test)]
mod tests;

pub use curves::{StepPoint, eps_curve, falls_with_eps, restart_curve, step_curve, steps_converge};
pub use gradient::{gradient_norms, gradients_match_differences, gradients_vanish, softmax_saturates};

use crate::evaluate::attack::{
    Attack, Classifier, Counts, DISTRIBUTIONS, Ddn, Examples, Fgsm, MultiTarget, Noise, Norm, Objective, Outcome, Pgd,
    Setting, Square, Start, Stop, Threat, worst_case,
};
use candle_core::FloatDType;
use serde::Serialize;
use std::collections::BTreeMap;

/// Part of the examples that counts as no difference: 0.2 percentage points.
pub const NEGLIGIBLE: f64 = 0.002;
/// Difference of logits in two passes from which AutoAttack calls a network random.
const RANDOM: f64 = 1e-4;
/// Number of restarts, compared with half of them.
const RESTARTS: usize = 20;
/// Images of which gradients are compared with differences.
const PROBES: usize = 8;
/// Most images among which the nearest one of another class is looked for.
const NEIGHBOURS: usize = 500;

/// One row: it passes if what was measured is at most the threshold. NaN fails.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Check {
    /// What should hold.
    pub name: &'static str,
    /// Whether it does.
    pub passed: bool,
    /// What was found; the function that makes the row tells its unit.
    pub measured: f64,
    /// The largest value that passes.
    pub threshold: f64,
}

impl Check {
    fn at_most(name: &'static str, measured: f64, threshold: f64) -> Self {
        // Accuracies are decimal fractions in binary; their difference may miss a bound that it meets by its last bits.
        Self { name, passed: measured <= threshold + 1e-12, measured, threshold }
    }
}

/// The rows, and the curves and attacks behind some of them.
#[derive(Debug, Clone)]
pub struct Checklist<T = f32> {
    /// All rows.
    pub rows: Vec<Check>,
    /// Accuracy against the number of steps.
    pub steps: Vec<StepPoint>,
    /// Robust accuracy after 1, 2, .. runs from random points.
    pub restarts: Vec<f64>,
    /// What the white-box attacks found.
    pub white_box: Vec<Outcome<T>>,
}

/// A network, some images, and how it is attacked.
#[derive(Clone, Copy)]
pub struct Subject<'s, T = f32> {
    /// The network.
    pub classifier: &'s Classifier<'s, T>,
    /// The images.
    pub examples: &'s Examples<T>,
    /// Of all attacks.
    pub setting: &'s Setting,
}

/// An attack that is to be made, on images that are given to it.
pub type Attempt<'a, T> = dyn Fn(&Examples<T>) -> candle_core::Result<Vec<Outcome<T>>> + 'a;

/// Makes the attacks and all rows but that of transfer, which needs a second network ([`transfer_adds_nothing`]).
///
/// `precise` is the same network in f64, for the differences; without it they are taken in its own numbers.
///
/// # Errors
/// When a setting is out of range, there are no images, or the network fails.
pub fn checklist<T: FloatDType>(
    classifier: &Classifier<'_, T>,
    precise: Option<&Classifier<'_, f64>>,
    examples: &Examples<T>,
    setting: &Setting,
) -> candle_core::Result<Checklist<T>> {
    checklist_by(&Subject { classifier, examples, setting }, precise, &|attempt: &Attempt<'_, T>| attempt(examples))
}

/// As [`checklist`], with attacks made by `attack`: all examples at once or slice by slice, with whatever it does in between.
/// Of what it returns no image is looked at.
///
/// # Errors
/// As [`checklist`], and those of `attack`.
pub fn checklist_by<T: FloatDType, E: From<candle_core::Error>>(
    subject: &Subject<'_, T>,
    precise: Option<&Classifier<'_, f64>>,
    attack: &impl Fn(&Attempt<'_, T>) -> Result<Vec<Outcome<T>>, E>,
) -> Result<Checklist<T>, E> {
    let Subject { classifier, examples, setting } = *subject;
    let &Setting { threat, seed, .. } = setting;
    if examples.is_empty() {
        return Err(candle_core::Error::Msg("a checklist without images says nothing".into()).into());
    }
    let single = attack(&|examples| Fgsm::new(threat).run(classifier, examples, seed))?;
    let margin = Pgd { objective: Objective::Margin, start: Start::Random, ..Pgd::new(threat) };
    let restarts = Pgd { restarts: RESTARTS, ..margin };
    let restarted = attack(&|examples| restarts.run(classifier, examples, seed))?;
    let from_image = attack(&|examples| from_image(classifier, examples, setting))?;
    let white = worst_case(threat, &[&from_image, &restarted]);

    let mut rows = vec![deterministic(classifier, examples)?, returns_logits(examples)];
    rows.push(covers(&white, &single, threat));
    let steps = step_curve(subject, attack)?;
    rows.extend(steps_converge(&steps));
    rows.push(restarts_converge(&restarted, &from_image, threat, RESTARTS / 2));
    rows.push(falls_with_eps(&eps_curve(subject, attack)?));
    rows.extend(large_balls_break_all(subject, attack)?);
    let random = attack(&|examples| noise(classifier, examples, setting))?;
    rows.push(noise_adds_nothing(&white, &random, threat));
    let square = Square { queries: setting.queries, ..Square::new(threat, setting.image) };
    rows.push(black_box_adds_nothing(&white, &attack(&|examples| square.run(classifier, examples, seed))?, threat));
    rows.push(gradients_vanish(classifier, examples)?);
    rows.push(softmax_saturates(examples));
    rows.push(match precise {
        Some(precise) => gradients_match_differences(classifier, precise, examples, PROBES)?,
        None => gradients_match_differences(classifier, classifier, examples, PROBES)?,
    });
    Ok(Checklist { rows, steps, restarts: restart_curve(&restarted, threat), white_box: white })
}

/// The worst case of projected gradient descent from the image, on the cross-entropy and towards every wrong class.
fn from_image<T: FloatDType>(
    classifier: &Classifier<'_, T>,
    examples: &Examples<T>,
    setting: &Setting,
) -> candle_core::Result<Vec<Outcome<T>>> {
    let one = Setting { restarts: 1, stop: Stop::AtSuccess, ..*setting };
    let pgd = Attack::Pgd.run(classifier, examples, &one)?;
    let targets = Attack::MtPgd.run(classifier, examples, &one)?;
    Ok(worst_case(setting.threat, &[&pgd, &targets]))
}

/// Largest difference of a logit between two passes of the same images.
///
/// # Errors
/// When the network fails.
pub fn deterministic<T: FloatDType>(
    classifier: &Classifier<'_, T>,
    examples: &Examples<T>,
) -> candle_core::Result<Check> {
    let [a, b] = [classifier.logits(examples.images())?, classifier.logits(examples.images())?];
    let differences = a.iter().zip(&b).map(|(a, b)| (a - b).abs());
    // max() passes over a NaN.
    let largest = differences.fold(0.0, |largest, d| if d > largest || d.is_nan() { d } else { largest });
    Ok(Check::at_most("the network is deterministic", largest, RANDOM))
}

/// Part of the examples whose outputs are all in [0, 1] and add up to 1, as probabilities do.
pub fn returns_logits<T: FloatDType>(examples: &Examples<T>) -> Check {
    let are_probabilities = |logits: &[f64]| {
        logits.iter().all(|z| (0.0..=1.0).contains(z)) && (logits.iter().sum::<f64>() - 1.0).abs() < 1e-5
    };
    let found = examples.iter().filter(|example| are_probabilities(example.logits)).count();
    Check::at_most("outputs are logits, not probabilities", share(found, examples.len()), 0.5)
}

/// Part of the examples that a single step broke and the iterative attacks did not.
pub fn covers<T: FloatDType>(iterative: &[Outcome<T>], single: &[Outcome<T>], threat: Threat) -> Check {
    Check::at_most("iterative attacks break what one step breaks", added(iterative, single, threat), NEGLIGIBLE)
}

/// Part of the examples that random noise broke and the white-box attacks did not.
pub fn noise_adds_nothing<T: FloatDType>(white_box: &[Outcome<T>], noise: &[Outcome<T>], threat: Threat) -> Check {
    Check::at_most("random noise breaks nothing that attacks missed", added(white_box, noise, threat), 0.0)
}

/// Part of the examples that an attack without gradients broke and the white-box attacks did not.
pub fn black_box_adds_nothing<T: FloatDType>(
    white_box: &[Outcome<T>],
    black_box: &[Outcome<T>],
    threat: Threat,
) -> Check {
    let name = "an attack without gradients adds nothing";
    Check::at_most(name, added(white_box, black_box, threat), NEGLIGIBLE)
}

/// Part of the examples that images made for another network broke and the white-box attacks did not.
///
/// `surrogate` holds an attack on the other network, [`Outcome::last`] of which is shown to this one.
///
/// # Errors
/// When the network fails.
pub fn transfer_adds_nothing<T: FloatDType>(
    classifier: &Classifier<'_, T>,
    white_box: &[Outcome<T>],
    surrogate: &[Outcome<T>],
    threat: Threat,
) -> candle_core::Result<Check> {
    let made: Vec<&Outcome<T>> = surrogate.iter().filter(|outcome| !outcome.last.is_empty()).collect();
    if let Some(other) = made.iter().find(|outcome| outcome.label >= classifier.classes()) {
        candle_core::bail!("label {} is no class of a network with {} outputs", other.label, classifier.classes());
    }
    let images: Vec<T> = made.iter().flat_map(|outcome| outcome.last.iter().copied()).collect();
    let logits = classifier.logits(&images)?;
    let broken = by_index(white_box, threat);
    let fooled = made.iter().zip(logits.chunks_exact(classifier.classes())).filter(|(outcome, logits)| {
        let resists = super::attack::margin(logits, outcome.label) > 0.0;
        !resists && broken.get(&outcome.index) == Some(&false)
    });
    let measured = share(fooled.count(), white_box.len());
    Ok(Check::at_most("attacks on another network add nothing", measured, NEGLIGIBLE))
}

/// Part of the examples that only runs from `half` on broke: neither the runs before nor the other white-box attacks.
///
/// An example whose nearest boundary is just inside the ball is broken by some random points and not by others, on any
/// network; with one attack alone that is a few images in a thousand between ten runs and twenty. What may not grow with
/// the number of restarts is the worst case, which is what is reported. [`restart_curve`] tells of the runs alone.
pub fn restarts_converge<T: FloatDType>(
    restarted: &[Outcome<T>],
    others: &[Outcome<T>],
    threat: Threat,
    half: usize,
) -> Check {
    let broken = by_index(others, threat);
    let late = |outcome: &&Outcome<T>| {
        let found = outcome.adversarial.as_ref().filter(|_| outcome.breaks(threat));
        found.is_some_and(|found| found.run >= half) && broken.get(&outcome.index) != Some(&true)
    };
    let measured = share(restarted.iter().filter(late).count(), restarted.len());
    Check::at_most("twice the restarts change no worst case", measured, NEGLIGIBLE)
}

/// Three rows: the accuracy that is left in a ball that reaches a flat grey image from everywhere (0.5 in Linf), the
/// accuracy in a ball that is the whole box, and the median L2 distance of misclassified images against the median
/// distance of the nearest image of another class, which is an upper bound that needs no attack.
///
/// # Errors
/// When the network fails.
pub fn large_balls_break_all<T: FloatDType, E: From<candle_core::Error>>(
    subject: &Subject<'_, T>,
    attack: &impl Fn(&Attempt<'_, T>) -> Result<Vec<Outcome<T>>, E>,
) -> Result<Vec<Check>, E> {
    let Subject { classifier, examples, setting } = *subject;
    let left = |eps: f64| -> Result<f64, E> {
        let threat = Threat::linf(eps);
        let targets = MultiTarget::new(threat);
        Ok(accuracy(&attack(&|examples| targets.run(classifier, examples, setting.seed))?, threat))
    };
    let found = attack(&|examples| Ddn::default().run(classifier, examples, setting.seed))?;
    let distances = found.iter().filter(|outcome| !outcome.is_clean_error()).map(|outcome| outcome.distance(Norm::L2));
    Ok(vec![
        Check::at_most("nothing resists half of the pixels' range", left(0.5)?, 0.0),
        Check::at_most("nothing resists an unbounded attack", left(1.0)?, 0.0),
        Check::at_most(
            "distances are below those of other images",
            median(distances.collect()),
            nearest_other(examples),
        ),
    ])
}

/// Random noise of all distributions, 100 draws each.
///
/// # Errors
/// When a setting is out of range or the network fails.
pub fn noise<T: FloatDType>(
    classifier: &Classifier<'_, T>,
    examples: &Examples<T>,
    setting: &Setting,
) -> candle_core::Result<Vec<Outcome<T>>> {
    let runs = DISTRIBUTIONS
        .into_iter()
        .map(|distribution| Noise::new(setting.threat, distribution).run(classifier, examples, setting.seed));
    let runs = runs.collect::<candle_core::Result<Vec<_>>>()?;
    Ok(worst_case(setting.threat, &runs.iter().map(Vec::as_slice).collect::<Vec<_>>()))
}

/// Part of the examples that `second` broke and `first` did not.
fn added<T: FloatDType>(first: &[Outcome<T>], second: &[Outcome<T>], threat: Threat) -> f64 {
    let broken = by_index(first, threat);
    let missed = |outcome: &&Outcome<T>| outcome.breaks(threat) && broken.get(&outcome.index) == Some(&false);
    share(second.iter().filter(missed).count(), first.len())
}

fn by_index<T: FloatDType>(outcomes: &[Outcome<T>], threat: Threat) -> BTreeMap<usize, bool> {
    outcomes.iter().map(|outcome| (outcome.index, outcome.breaks(threat))).collect()
}

fn accuracy<T: FloatDType>(outcomes: &[Outcome<T>], threat: Threat) -> f64 {
    Counts::of(outcomes, threat).robust_accuracy()
}

fn share(count: usize, of: usize) -> f64 {
    count as f64 / of.max(1) as f64
}

/// The middle value; for an even number the upper one. 0 for none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// Median over the first examples of the L2 distance to the nearest one of another class; infinite for one class.
fn nearest_other<T: FloatDType>(examples: &Examples<T>) -> f64 {
    let some: Vec<_> = examples.iter().take(NEIGHBOURS).collect();
    let nearest = some.iter().map(|example| {
        let others = some.iter().filter(|other| other.label != example.label);
        others
            .map(|other| super::attack::Distance::between(example.image, other.image).l2)
            .fold(f64::INFINITY, f64::min)
    });
    median(nearest.collect())
}
