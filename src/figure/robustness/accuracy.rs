//! Accuracy against the size of the perturbation, between what is proved and what random noise does.

use anyhow::{Result, ensure};

use super::layer::{Layer, layers};
use super::{ACCURACY, labelled_arms};
use crate::figure::axes::{Frame, Scale, beside, percent_axis, size_axis};
use crate::figure::legend::Sign;
use crate::figure::sheet::{MARGIN, Plan, Sheet};
use crate::figure::theme::{ATTACK_STYLES, LINE, Stroke, THICK, attack_style};
use crate::figure::{Arm, ArmStyle, Image, fraction, ordered};

/// Accuracy of all seeds at one size of the perturbation, as fractions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SizePoint {
    /// Radius of the ball around every image, in the norm of the panel.
    pub eps: f64,
    /// Mean over the seeds.
    pub mean: f64,
    /// Lowest seed.
    pub low: f64,
    /// Highest seed.
    pub high: f64,
}

/// What a line shows, which decides how it is drawn and what it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Random perturbations of that size: dotted.
    Noise,
    /// The part of the images that is proved to be right everywhere in the ball: dashed, with a tint below it if no
    /// panel has more than two.
    Certificate,
    /// The images that no attack has changed the answer for: a thick line with a band from the lowest to the highest
    /// seed.
    WorstCase,
    /// One attack alone, by a number that is the same on every panel and fixes its colour: a thin line.
    Attack(usize),
}

/// One line of a panel.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Name of the arm, which fixes the colour of every role but [`Role::Attack`].
    pub arm: String,
    /// Text in the legend: the name of the attack for [`Role::Attack`], the name of the arm for every other role. The
    /// chart itself explains the roles.
    pub label: String,
    /// What the line shows.
    pub role: Role,
    /// Points with growing size.
    pub points: Vec<SizePoint>,
}

/// Lines over the sizes of one ball.
#[derive(Debug, Clone, PartialEq)]
pub struct RobustnessPanel {
    /// What the lines have in common.
    pub title: String,
    /// Label of the horizontal axis, such as `size of the perturbation (Linf)`.
    pub norm_label: String,
    /// The lines, one for each arm and role.
    pub series: Vec<Series>,
}

/// Room between two panels, and to the right of the last.
const GAP: f64 = 64.0;
/// The smallest size is at least this part of the largest on a linear axis; else the axis is a square root.
const LINEAR: f64 = 1.0 / 16.0;

/// Draws the panels side by side, each from size 0 to its largest size and from 0 to 100 %, with a legend below.
///
/// A panel ends at the first size at which all of its lines are at 0. Where the smallest size would be lost in the
/// corner of a linear axis, the axes of all panels are square roots, and say so.
///
/// Fails if there is no panel, series or point, if an accuracy is no fraction, if sizes are negative or do not grow, if
/// an arm has a role twice in a panel, or if the number of an attack stands for two labels or exceeds 15.
pub fn robust_accuracy(title: &str, panels: &[RobustnessPanel]) -> Result<Image> {
    ensure!(!panels.is_empty(), "robust accuracy {title:?}: no panel to draw");
    panels.iter().try_for_each(check)?;
    let attacks = attacks(panels)?;
    let series = || panels.iter().flat_map(|panel| &panel.series);
    let own = series().filter(|series| !matches!(series.role, Role::Attack(_)));
    let arms = labelled_arms(own.map(|series| (series.arm.as_str(), series.label.as_str())));

    let y = percent_axis([0.0, 1.0].into_iter());
    let shown: Vec<Vec<f64>> = panels.iter().map(shown_sizes).collect();
    let scale = if shown.iter().any(|sizes| crowded(sizes)) { Scale::SquareRoot } else { Scale::Linear };
    let room = (MARGIN + beside(&y)?, GAP, MARGIN);
    let titles = panels.iter().map(|panel| panel.title.as_str()).collect();
    let legend = entries(panels, &arms, &attacks);
    let mut sheet = Sheet::new(Plan { title, panels: titles, room, legend })?;
    for (index, (panel, sizes)) in panels.iter().zip(&shown).enumerate() {
        let area = sheet.plots[index];
        let x = size_axis(sizes, scale, area.2 - area.0)?;
        let frame = Frame { area, x, y: y.clone() };
        let label = match scale {
            Scale::SquareRoot => format!("{}, square-root scale", panel.norm_label),
            Scale::Linear | Scale::Logarithmic => panel.norm_label.clone(),
        };
        frame.draw(&mut sheet.canvas, &label, (index % sheet.columns == 0).then_some(ACCURACY))?;
        let shown = |layer: &Layer| !matches!(layer, Layer::Proved(..)) || tints(panels);
        for layer in layers(&panel.series, &arms, &frame).iter().filter(|layer| shown(layer)) {
            layer.draw(&mut sheet.canvas);
        }
    }
    Ok(sheet.finish())
}

fn check(panel: &RobustnessPanel) -> Result<()> {
    let name = &panel.title;
    ensure!(!panel.series.is_empty(), "robust accuracy, panel {name:?}: no series to draw");
    for (index, series) in panel.series.iter().enumerate() {
        let what = format!("robust accuracy, panel {name:?}, series {:?} ({:?})", series.label, series.role);
        ensure!(!series.points.is_empty(), "{what}: no point to draw");
        for SizePoint { eps, mean, low, high } in series.points.iter().copied() {
            ensure!(eps.is_finite() && eps >= 0.0, "{what}: {eps} is no size of a perturbation");
            for (part, value) in [("mean", mean), ("lowest", low), ("highest", high)] {
                fraction(value, || format!("{what}: {part} accuracy at size {eps}"))?;
            }
            ordered(low, mean, high, || format!("{what} at size {eps}"))?;
        }
        let grows = series.points.windows(2).all(|pair| pair[0].eps < pair[1].eps);
        ensure!(grows, "{what}: its sizes do not grow from point to point");
        let same = |other: &Series| other.arm == series.arm && other.role == series.role;
        ensure!(!panel.series[..index].iter().any(same), "{what}: the arm {:?} has this role twice", series.arm);
    }
    Ok(())
}

