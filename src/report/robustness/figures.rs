//! The charts of a robustness experiment.

use super::Results;
use crate::config::Norm;
use crate::config::robustness::{Arm, AttackSpec};
use crate::figure::{
    Answer, Attempt, DistanceCurve, DistancePanel, EffortCurve, EffortPanel, GridRow, Image, Outcome, RobustnessPanel,
    Role, Series, SizePoint, adversarial_grid, attack_effort, distance_distribution, robust_accuracy, significant,
};
use crate::model::ModelConfig;
use crate::record::robustness::{ATTACKS, ArmMeasurements, ExampleRow};
use crate::record::scores::Figure;
use crate::record::statistics::Sample;
use crate::record::{FinishedRun, Store};
use crate::report::drawn::{self, Drawn};
use anyhow::{Context, Result, ensure};
use candle_core::{DType, Device, Tensor};
use std::collections::HashMap;

/// Pixels of an image: an L2 radius covers a ball in Linf that is smaller by the square root of this.
const PIXELS: f64 = 784.0;
/// Sizes at which the certified part of the images is drawn.
const CERTIFIED_POINTS: usize = 200;

/// Draws every chart.
pub(super) fn draw(store: &Store, results: &Results<'_>) -> Result<Vec<Drawn>> {
    let mut charts: Vec<(&'static str, &str, Result<Image>)> = vec![
        ("Accuracy under attack", "robust-accuracy", against_eps(results)),
        ("Every attack by itself", "attacks", by_attack(results)),
        ("Distances to misclassified images", "distances", distances(results)),
        ("Adversarial images", "images", images(results)),
    ];
    if results.measured.arms.len() > main_arms(results).len() {
        charts.push(("All networks under attack", "all-networks", all_networks(results)));
    }
    if results.measured.arms.iter().any(|arm| !arm.effort.is_empty()) {
        charts.push(("Accuracy against the effort of attacks", "effort", effort(results)));
    }
    drawn::save(store, &results.experiment.name, charts)
}

/// The network under study, the first that is compared to it, and those that are trained for certificates.
fn main_arms<'r>(results: &'r Results<'_>) -> Vec<(&'r Arm, &'r ArmMeasurements)> {
    let arms = &results.experiment.arms;
    let Some(first) = arms.first() else { return Vec::new() };
    let rival = arms.iter().find(|arm| arm.compared_to.as_ref() == Some(&first.name));
    let certified = arms.iter().filter(|arm| matches!(arm.model, ModelConfig::Certified(_)));
    let mut chosen: Vec<&Arm> = Vec::new();
    for arm in std::iter::once(first).chain(rival).chain(certified) {
        if !chosen.iter().any(|other| other.name == arm.name) {
            chosen.push(arm);
        }
    }
    let measured = |arm: &'r Arm| results.measured.arm(&arm.name).filter(|m| m.images > 0).map(|m| (arm, m));
    chosen.into_iter().filter_map(measured).collect()
}

fn title(results: &Results<'_>, what: &str) -> String {
    format!("{}: {what}, data = {}", results.experiment.title, results.data())
}

/// A norm on charts.
fn label(norm: Norm) -> &'static str {
    match norm {
        Norm::Linf => "Linf",
        Norm::L2 => "L2",
    }
}

/// Accuracy under an attack at every size of the ball at which it was made, from that of the images as they are.
fn points(arm: &ArmMeasurements, attack: &str, norm: Norm) -> Vec<SizePoint> {
    let point = |eps: f64, figure: &Figure| {
        arm.sample(figure).map(|sample| SizePoint { eps, mean: sample.mean, low: sample.min, high: sample.max })
    };
    let under = |f: &&Figure| f.metric == "accuracy" && f.attack == attack && f.norm == norm.name();
    let sizes = arm.values.keys().filter(under);
    let mut points: Vec<SizePoint> =
        sizes.filter_map(|figure| point(figure.epsilon.parse().ok().filter(|eps| *eps > 0.0)?, figure)).collect();
    points.sort_by(|a, b| a.eps.total_cmp(&b.eps));
    if !points.is_empty() {
        points.splice(0..0, point(0.0, &Figure::of("attacked", "accuracy")));
    }
    points
}

