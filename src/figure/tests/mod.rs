//! Tests of the charts on synthetic data of the kind the experiments produce.

mod data;

use super::*;
use data::*;

const NAMES: [&str; 4] = ["airplane", "automobile", "bird", "cat"];

/// Every kind of chart, under the name of its file.
fn charts() -> Vec<(&'static str, Result<Image>)> {
    let recipe = "SGD with momentum 0.9 and a step size that falls to a tenth";
    let title = "Accuracy on the 12 × 12 board, 5 seeds";
    let mut short = curve_panel("Adam, step size 0.001", 80);
    short.series.remove(1);
    let mut close = curve_panel("close", 40);
    close.series.retain(|series| series.arm != "fcnet");
    for series in &mut close.series {
        series.points.retain(|point| point.0 > 30000.0);
        series.band.retain(|point| point.0 > 30000.0);
    }
    close.level = None;
    let four = [close.clone(), curve_panel("b", 9), close.clone(), close];
    let curves = |title: &str, panels: &[LinePanel]| line_panels(title, panels, &[(Drawing::Few, "median seed")]);
    let sizes = [spots("12 × 12 board", 0.78), spots("two spirals", 0.94)];
    let measured = [(Drawing::Spots, "mean, lowest and highest seed"), (Drawing::Rings, "the paper's figure")];
    vec![
        ("maps-2x4", decision_maps("Decision maps after 40 000 iterations", &[maps("SGD"), maps("Adam")])),
        ("maps-1x3", decision_maps("Decision maps after 40 000 iterations", &[maps("SGD")[1..].to_vec()])),
        ("maps-1x2", decision_maps("Truth and HanNet", &[maps(recipe)[..2].to_vec()])),
        ("curves-2", curves(title, &[curve_panel("SGD with momentum", 80), short])),
        ("curves-1", curves("One evaluation", &[curve_panel("after training", 1)])),
        ("curves-3", curves("Close values", &four[..3])),
        ("curves-4", curves("Close values", &four)),
        (
            "confusion",
            confusion_difference("Answers", &NAMES, [&answers(), &diagonal()], ["4 mixer + 12 Han", "4 mixer"]),
        ),
        ("categories", category_panels("Bars and marks", &[categories(), categories()], &[(Key::Open, "open")])),
        ("sizes-2", line_panels("Accuracy against size", &sizes, &measured)),
        ("sizes-1", line_panels("Accuracy against size", &sizes[..1], &measured)),
        ("sweep", line_panels("Error against size, a dozen arms", &[sweep()], &measured[..1])),
        ("robust-norm", robust_accuracy("Accuracy against size", &under_attack())),
        ("robust-distance", distance_distribution("Distances", &distance_panels(2000))),
        ("robust-effort", line_panels("Effort", &effort_panels(), &[(Drawing::Dots, "numbers")])),
        ("robust-grid", adversarial_grid("Images", 0.3, "Linf up to 0.3", &attempts(3))),
        ("lines", line_panels("Gradients", &[lines()], &[(Drawing::Dotted, "a bound")])),
        ("scatter", scatter_panels("Strengths", &[scatter("a"), scatter("b")])),
    ]
}

/// Draws every kind of chart, equal data as equal charts; `HAN_FIGURES` names a folder to keep them in, for a look at them.
#[test]
fn realistic_charts_are_drawn() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let kept = std::env::var_os("HAN_FIGURES").map(std::path::PathBuf::from);
    for ((name, chart), (_, again)) in charts().into_iter().zip(charts()) {
        let chart = chart.with_context(|| name.to_owned())?;
        assert!(again? == chart, "{name}");
        assert!(chart.width > 500 && chart.pixels.iter().any(|&value| value < 100), "{name}");
        assert!(
            chart.svg.ends_with("</svg>\n") && chart.svg.contains(&format!("viewBox=\"0 0 {} ", chart.width)),
            "{name}"
        );
        chart.save(&kept.as_deref().unwrap_or(folder.path()).join(format!("{name}.png")))?;
    }
    Ok(())
}

fn told(result: Result<Image>) -> String {
    result.err().map_or("no error".to_owned(), |error| format!("{error:#}"))
}

/// What a chart says when something about its data is changed.
fn changed<Data>(data: impl Fn() -> Data, draw: impl Fn(&Data) -> Result<Image>) -> impl Fn(fn(&mut Data)) -> String {
    assert_eq!(told(draw(&data())), "no error");
    move |edit| {
        let mut data = data();
        edit(&mut data);
        told(draw(&data))
    }
}

