//! Tests of the charts on synthetic data of the kind the experiments produce.

use super::*;

const SIDE: usize = 81;

fn board(row: usize, column: usize) -> u8 {
    let cell = |index: usize| (4..=75).contains(&index).then(|| (index - 4) / 6);
    match (cell(row), cell(column)) {
        (Some(a), Some(b)) => ((a + b) % 2) as u8,
        _ => 0,
    }
}

/// A small generator of numbers in 0..1: the tests need the same data on every machine.
fn noise(seed: &mut u64) -> f64 {
    *seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
    (*seed >> 33) as f64 / (1u64 << 31) as f64
}

fn panel(title: &str, note: &str, guess: impl Fn(usize, usize, u8) -> u8, marks: bool) -> DecisionPanel {
    let mut seed = 7;
    let cells = || (0..SIDE * SIDE).map(|index| (index / SIDE, index % SIDE));
    let classes: Vec<u8> = cells().map(|(row, column)| guess(row, column, board(row, column))).collect();
    let wrong = cells().zip(&classes).map(|((row, column), &class)| class != board(row, column)).collect();
    let train = cells().filter(|_| noise(&mut seed) < 0.25).collect();
    DecisionPanel {
        title: title.to_owned(),
        note: note.to_owned(),
        side: SIDE,
        classes,
        train,
        wrong: marks.then_some(wrong),
    }
}

fn maps(recipe: &str) -> Vec<DecisionPanel> {
    let blob = |row: usize, column: usize, truth: u8| {
        let wave = (row as f64 * 0.31).sin() + (column as f64 * 0.23).cos();
        if wave > 0.9 { 1 - truth } else { truth }
    };
    let stripes = |row: usize, column: usize, _: u8| u8::from((row + 2 * column) % 40 < 14);
    vec![
        panel("Truth", "12 × 12 board, 1640 training points", |_, _, truth| truth, false),
        panel(
            &format!("HanNet, {recipe}"),
            "test accuracy 99.8 %, seed 3",
            |row, column, truth| {
                if row == 30 && column % 9 == 4 { 1 - truth } else { truth }
            },
            true,
        ),
        panel(&format!("FCNet, {recipe}"), "test accuracy 81.3 %, seed 1 (median of 5 seeds)", blob, true),
        panel(&format!("ResNet, {recipe}"), "test accuracy 60.5 %, seed 2", stripes, true),
    ]
}

fn curve(arm: &str, last: f64, rate: f64, count: usize) -> Curve {
    let mut seed = (last * 1000.0) as u64;
    let points = (1..=count)
        .map(|index| {
            let step = 40000.0 * index as f64 / count as f64;
            let median = (last - (last - 0.55) * (-step / rate).exp() + 0.01 * (noise(&mut seed) - 0.5)).min(1.0);
            let spread = 0.02 + 0.1 * (-step / rate).exp();
            BandPoint { step, median, low: median - spread * noise(&mut seed), high: (median + spread / 3.0).min(1.0) }
        })
        .collect();
    Curve { arm: arm.to_owned(), label: Arm::new(arm).label, points }
}

fn curve_panel(title: &str, count: usize) -> CurvePanel {
    let curves = vec![
        curve("hannet", 0.999, 4000.0, count),
        curve("fcnet", 0.78, 12000.0, count),
        curve("resnet", 0.992, 7000.0, count),
    ];
    CurvePanel { title: title.to_owned(), curves, baseline: Some((0.605, "always class 0".to_owned())) }
}

fn marks(title: &str, base: f64) -> MarkPanel {
    let one = |arm: &str, label: &str, parameters, mean: f64, paper| Mark {
        arm: arm.to_owned(),
        label: label.to_owned(),
        parameters,
        mean,
        low: mean - 0.004,
        high: (mean + 0.003).min(1.0),
        paper,
    };
    let marks = vec![
        one("hannet", "20 layers × 100", 4301, 0.998, Some(0.999)),
        one("hannet", "10 layers × 100", 2301, 0.992, None),
        one("hannet", "40 layers × 100", 8301, 0.9985, Some(0.9987)),
        one("fcnet", "4 layers × 100", 30601, base, Some(base - 0.02)),
        one("fcnet", "20 layers × 100", 192201, base + 0.01, None),
        one("resnet", "20 layers × 100", 203000, base + 0.03, Some(base + 0.05)),
    ];
    MarkPanel { title: title.to_owned(), marks }
}

