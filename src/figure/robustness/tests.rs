//! Tests of the charts of robustness.

use anyhow::Result;

use super::layer::{Layer, layers};
use super::synthetic::{ARMS, LINF, by_attack, by_norm, distance_panels, effort_panels, grid, three};
use super::*;
use crate::figure::Image;
use crate::figure::axes::{Frame, Scale, percent_axis, size_axis};

fn message(result: Result<Image>) -> String {
    result.err().map_or("no error".to_owned(), |error| format!("{error:#}"))
}

#[test]
fn equal_data_gives_equal_charts() -> Result<()> {
    let two = [(ARMS[0], 0.19), (ARMS[1], 0.055)];
    assert!(robust_accuracy("t", &by_norm(&two))? == robust_accuracy("t", &by_norm(&two))?);
    assert!(robust_accuracy("t", &by_attack(11))? == robust_accuracy("t", &by_attack(11))?);
    assert!(distance_distribution("t", &distance_panels(60))? == distance_distribution("t", &distance_panels(60))?);
    assert!(attack_effort("t", &effort_panels())? == attack_effort("t", &effort_panels())?);
    assert!(adversarial_grid("t", &grid(3, &ARMS))? == adversarial_grid("t", &grid(3, &ARMS))?);
    Ok(())
}

#[test]
fn what_covers_what_follows_from_roles_and_not_from_their_order() -> Result<()> {
    let mut panels = by_attack(8)[..1].to_vec();
    panels[0].series.splice(..1, three(ARMS[0], &LINF[..7], 0.985, 0.19));
    let chart = robust_accuracy("t", &panels)?;
    panels[0].series.reverse();
    assert!(robust_accuracy("t", &panels)? == chart);

    let area = (0.0, 0.0, 880.0, 740.0);
    let y = percent_axis([0.0, 1.0].into_iter());
    let frame = Frame { area, x: size_axis(&LINF[..7], Scale::Linear, 880.0)?, y };
    let arms = labelled_arms([("hannet", "HanNet")].into_iter());
    let height = |layer: &Layer| match layer {
        Layer::Proved(..) | Layer::Seeds(..) => 0,
        Layer::Line(_, _, Role::Noise) => 1,
        Layer::Line(_, _, Role::Certificate) => 2,
        Layer::Line(_, _, Role::WorstCase) => 3,
        Layer::Line(_, _, Role::Attack(number)) => 20 - number,
        Layer::AttackMarks(_, number) => 40 - number,
    };
    let heights: Vec<usize> = layers(&panels[0].series, &arms, &frame).iter().map(height).collect();
    assert!(heights.is_sorted() && heights.len() == 2 + 3 + 2 * 8, "{heights:?}");
    Ok(())
}

#[test]
fn accuracies_that_cannot_be_drawn_are_refused() {
    let change = |edit: fn(&mut RobustnessPanel)| {
        let mut panels = by_attack(3);
        edit(&mut panels[1]);
        message(robust_accuracy("t", &panels))
    };
    assert!(message(robust_accuracy("t", &[])).contains("no panel"));
    assert!(change(|panel| panel.series.clear()).contains("panel \"FCNet, Linf\": no series"));
    assert!(change(|panel| panel.series[1].points.clear()).contains("series \"FGSM\" (Attack(0)): no point"));
    assert!(change(|panel| panel.series[0].points[2].mean = 98.0).contains("mean accuracy at size 0.05 is 98"));
    assert!(change(|panel| panel.series[0].points[2].low = 0.99).contains("not in this order"));
    assert!(change(|panel| panel.series[0].points[2].eps = 0.5).contains("do not grow"));
    assert!(change(|panel| panel.series[0].points[0].eps = -1.0).contains("-1 is no size"));
    assert!(change(|panel| panel.series[2].role = Role::Attack(0)).contains("this role twice"));
    assert!(change(|panel| panel.series[2].role = Role::Attack(16)).contains("number 16, above 15"));
    assert!(change(|panel| panel.series[2].label = "x".to_owned()).contains("attack 1 is \"PGD\" and \"x\""));
}