#[test]
fn lines_that_cannot_be_drawn_are_refused() {
    let lines = changed(|| vec![lines()], |panels: &Vec<LinePanel>| line_panels("t", panels, &[]));
    assert!(lines(Vec::clear).contains("no panel"));
    assert!(lines(|panels| panels[0].series.clear()).contains("panel \"One\": nothing to draw"));
    assert!(lines(|panels| panels[0].series[1].points.clear()).contains("panel \"One\", \"fcnet\": no point to draw"));
    assert!(
        lines(|panels| panels[0].series[0].points[1].1 = 0.0).contains("at 100: 0 cannot be shown as \"gradient\"")
    );
    assert!(lines(|panels| panels[0].series[4].points[1].1 = f64::NAN).contains("NaN cannot be shown"));
    assert!(lines(|panels| panels[0].series[0].points[1].1 = f64::INFINITY).contains("inf cannot be shown"));
    assert!(lines(|panels| panels[0].series[0].points[1].0 = 2.0).contains("do not go on to the right"));
    assert!(lines(|panels| panels[0].level = Some((-1.0, "level".into()))).contains("-1 cannot be shown"));
    assert!(lines(|panels| panels[0].series[0].band = vec![(10.0, 1e-4, 1e-3)]).contains("not in this order"));
    assert_eq!(lines(|panels| panels[0].series[4].points[1].0 = 2.0), "no error");

    // Its axes are made before anything is checked.
    let clouds = changed(|| vec![scatter("a")], |panels: &Vec<LinePanel>| scatter_panels("t", panels));
    assert!(clouds(|panels| panels[0].series.clear()).contains("nothing to draw"));
    assert!(clouds(|panels| panels[0].series[0].points[0].1 = f64::INFINITY).contains("inf cannot be shown"));
}

#[test]
fn accuracies_that_cannot_be_drawn_are_refused() {
    let sizes = changed(|| vec![spots("p", 0.9)], |panels: &Vec<LinePanel>| line_panels("t", panels, &[]));
    assert!(sizes(|panels| panels[0].series[2].points[0].1 = 99.0).contains("which takes fractions between 0 and 1"));
    assert!(sizes(|panels| panels[0].series[0].band[0].1 = 1.0).contains("not in this order"));
}

#[test]
fn attacks_that_cannot_be_drawn_are_refused() {
    let sizes = changed(under_attack, |panels: &Vec<LinePanel>| robust_accuracy("t", panels));
    assert!(sizes(|panels| panels[1].series.clear()).contains("panel \"Perturbations in L2\": nothing to draw"));
    // The rules of two scales that no other test breaks.
    assert!(sizes(|panels| panels[1].series[0].points[2].1 = 98.0).contains("at 0.05: 98 cannot be shown"));
    assert!(sizes(|panels| panels[1].series[0].points[0].0 = -1.0).contains("-1 cannot be shown as \"size"));

    let bars = changed(|| vec![categories()], |panels: &Vec<CategoryPanel>| category_panels("t", panels, &[]));
    assert!(bars(|panels| panels[0].entries[1].category = 2).contains("panel \"Linf\", \"FCNet\": category 2 of 2"));
    let nothing =
        |panels: &mut Vec<CategoryPanel>| (panels[0].entries[2].range, panels[0].entries[2].points) = (None, vec![]);
    assert!(bars(nothing).contains("\"ResNet\": no value to draw"));

    let nearest = changed(|| distance_panels(60), |panels: &Vec<DistancePanel>| distance_distribution("t", panels));
    assert!(nearest(|panels| panels[1].curves.clear()).contains("panel \"L2\": nothing"));
    assert!(nearest(|panels| panels[1].curves[0].distances.clear()).contains("\"HanNet\": no image"));
    assert!(nearest(|panels| panels[1].curves[0].distances[7] = -0.1).contains("image 7 has the distance -0.1"));
    assert!(nearest(|panels| panels[1].curves[0].distances[7] = f64::NAN).contains("image 7 has the distance NaN"));
    assert!(nearest(|panels| panels[1].curves[0].radii = Some(vec![0.0])).contains("1 radii for 60 images"));
    assert!(
        nearest(|panels| panels[1].curves[0].radii = Some(vec![f64::NAN; 60])).contains("image 0 has the radius NaN")
    );
    assert!(nearest(|panels| panels[1].curves[0].radii = Some(vec![9.0; 60])).contains("image 0 is proved within 9"));
    assert_eq!(nearest(|panels| panels[1].curves[0].distances = vec![f64::INFINITY; 60]), "no error");
    let wrong = |panels: &mut Vec<DistancePanel>| {
        panels[1].curves.truncate(1);
        (panels[1].curves[0].distances, panels[1].curves[0].radii) = (vec![0.0; 60], None);
    };
    assert_eq!(nearest(wrong), "no error");
}

