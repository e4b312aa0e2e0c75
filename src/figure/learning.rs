//! Loss and accuracy over the epochs of training: every seed as a thin line, their mean as a thick one.

use anyhow::{Context, Result, ensure};
use plotters::style::RGBColor;

use super::axes::{Axis, Frame, beside, count_axis, length_axis, percent_axis};
use super::canvas::Canvas;
use super::labels::{EndLabel, end_labels};
use super::legend::Sign;
use super::marks::mark;
use super::sheet::{MARGIN, Plan, Sheet};
use super::theme::{ArmStyle, PAPER, Stroke, THICK, THIN};
use super::{Image, fraction, labelled_arms};

/// What a panel shows, which fixes its axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// A loss, from 0 on.
    Loss,
    /// An accuracy as a fraction.
    Accuracy,
}

/// One arm over the epochs.
#[derive(Debug, Clone, PartialEq)]
pub struct Course {
    /// Name of the arm, which fixes its colour.
    pub arm: String,
    /// Its text in the legend.
    pub label: String,
    /// Epoch and value, for each seed; all seeds have the same epochs, which grow.
    pub seeds: Vec<Vec<(f64, f64)>>,
}

/// Arms under the same measure.
#[derive(Debug, Clone, PartialEq)]
pub struct CoursePanel {
    /// What was measured on which part of the data.
    pub title: String,
    /// Loss or accuracy; panels of the same quantity have the same axis.
    pub quantity: Quantity,
    /// The arms, each once.
    pub courses: Vec<Course>,
}

/// Room right of a plot for the last values, and between panels.
const VALUES: f64 = 132.0;
const GAP: f64 = 40.0;
/// How much of its colour a thin line keeps.
const FAINT: f64 = 0.45;

/// Draws the panels in rows, with a legend below.
///
/// Fails if there is no panel, arm, seed or epoch, if seeds differ in their epochs, if epochs do not grow, or if a value
/// is no number or an accuracy no fraction.
pub fn learning_curves(title: &str, panels: &[CoursePanel]) -> Result<Image> {
    ensure!(!panels.is_empty(), "learning curves {title:?}: no panel to draw");
    panels.iter().try_for_each(check)?;
    let courses = panels.iter().flat_map(|panel| &panel.courses);
    let arms = labelled_arms(courses.clone().map(|course| (course.arm.as_str(), course.label.as_str())));
    let axes: Vec<Axis> = panels.iter().map(|panel| axis(panels, panel.quantity)).collect();
    let beside = axes.iter().try_fold(0.0, |widest: f64, axis| anyhow::Ok(widest.max(beside(axis)?)))?;
    let mut legend: Vec<(Sign, String)> =
        arms.iter().map(|(arm, style)| (Sign::Line(*style), arm.label.clone())).collect();
    legend.push((Sign::Plain(Stroke::Solid, THIN), "one seed".into()));
    legend.push((Sign::Plain(Stroke::Solid, THICK), "mean of the seeds; number: its last value".into()));

    let room = (MARGIN + beside, VALUES + GAP, VALUES + MARGIN / 2.0);
    let titles = panels.iter().map(|panel| panel.title.as_str()).collect();
    let mut sheet = Sheet::new(Plan { title, panels: titles, room, legend })?;
    let most = courses.flat_map(|course| course.seeds.iter().flatten()).map(|point| point.0).fold(0.0, f64::max);
    for ((panel, y), index) in panels.iter().zip(axes).zip(0..) {
        let frame = Frame { area: sheet.plots[index], x: count_axis(most), y };
        // A neighbour on the left with the same axis has the numbers already.
        let first = index % sheet.columns == 0;
        let label = match panel.quantity {
            Quantity::Loss => "cross-entropy",
            Quantity::Accuracy => "accuracy (%)",
        };
        frame.draw(&mut sheet.canvas, "epoch", first.then_some(label))?;
        let style = |name: &str| arms.iter().find(|(arm, _)| arm.name == name).map(|(_, style)| *style);
        draw_panel(&mut sheet.canvas, panel, &frame, style)?;
    }
    Ok(sheet.finish())
}

