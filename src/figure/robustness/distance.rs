//! How far the nearest misclassified image is: the part of the images that is left at every distance.

use anyhow::{Context, Result, ensure};

use super::steps::Steps;
use super::{ACCURACY, labelled_arms};
use crate::figure::axes::{Frame, beside, length_axis, percent_axis, significant};
use crate::figure::canvas::{Align, Canvas};
use crate::figure::labels::free_place;
use crate::figure::legend::Sign;
use crate::figure::marks::{mark, open};
use crate::figure::sheet::{Area, MARGIN, Plan, Sheet};
use crate::figure::text::text_width;
use crate::figure::theme::{AREA_ALPHA, DIRECT, LINE, MARK, Marker, SMALL_MARK, SOFT_INK, Stroke, Type};
use crate::figure::{ArmStyle, Image};

/// What was found, and what was proved, about every image of a test set.
#[derive(Debug, Clone, PartialEq)]
pub struct DistanceCurve {
    /// Name of the arm, which fixes its colour.
    pub arm: String,
    /// Its text in the legend.
    pub label: String,
    /// For every image, the distance to the nearest misclassified image that was found: 0 where the image itself is
    /// misclassified, infinite where none was found.
    pub distances: Vec<f64>,
    /// For every image, in the same order, the radius within which the answer is proved to be right; 0 for none.
    pub radii: Option<Vec<f64>>,
}

/// Arms measured in the same norm.
#[derive(Debug, Clone, PartialEq)]
pub struct DistancePanel {
    /// What the arms have in common.
    pub title: String,
    /// Label of the horizontal axis, such as `distance (L2)`.
    pub norm_label: String,
    /// The arms, each once.
    pub curves: Vec<DistanceCurve>,
}

/// Room between two panels.
const GAP: f64 = 64.0;
/// The part of the finite distances that the axis covers: a few images far away would squeeze all others together.
const COVERED: f64 = 0.99;
/// Heights of the marks, as parts of the images; the middle one is the median.
const MARKED: [f64; 3] = [0.9, 0.5, 0.1];

/// Draws for every arm the part of the images that is left at each distance: solid, those for which no misclassified
/// image was found up to there; dashed, those that are proved. The accuracy under the worst perturbation of that size
/// lies between the two, and the area between them is tinted.
///
/// Fails if there is no panel, curve or image, if a panel has an arm twice, if a distance is negative or not a number,
/// if there is not one radius for each image, or if an image is misclassified within its radius: then one of the two is
/// wrong.
pub fn distance_distribution(title: &str, panels: &[DistancePanel]) -> Result<Image> {
    ensure!(!panels.is_empty(), "distances {title:?}: no panel to draw");
    panels.iter().try_for_each(check)?;
    let curves = panels.iter().flat_map(|panel| &panel.curves);
    let arms = labelled_arms(curves.map(|curve| (curve.arm.as_str(), curve.label.as_str())));
    let style = |name: &str| arms.iter().find(|(arm, _)| arm.name == name).map(|(_, style)| *style);

    let y = percent_axis([0.0, 1.0].into_iter());
    let room = (MARGIN + beside(&y)?, GAP, MARGIN);
    let titles = panels.iter().map(|panel| panel.title.as_str()).collect();
    let mut legend: Vec<(Sign, String)> =
        arms.iter().map(|(arm, style)| (Sign::Line(*style), arm.label.clone())).collect();
    legend.extend(entries(panels));
    let mut sheet = Sheet::new(Plan { title, panels: titles, room, legend })?;
    for (index, panel) in panels.iter().enumerate() {
        let frame = Frame { area: sheet.plots[index], x: length_axis(reach(panel)), y: y.clone() };
        frame.draw(&mut sheet.canvas, &panel.norm_label, (index % sheet.columns == 0).then_some(ACCURACY))?;
        let mut steps = Vec::new();
        for curve in &panel.curves {
            let style = style(&curve.arm).with_context(|| format!("no style for the arm {:?}", curve.arm))?;
            steps.push((Steps::of(&curve.distances), curve.radii.as_ref().map(|radii| Steps::of(radii)), style));
        }
        draw_panel(&mut sheet.canvas, &steps, &frame)?;
    }
    Ok(sheet.finish())
}

fn check(panel: &DistancePanel) -> Result<()> {
    let name = &panel.title;
    ensure!(!panel.curves.is_empty(), "distances, panel {name:?}: no curve to draw");
    for (index, curve) in panel.curves.iter().enumerate() {
        let what = format!("distances, panel {name:?}, curve {:?}", curve.label);
        let twice = panel.curves[..index].iter().any(|other| other.arm == curve.arm);
        ensure!(!twice, "{what}: the arm {:?} is there twice", curve.arm);
        let images = curve.distances.len();
        ensure!(images > 0, "{what}: no image");
        for (image, distance) in curve.distances.iter().enumerate() {
            ensure!(*distance >= 0.0, "{what}: image {image} has the distance {distance}");
        }
        let Some(radii) = &curve.radii else { continue };
        ensure!(radii.len() == images, "{what}: {} radii for {images} images", radii.len());
        for (image, (radius, distance)) in radii.iter().zip(&curve.distances).enumerate() {
            ensure!(*radius >= 0.0, "{what}: image {image} has the radius {radius}");
            // Distances are measured on rounded pixels.
            let fits = *radius <= distance * (1.0 + 1e-4) + 1e-6;
            ensure!(fits, "{what}: image {image} is proved within {radius}, but misclassified at distance {distance}");
        }
    }
    Ok(())
}

