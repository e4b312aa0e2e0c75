//! The charts of a robustness experiment.

use super::Findings;
use super::file::{ArmFile, ThreatFile};
use super::pictures::{self, PIXELS, Shown, first_seed, label, title};
use super::rows::{ATTACKS, EffortRow, ExampleRow};
use super::summary::{ArmMeasurements, Measurements};
use crate::engine::page::{Page, percent};
use crate::engine::rows::{Figure, Sample};
use crate::evaluate::attack::Norm;
use crate::figure::{
    AxisScale, Body, CategoryPanel, DistanceCurve, DistancePanel, Drawing, Entry, Image, Key, LinePanel, LineQuantity,
    LineSeries, category_panels, distance_distribution, line_panels, robust_accuracy, significant,
};
use crate::model::ModelConfig;
use anyhow::Result;

/// Sizes at which the certified part of the images is drawn.
const CERTIFIED_POINTS: usize = 200;

/// Draws every chart.
pub(super) fn draw(page: &mut Page, measured: &Measurements<'_>, findings: &Findings) {
    let arms = main_arms(measured);
    page.chart("Accuracy under attack", "robust-accuracy", against_eps(measured, &arms));
    page.chart("Every attack by itself", "attacks", by_attack(measured, &arms));
    page.chart("Distances to misclassified images", "distances", distances(measured, &arms));
    page.chart("Adversarial images", "images", pictures::draw(measured, &arms, &findings.attacks));
    if measured.arms.len() > arms.len() {
        page.chart("All networks under attack", "all-networks", all_networks(measured));
    }
    if measured.arms.iter().any(|arm| !arm.effort.is_empty()) {
        page.chart("Accuracy against the effort of attacks", "effort", effort(measured, &arms));
    }
}

/// The network under study, the first that is compared to it, and those that are trained for certificates.
fn main_arms<'m>(measured: &'m Measurements<'_>) -> Vec<Shown<'m>> {
    let arms = &measured.experiment.file.arm;
    let first = arms.first().map(|arm| arm.name.as_str());
    let rival = arms.iter().find(|arm| first.is_some() && arm.compared_to.as_deref() == first);
    let certified = arms.iter().filter(|arm| matches!(arm.model, ModelConfig::Certified(_)));
    let mut chosen: Vec<Shown<'m>> = Vec::new();
    for arm in arms.first().into_iter().chain(rival).chain(certified) {
        let found = measured.arm(&arm.name).filter(|found| found.images > 0);
        if chosen.iter().all(|(other, _)| other.name != arm.name) {
            chosen.extend(found.map(|found| (arm, found)));
        }
    }
    chosen
}

/// What an L2 radius says of a norm.
fn scale(norm: Norm) -> f64 {
    match norm {
        Norm::Linf => 1.0 / PIXELS.sqrt(),
        Norm::L2 => 1.0,
    }
}

/// Mean accuracy under an attack at every size of the ball at which it was made, from that of the images as they are.
fn points(arm: &ArmMeasurements, attack: &str, norm: Norm) -> Vec<(f64, f64)> {
    let under = |f: &&Figure| f.metric == "accuracy" && f.attack == attack && f.norm == norm.name();
    let of = |figure: &Figure| Some((figure.epsilon.parse::<f64>().ok()?, arm.scored.sample(figure)?.mean));
    let mut points: Vec<(f64, f64)> = arm.scored.scored().filter(under).filter_map(of).collect();
    points.retain(|point| point.0 > 0.0);
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    if !points.is_empty() {
        let clean = arm.scored.sample(&Figure::of("attacked", "accuracy"));
        points.splice(0..0, clean.map(|sample| (0.0, sample.mean)));
    }
    points
}

