//! The section of a robustness experiment in `results/README.md`.

use super::Results;
use crate::record::FinishedRun;
use crate::record::robustness::{ArmMeasurements, RADII, attacks_made};
use crate::record::scores::Figure;
use crate::report::drawn::{self, Drawn};
use crate::report::markdown::{head, row};
use crate::report::verdict::{self, Verdict};
use crate::report::{percent, probability, provenance, spread};
use std::fmt::Write;

pub(super) fn render(results: &Results<'_>, verdicts: &[Verdict], drawn: &[Drawn]) -> String {
    let experiment = results.experiment;
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "## {}\n\nClaim: {}\n", experiment.title, experiment.claim);
    let _ = writeln!(
        text,
        "data = {}{}\n",
        results.data(),
        match results.data() {
            "sample" =>
                ", a small part of MNIST inside the program: not comparable with figures for the whole data set",
            _ => "",
        }
    );
    if let Some(missing) = results.missing() {
        let _ = writeln!(text, "**{missing}**; means are over those.\n");
    }
    networks(&mut text, results);
    for threat in &experiment.threats {
        attacks(&mut text, results, threat.norm, &threat.eps);
    }
    certificates(&mut text, results);
    comparisons(&mut text, results);
    checklist(&mut text, results);
    text += &verdict::markdown(verdicts);
    text += &drawn::markdown(drawn);
    let manifests = results.trainings.iter().map(|run: &FinishedRun<_>| &run.manifest);
    let manifests: Vec<_> = manifests.chain(results.attacks.iter().map(|run| &run.manifest)).collect();
    let runs = format!("{} trainings and {} attack runs", results.trainings.len(), results.attacks.len());
    let diverged = results.trainings.iter().filter(|run| run.manifest.diverged_at_step.is_some()).count();
    text += &provenance::render(&runs, diverged, &manifests);
    text
}

/// What was trained, and the scale of logits that would explain robustness if it differed.
fn networks(text: &mut String, results: &Results<'_>) {
    let _ = writeln!(
        text,
        "**Networks.** Accuracy in percent, mean +- standard deviation over seeds; validation and test on all their \
         images. Matched networks keep the iterate whose validation accuracy is nearest to {} %. Lipschitz: product of the \
         spectral norms before the head; range: largest logit less the smallest, mean over the test images.\n",
        percent(results.experiment.matched_accuracy())
    );
    let columns = [
        "model",
        "matched",
        "parameters",
        "seeds",
        "diverged",
        "attacked",
        "train",
        "validation",
        "test",
        "Lipschitz",
        "head",
        "range",
    ];
    head(text, &columns.map(String::from));
    for arm in &results.measured.arms {
        let of = |split, metric: &str| arm.sample(&Figure::of(split, metric));
        // Weights from a file have no training; what their attack runs say is of the test images.
        let number = |split, metric: &str| {
            of(split, metric).or_else(|| of("test", metric)).map_or("-".into(), |s| format!("{:.3}", s.mean))
        };
        let matched = results.experiment.arm(&arm.arm).is_some_and(|arm| arm.matched);
        let seeds = arm.values.values().map(Vec::len).max().unwrap_or(0);
        row(
            text,
            &[
                results.label(&arm.arm),
                if matched { "yes" } else { "no" }.into(),
                arm.parameters.to_string(),
                seeds.to_string(),
                arm.diverged.len().to_string(),
                arm.images.to_string(),
                spread(of("train", "accuracy")),
                spread(of("validation", "accuracy")),
                spread(of("test", "accuracy")),
                number("train", "lipschitz"),
                number("train", "head_norm"),
                number("test", "logit_range"),
            ],
        );
    }
    let _ = writeln!(text);
}

