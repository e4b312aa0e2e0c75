//! Synthetic data of the kind that attacks and certificates produce, for the tests.

use super::*;

/// A small generator of numbers in 0..1: the tests need the same data on every machine.
fn noise(seed: &mut u64) -> f64 {
    *seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
    (*seed >> 33) as f64 / (1u64 << 31) as f64
}

pub(super) const LINF: [f64; 9] = [0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0];
const L2: [f64; 8] = [0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0];

/// A line that falls from `clean` and is at half of it at the size `half`.
pub(super) fn series((arm, label): (&str, &str), role: Role, sizes: &[f64], clean: f64, half: f64) -> Series {
    let points = sizes
        .iter()
        .map(|&eps| {
            let mean = clean / (1.0 + (eps / half).powi(4));
            let mean = if mean < 0.004 { 0.0 } else { mean };
            let spread = 0.35 * mean * (clean - mean);
            SizePoint { eps, mean, low: mean - spread, high: (mean + 0.7 * spread).min(1.0) }
        })
        .collect();
    Series { arm: arm.to_owned(), label: label.to_owned(), role, points }
}

pub(super) fn three(arm: (&str, &str), sizes: &[f64], clean: f64, half: f64) -> Vec<Series> {
    vec![
        series(arm, Role::WorstCase, sizes, clean, half),
        series(arm, Role::Certificate, sizes, clean, 0.55 * half),
        series(arm, Role::Noise, sizes, clean, 4.0 * half),
    ]
}

pub(super) fn by_norm(arms: &[((&str, &str), f64)]) -> Vec<RobustnessPanel> {
    let panel = |title: &str, norm: &str, sizes: &[f64], unit: f64| RobustnessPanel {
        title: title.to_owned(),
        norm_label: format!("size of the perturbation, {norm}"),
        series: arms.iter().flat_map(|(arm, half)| three(*arm, sizes, 0.985, half * unit)).collect(),
    };
    vec![panel("Linf: every pixel by at most eps", "Linf", &LINF[..7], 1.0), panel("L2", "L2", &L2, 11.0)]
}

const ATTACKS: [&str; 11] = [
    "FGSM",
    "PGD",
    "multi-target PGD",
    "DeepFool",
    "DDN",
    "APGD-CE",
    "APGD-DLR",
    "APGD-T",
    "FAB-T",
    "Square",
    "AutoAttack",
];

pub(super) fn by_attack(attacks: usize) -> Vec<RobustnessPanel> {
    let mut panels = Vec::new();
    for (norm, sizes, unit) in [("Linf", &LINF[..7], 1.0), ("L2", &L2[..], 11.0)] {
        for (arm, half) in [(("hannet", "HanNet"), 0.19), (("fcnet", "FCNet"), 0.055)] {
            let mut lines = vec![series(arm, Role::WorstCase, sizes, 0.985, half * unit)];
            for (number, label) in ATTACKS.iter().take(attacks).enumerate() {
                let weaker = [1.5, 1.02, 1.005, 1.2, 1.1, 1.03, 1.04, 1.01, 1.15, 2.3, 1.0][number];
                lines.push(series((arm.0, label), Role::Attack(number), sizes, 0.985, weaker * half * unit));
            }
            panels.push(RobustnessPanel {
                title: format!("{}, {norm}", arm.1),
                norm_label: format!("size of the perturbation, {norm}"),
                series: lines,
            });
        }
    }
    panels
}

fn distances((arm, label): (&str, &str), images: usize, middle: f64, radii: bool) -> DistanceCurve {
    let mut seed = 11;
    let mut draw = |_| {
        let (chance, spread) = (noise(&mut seed), (0..6).map(|_| noise(&mut seed)).sum::<f64>() / 3.0 - 1.0);
        let distance = if chance < 0.02 { 0.0 } else { middle * (1.1 * spread).exp() };
        (if chance > 0.998 { f64::INFINITY } else { distance }, (0.62 * distance - 0.03 * middle).max(0.0))
    };
    let (distances, proved): (Vec<f64>, Vec<f64>) = (0..images).map(&mut draw).unzip();
    DistanceCurve { arm: arm.to_owned(), label: label.to_owned(), distances, radii: radii.then_some(proved) }
}