/// The part of the attacked images that is certified at each of many sizes up to the largest: unlike an attack, a
/// certificate is known at all of them, and a straight line between two would prove too much.
fn proved(arm: &ArmMeasurements, norm: Norm, largest: f64) -> Vec<(f64, f64)> {
    let of_norm = arm.examples.iter().filter(|((_, of), _)| *of == norm.name());
    let of_seeds: Vec<&Vec<ExampleRow>> = of_norm.map(|(_, rows)| rows).collect();
    if of_seeds.iter().any(|rows| rows.iter().any(|row| row.certified_pair.is_none())) {
        return Vec::new();
    }
    let of = |place: usize| {
        let eps = largest * place as f64 / CERTIFIED_POINTS as f64;
        let part = |rows: &&Vec<ExampleRow>| {
            let beyond = rows.iter().filter(|row| row.certified_pair.is_some_and(|radius| radius * scale(norm) > eps));
            beyond.count() as f64 / rows.len() as f64
        };
        Some((eps, Sample::of(&of_seeds.iter().map(part).collect::<Vec<_>>())?.mean))
    };
    (0..=CERTIFIED_POINTS).filter_map(of).collect()
}

/// A network's label; with the number of images that were attacked where it is not that of the others.
fn name(measured: &Measurements<'_>, arm: &ArmFile) -> String {
    let most = measured.arms.iter().map(|found| found.images).max();
    match measured.arm(&arm.name).map(|found| found.images) {
        Some(images) if Some(images) != most => format!("{} ({images} images)", arm.label),
        _ => arm.label.clone(),
    }
}

/// Worst case, certificate below, random noise above: a panel for each norm.
fn against_eps(measured: &Measurements<'_>, arms: &[Shown<'_>]) -> Result<Image> {
    let of_threat = |threat: &ThreatFile| {
        let norm = threat.norm;
        let most = threat.eps.iter().chain(&threat.sweep).copied().fold(0.0, f64::max);
        let of_arm = |(arm, found): &Shown<'_>| {
            let drawn = [
                (Drawing::Heavy, points(found, "worst_case", norm)),
                (Drawing::Dotted, points(found, "noise", norm)),
                (Drawing::Proved, proved(found, norm, most)),
            ];
            let label = name(measured, arm);
            drawn.map(|(drawing, points)| LineSeries::of(&arm.name, &label, drawing, points))
        };
        let x = LineQuantity::new(format!("size of the perturbation ({})", label(norm)), AxisScale::Linear);
        let y = LineQuantity::new("accuracy (%)", AxisScale::Whole);
        LinePanel::of(format!("Perturbations in {}", label(norm)), x, y, arms.iter().flat_map(of_arm).collect())
    };
    let panels: Vec<LinePanel> = measured.experiment.file.threat.iter().filter_map(of_threat).collect();
    robust_accuracy(&seen(measured, arms), &panels)
}

/// What is left at the first size of the tables, in a title: "HanNet keeps 78.31 % at Linf 0.05, FCNet 57.02 %".
fn seen(measured: &Measurements<'_>, arms: &[Shown<'_>]) -> String {
    let threats = &measured.experiment.file.threat;
    let first = threats.first().and_then(|threat| Some((threat.norm, *threat.eps.first()?)));
    let kept = first.into_iter().flat_map(|(norm, eps)| {
        let kept = move |(arm, found): &Shown<'_>| {
            let sample = found.scored.sample(&Figure::under("worst_case", norm, eps))?;
            Some((arm.label.clone(), percent(Some(sample.mean)), format!("{} {}", label(norm), significant(eps))))
        };
        arms.iter().filter_map(kept)
    });
    let text = |(place, (arm, kept, ball)): (usize, (String, String, String))| match place {
        0 => format!("{arm} keeps {kept} % at {ball}"),
        _ => format!("{arm} {kept} %"),
    };
    let kept: Vec<String> = kept.enumerate().map(text).collect();
    if kept.is_empty() { title(measured, "accuracy under attack") } else { title(measured, &kept.join(", ")) }
}