/// The distance at which the axis of a panel ends.
fn reach(panel: &DistancePanel) -> f64 {
    let values = |pick: fn(&DistanceCurve) -> &[f64]| {
        let mut values: Vec<f64> =
            panel.curves.iter().flat_map(pick).copied().filter(|value| value.is_finite() && *value > 0.0).collect();
        values.sort_by(f64::total_cmp);
        values.get((COVERED * values.len() as f64) as usize).or(values.last()).copied().unwrap_or(0.0)
    };
    values(|curve| &curve.distances).max(values(|curve| curve.radii.as_deref().unwrap_or_default()))
}

fn entries(panels: &[DistancePanel]) -> Vec<(Sign, String)> {
    let mut entries = vec![(Sign::Plain(Stroke::Solid, LINE), "no misclassified image found up to there".to_owned())];
    if panels.iter().flat_map(|panel| &panel.curves).any(|curve| curve.radii.is_some()) {
        entries.push((Sign::Plain(Stroke::Dashed, LINE), "proved (certificate)".to_owned()));
        entries.push((Sign::Between, "true accuracy lies in between".to_owned()));
    }
    let disc = ArmStyle { color: SOFT_INK, marker: Marker::Disc };
    entries.push((Sign::Filled(disc), "at 90, 50 and 10 % of all images; number: distance at 50 %".to_owned()));
    entries
}

fn draw_panel(canvas: &mut Canvas, curves: &[(Steps, Option<Steps>, ArmStyle)], frame: &Frame) -> Result<()> {
    for (found, proved, style) in curves {
        if let Some(proved) = proved {
            tint(canvas, found, proved, *style, frame);
        }
    }
    let mut taken: Vec<Area> = Vec::new();
    let mut medians = Vec::new();
    // The first arm is drawn last: where lines meet, the one the chart is about stays visible.
    for (found, proved, style) in curves.iter().rev() {
        for (steps, stroke) in proved.iter().map(|steps| (steps, Stroke::Dashed)).chain([(found, Stroke::Solid)]) {
            let corners = steps.corners(frame);
            canvas.stroke(&corners, stroke, LINE, style.color);
            taken.extend(corners.windows(2).map(|pair| around(pair[0], pair[1])));
        }
    }
    for (found, proved, style) in curves.iter().rev() {
        for part in MARKED {
            let at = |steps: &Steps| steps.crossing(part).filter(|&x| x <= frame.x.high);
            if let Some(distance) = proved.as_ref().and_then(at) {
                open(canvas, frame.at(distance, 100.0 * part), *style, SMALL_MARK);
            }
            if let Some(distance) = at(found) {
                let spot = frame.at(distance, 100.0 * part);
                mark(canvas, spot, *style);
                taken.push((spot.0 - MARK - 6.0, spot.1 - MARK - 6.0, spot.0 + MARK + 6.0, spot.1 + MARK + 6.0));
                if part == 0.5 {
                    medians.push((significant(distance), spot, *style));
                }
            }
        }
    }
    for (text, spot, style) in medians {
        let area = free_place(spot, text_width(&text, DIRECT.size)?, frame, &taken);
        let kind = Type { color: style.color, ..DIRECT };
        canvas.text(&text, (area.0, (area.1 + area.3) / 2.0), Align::Left, kind)?;
        taken.push(area);
    }
    Ok(())
}

/// The box around a piece of a line.
fn around(from: (f64, f64), to: (f64, f64)) -> Area {
    let half = LINE / 2.0 + 2.0;
    (from.0.min(to.0) - half, from.1.min(to.1) - half, from.0.max(to.0) + half, from.1.max(to.1) + half)
}

/// Tints what lies between the two lines of an arm, column by column of pixels.
fn tint(canvas: &mut Canvas, found: &Steps, proved: &Steps, style: ArmStyle, frame: &Frame) {
    let (left, _, right, _) = frame.area;
    let mut x = left;
    while x < right {
        let end = (x + 1.0).min(right);
        let distance = frame.x.high * ((x + end) / 2.0 - left) / (right - left);
        let height = |steps: &Steps| frame.at(distance, 100.0 * steps.left(distance)).1;
        canvas.rect((x, height(found)), (end, height(proved)), style.color, 1.5 * AREA_ALPHA);
        x = end;
    }
}