pub(super) fn distance_panels(images: usize) -> Vec<DistancePanel> {
    let panel = |title: &str, norm: &str, unit: f64| DistancePanel {
        title: title.to_owned(),
        norm_label: format!("distance, {norm}"),
        curves: vec![
            distances(("hannet", "HanNet"), images, 0.2 * unit, true),
            distances(("fcnet", "FCNet"), images, 0.06 * unit, true),
        ],
    };
    vec![panel("Linf", "Linf", 1.0), panel("L2", "L2", 11.0)]
}

pub(super) fn effort_panels() -> Vec<EffortPanel> {
    let curve = |(arm, label): (&str, &str), efforts: &[f64], start: f64, fall: f64| EffortCurve {
        arm: arm.to_owned(),
        label: label.to_owned(),
        points: efforts.iter().map(|&effort| (effort, start - fall * (1.0 - 1.0 / effort.sqrt()))).collect(),
    };
    let arms = [("hannet", "HanNet"), ("fcnet", "FCNet")];
    let panel = |title: &str, x_label: &str, curves| EffortPanel {
        title: title.to_owned(),
        x_label: x_label.to_owned(),
        curves,
    };
    let steps = [10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];
    let restarts = [1.0, 2.0, 5.0, 10.0];
    vec![
        panel("PGD, Linf 0.1", "steps", vec![curve(arms[0], &steps, 0.921, 0.011)]),
        panel(
            "PGD, Linf 0.02",
            "steps",
            vec![curve(arms[0], &steps, 0.974, 0.004), curve(arms[1], &steps, 0.968, 0.009)],
        ),
        panel("PGD, Linf 0.1", "restarts", vec![curve(arms[0], &restarts, 0.913, 0.001)]),
    ]
}

/// A straight line from one pixel to another.
type Segment = ((f64, f64), (f64, f64));

/// A bright stroke along some lines, as digits have it.
fn digit(strokes: &[Segment]) -> Vec<f32> {
    let bright = |index: usize| {
        let (x, y) = ((index % 28) as f64, (index / 28) as f64);
        let near = strokes.iter().map(|&((ax, ay), (bx, by))| {
            let (dx, dy) = (bx - ax, by - ay);
            let along = (((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy)).clamp(0.0, 1.0);
            (x - ax - along * dx).hypot(y - ay - along * dy)
        });
        (1.9 - near.fold(f64::INFINITY, f64::min)).clamp(0.0, 1.0) as f32
    };
    (0..784).map(bright).collect()
}

pub(super) fn grid(rows: usize, arms: &[(&str, &str)]) -> Vec<GridRow> {
    let four = [((9.0, 5.0), (7.0, 14.0)), ((7.0, 14.0), (19.0, 14.0)), ((18.0, 5.0), (17.0, 23.0))];
    let seven = [((7.0, 6.0), (20.0, 6.0)), ((20.0, 6.0), (12.0, 23.0))];
    let answer = |class: &str, confidence| Answer { class: class.to_owned(), confidence };
    let row = |index: usize| {
        let (class, other, strokes) =
            if index.is_multiple_of(2) { ("4", "9", &four[..]) } else { ("7", "1", &seven[..]) };
        let pixels = digit(strokes);
        let mut seed = index as u64 + 1;
        let attempt = |(number, (arm, label)): (usize, &(&str, &str))| {
            let size = [0.3, 0.08, 0.15][number % 3];
            let outcome = if (index, number) == (2, 0) {
                Outcome::Resisted("searched up to Linf 0.3 and L2 5".to_owned())
            } else {
                let push = |pixel: &f32| (pixel + (size * (2.0 * noise(&mut seed) - 1.0)) as f32).clamp(0.0, 1.0);
                Outcome::Found { pixels: pixels.iter().map(push).collect(), answer: answer(other, 0.512) }
            };
            Attempt { arm: (*arm).to_owned(), label: (*label).to_owned(), before: answer(class, 0.9987), outcome }
        };
        let attempts = arms.iter().enumerate().map(attempt).collect();
        let heading = format!("image {}", 1234 * (index + 1));
        GridRow { heading, class: class.to_owned(), side: 28, pixels: pixels.clone(), attempts }
    };
    (0..rows).map(row).collect()
}

pub(super) const ARMS: [(&str, &str); 2] = [("hannet", "HanNet"), ("fcnet", "FCNet")];