/// The worst case of every network at the sizes of the tables, as bars.
fn all_networks(measured: &Measurements<'_>) -> Result<Image> {
    let mut panels = Vec::new();
    for threat in &measured.experiment.file.threat {
        let (mut categories, mut entries) = (vec!["as they are".to_string()], Vec::new());
        categories.extend(threat.eps.iter().map(|eps| format!("{} {}", label(threat.norm), significant(*eps))));
        let clean = Figure::of("attacked", "accuracy");
        let under = threat.eps.iter().map(|eps| Figure::under("worst_case", threat.norm, *eps));
        for (category, figure) in [clean].into_iter().chain(under).enumerate() {
            for arm in &measured.experiment.file.arm {
                let sample = measured.arm(&arm.name).and_then(|found| found.scored.sample(&figure));
                let range = sample.map(|sample| [sample.min, sample.mean, sample.max]);
                entries.extend(
                    range.map(|range| Entry { range: Some(range), ..entry(measured, arm, category, Body::Bar) }),
                );
            }
        }
        let y = LineQuantity::new("accuracy (%)", AxisScale::Percent);
        let title = format!("Perturbations in {}", label(threat.norm));
        panels.push(CategoryPanel { entries, ..CategoryPanel::of(title, categories, y) });
    }
    panels.retain(|panel| !panel.entries.is_empty());
    let notes = [
        (Key::Filled, "mean, lowest and highest seed"),
        (Key::Text, "as they are: no attack; all others: worst case over all attacks"),
    ];
    category_panels(&title(measured, "every network at the sizes of the tables"), &panels, &notes)
}

fn entry(measured: &Measurements<'_>, arm: &ArmFile, category: usize, body: Body) -> Entry {
    Entry::of(&arm.name, &name(measured, arm), category, body)
}

/// One panel for each ball of the tables: what every attack by itself leaves beyond the worst case over all, seed by seed.
fn by_attack(measured: &Measurements<'_>, arms: &[Shown<'_>]) -> Result<Image> {
    let mut panels = Vec::new();
    for threat in &measured.experiment.file.threat {
        for eps in &threat.eps {
            let (mut categories, mut entries) = (Vec::new(), Vec::new());
            for attack in ATTACKS {
                let of_arm = |(arm, found): &Shown<'_>| {
                    let above = beyond(found, attack, threat.norm, *eps);
                    let shown = !above.is_empty();
                    shown.then(|| Entry { points: above, ..entry(measured, arm, categories.len(), Body::Whisker) })
                };
                let of_attack: Vec<Entry> = arms.iter().filter_map(of_arm).collect();
                if !of_attack.is_empty() {
                    entries.extend(of_attack);
                    categories.push(attack.to_string());
                }
            }
            let y = LineQuantity::new("points above the worst case (root scale)", AxisScale::Root);
            let title = format!("{} {}", label(threat.norm), significant(*eps));
            panels.push(CategoryPanel { entries, ..CategoryPanel::of(title, categories, y) });
        }
    }
    panels.retain(|panel| !panel.entries.is_empty());
    let notes = [(Key::Point, "one seed: accuracy under that attack alone minus that under all, in percentage points")];
    category_panels(&title(measured, "each attack alone, above the worst case"), &panels, &notes)
}

/// Accuracy of each seed under an attack minus that under all attacks, in percentage points.
fn beyond(arm: &ArmMeasurements, attack: &str, norm: Norm, eps: f64) -> Vec<f64> {
    let [alone, worst] = [attack, "worst_case"].map(|of| arm.scored.values(&Figure::under(of, norm, eps)));
    // The worst case is no more than any attack; what is below 0 is rounding.
    alone.differences(&worst).into_iter().map(|above| (100.0 * above).max(0.0)).collect()
}