/// Numbers and names of the attacks, by number.
fn attacks(panels: &[RobustnessPanel]) -> Result<Vec<(usize, String)>> {
    let mut attacks: Vec<(usize, String)> = Vec::new();
    for (panel, series) in panels.iter().flat_map(|panel| panel.series.iter().map(move |series| (panel, series))) {
        let Role::Attack(number) = series.role else { continue };
        let (name, label) = (&panel.title, &series.label);
        ensure!(
            number < ATTACK_STYLES,
            "robust accuracy, panel {name:?}: attack {label:?} has number {number}, above {}",
            ATTACK_STYLES - 1
        );
        match attacks.iter().find(|(known, _)| *known == number) {
            Some((_, known)) => {
                ensure!(known == label, "robust accuracy, panel {name:?}: attack {number} is {known:?} and {label:?}")
            }
            None => attacks.push((number, label.clone())),
        }
    }
    attacks.sort();
    Ok(attacks)
}

/// The sizes that a panel shows, growing: up to the first at which every line has reached 0. A certificate is known at
/// any size; where there is anything else, that says which sizes count.
fn shown_sizes(panel: &RobustnessPanel) -> Vec<f64> {
    let points = || panel.series.iter().flat_map(|series| &series.points);
    let made = panel.series.iter().filter(|series| series.role != Role::Certificate).flat_map(|series| &series.points);
    let mut sizes: Vec<f64> = made.map(|point| point.eps).collect();
    if sizes.is_empty() {
        sizes = points().map(|point| point.eps).collect();
    }
    sizes.sort_by(f64::total_cmp);
    sizes.dedup();
    let last = points().filter(|point| point.high > 0.0).map(|point| point.eps).fold(f64::NEG_INFINITY, f64::max);
    if let Some(end) = sizes.iter().position(|&size| size > last && size > 0.0)
        && last >= 0.0
    {
        sizes.truncate(end + 1);
    }
    sizes
}

/// Whether the areas below the certificates are tinted: nobody could tell apart more than two on top of each other.
fn tints(panels: &[RobustnessPanel]) -> bool {
    let certificates =
        |panel: &RobustnessPanel| panel.series.iter().filter(|series| series.role == Role::Certificate).count();
    panels.iter().all(|panel| certificates(panel) <= 2)
}

fn crowded(sizes: &[f64]) -> bool {
    let least = sizes.iter().find(|&&size| size > 0.0);
    least.zip(sizes.last()).is_some_and(|(least, most)| *least < LINEAR * most)
}

fn entries(panels: &[RobustnessPanel], arms: &[(Arm, ArmStyle)], attacks: &[(usize, String)]) -> Vec<(Sign, String)> {
    let has = |role| panels.iter().flat_map(|panel| &panel.series).any(|series| series.role == role);
    let mut entries: Vec<(Sign, String)> =
        arms.iter().map(|(arm, style)| (Sign::Line(*style), arm.label.clone())).collect();
    // One seed has no band that could be seen.
    let worst = |series: &&Series| series.role == Role::WorstCase;
    let mut points = panels.iter().flat_map(|panel| &panel.series).filter(worst).flat_map(|series| &series.points);
    let worst = if points.any(|point| point.low < point.high) {
        (Sign::ThickInBand, "worst case over all attacks: mean, lowest and highest seed")
    } else {
        (Sign::Plain(Stroke::Solid, THICK), "worst case over all attacks")
    };
    let proved = if tints(panels) { Sign::Under } else { Sign::Plain(Stroke::Dashed, LINE) };
    let roles = [
        (Role::Noise, Sign::Plain(Stroke::Dotted, LINE), "random noise of that size"),
        (Role::WorstCase, worst.0, worst.1),
        (Role::Certificate, proved, "proved (certificate)"),
    ];
    entries.extend(roles.into_iter().filter(|(role, ..)| has(*role)).map(|(_, sign, text)| (sign, text.to_owned())));
    entries.extend(attacks.iter().map(|(number, label)| (Sign::Attack(attack_style(*number)), label.clone())));
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(points: &[(f64, f64)]) -> Vec<f64> {
        let points = points.iter().map(|&(eps, high)| SizePoint { eps, mean: 0.0, low: 0.0, high }).collect();
        let series = Series { arm: "a".to_owned(), label: "A".to_owned(), role: Role::WorstCase, points };
        let panel = RobustnessPanel { title: "t".to_owned(), norm_label: "Linf".to_owned(), series: vec![series] };
        shown_sizes(&panel)
    }

    #[test]
    fn a_panel_ends_where_nothing_is_left() {
        assert_eq!(sizes(&[(0.0, 0.9), (0.1, 0.2), (0.2, 0.0), (0.3, 0.0)]), [0.0, 0.1, 0.2]);
        assert_eq!(sizes(&[(0.0, 0.9), (0.1, 0.0), (0.2, 0.1), (0.3, 0.1)]), [0.0, 0.1, 0.2, 0.3]);
        assert_eq!(sizes(&[(0.0, 0.0), (0.1, 0.0)]), [0.0, 0.1]);
    }
}
