//! The expectations of the experiment file, held against what was measured.

use super::Results;
use crate::config::robustness::{Metric, Requirement, WeightsSource};
use crate::record::scores::Figure;
use crate::report::verdict::{self, Measured, Verdict, Wanted};

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
    let measured = |arm: &str| {
        let arm = results.measured.arm(arm)?;
        let scores = arm.values.get(&figure).map_or(&[][..], Vec::as_slice);
        Some(Measured { scores, diverged: arm.diverged.len() })
    };
    let wanted = Wanted {
        what: describe(results, requirement),
        statistic: requirement.statistic,
        at_least: requirement.at_least,
        above: requirement.above.as_deref().map(|other| (results.label(other), measured(other))),
    };
    verdict::judge(wanted, measured(&requirement.arm))
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