/// The part of the attacked images that is certified at each of many sizes up to the largest: unlike an attack, a
/// certificate is known at all of them, and a straight line between two would prove too much.
fn proved(arm: &ArmMeasurements, norm: Norm, largest: f64) -> Vec<SizePoint> {
    let scale = match norm {
        Norm::Linf => 1.0 / PIXELS.sqrt(),
        Norm::L2 => 1.0,
    };
    let of_seeds: Vec<&Vec<ExampleRow>> =
        arm.examples.iter().filter(|((_, of), _)| *of == norm.name()).map(|(_, rows)| rows).collect();
    if of_seeds.iter().any(|rows| rows.iter().any(|row| row.certified_pair.is_none())) {
        return Vec::new();
    }
    let point = |place: usize| {
        let eps = largest * place as f64 / CERTIFIED_POINTS as f64;
        let part = |rows: &&Vec<ExampleRow>| {
            let beyond = rows.iter().filter(|row| row.certified_pair.is_some_and(|radius| radius * scale > eps));
            beyond.count() as f64 / rows.len() as f64
        };
        let sample = Sample::of(&of_seeds.iter().map(part).collect::<Vec<_>>())?;
        Some(SizePoint { eps, mean: sample.mean, low: sample.min, high: sample.max })
    };
    (0..=CERTIFIED_POINTS).filter_map(point).collect()
}

fn series(arm: &Arm, label: String, role: Role, points: Vec<SizePoint>) -> Option<Series> {
    (!points.is_empty()).then(|| Series { arm: arm.name.clone(), label, role, points })
}

/// One panel a norm: worst case, certificate below, random noise above.
fn against_eps(results: &Results<'_>) -> Result<Image> {
    let arms = main_arms(results);
    let panel = |norm: Norm| {
        let mut all = Vec::new();
        let most =
            results.experiment.threats.iter().filter(|t| t.norm == norm).flat_map(|t| t.eps.iter().chain(&t.sweep));
        let most = most.copied().fold(0.0, f64::max);
        for (arm, measured) in &arms {
            for (role, attack) in [(Role::WorstCase, "worst_case"), (Role::Noise, "noise")] {
                all.extend(series(arm, arm.label.clone(), role, points(measured, attack, norm)));
            }
            all.extend(series(arm, arm.label.clone(), Role::Certificate, proved(measured, norm, most)));
        }
        RobustnessPanel {
            title: format!("Perturbations in {}", label(norm)),
            norm_label: size_label(norm),
            series: all,
        }
    };
    let mut panels: Vec<_> = results.experiment.threats.iter().map(|threat| panel(threat.norm)).collect();
    panels.retain(|panel| !panel.series.is_empty());
    robust_accuracy(&title(results, "accuracy against the size of the perturbation"), &panels)
}

fn size_label(norm: Norm) -> String {
    format!("size of the perturbation ({})", label(norm))
}

/// The worst case of every network.
fn all_networks(results: &Results<'_>) -> Result<Image> {
    let panel = |norm: Norm| {
        let arms = results.experiment.arms.iter().filter_map(|arm| Some((arm, results.measured.arm(&arm.name)?)));
        let worst = arms.filter_map(|(arm, measured)| {
            series(arm, arm.label.clone(), Role::WorstCase, points(measured, "worst_case", norm))
        });
        let title = format!("Perturbations in {}", label(norm));
        RobustnessPanel { title, norm_label: size_label(norm), series: worst.collect() }
    };
    let mut panels: Vec<_> = results.experiment.threats.iter().map(|threat| panel(threat.norm)).collect();
    panels.retain(|panel| !panel.series.is_empty());
    robust_accuracy(&title(results, "worst case of every network"), &panels)
}

