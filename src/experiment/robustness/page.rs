//! What is shown of a robustness experiment.

use super::comparison::{compare, over_seeds};
use super::rows::{ATTACKS, RADII};
use super::summary::{ArmMeasurements, Measurements, measure};
use super::tables::ComparisonRow;
use super::{CLASSES, Facts, Findings, Robustness, figures};
use crate::engine::page::{Block, Page, Table, decimals, listed, percent, spread};
use crate::engine::rows::Figure;
use crate::engine::settings::File;
use crate::evaluate::attack::Norm;
use crate::figure::significant;
use anyhow::Result;

pub(super) fn of(experiment: &Robustness, facts: &Facts, findings: &Findings) -> Result<Page> {
    let measured = &measure(experiment, facts, findings)?;
    let subtitle = format!(", data {}: accuracy in percent, mean +- std over seeds", measured.data);
    let mut page = Page::new(&experiment.file.experiment, subtitle);
    page.csv("", &measured.summary_rows())?;
    page.csv("-seeds", &measured.seed_rows())?;
    let pairs = &compare(measured)?;
    page.csv("-paired", pairs)?;
    page.csv("-differences", &over_seeds(measured, pairs))?;
    let checks =
        measured.arms.iter().flat_map(|arm| arm.checks.iter().map(move |check| (measured.key(&arm.arm), check)));
    page.csv("-checklist", &checks.collect::<Vec<_>>())?;
    let trained = facts.given.is_empty();
    page.closing.push(Block::Table(closing(measured, trained)));
    for line in lines(measured, pairs, trained) {
        page.closing.push(Block::Text(line));
    }
    let sample = ", a small part of MNIST inside the program: not comparable with figures for the whole data set";
    page.text(format!("data = {}{}", measured.data, if facts.images.sample { sample } else { "" }));
    page.table(
        format!("**Robustness.** Accuracy in percent, mean +- standard deviation over seeds. {}", columns(trained)),
        closing(measured, trained).main(),
    );
    page.table(
        format!(
            "**Networks.** Accuracy in percent, mean +- standard deviation over seeds; validation and test on all their \
             images. Matched networks keep the iterate whose validation accuracy is nearest to {} %. Lipschitz: product of \
             the spectral norms before the head; range: largest logit minus the smallest, mean over the test images.",
            percent(experiment.matched_accuracy())
        ),
        networks(measured),
    );
    for threat in &experiment.file.threat {
        page.table(
            format!(
                "**Attacks in {}.** Percentage of the attacked test images that are classified right at every point that the \
                 attack visited; images that were wrong from the start count as broken. worst case: no attack of any kind or \
                 size inside the ball broke the image; all attacks and a bisection together find its nearest misclassified \
                 image. certified: proved in real arithmetic, as a percentage of all test images. Networks may have been attacked on different \
                 numbers of images and seeds; the table above says so.{}",
                threat.norm.name(),
                left_out(experiment, threat.norm)
            ),
            attacks(measured, threat.norm, &threat.eps),
        );
    }
    page.table(
        "**Certificates.** Percentage of all test images that are classified right and certified (L2) beyond a radius: \
         `pair` from the distances between rows of the head, `global` from its norm, both in real arithmetic; `rounded` from \
         the pair form with a bound of the rounding in 32-bit arithmetic taken off, a proof about the program. No \
         misclassified image that an attack found lies within its image's radius; in a run on the CPU that is checked, for `rounded`.",
        certificates(measured),
    );
    page.table(
        "**Image by image.** The same images under the worst case, each seed by itself: accuracies in percent, images that \
         one network alone gets right, the 95 % interval of the difference in points (Agresti and Min), and McNemar's exact \
         test.",
        comparisons(measured, pairs),
    );
    page.table(
        "**Checklist for hidden gradients**, first seed. A row passes if what was measured is at most the threshold.",
        checklist(measured),
    );
    page.section.failed = failed(measured);
    // They are about networks that were trained here.
    if !facts.given.is_empty() {
        page.void_claims();
    }
    figures::draw(&mut page, measured, findings);
    Ok(page)
}

/// Attacks of the experiment that do not exist in a norm, in a sentence.
fn left_out(experiment: &Robustness, norm: Norm) -> String {
    let attacks = experiment.file.attack.attacks.iter().filter(|attack| attack.problem(norm, CLASSES).is_some());
    let names = listed(attacks.map(|attack| attack.name()));
    if names.is_empty() { names } else { format!(" Not made in this norm: {names}.") }
}

