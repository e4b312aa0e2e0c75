//! Synthetic data of the kind that the experiments produce.

use super::*;

pub(super) const ARMS: [(&str, &str); 3] = [("hannet", "HanNet"), ("fcnet", "FCNet"), ("resnet", "ResNet")];

/// A small generator of numbers in 0..1: the tests need the same data on every machine.
fn noise(seed: &mut u64) -> f64 {
    *seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
    (*seed >> 33) as f64 / (1u64 << 31) as f64
}

/// The truth and three answers to it.
pub(super) fn maps(recipe: &str) -> Vec<DecisionPanel> {
    const SIDE: usize = 81;
    let board = |row: usize, column: usize| {
        let inside = (4..76).contains(&row) && (4..76).contains(&column);
        u8::from(inside && ((row + 2) / 6 + (column + 2) / 6) % 2 == 1)
    };
    type Guess = fn(usize, usize, u8) -> u8;
    let guesses: [Guess; 4] = [
        |_, _, truth| truth,
        |row, column, truth| if row == 30 && column % 9 == 4 { 1 - truth } else { truth },
        |row, column, truth| if (row * 31 + column * 23) % 300 < 90 { 1 - truth } else { truth },
        |row, column, _| u8::from((row + 2 * column) % 40 < 14),
    ];
    let names = ["Truth", "HanNet", "FCNet", "ResNet"].map(|name| format!("{name}, {recipe}"));
    let notes =
        ["1640 training points", "test 99.8 %, seed 3", "test 81.3 %, seed 1 (median of 5 seeds)", "test 60.5 %"];
    let panel = |(title, (note, guess)): (String, (&str, Guess))| {
        let mut seed = 7;
        let cells = || (0..SIDE * SIDE).map(|index| (index / SIDE, index % SIDE));
        let classes: Vec<u8> = cells().map(|(row, column)| guess(row, column, board(row, column))).collect();
        let wrong = cells().zip(&classes).map(|((row, column), &class)| class != board(row, column)).collect();
        let wrong = (!title.starts_with("Truth")).then_some(wrong);
        let train = cells().filter(|_| noise(&mut seed) < 0.25).collect();
        DecisionPanel { title, note: note.into(), side: SIDE, classes, train, wrong }
    };
    names.into_iter().zip(notes.into_iter().zip(guesses)).map(panel).collect()
}

pub(super) fn curve_panel(title: &str, count: usize) -> LinePanel {
    let curve = |((arm, label), (last, rate)): ((&str, &str), (f64, f64))| {
        let mut seed = (last * 1000.0) as u64;
        let point = |index: usize| {
            let at = 40000.0 * index as f64 / count as f64;
            let left = (-at / rate).exp();
            let middle = (last - (last - 0.55) * left + 0.01 * (noise(&mut seed) - 0.5)).min(1.0);
            let spread = 0.02 + 0.1 * left;
            ((at, middle), (at, middle - spread, (middle + spread / 3.0).min(1.0)))
        };
        let (points, band) = (1..=count).map(point).unzip();
        LineSeries { band, ending: vec!["98.08 %".into()], ..LineSeries::of(arm, label, Drawing::Few, points) }
    };
    let series = ARMS.into_iter().zip([(0.999, 4000.0), (0.78, 12000.0), (0.992, 7000.0)]).map(curve).collect();
    let x = LineQuantity::new("training iteration", AxisScale::Count);
    let y = LineQuantity::new("test accuracy (%)", AxisScale::Percent);
    LinePanel { title: title.into(), x, y, series, level: Some((0.605, "always class 0".into())) }
}

pub(super) fn spots(title: &str, base: f64) -> LinePanel {
    let one = |(arm, label, note, size, mean, paper): (&str, &str, &str, f64, f64, Option<f64>)| {
        let (band, note) = (vec![(size, mean - 0.004, (mean + 0.003).min(1.0))], note.into());
        let measured = LineSeries { band, note, ..LineSeries::of(arm, label, Drawing::Spots, vec![(size, mean)]) };
        let stated = paper.map(|value| LineSeries::of(arm, label, Drawing::Rings, vec![(size, value)]));
        [measured].into_iter().chain(stated).collect::<Vec<LineSeries>>()
    };
    let spots = [
        ("hannet", "HanNet", "20 layers × 100", 4301.0, 0.998, Some(0.999)),
        ("hannet", "HanNet", "10 layers × 100", 2301.0, 0.992, None),
        ("hannet", "HanNet", "40 layers × 100", 8301.0, 0.9985, Some(0.9987)),
        ("fcnet", "FCNet", "4 layers × 100", 30601.0, base, Some(base - 0.02)),
        ("fcnet", "FCNet", "", 192201.0, base + 0.01, None),
        ("resnet", "ResNet", "1 of 5 diverged", 203000.0, base + 0.03, Some(base + 0.05)),
    ];
    let x = LineQuantity::new("number of parameters", AxisScale::Log);
    let y = LineQuantity::new("test accuracy (%)", AxisScale::Percent);
    LinePanel { title: title.into(), x, y, series: spots.into_iter().flat_map(one).collect(), level: None }
}