/// One panel for each network and norm: every attack by itself, and the worst case.
fn by_attack(results: &Results<'_>) -> Result<Image> {
    let mut panels = Vec::new();
    for threat in &results.experiment.threats {
        let smallest = threat.eps.iter().chain(&threat.sweep).copied().fold(f64::INFINITY, f64::min);
        // An attack at a few large sizes says nothing of smaller ones: no line to the images as they are.
        let made = |mut points: Vec<SizePoint>| {
            if points.get(1).is_some_and(|first| first.eps > smallest) {
                points.remove(0);
            }
            points
        };
        for (arm, measured) in main_arms(results) {
            let norm = threat.norm;
            let mut all: Vec<Series> = ATTACKS
                .iter()
                .enumerate()
                .filter_map(|(number, name)| {
                    series(arm, (*name).into(), Role::Attack(number), made(points(measured, name, norm)))
                })
                .collect();
            let worst = points(measured, "worst_case", norm);
            all.extend(series(arm, arm.label.clone(), Role::WorstCase, worst));
            if !all.is_empty() {
                panels.push(RobustnessPanel {
                    title: format!("{}, {}", arm.label, label(norm)),
                    norm_label: size_label(norm),
                    series: all,
                });
            }
        }
    }
    robust_accuracy(&title(results, "every attack by itself"), &panels)
}

/// The first seed of which all main networks have rows in a norm.
fn first_seed(results: &Results<'_>, norm: &'static str) -> Option<u64> {
    let arms = main_arms(results);
    let (_, first) = arms.first()?;
    let mut seeds = first.examples.keys().filter(|(_, of)| *of == norm).map(|(seed, _)| *seed);
    seeds.find(|seed| arms.iter().all(|(_, arm)| arm.examples.contains_key(&(*seed, norm))))
}

/// One panel a norm: distances found by attacks and, beneath them, certified radii; the first seed.
fn distances(results: &Results<'_>) -> Result<Image> {
    let mut panels = Vec::new();
    for threat in &results.experiment.threats {
        let scale = match threat.norm {
            Norm::Linf => 1.0 / PIXELS.sqrt(),
            Norm::L2 => 1.0,
        };
        let Some(seed) = first_seed(results, threat.norm.name()) else { continue };
        let mut curves = Vec::new();
        for (arm, measured) in main_arms(results) {
            let Some(rows) = measured.examples.get(&(seed, threat.norm.name())) else { continue };
            // The column that holds for the program which was attacked.
            let radii: Option<Vec<f64>> = rows.iter().map(|row| row.certified_rounded.map(|r| r * scale)).collect();
            let distances = rows.iter().map(|row| row.distance).collect();
            curves.push(DistanceCurve { arm: arm.name.clone(), label: arm.label.clone(), distances, radii });
        }
        if !curves.is_empty() {
            let norm = label(threat.norm);
            let (title, norm_label) = (format!("Distances in {norm}"), format!("distance ({norm})"));
            panels.push(DistancePanel { title, norm_label, curves });
        }
    }
    distance_distribution(&title(results, "images left at each distance, first seed"), &panels)
}

/// One panel for each norm and kind of effort.
fn effort(results: &Results<'_>) -> Result<Image> {
    let mut panels = Vec::new();
    for threat in &results.experiment.threats {
        for (kind, attack) in
            [("steps", "PGD on the cross-entropy"), ("restarts", "PGD on the margin from random points")]
        {
            let mut curves = Vec::new();
            let mut eps = 0.0;
            for (arm, measured) in main_arms(results) {
                let of_kind = |row: &&crate::record::robustness::EffortRow| {
                    row.kind == kind && row.norm == threat.norm.name() && row.amount > 0
                };
                let rows: Vec<_> = measured.effort.iter().filter(of_kind).collect();
                if let Some(row) = rows.first() {
                    eps = row.epsilon;
                    let points = rows.iter().map(|row| (row.amount as f64, row.accuracy)).collect();
                    curves.push(EffortCurve { arm: arm.name.clone(), label: arm.label.clone(), points });
                }
            }
            if !curves.is_empty() {
                let title = format!("{attack}, {} {}", label(threat.norm), significant(eps));
                panels.push(EffortPanel { title, x_label: format!("number of {kind}"), curves });
            }
        }
    }
    attack_effort(&title(results, "accuracy against the effort of the attack, first seed"), &panels)
}