/// What the columns of the closing table are of. Of weights from a file only the attacked images say how right they are.
fn columns(trained: bool) -> String {
    let [all, attacked] = if trained { ["clean and ", ""] } else { ["", "clean and "] };
    format!(
        "{all}proved (certified, L2): share of all test images. {attacked}worst: share of the attacked images; worst counts those that \
         no attack broke."
    )
}

/// The radii of the closing table: the pair that the literature has for MNIST.
const PROVED: [f64; 2] = [0.3, 1.58];

fn closing(measured: &Measurements<'_>, trained: bool) -> Table {
    let mut figures = vec![("clean".to_string(), Figure::of(if trained { "test" } else { "attacked" }, "accuracy"))];
    let threats = &measured.experiment.file.threat;
    for (norm, eps) in threats.iter().flat_map(|threat| threat.eps.iter().map(|eps| (threat.norm, *eps))) {
        figures.push((format!("worst {} {}", norm.name(), significant(eps)), Figure::under("worst_case", norm, eps)));
    }
    if threats.iter().any(|threat| threat.norm == Norm::L2) {
        let proved = |radius| Figure::certified("certified_accuracy", Norm::L2, radius);
        figures.extend(PROVED.map(|radius| (format!("proved {radius}"), proved(radius))));
    }
    let names: Vec<&str> = figures.iter().map(|(name, _)| name.as_str()).collect();
    let own = ["model", "parameters", "seeds", "diverged", "attacked"];
    let mut table = Table::new(own.iter().chain(&names).copied());
    for arm in &measured.arms {
        let (parameters, seeds) = (arm.scored.parameters.to_string(), arm.scored.seeds().to_string());
        let mut cells = vec![arm.label.clone(), parameters, seeds, arm.scored.diverged.len().to_string()];
        cells.push(arm.images.to_string());
        cells.extend(figures.iter().map(|(_, figure)| spread(arm.scored.sample(figure))));
        table.row(cells);
    }
    table.without_empty(&[&["diverged"], &names[..]].concat())
}

/// What the closing table has no room for: networks in pairs, and whether gradients are hidden.
fn lines(measured: &Measurements<'_>, pairs: &[ComparisonRow], trained: bool) -> Vec<String> {
    let mut lines = vec![columns(trained)];
    let same_pair = |a: &ComparisonRow, b: &ComparisonRow| {
        (&a.arm, &a.against, &a.norm) == (&b.arm, &b.against, &b.norm) && a.epsilon == b.epsilon
    };
    // Rows of a pair and a ball follow one another, seed by seed.
    for seeds in pairs.chunk_by(same_pair) {
        let Some(row) = seeds.first() else { continue };
        lines.push(format!(
            "{} against {}, {}: ahead in {} of {} seeds, largest McNemar p {}",
            measured.experiment.file.label(&row.arm),
            measured.experiment.file.label(&row.against),
            row.ball("clean"),
            seeds.iter().filter(|row| row.arm_accuracy > row.against_accuracy).count(),
            seeds.len(),
            probability(seeds.iter().map(|row| row.p_value).fold(0.0, f64::max))
        ));
    }
    let failed = failed(measured);
    if let all @ 1.. = measured.arms.iter().map(|arm| arm.checks.len()).sum::<usize>() {
        lines.push(format!("checklist for hidden gradients: {} of {all} rows pass", all - failed.len()));
    }
    lines.extend(failed.iter().map(|check| format!("  {check}")));
    lines
}

/// The rows of the checklist that do not pass.
fn failed(measured: &Measurements<'_>) -> Vec<String> {
    let checks = measured.arms.iter().flat_map(|arm| arm.checks.iter().map(move |check| (arm, check)));
    let failed = checks.filter(|(_, check)| !check.passed).map(|(arm, check)| {
        let (norm, epsilon, name) = (&check.norm, check.epsilon, &check.check);
        let (measured, threshold) = (check.measured, check.threshold);
        format!("FAIL {}, {norm} {}: {name}: {measured:.3e}, at most {threshold:.1e}", arm.label, significant(epsilon))
    });
    failed.collect()
}

/// What was trained, and the scale of logits that would explain robustness if it differed.
fn networks(measured: &Measurements<'_>) -> Table {
    let optional = ["diverged", "train", "validation", "test", "Lipschitz", "head", "range"];
    let mut table = Table::new(["model", "matched", "parameters", "seeds", "attacked"].into_iter().chain(optional));
    for arm in &measured.arms {
        let of = |split, metric: &str| arm.scored.sample(&Figure::of(split, metric));
        // Weights from a file have no training; what their attack runs say is of the test images.
        let number = |split, metric: &str| {
            of(split, metric).or_else(|| of("test", metric)).map_or("-".into(), |s| decimals(s.mean, 3))
        };
        let matched = measured.experiment.file.arm(&arm.arm).is_some_and(|arm| arm.matched);
        table.row([
            arm.label.clone(),
            if matched { "yes" } else { "no" }.into(),
            arm.scored.parameters.to_string(),
            arm.scored.seeds().to_string(),
            arm.images.to_string(),
            arm.scored.diverged.len().to_string(),
            spread(of("train", "accuracy")),
            spread(of("validation", "accuracy")),
            spread(of("test", "accuracy")),
            number("train", "lipschitz"),
            number("train", "head_norm"),
            number("test", "logit_range"),
        ]);
    }
    table.without_empty(&optional)
}

