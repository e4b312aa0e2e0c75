//! The expectations of the experiment file, held against what was measured.

use super::Results;
use crate::config::Statistic;
use crate::config::robustness::{Metric, Requirement, WeightsSource};
use crate::record::robustness::{ArmMeasurements, Figure, Score};
use crate::record::statistics::Sample;
use crate::report::Verdict;

pub(super) fn of(results: &Results<'_>) -> Vec<Verdict> {
    // Expectations are for the whole data set, for networks that were trained here, and for all seeds.
    let foreign = results.attacks.iter().any(|run| matches!(run.spec.weights, WeightsSource::File { .. }));
    if results.data() == "sample" || foreign || results.missing().is_some() {
        return Vec::new();
    }
    results.experiment.expectations.iter().map(|requirement| judge(results, requirement)).collect()
}

fn judge(results: &Results<'_>, requirement: &Requirement) -> Verdict {
    let figure = figure(requirement);
    let measured = results.measured.arm(&requirement.arm);
    let diverged = measured.map_or(0, |arm| arm.diverged);
    let value = measured.and_then(|arm| statistic(arm, &figure, requirement.statistic));
    let mut text = describe(results, requirement);
    let mut met = diverged == 0;
    if let Some(least) = requirement.at_least {
        // A value within rounding of the bound counts as met: both are decimal fractions in binary.
        met &= value.is_some_and(|value| value >= least - 1e-9);
        text += &format!(" is at least {:.2} %", 100.0 * least);
    }
    if let Some(below) = &requirement.above {
        let other = results.measured.arm(below);
        let others = other.and_then(|arm| statistic(arm, &figure, requirement.statistic));
        met &= other.is_some_and(|other| other.diverged == 0);
        let in_every_seed = other.zip(measured).is_some_and(|(other, arm)| above(arm, other, &figure));
        met &= in_every_seed && others.zip(value).is_some_and(|(other, value)| value > other);
        let others = others.map_or("no value".into(), |value| format!("{:.2} %", 100.0 * value));
        text += &format!(" is above that of {} in every seed ({others})", results.label(below));
    }
    let mut measured = value.map_or("no value".into(), |value| format!("{:.2} %", 100.0 * value));
    if diverged > 0 {
        measured += &format!(" with {diverged} seeds diverged");
    }
    let verdict = if met { "met" } else { "MISSED" };
    Verdict { text: format!("{text}: measured {measured}: {verdict}"), met }
}

/// Where the value is; nothing if the requirement lacks a size.
fn figure(requirement: &Requirement) -> Figure {
    match (requirement.metric, requirement.norm.zip(requirement.eps)) {
        (Metric::RobustAccuracy, Some((norm, eps))) => Figure::under("worst_case", norm, eps),
        (Metric::CertifiedAccuracy, Some((norm, eps))) => Figure::certified("certified_accuracy", norm, eps),
        (Metric::CleanAccuracy | Metric::RobustAccuracy | Metric::CertifiedAccuracy, _) => {
            Figure::of("test", "accuracy")
        }
    }
}

fn statistic(arm: &ArmMeasurements, figure: &Figure, statistic: Statistic) -> Option<f64> {
    let sample: Sample = arm.sample(figure)?;
    Some(match statistic {
        Statistic::Mean => sample.mean,
        Statistic::Median => sample.median,
        Statistic::Min => sample.min,
    })
}

/// Whether a network has the higher value in every seed; both have to have the same seeds.
fn above(arm: &ArmMeasurements, other: &ArmMeasurements, figure: &Figure) -> bool {
    let (Some(values), Some(others)) = (arm.values.get(figure), other.values.get(figure)) else { return false };
    let ahead = |score: &Score| others.iter().any(|other| other.seed == score.seed && score.value > other.value);
    !values.is_empty() && values.len() == others.len() && values.iter().all(ahead)
}

fn describe(results: &Results<'_>, requirement: &Requirement) -> String {
    let what = match requirement.metric {
        Metric::CleanAccuracy => "clean accuracy",
        Metric::RobustAccuracy => "robust accuracy",
        Metric::CertifiedAccuracy => "certified accuracy",
    };
    let at = match (requirement.norm, requirement.eps) {
        (Some(norm), Some(eps)) => format!(" at {} {eps}", norm.name()),
        _ => String::new(),
    };
    format!("{} {what} of {}{at}", requirement.statistic, results.label(&requirement.arm))
}