/// Errors of a dozen widths of one network.
pub(super) fn sweep() -> LinePanel {
    let spot = |index: usize| {
        let (width, mean) = (8 * (index + 1), 0.9 / (index + 1) as f64);
        let size = 300.0 * width as f64;
        let (arm, label) = (format!("hannet-width{width}"), format!("HanNet, width {width}"));
        let band = vec![(size, 0.9 * mean, 1.2 * mean)];
        LineSeries { band, ..LineSeries::of(&arm, &label, Drawing::Spots, vec![(size, mean)]) }
    };
    let x = LineQuantity::new("number of parameters", AxisScale::Log);
    let y = LineQuantity::new("test RMSE", AxisScale::Close);
    let (series, level) = ((0..12).map(spot).collect(), Some((0.2, "trees".into())));
    LinePanel { title: "concrete".into(), x, y, series, level }
}

const SIZES: [f64; 9] = [0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0];

/// A line that falls from 98.5 % and is at half of it at the size `half`.
fn series((arm, label): (&str, &str), drawing: Drawing, half: f64) -> LineSeries {
    let point = |at: f64| {
        let accuracy = 0.985 / (1.0 + (at / half).powi(4));
        (at, if accuracy < 0.004 { 0.0 } else { accuracy })
    };
    LineSeries::of(arm, label, drawing, SIZES.map(point).to_vec())
}

pub(super) fn under_attack() -> Vec<LinePanel> {
    let drawn = [(Drawing::Heavy, 1.0), (Drawing::Proved, 0.55), (Drawing::Dotted, 4.0)];
    let arms = [(ARMS[0], 0.19), (ARMS[1], 0.055)];
    let panel = |norm: &str| {
        let lines = arms.iter().flat_map(|(arm, half)| drawn.map(|(drawing, part)| series(*arm, drawing, half * part)));
        let x = LineQuantity::new(format!("size of the perturbation, {norm}"), AxisScale::Linear);
        let y = LineQuantity::new(ACCURACY, AxisScale::Whole);
        LinePanel::of(format!("Perturbations in {norm}"), x, y, lines.collect())
    };
    ["Linf", "L2"].into_iter().filter_map(panel).collect()
}

pub(super) fn distance_panels(images: usize) -> Vec<DistancePanel> {
    let curve = |((arm, label), middle): ((&str, &str), f64)| {
        let mut seed = 11;
        let mut draw = |_| {
            let (chance, spread) = (noise(&mut seed), (0..6).map(|_| noise(&mut seed)).sum::<f64>() / 3.0 - 1.0);
            let distance = if chance < 0.02 { 0.0 } else { middle * (1.1 * spread).exp() };
            (if chance > 0.998 { f64::INFINITY } else { distance }, (0.62 * distance - 0.03 * middle).max(0.0))
        };
        let (distances, radii): (Vec<f64>, Vec<f64>) = (0..images).map(&mut draw).unzip();
        DistanceCurve { arm: arm.into(), label: label.into(), distances, radii: Some(radii) }
    };
    let panel = |norm: &str, unit: f64| {
        let curves = [(ARMS[0], 0.2 * unit), (ARMS[1], 0.06 * unit)].map(curve).to_vec();
        DistancePanel { title: norm.into(), norm_label: format!("distance, {norm}"), curves }
    };
    vec![panel("Linf", 1.0), panel("L2", 11.0)]
}

/// Lines with a few marks, from 0 to 100 %.
pub(super) fn effort_panels() -> Vec<LinePanel> {
    let panel = |(kind, most, arms, start, fall): (&str, u32, usize, f64, f64)| {
        let points: Vec<(f64, f64)> =
            (1..=most).map(f64::from).map(|n| (n, start - fall * (1.0 - 1.0 / n.sqrt()))).collect();
        let series = |(index, (arm, label)): (usize, &(&str, &str))| {
            let points = points.iter().map(|point| (point.0, point.1 - 0.003 * index as f64)).collect();
            let ending = vec!["92.10 %".into(), "−1.10".into()];
            LineSeries { ending, ..LineSeries::of(arm, label, Drawing::Few, points) }
        };
        let (x, y) = (LineQuantity::new(kind, AxisScale::Log), LineQuantity::new(ACCURACY, AxisScale::Whole));
        let series = ARMS.iter().take(arms).enumerate().map(series).collect();
        LinePanel { title: "PGD, Linf 0.1".into(), x, y, series, level: None }
    };
    let panels = [("steps", 200, 1, 0.921, 0.011), ("steps", 200, 2, 0.974, 0.004), ("restarts", 20, 1, 0.913, 1e-3)];
    panels.map(panel).to_vec()
}