/// A few test images, chosen by a seed, and what the attacks made of them for each of the main networks.
fn images(results: &Results<'_>) -> Result<Image> {
    let threat = results.experiment.threats.first().context("there is no threat")?;
    let eps = threat.eps.last().copied().unwrap_or_default();
    let mut rows: Vec<GridRow> = Vec::new();
    let seed = first_seed(results, threat.norm.name()).context("no seed has runs of all networks")?;
    for (arm, measured) in main_arms(results) {
        let Some(examples) = measured.examples.get(&(seed, threat.norm.name())) else { continue };
        let run = results
            .attacks
            .iter()
            .find(|run| run.spec.arm == arm.name && run.spec.seed.0 == seed && run.spec.norm == threat.norm);
        let shown = Shown::read(run.context("an attack run is missing")?)?;
        let own = shown.rows(examples)?;
        if rows.is_empty() {
            rows = own;
        } else {
            ensure!(
                rows.iter().map(|row| &row.heading).eq(own.iter().map(|row| &row.heading)),
                "the networks' runs have kept different images"
            );
        }
        for (row, attempt) in rows.iter_mut().zip(shown.attempts(arm, examples, threat.norm, eps)?) {
            row.attempts.push(attempt);
        }
    }
    ensure!(!rows.is_empty(), "no network is attacked yet");
    let (norm, most) = (label(threat.norm), significant(eps));
    let what = format!("test images drawn at random, attacked in {norm} up to {most}, first seed");
    adversarial_grid(&title(results, &what), &rows)
}

/// The images that a run has kept for the figure.
struct Shown {
    /// Place in the test set, confidence in the answer before and after.
    numbers: Vec<Vec<f64>>,
    clean: Vec<Vec<f32>>,
    nearest: Vec<Vec<f32>>,
}

impl Shown {
    fn read(run: &FinishedRun<AttackSpec>) -> Result<Self> {
        let path = run.directory.join("images.safetensors");
        let tensors: HashMap<String, Tensor> = candle_core::safetensors::load(&path, &Device::Cpu)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let tensor = |name: &str| tensors.get(name).with_context(|| format!("{} lacks {name}", path.display()));
        // Attacks in f64 keep images in f64.
        let pixels = |name: &str| -> Result<Vec<Vec<f32>>> { Ok(tensor(name)?.to_dtype(DType::F32)?.to_vec2()?) };
        Ok(Self { numbers: tensor("numbers")?.to_vec2()?, clean: pixels("clean")?, nearest: pixels("nearest")? })
    }

    fn example<'e>(&self, place: usize, examples: &'e [ExampleRow]) -> Result<&'e ExampleRow> {
        let index = self.numbers[place][0] as usize;
        examples.iter().find(|row| row.index == index).with_context(|| format!("image {index} has no row"))
    }

    fn rows(&self, examples: &[ExampleRow]) -> Result<Vec<GridRow>> {
        let row = |place: usize| {
            let example = self.example(place, examples)?;
            Ok(GridRow {
                heading: format!("image {}", example.index),
                class: example.label.to_string(),
                side: PIXELS.sqrt() as usize,
                pixels: self.clean[place].clone(),
                attempts: Vec::new(),
            })
        };
        (0..self.numbers.len()).map(row).collect()
    }

    fn attempts(&self, arm: &Arm, examples: &[ExampleRow], norm: Norm, eps: f64) -> Result<Vec<Attempt>> {
        let attempt = |place: usize| {
            let example = self.example(place, examples)?;
            let outcome = match (example.resists(eps), example.adversarial_class) {
                (false, Some(class)) if example.resists(0.0) => Outcome::Found {
                    pixels: self.nearest[place].clone(),
                    answer: Answer { class: class.to_string(), confidence: self.numbers[place][2] },
                },
                _ => Outcome::Resisted(format!("{} up to {}", label(norm), significant(eps))),
            };
            Ok(Attempt {
                arm: arm.name.clone(),
                label: arm.label.clone(),
                before: Answer { class: example.prediction.to_string(), confidence: self.numbers[place][1] },
                outcome,
            })
        };
        (0..self.numbers.len()).map(attempt).collect()
    }
}