#[test]
fn distances_that_cannot_be_true_are_refused() {
    let change = |edit: fn(&mut DistancePanel)| {
        let mut panels = distance_panels(60);
        edit(&mut panels[1]);
        message(distance_distribution("t", &panels))
    };
    assert!(message(distance_distribution("t", &[])).contains("no panel"));
    assert!(change(|panel| panel.curves.clear()).contains("panel \"L2\": no curve"));
    assert!(change(|panel| panel.curves[0].distances.clear()).contains("curve \"HanNet\": no image"));
    assert!(change(|panel| panel.curves[1].arm = "hannet".to_owned()).contains("arm \"hannet\" is there twice"));
    assert!(change(|panel| panel.curves[0].distances[7] = -0.1).contains("image 7 has the distance -0.1"));
    assert!(change(|panel| panel.curves[0].distances[7] = f64::NAN).contains("image 7 has the distance NaN"));
    assert!(change(|panel| panel.curves[0].radii = Some(vec![0.0])).contains("1 radii for 60 images"));
    assert!(change(|panel| panel.curves[0].radii = Some(vec![f64::NAN; 60])).contains("image 0 has the radius NaN"));
    assert!(change(|panel| panel.curves[0].radii = Some(vec![9.0; 60])).contains("image 0 is proved within 9"));
    assert_eq!(change(|panel| panel.curves[0].distances = vec![f64::INFINITY; 60]), "no error");
    let wrong = |panel: &mut DistancePanel| {
        panel.curves.truncate(1);
        (panel.curves[0].distances, panel.curves[0].radii) = (vec![0.0; 60], None);
    };
    assert_eq!(change(wrong), "no error");
}

#[test]
fn efforts_that_cannot_be_drawn_are_refused() {
    let change = |edit: fn(&mut EffortPanel)| {
        let mut panels = effort_panels();
        edit(&mut panels[0]);
        message(attack_effort("t", &panels))
    };
    assert!(message(attack_effort("t", &[])).contains("no panel"));
    assert!(change(|panel| panel.curves.clear()).contains("panel \"PGD, Linf 0.1\": no curve"));
    assert!(change(|panel| panel.curves[0].points.clear()).contains("curve \"HanNet\": no point"));
    assert!(change(|panel| panel.curves.push(panel.curves[0].clone())).contains("arm \"hannet\" is there twice"));
    assert!(change(|panel| panel.curves[0].points[0].0 = 0.0).contains("0 steps cannot be shown"));
    assert!(change(|panel| panel.curves[0].points[1].0 = 10.0).contains("do not grow"));
    assert!(change(|panel| panel.curves[0].points[1].1 = 1.2).contains("accuracy at 20 is 1.2"));
}

#[test]
fn images_that_do_not_fit_are_refused() {
    let change = |edit: fn(&mut GridRow)| {
        let mut rows = grid(4, &ARMS);
        edit(&mut rows[1]);
        message(adversarial_grid("t", &rows))
    };
    let found = |row: &mut GridRow, pixel: f32, confidence: f64| {
        let (mut pixels, answer) = (row.pixels.clone(), Answer { class: "1".to_owned(), confidence });
        pixels[3] = pixel;
        row.attempts[0].outcome = Outcome::Found { pixels, answer };
    };
    assert!(message(adversarial_grid("t", &[])).contains("no row"));
    assert!(change(|row| row.side = 27).contains("row \"image 2468\": side is 27, that of the first row 28"));
    assert!(change(|row| row.pixels.truncate(9)).contains("test image: 9 pixels for 28 x 28"));
    assert!(change(|row| row.pixels[0] = 255.0).contains("a pixel is 255"));
    assert!(change(|row| row.attempts[1].before.confidence = 1.5).contains("\"FCNet\": confidence in the test image"));
    assert!(change(|row| row.attempts.reverse()).contains("its networks are"));
    assert!(change(|row| row.attempts.clear()).contains("no network"));
    let mut rows = grid(1, &ARMS);
    found(&mut rows[0], f32::NAN, 0.5);
    assert!(message(adversarial_grid("t", &rows)).contains("\"HanNet\": a pixel is NaN"));
    found(&mut rows[0], 0.5, f64::NAN);
    assert!(message(adversarial_grid("t", &rows)).contains("confidence in the adversarial image is NaN"));
    // An image that is misclassified as it stands needs no change.
    found(&mut rows[0], 0.0, 0.5);
    assert_eq!(message(adversarial_grid("t", &rows)), "no error");
}