#[test]
fn equal_data_gives_equal_files() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let saved = |name: &str| -> Result<Vec<u8>> {
        let path = folder.path().join(name);
        accuracy_curves("Curves", &[curve_panel("batch 64", 5)])?.save(&path)?;
        Ok(std::fs::read(path)?)
    };
    assert!(saved("a.png")? == saved("b.png")?);
    assert!(decision_maps("Maps", &[maps("SGD")])? == decision_maps("Maps", &[maps("SGD")])?);
    let scatter = || accuracy_against_parameters("Sizes", &[marks("board", 0.9)]);
    assert!(scatter()? == scatter()?);
    Ok(())
}

fn course(arm: &str, label: &str, last: f64, quantity: Quantity) -> Course {
    let seed = |number: u64| -> Vec<(f64, f64)> {
        let mut state = number * 31 + (last * 1000.0) as u64;
        let value = |epoch: f64| {
            let accuracy = last - (last - 0.3) * (-epoch / 3.0).exp() + 0.02 * (noise(&mut state) - 0.5);
            match quantity {
                Quantity::Accuracy => accuracy,
                Quantity::Loss => -accuracy.ln() * 2.0,
            }
        };
        let epochs = (1..=10).map(f64::from);
        epochs.clone().zip(epochs.map(value).collect::<Vec<_>>()).collect()
    };
    Course { arm: arm.to_owned(), label: label.to_owned(), seeds: (0..3).map(seed).collect() }
}

fn course_panels() -> Vec<CoursePanel> {
    let panel = |title: &str, quantity, gain: f64| CoursePanel {
        title: title.to_owned(),
        quantity,
        courses: vec![
            course("mixer-4", "4 mixer", 0.77 + gain, quantity),
            course("mixer-4-han-12", "4 mixer + 12 Han", 0.75 + gain, quantity),
            course("mixer-8", "8 mixer", 0.79 + gain, quantity),
            course("resnet32", "ResNet-32", 0.85 + gain, quantity),
        ],
    };
    vec![
        panel("Training, augmented: loss", Quantity::Loss, 0.03),
        panel("Test: loss", Quantity::Loss, 0.0),
        panel("Training, augmented: accuracy", Quantity::Accuracy, 0.03),
        panel("Test: accuracy", Quantity::Accuracy, 0.0),
    ]
}

const NAMES: [&str; 4] = ["airplane", "automobile", "bird", "cat"];

fn answers() -> Vec<Vec<usize>> {
    vec![vec![820, 30, 100, 50], vec![12, 960, 0, 28], vec![70, 1, 640, 289], vec![40, 20, 220, 720]]
}