/// A row for each attack, a column for each network and size of the ball.
fn attacks(measured: &Measurements<'_>, norm: Norm, sizes: &[f64]) -> Table {
    let columns = || sizes.iter().flat_map(|eps| measured.arms.iter().map(move |arm| (arm, *eps)));
    let names = columns().map(|(arm, eps)| format!("{} {}", arm.label, significant(eps)));
    let mut table = Table::new(std::iter::once("attack".to_string()).chain(names));
    let mut add = |name: String, figure: &dyn Fn(f64) -> Figure| {
        let samples: Vec<_> = columns().map(|(arm, eps)| arm.scored.sample(&figure(eps))).collect();
        if samples.iter().any(Option::is_some) {
            table.row(std::iter::once(name).chain(samples.into_iter().map(spread)));
        }
    };
    for name in ["noise"].into_iter().chain(ATTACKS).chain(["worst_case"]) {
        add(name.replace('_', " "), &|eps| Figure::under(name, norm, eps));
    }
    add("certified".into(), &|eps| Figure::certified("certified_accuracy", norm, eps));
    table
}

fn certificates(measured: &Measurements<'_>) -> Table {
    let radii = RADII.map(|radius| format!("{radius:.3}"));
    let means = ["mean radius", "median of right"].map(String::from);
    let mut table = Table::new(["model", "form"].map(String::from).into_iter().chain(radii).chain(means));
    let at =
        |arm: &ArmMeasurements, metric: &str, radius| arm.scored.sample(&Figure::certified(metric, Norm::L2, radius));
    let certified =
        |arm: &&ArmMeasurements| RADII.iter().any(|radius| at(arm, "certified_accuracy", *radius).is_some());
    if !measured.arms.iter().any(|arm| certified(&arm)) {
        return table;
    }
    for arm in &measured.arms {
        for (form, suffix) in [("pair", ""), ("global", "_global"), ("rounded", "_rounded")] {
            let metric = format!("certified_accuracy{suffix}");
            let mut cells = vec![arm.label.clone(), form.to_string()];
            cells.extend(RADII.iter().map(|radius| spread(at(arm, &metric, *radius))));
            cells.extend(["mean_radius", "median_radius_of_correct"].map(|metric| {
                let sample = arm.scored.sample(&Figure::of("test", metric)).filter(|_| form == "pair");
                sample.map_or("-".into(), |sample| format!("{:.3}", sample.mean))
            }));
            table.row(cells);
        }
    }
    table
}

fn comparisons(measured: &Measurements<'_>, pairs: &[ComparisonRow]) -> Table {
    let mut table = Table::with("first, second, ball, seed, first, second, first only, second only, difference, p");
    for row in pairs {
        table.row([
            measured.experiment.file.label(&row.arm),
            measured.experiment.file.label(&row.against),
            row.ball("none"),
            row.seed.to_string(),
            percent(Some(row.arm_accuracy)),
            percent(Some(row.against_accuracy)),
            row.arm_only.to_string(),
            row.against_only.to_string(),
            format!("{:.2} to {:.2}", 100.0 * row.difference_low, 100.0 * row.difference_high),
            probability(row.p_value),
        ]);
    }
    table
}

fn checklist(measured: &Measurements<'_>) -> Table {
    let mut table = Table::new(["model", "ball", "check", "measured", "threshold", "images", ""]);
    for (arm, check) in measured.arms.iter().flat_map(|arm| arm.checks.iter().map(move |check| (arm, check))) {
        table.row([
            arm.label.clone(),
            format!("{} {}", check.norm, significant(check.epsilon)),
            check.check.clone(),
            format!("{:.2e}", check.measured),
            format!("{:.1e}", check.threshold),
            check.n.to_string(),
            if check.passed { "pass" } else { "**FAIL**" }.into(),
        ]);
    }
    table
}

/// The probability of a test; what is too small for a floating-point number is not nothing.
fn probability(p: f64) -> String {
    if p < 1e-300 { "< 1e-300".into() } else { format!("{p:.1e}") }
}