/// The axis of all panels of a quantity.
fn axis(panels: &[CoursePanel], quantity: Quantity) -> Axis {
    let of_quantity = panels.iter().filter(|panel| panel.quantity == quantity);
    let values = of_quantity.flat_map(|panel| &panel.courses).flat_map(|course| course.seeds.iter().flatten());
    let values = values.map(|point| point.1);
    match quantity {
        Quantity::Loss => length_axis(values.fold(0.0, f64::max)),
        Quantity::Accuracy => percent_axis(values),
    }
}

fn check(panel: &CoursePanel) -> Result<()> {
    let name = &panel.title;
    ensure!(!panel.courses.is_empty(), "learning curves, panel {name:?}: no arm to draw");
    for course in &panel.courses {
        let what = format!("learning curves, panel {name:?}, arm {:?}", course.label);
        let Some(first) = course.seeds.first() else { anyhow::bail!("{what}: no seed to draw") };
        ensure!(!first.is_empty(), "{what}: no epoch to draw");
        let grows = first.windows(2).all(|pair| pair[0].0 < pair[1].0);
        ensure!(grows, "{what}: its epochs do not grow from point to point");
        for seed in &course.seeds {
            let same = seed.len() == first.len() && seed.iter().zip(first).all(|(a, b)| a.0 == b.0);
            ensure!(same, "{what}: its seeds differ in their epochs");
            for (epoch, value) in seed {
                match panel.quantity {
                    Quantity::Accuracy => fraction(*value, || format!("{what}: accuracy at epoch {epoch}"))?,
                    Quantity::Loss => {
                        let fits = value.is_finite() && *value >= 0.0;
                        ensure!(fits, "{what}: the loss at epoch {epoch} is {value}");
                    }
                }
            }
        }
    }
    Ok(())
}

fn draw_panel(
    canvas: &mut Canvas,
    panel: &CoursePanel,
    frame: &Frame,
    style: impl Fn(&str) -> Option<ArmStyle>,
) -> Result<()> {
    let scale = match panel.quantity {
        Quantity::Loss => 1.0,
        Quantity::Accuracy => 100.0,
    };
    let line = |points: &[(f64, f64)]| -> Vec<(f64, f64)> {
        points.iter().map(|(epoch, value)| frame.at(*epoch, scale * value)).collect()
    };
    let mut styled = Vec::new();
    for course in &panel.courses {
        let style = style(&course.arm).with_context(|| format!("no style for the arm {:?}", course.arm))?;
        styled.push((course, style));
    }
    for (course, style) in &styled {
        course.seeds.iter().for_each(|seed| canvas.path(&line(seed), THIN, faint(style.color)));
    }
    let mut labels = Vec::new();
    // The first arm is drawn last: where lines meet, the one that others are compared to stays visible.
    for (course, style) in styled.iter().rev() {
        let mean = mean(&course.seeds);
        let points = line(&mean);
        canvas.path(&points, THICK, style.color);
        if let (Some(point), Some((_, value))) = (points.last(), mean.last()) {
            mark(canvas, *point, *style);
            let text = match panel.quantity {
                Quantity::Loss => format!("{value:.3}"),
                Quantity::Accuracy => format!("{:.1} %", 100.0 * value),
            };
            labels.push(EndLabel { y: point.1, lines: vec![text], color: style.color });
        }
    }
    end_labels(canvas, frame, labels)
}

/// The mean over the seeds at every epoch.
fn mean(seeds: &[Vec<(f64, f64)>]) -> Vec<(f64, f64)> {
    let Some(first) = seeds.first() else { return Vec::new() };
    let at = |(place, (epoch, _)): (usize, &(f64, f64))| {
        (*epoch, seeds.iter().map(|seed| seed[place].1).sum::<f64>() / seeds.len() as f64)
    };
    first.iter().enumerate().map(at).collect()
}

/// A colour nearer to the paper's.
fn faint(color: RGBColor) -> RGBColor {
    let mix = |paper: u8, own: u8| (f64::from(paper) + FAINT * (f64::from(own) - f64::from(paper))).round() as u8;
    RGBColor(mix(PAPER.0, color.0), mix(PAPER.1, color.1), mix(PAPER.2, color.2))
}