#[test]
fn courses_and_answers_that_cannot_be_drawn_are_refused() {
    let message = |result: Result<Image>| result.err().map_or("no error".to_owned(), |error| format!("{error:#}"));
    let change = |edit: fn(&mut CoursePanel)| {
        let mut panels = course_panels();
        edit(&mut panels[3]);
        message(learning_curves("t", &panels))
    };
    assert_eq!(change(|_| {}), "no error");
    assert!(message(learning_curves("t", &[])).contains("no panel"));
    assert!(change(|panel| panel.courses.clear()).contains("no arm"));
    assert!(change(|panel| panel.courses[0].seeds.clear()).contains("no seed"));
    assert!(change(|panel| panel.courses[0].seeds[1].truncate(4)).contains("differ in their epochs"));
    assert!(change(|panel| panel.courses[0].seeds[0][3].1 = 71.0).contains("accuracy at epoch 4 is 71"));
    assert!(change(|panel| panel.courses[0].seeds.iter_mut().for_each(|s| s[3].0 = 9.5)).contains("do not grow"));
    let mut broken = course_panels();
    broken[0].courses[1].seeds[0][2].1 = f64::NAN;
    assert!(message(learning_curves("t", &broken)).contains("the loss at epoch 3 is NaN"));

    assert_eq!(message(confusion_matrix("t", &NAMES, &answers())), "no error");
    assert!(message(confusion_matrix("t", &NAMES[..3], &answers())).contains("not 3 x 3"));
    assert!(message(confusion_matrix("t", &[], &[])).contains("0 classes"));
    assert!(message(confusion_matrix("t", &["x"; 100], &vec![vec![1; 100]; 100])).contains("too many"));
    // A class without images is an empty row.
    let mut none = answers();
    none[2] = vec![0; 4];
    assert_eq!(message(confusion_matrix("t", &NAMES, &none)), "no error");
}

#[test]
fn missing_data_is_named() {
    let message = |result: Result<Image>| result.err().map_or("no error".to_owned(), |error| format!("{error:#}"));
    assert!(message(decision_maps("t", &[])).contains("no row"));
    assert!(message(decision_maps("t", &[vec![]])).contains("row 0 has no panel"));
    assert!(message(accuracy_curves("t", &[])).contains("no panel"));
    assert!(message(accuracy_against_parameters("t", &[])).contains("no panel"));
    let empty = CurvePanel { title: "p".to_owned(), curves: vec![], baseline: None };
    assert!(message(accuracy_curves("t", &[empty])).contains("panel \"p\": no curve"));
    let mut bare = curve_panel("p", 3);
    bare.curves[1].points.clear();
    assert!(message(accuracy_curves("t", &[bare])).contains("curve \"FCNet\": no point"));
    let mut hole = curve_panel("p", 3);
    hole.curves[0].points[1].median = f64::NAN;
    assert!(message(accuracy_curves("t", &[hole])).contains("median accuracy at iteration"));
    assert!(message(accuracy_against_parameters("t", &[marks("p", f64::NAN)])).contains("not a number"));
    assert!(message(accuracy_against_parameters("t", &[marks("p", 99.0)])).contains("fraction"));
    let mut swapped = marks("p", 0.9);
    swapped.marks[0].low = 1.0;
    assert!(message(accuracy_against_parameters("t", &[swapped])).contains("not in this order"));
    let none = MarkPanel { title: "p".to_owned(), marks: vec![] };
    assert!(message(accuracy_against_parameters("t", &[none])).contains("no mark"));
}

#[test]
fn a_map_that_does_not_fit_its_side_is_refused() {
    let change = |edit: fn(&mut DecisionPanel)| {
        let mut row = maps("SGD");
        edit(&mut row[1]);
        decision_maps("t", &[row]).err().map_or("no error".to_owned(), |error| error.to_string())
    };
    assert!(change(|panel| panel.side = 80).contains("6561 classes for 80 x 80"));
    assert!(change(|panel| panel.classes[5] = 2).contains("class 2"));
    assert!(change(|panel| panel.train.push((81, 0))).contains("training point (81, 0)"));
    assert!(change(|panel| panel.wrong = Some(vec![])).contains("0 misclassified marks"));
}