/// Images of a bright bar, of which the third resists the attack on the first network.
pub(super) fn attempts(rows: usize) -> Vec<GridRow> {
    let row = |index: usize| {
        let bright = |pixel: usize| if (pixel % 28).abs_diff(8 + 4 * index) < 2 { 0.95 } else { 0.0 };
        let pixels: Vec<f32> = (0..784).map(bright).collect();
        let mut seed = index as u64 + 1;
        let attempt = |(number, (arm, label)): (usize, &(&str, &str))| {
            let answer = |class: &str, confidence| Answer { class: class.into(), confidence };
            let push = |pixel: &f32| (pixel + (0.6 * noise(&mut seed) - 0.3) as f32).clamp(0.0, 1.0);
            let changed = (pixels.iter().map(push).collect(), answer("9", 0.512));
            let found = ((index, number) != (2, 0)).then_some(changed);
            Attempt { arm: (*arm).into(), label: (*label).into(), before: answer("4", 0.9987), found }
        };
        let attempts = ARMS[..2].iter().enumerate().map(attempt).collect();
        let heading = format!("image {}", 1234 * (index + 1));
        GridRow { heading, class: "4".into(), side: 28, pixels: pixels.clone(), attempts }
    };
    (0..rows).map(row).collect()
}

/// Images of one colour, each as it is and twice darker.
pub(super) fn sheet_rows() -> Vec<SheetRow> {
    let row = |(heading, level): (&str, u8)| {
        let image = |level: u8| [level, 0, 255 - level].repeat(64);
        SheetRow { heading: heading.into(), images: [level, level / 2, level / 4].map(image).to_vec() }
    };
    [("frog", 200), ("ship", 120)].map(row).to_vec()
}

pub(super) fn diagonal() -> Vec<Vec<usize>> {
    (0..4).map(|row| (0..4).map(|column| if row == column { 850 } else { 50 }).collect()).collect()
}

pub(super) fn answers() -> Vec<Vec<usize>> {
    vec![vec![820, 30, 100, 50], vec![12, 960, 0, 28], vec![70, 1, 640, 289], vec![40, 20, 220, 720]]
}

/// Networks side by side in two categories, in every body, with points.
pub(super) fn categories() -> CategoryPanel {
    let entry = |(place, (arm, label)): (usize, &(&str, &str))| {
        let body = [Body::Whisker, Body::Bar, Body::Interval][place];
        let (low, note) = (0.2 * (place + 1) as f64, (place == 0).then(|| "n = 3".to_owned()));
        let (range, points) = (Some([low, low + 0.05, low + 0.2]), vec![low, low + 0.01, low + 0.2]);
        Entry { range, open: place == 1, points, note, ..Entry::of(arm, label, place % 2, body) }
    };
    let y = LineQuantity::new("accuracy (%)", AxisScale::Percent);
    let (categories, entries) =
        (vec!["size 0.05".into(), "size 0.1".into()], ARMS.iter().enumerate().map(entry).collect());
    CategoryPanel { entries, level: Some((0.1, "level".into())), ..CategoryPanel::of("Linf", categories, y) }
}

/// Lines over hundreds of powers of ten, in every drawing but that of [`effort_panels`].
pub(super) fn lines() -> LinePanel {
    let drawings = [
        Drawing::Marked,
        Drawing::Line,
        Drawing::Marked,
        Drawing::Dotted,
        Drawing::Dots,
        Drawing::Thick,
        Drawing::Thin,
    ];
    let points = |place: usize| vec![(10.0, 1e-5), (100.0, 1e-80), (1000.0, 10f64.powi(-150 - 20 * place as i32))];
    let series = drawings.into_iter().enumerate().map(|(place, drawing)| {
        let arm = ARMS[place % 3].0;
        LineSeries::of(arm, arm, drawing, points(place))
    });
    let x = LineQuantity::new("number of layers", AxisScale::Log);
    let y = LineQuantity::new("gradient", AxisScale::Log);
    LinePanel { title: "One".into(), x, y, series: series.collect(), level: Some((1.0, "level".into())) }
}

pub(super) fn scatter(title: &str) -> LinePanel {
    let mut seed = 5;
    let mut draw = |(arm, _): &(&str, &str)| {
        let point = |index: usize| (index as f64 / 20.0 - 2.0, index as f64 / 20.0 - 2.3 + 0.6 * noise(&mut seed));
        LineSeries::of(arm, arm, Drawing::Dots, (0..80).map(point).collect())
    };
    let series = ARMS[..2].iter().map(&mut draw).collect();
    let x = LineQuantity::new("true strength (MPa)", AxisScale::Close);
    let y = LineQuantity::new("predicted strength (MPa)", AxisScale::Close);
    LinePanel { title: title.into(), x, y, series, level: None }
}