#[test]
fn what_covers_what_follows_from_drawings_and_not_from_their_order() -> Result<()> {
    let mut panel = under_attack().remove(0);
    panel.series.truncate(3);
    let chart = robust_accuracy("t", std::slice::from_ref(&panel))?;
    panel.series.reverse();
    assert!(robust_accuracy("t", &[panel])? == chart);
    Ok(())
}

#[test]
fn every_image_is_on_the_sheet_with_its_colour() -> Result<()> {
    let sheet = contact_sheet("Two images", 8, ["original", "basic"], &sheet_rows())?;
    let count = |color: [u8; 3]| sheet.pixels.chunks_exact(3).filter(|pixel| **pixel == color).count();
    // 8 pixels of 16 each.
    for level in [200, 100, 50, 120, 60, 30] {
        assert_eq!(count([level, 0, 255 - level]), 128 * 128, "{level}");
    }
    Ok(())
}

#[test]
fn pictures_that_do_not_fit_are_refused() {
    assert!(told(decision_maps("t", &[])).contains("no row"));
    let map = changed(|| vec![maps("SGD")], |rows: &Vec<Vec<DecisionPanel>>| decision_maps("t", rows));
    assert!(map(|rows| rows.push(vec![])).contains("row 1 has no panel"));
    assert!(map(|rows| rows[0][1].side = 80).contains("6561 classes for 80 x 80"));
    assert!(map(|rows| rows[0][1].classes[5] = 2).contains("class 2"));
    assert!(map(|rows| rows[0][1].train.push((81, 0))).contains("training point (81, 0)"));
    assert!(map(|rows| rows[0][1].wrong = Some(vec![])).contains("0 misclassified marks"));

    let groups = ["original", "basic"];
    let sheet = changed(sheet_rows, |rows: &Vec<SheetRow>| contact_sheet("t", 8, groups, rows));
    assert!(sheet(Vec::clear).contains("no row"));
    assert!(sheet(|rows| rows[1].images.truncate(2)).contains("ship has other columns than frog"));
    assert!(sheet(|rows| rows[0].images[0].truncate(9)).contains("has not 8 x 8 pixels"));
    assert!(sheet(|rows| rows.iter_mut().for_each(|row| row.images.truncate(1))).contains("a group without an image"));

    let difference =
        |names: &[&str], counts: &[Vec<usize>]| confusion_difference("t", names, [counts, counts], ["a", "b"]);
    assert!(told(difference(&NAMES[..3], &answers())).contains("not 3 x 3"));
    assert!(told(difference(&[], &[])).contains("0 classes"));
    assert!(told(difference(&["x"; 100], &vec![vec![1; 100]; 100])).contains("too many"));
    let matrix = changed(answers, |counts: &Vec<Vec<usize>>| difference(&NAMES, counts));
    // A class without images is an empty row.
    assert_eq!(matrix(|counts| counts[2] = vec![0; 4]), "no error");

    let images = changed(|| attempts(4), |rows: &Vec<GridRow>| adversarial_grid("t", 0.1, "Linf", rows));
    fn found(row: &mut GridRow, pixel: f32, confidence: f64) {
        let (mut pixels, answer) = (row.pixels.clone(), Answer { class: "1".into(), confidence });
        pixels[3] = pixel;
        row.attempts[0].found = Some((pixels, answer));
    }
    assert!(images(Vec::clear).contains("no row"));
    assert!(told(adversarial_grid("t", 0.0, "Linf", &attempts(1))).contains("a colour scale up to 0"));
    assert!(images(|rows| rows[1].side = 27).contains("row \"image 2468\": side is 27, that of the first row 28"));
    assert!(images(|rows| rows[1].pixels.truncate(9)).contains("test image: 9 pixels for 28 x 28"));
    assert!(images(|rows| rows[1].pixels[0] = 255.0).contains("a pixel is 255"));
    assert!(images(|rows| rows[1].attempts[1].before.confidence = 1.5).contains("\"FCNet\", test image: 1.5"));
    assert!(images(|rows| rows[1].attempts.reverse()).contains("its networks are"));
    assert!(images(|rows| rows[1].attempts.clear()).contains("no network"));
    assert!(images(|rows| found(&mut rows[0], f32::NAN, 0.5)).contains("\"HanNet\": a pixel is NaN"));
    assert!(images(|rows| found(&mut rows[0], 0.5, f64::NAN)).contains("\"HanNet\", adversarial image: NaN"));
    // An image that is misclassified as it stands needs no change.
    assert_eq!(images(|rows| found(&mut rows[0], 0.0, 0.5)), "no error");
}
