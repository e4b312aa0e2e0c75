//! Robust accuracy as a function of the number of steps and of the size of the ball.

use super::{Attempt, Check, NEGLIGIBLE, RESTARTS, Subject, accuracy};
use crate::evaluate::attack::{MultiTarget, Outcome, Pgd, Threat};
use candle_core::FloatDType;
use serde::Serialize;

/// Part of its whole way that a mean margin may still fall when steps are doubled.
const PLATEAU: f64 = 0.02;
/// Numbers of steps that are compared.
const STEPS: [usize; 8] = [1, 2, 5, 10, 20, 40, 100, 200];

/// What an attack of some length reached.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct StepPoint {
    /// Its length.
    pub steps: usize,
    /// Robust accuracy, 0 to 1.
    pub accuracy: f64,
    /// Mean over the examples of the lowest margin seen, where a broken one counts as 0.
    pub mean_margin: f64,
}

/// Projected gradient descent on the cross-entropy with 0, 1, 2, 5, .. 200 steps.
///
/// # Errors
/// When a setting is out of range or the network fails.
pub fn step_curve<T: FloatDType, E: From<candle_core::Error>>(
    subject: &Subject<'_, T>,
    attack: &impl Fn(&Attempt<'_, T>) -> Result<Vec<Outcome<T>>, E>,
) -> Result<Vec<StepPoint>, E> {
    let Subject { classifier, examples, setting } = *subject;
    let clean = examples.iter().map(|example| example.margin().max(0.0)).sum::<f64>() / examples.len().max(1) as f64;
    let mut curve = vec![StepPoint { steps: 0, accuracy: examples.accuracy(), mean_margin: clean }];
    for steps in STEPS {
        let pgd = Pgd { steps, ..Pgd::new(setting.threat) };
        let outcomes = attack(&|examples| pgd.run(classifier, examples, setting.seed))?;
        let margins = outcomes.iter().map(|outcome| match outcome.breaks(setting.threat) {
            true => 0.0,
            false => outcome.lowest_margin.max(0.0),
        });
        let mean_margin = margins.sum::<f64>() / outcomes.len().max(1) as f64;
        curve.push(StepPoint { steps, accuracy: accuracy(&outcomes, setting.threat), mean_margin });
    }
    Ok(curve)
}

/// Two rows from the last two points of a curve: by how much the accuracy changed, and which part of the whole fall of
/// the mean margin came last.
pub fn steps_converge(curve: &[StepPoint]) -> Vec<Check> {
    let [first, .., before, last] = curve else { return Vec::new() };
    let change = (before.accuracy - last.accuracy).abs();
    let way = first.mean_margin - last.mean_margin;
    let part = if way == 0.0 { 0.0 } else { ((before.mean_margin - last.mean_margin) / way).abs() };
    vec![
        Check::at_most("twice the steps change no accuracy", change, NEGLIGIBLE),
        Check::at_most("the loss has reached a plateau", part, PLATEAU),
    ]
}

/// Robust accuracy after the first run, the first two, and so on, of an attack with that many restarts.
pub fn restart_curve<T: FloatDType>(outcomes: &[Outcome<T>], threat: Threat) -> Vec<f64> {
    let needed: Vec<Option<usize>> = outcomes
        .iter()
        .map(|outcome| outcome.adversarial.as_ref().filter(|_| outcome.breaks(threat)).map(|found| found.run))
        .collect();
    let left = |runs: usize| needed.iter().filter(|run| run.is_none_or(|run| run >= runs)).count();
    (1..=RESTARTS).map(|runs| left(runs) as f64 / outcomes.len().max(1) as f64).collect()
}

/// Robust accuracy under [`MultiTarget`] alone, without successes of smaller balls, for some sizes of the ball.
///
/// # Errors
/// When a setting is out of range or the network fails.
pub fn eps_curve<T: FloatDType, E: From<candle_core::Error>>(
    subject: &Subject<'_, T>,
    attack: &impl Fn(&Attempt<'_, T>) -> Result<Vec<Outcome<T>>, E>,
) -> Result<Vec<(f64, f64)>, E> {
    let Subject { classifier, setting, .. } = *subject;
    let sizes = [0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0].map(|factor| factor * setting.threat.eps);
    let point = |eps: f64| {
        let threat = Threat { eps, ..setting.threat };
        let targets = MultiTarget::new(threat);
        let outcomes = attack(&|examples| targets.run(classifier, examples, setting.seed))?;
        Ok((eps, accuracy(&outcomes, threat)))
    };
    sizes.into_iter().map(point).collect()
}

/// The largest rise of the accuracy from one size of the ball to the next larger one.
pub fn falls_with_eps(curve: &[(f64, f64)]) -> Check {
    let rises = curve.windows(2).map(|pair| pair[1].1 - pair[0].1);
    Check::at_most("accuracy falls as the ball grows", rises.fold(0.0, f64::max), NEGLIGIBLE)
}