/// Draws every kind of chart; `HAN_FIGURES` names a folder to keep them in, for a look at them.
#[test]
fn realistic_charts_are_drawn() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let kept = std::env::var_os("HAN_FIGURES").map(std::path::PathBuf::from);
    let path = |name: &str| kept.as_deref().unwrap_or(folder.path()).join(name);
    let two = [maps("SGD with momentum"), maps("Adam")];
    decision_maps("Decision maps after 40 000 iterations", &two)?.save(&path("maps-2x4.png"))?;
    let three = vec![maps("SGD")[1..].to_vec()];
    decision_maps("Decision maps after 40 000 iterations on the 12 × 12 board", &three)?.save(&path("maps-1x3.png"))?;
    let pair = vec![maps("SGD with momentum 0.9 and a step size that falls to a tenth")[..2].to_vec()];
    decision_maps("Truth and HanNet", &pair)?.save(&path("maps-1x2.png"))?;
    let mut short = curve_panel("Adam, step size 0.001", 80);
    short.curves.remove(1);
    let curves = [curve_panel("SGD with momentum", 80), short];
    accuracy_curves("Test accuracy on the 12 × 12 board, 5 seeds", &curves)?.save(&path("curves-2.png"))?;
    let single = [curve_panel("after training", 1)];
    accuracy_curves("One evaluation", &single)?.save(&path("curves-1.png"))?;
    let mut close = curve_panel("close", 40);
    close.curves.retain(|curve| curve.arm != "fcnet");
    close.curves.iter_mut().for_each(|curve| curve.points.retain(|point| point.step > 30000.0));
    close.baseline = None;
    let six = [close.clone(), curve_panel("b", 9), close.clone(), close];
    accuracy_curves("Close values", &six[..3])?.save(&path("curves-3.png"))?;
    accuracy_curves("Close values", &six)?.save(&path("curves-4.png"))?;
    learning_curves("MLP-Mixer: training, cifar10, 10 epochs", &course_panels())?.save(&path("learning-4.png"))?;
    learning_curves("Two panels", &course_panels()[2..])?.save(&path("learning-2.png"))?;
    let title = "Answers of 4 mixer + 12 Han to test images, cifar10, 10 epochs, 3 seeds";
    confusion_matrix(title, &NAMES, &answers())?.save(&path("confusion.png"))?;
    let sizes = [marks("12 × 12 board", 0.78), marks("two spirals", 0.94)];
    accuracy_against_parameters("Accuracy against size", &sizes)?.save(&path("sizes-2.png"))?;
    accuracy_against_parameters("Accuracy against size", &sizes[..1])?.save(&path("sizes-1.png"))
}

fn line(arm: &str, drawing: Drawing, points: Vec<(f64, f64)>) -> LineSeries {
    LineSeries { arm: arm.into(), label: arm.into(), drawing, points, band: Vec::new(), ending: None }
}

fn lines(series: Vec<LineSeries>) -> Vec<LinePanel> {
    let x = LineQuantity::new("number of layers", AxisScale::Log);
    let y = LineQuantity::new("gradient", AxisScale::Log);
    vec![LinePanel { title: "One".into(), x, y, series, level: Some((1.0, "level".into())) }]
}

#[test]
fn lines_reach_over_hundreds_of_powers_of_ten() {
    let points = vec![(10.0, 1e-5), (100.0, 1e-80), (1000.0, 1e-150)];
    let drawings = [Drawing::Marked, Drawing::Line, Drawing::Dashed, Drawing::Dotted, Drawing::Dots];
    let series = drawings.into_iter().map(|drawing| line("fcnet", drawing, points.clone())).collect();
    let image = line_panels("Gradients", &lines(series), &[(Drawing::Dashed, "a bound")]).unwrap();
    assert!(image.width > 1000 && image.pixels.iter().any(|&value| value < 100));
}

#[test]
fn lines_that_an_axis_cannot_show_are_refused() {
    let told = |points: Vec<(f64, f64)>| {
        let panels = lines(vec![line("fcnet", Drawing::Marked, points)]);
        line_panels("Gradients", &panels, &[]).map_or_else(|error| error.to_string(), |_| "no error".into())
    };
    assert!(told(vec![(1.0, 0.0)]).contains("0 cannot be shown as \"gradient\""));
    assert!(told(vec![(1.0, f64::NAN)]).contains("NaN cannot be shown"));
    assert!(told(vec![(2.0, 1.0), (1.0, 1.0)]).contains("do not go on to the right"));
    assert!(told(Vec::new()).contains("no point to draw"));
    assert_eq!(told(vec![(1.0, 1.0)]), "no error");
}