/// One panel a norm: distances found by attacks and, beneath them, certified radii; the first seed.
fn distances(measured: &Measurements<'_>, arms: &[Shown<'_>]) -> Result<Image> {
    let (mut panels, mut seeds) = (Vec::new(), Vec::new());
    for ThreatFile { norm, .. } in &measured.experiment.file.threat {
        let Some(seed) = first_seed(arms, *norm) else { continue };
        if !seeds.contains(&seed) {
            seeds.push(seed);
        }
        let mut curves = Vec::new();
        for (arm, found) in arms {
            let Some(rows) = found.examples.get(&(seed, norm.name())) else { continue };
            // The column that holds for the program which was attacked.
            let radii = rows.iter().map(|row| row.certified_rounded.map(|radius| radius * scale(*norm))).collect();
            let distances = rows.iter().map(|row| row.distance).collect();
            curves.push(DistanceCurve { arm: arm.name.clone(), label: name(measured, arm), distances, radii });
        }
        if !curves.is_empty() {
            let norm = label(*norm);
            let (title, norm_label) = (format!("Distances in {norm}"), format!("distance ({norm})"));
            panels.push(DistancePanel { title, norm_label, curves });
        }
    }
    let seeds = seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    distance_distribution(&title(measured, &format!("images left at each distance, seed {seeds}")), &panels)
}

/// One panel for each norm and kind of effort: whether more steps or restarts would still have found more.
fn effort(measured: &Measurements<'_>, arms: &[Shown<'_>]) -> Result<Image> {
    let mut panels = Vec::new();
    for ThreatFile { norm, .. } in &measured.experiment.file.threat {
        for (kind, attack) in
            [("steps", "PGD on the cross-entropy"), ("restarts", "PGD on the margin from random points")]
        {
            let mut series = Vec::new();
            let mut eps = 0.0;
            for (arm, found) in arms {
                let of_kind = |row: &&EffortRow| row.kind == kind && row.norm == norm.name() && row.amount > 0;
                let rows: Vec<_> = found.effort.iter().filter(of_kind).collect();
                if let Some(row) = rows.first() {
                    eps = row.epsilon;
                    let points: Vec<(f64, f64)> = rows.iter().map(|row| (row.amount as f64, row.accuracy)).collect();
                    let ending = change(&points);
                    let of_arm = LineSeries::of(&arm.name, &name(measured, arm), Drawing::Few, points);
                    series.push(LineSeries { ending, ..of_arm });
                }
            }
            let title = format!("{attack}, {} {}", label(*norm), significant(eps));
            let x = LineQuantity::new(format!("number of {kind} (log scale)"), AxisScale::Log);
            let y = LineQuantity::new("accuracy (%)", AxisScale::Whole);
            panels.extend(LinePanel::of(title, x, y, series));
        }
    }
    let note = "numbers: last accuracy, and its change from the first and from the last but one, in percentage points";
    let title = title(measured, "accuracy against the effort of the attack, first seed");
    line_panels(&title, &panels, &[(Drawing::Dots, note)])
}

/// The last accuracy, and how far it lies from the first and from the one before, which on the axis no eye would see.
fn change(points: &[(f64, f64)]) -> Vec<String> {
    let Some((_, last)) = points.last() else { return Vec::new() };
    let from = |(_, other): &(f64, f64)| {
        let change = 100.0 * (last - other);
        let sign = match change {
            change if change <= -0.005 => "−",
            change if change >= 0.005 => "+",
            _ => "±",
        };
        format!("{sign}{:.2}", change.abs())
    };
    let before = points.iter().rev().nth(1).filter(|_| points.len() > 2);
    let changes = points.first().into_iter().chain(before).map(from);
    [format!("{:.2} %", 100.0 * last)].into_iter().chain(changes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_change_is_told_with_its_sign() {
        let change = |last| change(&[(1.0, 0.92), (10.0, last)]);
        assert_eq!(change(0.9158), ["91.58 %", "−0.42"]);
        assert_eq!(change(0.92), ["92.00 %", "±0.00"]);
        assert_eq!(change(0.93), ["93.00 %", "+1.00"]);
        let changes = super::change(&[(1.0, 0.92), (5.0, 0.9), (10.0, 0.91)]);
        assert_eq!(changes, ["91.00 %", "−1.00", "+1.00"]);
    }
}