/// A row for each attack, a column for each network and size of the ball.
fn attacks(text: &mut String, results: &Results<'_>, norm: crate::config::Norm, sizes: &[f64]) {
    let arms = &results.measured.arms;
    let _ = writeln!(
        text,
        "**Attacks in {}.** Part of the attacked test images in percent that is classified right at every point that the \
         attack visited, wrong images counted as broken. worst case: no attack of any kind or size inside the ball broke \
         the image; its nearest misclassified image is found by all attacks together and a bisection. certified: proved, in \
         real arithmetic, of all test images. Networks may have been attacked on different numbers of images and seeds; the \
         table above says so.\n",
        norm.name()
    );
    let of_arms = |eps: f64| arms.iter().map(move |arm| format!("{} {eps}", results.label(&arm.arm)));
    let columns: Vec<String> =
        std::iter::once("attack".into()).chain(sizes.iter().flat_map(|eps| of_arms(*eps))).collect();
    head(text, &columns);
    let mut names = vec!["noise".to_string()];
    names.extend(attacks_made(arms));
    names.push("worst_case".into());
    let cells = |of: &dyn Fn(&ArmMeasurements, f64) -> Option<String>| -> Option<Vec<String>> {
        let cells: Vec<Option<String>> =
            sizes.iter().flat_map(|eps| arms.iter().map(|arm| of(arm, *eps)).collect::<Vec<_>>()).collect();
        let any = cells.iter().any(Option::is_some);
        any.then(|| cells.into_iter().map(|cell| cell.unwrap_or("-".into())).collect())
    };
    for name in &names {
        let of =
            |arm: &ArmMeasurements, eps| arm.sample(&Figure::under(name, norm, eps)).map(|sample| spread(Some(sample)));
        if let Some(cells) = cells(&of) {
            row(text, &[vec![name.replace('_', " ")], cells].concat());
        }
    }
    let certified = |arm: &ArmMeasurements, eps| {
        arm.sample(&Figure::certified("certified_accuracy", norm, eps)).map(|sample| spread(Some(sample)))
    };
    if let Some(cells) = cells(&certified) {
        row(text, &[vec!["certified".into()], cells].concat());
    }
    let _ = writeln!(text);
}

fn certificates(text: &mut String, results: &Results<'_>) {
    let norm = crate::config::Norm::L2;
    let radii = RADII;
    let any = results.measured.arms.iter().any(|arm| {
        radii.iter().any(|radius| arm.sample(&Figure::certified("certified_accuracy", norm, *radius)).is_some())
    });
    if !any {
        return;
    }
    let _ = writeln!(
        text,
        "**Certificates.** Part of all test images in percent that is classified right and certified (L2) beyond a \
         radius: `pair` from the distances between rows of the head, `global` from its norm, both in real arithmetic; \
         `rounded` from the pair form with a bound of the rounding in 32-bit arithmetic taken off, a proof about the \
         program. No misclassified image that an attack found lies within its image's radius; that is checked in every run.\n"
    );
    let mut columns = vec!["model".to_string(), "form".into()];
    columns.extend(radii.iter().map(|radius| format!("{radius:.3}")));
    columns.extend(["mean radius".into(), "median of right".into()]);
    head(text, &columns);
    for arm in &results.measured.arms {
        let forms = [("pair", ""), ("global", "_global"), ("rounded", "_rounded")];
        for (form, suffix) in forms {
            let metric = format!("certified_accuracy{suffix}");
            let mut cells = vec![results.label(&arm.arm), form.to_string()];
            cells.extend(radii.iter().map(|radius| spread(arm.sample(&Figure::certified(&metric, norm, *radius)))));
            for metric in ["mean_radius", "median_radius_of_correct"] {
                let sample = arm.sample(&Figure::of("test", metric)).filter(|_| form == "pair");
                cells.push(sample.map_or("-".into(), |sample| format!("{:.3}", sample.mean)));
            }
            row(text, &cells);
        }
    }
    let _ = writeln!(text);
}

fn comparisons(text: &mut String, results: &Results<'_>) {
    if results.measured.comparisons.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "**Image by image.** The same images under the worst case, each seed by itself: accuracies in percent, images that \
         one network alone gets right, the 95 % interval of the difference in points (Agresti and Min), and McNemar's exact \
         test.\n"
    );
    let columns =
        ["first", "second", "ball", "seed", "first", "second", "first only", "second only", "difference", "p"];
    head(text, &columns.map(String::from));
    for r in &results.measured.comparisons {
        row(
            text,
            &[
                results.label(&r.first),
                results.label(&r.second),
                if r.norm.is_empty() { "none".into() } else { format!("{} {}", r.norm, r.epsilon) },
                r.seed.to_string(),
                percent(Some(r.first_accuracy)),
                percent(Some(r.second_accuracy)),
                r.first_only.to_string(),
                r.second_only.to_string(),
                format!("{:.2} to {:.2}", 100.0 * r.difference_low, 100.0 * r.difference_high),
                probability(r.p_value),
            ],
        );
    }
    let _ = writeln!(text);
}

fn checklist(text: &mut String, results: &Results<'_>) {
    if results.checks().next().is_none() {
        return;
    }
    let _ = writeln!(
        text,
        "**Checklist for hidden gradients**, first seed. A row passes if what was measured is at most the threshold.\n"
    );
    head(text, &["model", "ball", "check", "measured", "threshold", "images", ""].map(String::from));
    for (arm, check) in results.checks() {
        row(
            text,
            &[
                results.label(arm),
                format!("{} {}", check.norm, check.epsilon),
                check.check.clone(),
                format!("{:.2e}", check.measured),
                format!("{:.1e}", check.threshold),
                check.n.to_string(),
                if check.passed { "pass" } else { "**FAIL**" }.into(),
            ],
        );
    }
    let _ = writeln!(text);
}
