//! How far the nearest misclassified image is: the part of the images that is left at every distance.

use anyhow::{Result, ensure};

use super::axes::{significant, zero_axis};
use super::legend::Sign;
use super::marks::Mark;
use super::page::{Page, Plot, Range};
use super::plot::Line;
use super::quantity::{AxisScale, Quantity};
use super::theme::{AREA_ALPHA, LINE, MARK, SMALL_MARK, Stroke};
use super::{ACCURACY, Image};

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

/// The part of the finite distances that the axis covers: a few images far away would squeeze all others together.
const COVERED: f64 = 0.99;
/// Places at which a line of steps is drawn, about one a pixel: thousands of images would be drawn over each other.
const COLUMNS: usize = 1300;
/// A distance that is a little smaller, as a part of it.
const BEFORE: f64 = 1.0 - 1e-9;
/// Heights of the marks, as parts of the images; the middle one is the median.
const MARKED: [f64; 3] = [0.9, 0.5, 0.1];

/// Draws for every arm the part of the images that is left at each distance: solid, those for which no misclassified
/// image was found up to there; dashed, those that are proved. The accuracy under the worst perturbation of that size
/// lies between the two, and the area between them is tinted.
///
/// Fails if there is no panel, curve or image, if a distance is negative or not a number, if there is not one radius for
/// each image, or if an image is misclassified within its radius: then one of the two is wrong.
pub fn distance_distribution(title: &str, panels: &[DistancePanel]) -> Result<Image> {
    let plot = |panel: &DistancePanel| {
        panel
            .curves
            .iter()
            .try_for_each(|curve| check(curve, &format!("panel {:?}, {:?}", panel.title, curve.label)))?;
        let x = zero_axis(reach(panel));
        let lines = panel.curves.iter().flat_map(|curve| lines(curve, x.high)).collect();
        let x = (Quantity::new(&panel.norm_label, AxisScale::Linear), Range::Known(x));
        let y = (Quantity::new(ACCURACY, AxisScale::Whole), Range::Own);
        Ok(Plot { title: panel.title.clone(), x, y, lines, level: None })
    };
    let plots = panels.iter().map(plot).collect::<Result<Vec<Plot>>>()?;
    let mut notes = vec![(Sign::plain(Stroke::Solid, LINE), "no misclassified image found up to there".to_owned())];
    if panels.iter().flat_map(|panel| &panel.curves).any(|curve| curve.radii.is_some()) {
        notes.push((Sign::plain(Stroke::Dashed, LINE), "proved, rounding included".to_owned()));
        notes.push((Sign::band(2.0 * AREA_ALPHA), "true accuracy lies in between".to_owned()));
    }
    let marks = "at 90, 50 and 10 % of all images; number: distance at 50 %";
    notes.push((Sign::mark(Mark::Solid(MARK), false), marks.to_owned()));
    Page { title, plots, notes, aligned: true, square: false }.draw()
}

fn check(curve: &DistanceCurve, what: &str) -> Result<()> {
    let images = curve.distances.len();
    ensure!(images > 0, "{what}: no image");
    let known = |values: &[f64], of: &str| {
        let wrong = values.iter().position(|value| value.is_nan() || *value < 0.0);
        wrong.map_or(Ok(()), |image| Err(anyhow::anyhow!("{what}: image {image} has the {of} {}", values[image])))
    };
    known(&curve.distances, "distance")?;
    let Some(radii) = &curve.radii else { return Ok(()) };
    ensure!(radii.len() == images, "{what}: {} radii for {images} images", radii.len());
    known(radii, "radius")?;
    for (image, (radius, distance)) in radii.iter().zip(&curve.distances).enumerate() {
        // Distances are measured on rounded pixels.
        let fits = *radius <= distance * (1.0 + 1e-4) + 1e-6;
        ensure!(fits, "{what}: image {image} is proved within {radius}, but misclassified at distance {distance}");
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

/// What was found about an arm, and below it what was proved, with the area between them.
fn lines(curve: &DistanceCurve, reach: f64) -> Vec<Line> {
    let line = |values: &[f64]| {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        let at = |part: f64| crossing(&values, part).map(|x| (x, part));
        let places = (0..=COLUMNS).map(|column| reach * column as f64 / COLUMNS as f64);
        // What is left just before: the line ends at the distance of an image, and does not fall there.
        let points = places.map(|distance| (distance, left(&values, distance * BEFORE))).collect();
        Line { marks: MARKED.into_iter().filter_map(at).collect(), ..Line::of(&curve.arm, &curve.label, points) }
    };
    let found = line(&curve.distances);
    let median = found.marks.iter().filter(|mark| mark.1 == 0.5);
    let notes = median.map(|&mark| (significant(mark.0), mark)).collect();
    let proved = curve.radii.as_ref().map(|radii| {
        let proved = line(radii);
        Line {
            stroke: Some(Stroke::Dashed),
            open: true,
            mark: Mark::Solid(SMALL_MARK),
            band: proved.points.iter().zip(&found.points).map(|(low, high)| (low.0, low.1, high.1)).collect(),
            alpha: 1.5 * AREA_ALPHA,
            ..proved
        }
    });
    [Line { notes, ..found }].into_iter().chain(proved).collect()
}

/// The part of growing values that is above a distance.
fn left(values: &[f64], distance: f64) -> f64 {
    let gone = values.partition_point(|&value| value <= distance);
    (values.len() - gone) as f64 / values.len() as f64
}

/// The distance at which no more than this part is left, if it was more before.
fn crossing(values: &[f64], part: f64) -> Option<f64> {
    let value = values.iter().copied().find(|&value| left(values, value) <= part)?;
    (value > 0.0 && value.is_finite() && left(values, 0.0) > part).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_left_up_to_its_distance() {
        let values = [0.0, 1.0, 2.0, f64::INFINITY];
        assert_eq!([0.0, 0.9, 1.0, 1.5, 2.0, 99.0].map(|at| left(&values, at)), [0.75, 0.75, 0.5, 0.5, 0.25, 0.25]);
        assert_eq!([0.9, 0.5, 0.25, 0.1].map(|part| crossing(&values, part)), [None, Some(1.0), Some(2.0), None]);
    }
}
