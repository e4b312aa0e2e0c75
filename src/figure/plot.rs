//! Lines with marks, bands and labels in a plot, from which every chart of one quantity against another is made.

use anyhow::{Result, ensure};
use std::collections::BTreeSet;

use super::axes::Axis;
use super::canvas::{Area, Canvas};
use super::frame::Frame;
use super::glyphs::text_width;
use super::labels::{ENDING, beside_mark, end_labels};
use super::marks::{Mark, whisker};
use super::quantity::Quantity;
use super::theme::{ArmStyle, BAND_ALPHA, DIRECT, LINE, MARK, NO_ARM, PAPER, Stroke, mixed};

/// How far values may be out of their order: a mean of equal values may differ from them in its last digit.
const SLACK: f64 = 1e-9;
/// Pieces of lines that labels keep away from are no longer than this.
const PIECE: f64 = 24.0;
/// A mark no further than this from one above it is hidden, and is drawn larger by so much.
const HIDDEN: f64 = 6.0;
const LARGER: f64 = 7.0;

/// What is drawn for an arm, or for one of several measurements of it.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// What the legend and messages call it.
    pub label: String,
    /// Whose colour and marks it has; its lines are one entry of the legend.
    pub arm: Option<String>,
    /// Whether marks are white inside, and the part of the colour that is kept.
    pub open: bool,
    pub tone: f64,
    /// Where that of the arm is not meant.
    pub stroke: Option<Stroke>,
    /// 0 where the points are not joined.
    pub width: f64,
    /// From left to right; some may lie above each other.
    pub points: Vec<(f64, f64)>,
    pub mark: Mark,
    /// Where marks stand.
    pub marks: Vec<(f64, f64)>,
    /// x, lowest and highest value: an area; a single one is a whisker.
    pub band: Vec<(f64, f64, f64)>,
    /// Opacity of the area.
    pub alpha: f64,
    /// What stands where the line ends.
    pub ending: Vec<String>,
    /// What stands near some of the marks.
    pub notes: Vec<(String, (f64, f64))>,
}

impl Default for Line {
    fn default() -> Line {
        Line {
            label: String::new(),
            arm: None,
            open: false,
            tone: 1.0,
            stroke: None,
            width: LINE,
            points: Vec::new(),
            mark: Mark::Solid(MARK),
            marks: Vec::new(),
            band: Vec::new(),
            alpha: BAND_ALPHA,
            ending: Vec::new(),
            notes: Vec::new(),
        }
    }
}

/// A few of the points, evenly chosen, with both ends: marks for readers who cannot go by colour.
pub(super) fn some(points: &[(f64, f64)], most: usize) -> Vec<(f64, f64)> {
    let count = most.min(points.len());
    (0..count).map(|index| points[(points.len() - 1) * index / (count - 1).max(1)]).collect()
}

/// The part of a line that is drawn: of several lines, all areas lie below all lines, and those below all marks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Layer {
    Areas,
    Lines,
    Marks,
}

pub(super) const LAYERS: [Layer; 3] = [Layer::Areas, Layer::Lines, Layer::Marks];

impl Line {
    pub fn of(arm: &str, label: &str, points: Vec<(f64, f64)>) -> Line {
        Line { arm: Some(arm.to_owned()), label: label.to_owned(), points, ..Line::default() }
    }

    /// Where it ends, if something stands there.
    fn end(&self) -> Option<(f64, f64)> {
        self.points.last().filter(|_| !self.ending.is_empty()).copied()
    }

    /// The style, where this is that of the arm.
    pub fn style(&self, of_arm: impl Fn(&str) -> ArmStyle) -> ArmStyle {
        let style = self.arm.as_deref().map_or(NO_ARM, of_arm);
        ArmStyle {
            color: mixed(PAPER, style.color, self.tone),
            open: self.open || style.open,
            stroke: self.stroke.unwrap_or(style.stroke),
            ..style
        }
    }

    /// What lies on an axis that ends there.
    pub fn up_to(&self, end: f64) -> Line {
        let mut line = self.clone();
        line.points.retain(|point| point.0 <= end);
        line.marks.retain(|mark| mark.0 <= end);
        line.band.retain(|edge| edge.0 <= end);
        line
    }

    /// Draws a layer.
    pub fn draw(&self, canvas: &mut Canvas, layer: Layer, style: ArmStyle, at: impl Fn(f64, f64) -> (f64, f64)) {
        let all = |points: &[(f64, f64)]| -> Vec<(f64, f64)> { points.iter().map(|&(x, y)| at(x, y)).collect() };
        let ends = |&(x, low, high): &(f64, f64, f64)| (at(x, high), at(x, low).1);
        match layer {
            Layer::Areas => {
                for pair in self.band.windows(2) {
                    canvas.band(ends(&pair[0]), ends(&pair[1]), style.color, self.alpha);
                }
            }
            Layer::Lines if self.width > 0.0 => {
                canvas.stroke(&all(&self.points), style.stroke, self.width, style.color);
            }
            Layer::Lines => {}
            Layer::Marks => {
                if let [only] = self.band.as_slice() {
                    let (top, bottom) = ends(only);
                    whisker(canvas, top, bottom, style.color);
                }
                all(&self.marks).into_iter().for_each(|point| self.mark.draw(canvas, point, style));
            }
        }
    }

    /// All that has to lie in the plot.
    pub fn values(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let band = self.band.iter().flat_map(|&(x, low, high)| [(x, low), (x, high)]);
        self.points.iter().chain(&self.marks).copied().chain(band)
    }

    /// Refuses what the axes cannot show, or what is not in its order.
    pub fn check(&self, x: &Quantity, y: &Quantity, panel: &str) -> Result<()> {
        let what = format!("panel {panel:?}, {:?}", self.label);
        ensure!(!self.points.is_empty() || !self.marks.is_empty(), "{what}: no point to draw");
        for (place, value) in self.values() {
            x.check(place, &what)?;
            y.check(value, &format!("{what}, at {place}"))?;
        }
        let grows = |pair: &[(f64, f64)]| pair[0].0 <= pair[1].0;
        ensure!(self.points.windows(2).all(grows), "{what}: its points do not go on to the right");
        for &(place, low, high) in &self.band {
            let middle = self.points.iter().chain(&self.marks).find(|point| point.0 == place);
            let values = [low, middle.map_or(low, |point| point.1), high];
            let ordered = values.is_sorted_by(|a, b| *a <= b + SLACK);
            ensure!(ordered, "{what}, at {place}: lowest, middle and highest are {values:?}, not in this order");
        }
        Ok(())
    }

    /// The boxes around all that a text should not cover.
    fn taken(&self, at: impl Fn(f64, f64) -> (f64, f64)) -> Vec<Area> {
        let box_of = |a: (f64, f64), b: (f64, f64), reach: f64| {
            (a.0.min(b.0) - reach, a.1.min(b.1) - reach, a.0.max(b.0) + reach, a.1.max(b.1) + reach)
        };
        let mut taken: Vec<Area> = self.marks.iter().map(|&(x, y)| box_of(at(x, y), at(x, y), MARK + 8.0)).collect();
        if let [(x, low, high)] = self.band[..] {
            taken.push(box_of(at(x, low), at(x, high), 8.0));
        }
        for pair in self.points.windows(2).filter(|_| self.width > 0.0) {
            let (from, to) = (at(pair[0].0, pair[0].1), at(pair[1].0, pair[1].1));
            let pieces = ((to.0 - from.0).hypot(to.1 - from.1) / PIECE).ceil().max(1.0);
            let on = |piece: f64| (from.0 + (to.0 - from.0) * piece, from.1 + (to.1 - from.1) * piece);
            let piece = |i: usize| box_of(on(i as f64 / pieces), on((i + 1) as f64 / pieces), self.width / 2.0 + 2.0);
            taken.extend((0..pieces as usize).map(piece));
        }
        taken
    }
}

/// How far to the right the lines go at whose ends something stands.
fn furthest<'l>(lines: impl Iterator<Item = &'l Line>) -> Option<f64> {
    lines.filter_map(Line::end).map(|end| end.0).reduce(f64::max)
}

/// What the labels at the ends of lines take up to the right of a plot of this width.
pub(super) fn beyond(lines: &[Line], x: &Axis, width: f64) -> Result<f64> {
    let Some(last) = furthest(lines.iter()) else { return Ok(0.0) };
    let there = |line: &&Line| line.end().is_some_and(|end| end.0 == last);
    let mut widths = lines.iter().filter(there).flat_map(|line| &line.ending).map(|text| text_width(text, DIRECT.size));
    let widest = widths.try_fold(0.0, |most: f64, width| anyhow::Ok(most.max(width?)))?;
    Ok((ENDING + widest - (1.0 - x.place(last)) * width).max(0.0))
}

/// Puts marks that those of one other arm above them would hide on lines of their own, larger, so that they are seen around
/// them.
pub(super) fn uncover(lines: &mut Vec<(Line, ArmStyle)>, frame: &Frame) {
    let mut larger: Vec<(Line, ArmStyle)> = Vec::new();
    for place in 1..lines.len() {
        let (above, below) = lines.split_at_mut(place);
        let (line, style) = &mut below[0];
        let Mark::Solid(radius) = line.mark else { continue };
        let arm = &line.arm;
        line.marks.retain(|mark| {
            let (x, y) = frame.at(mark.0, mark.1);
            let near = |other: &(f64, f64)| {
                let at = frame.at(other.0, other.1);
                (at.0 - x).hypot(at.1 - y) < HIDDEN
            };
            let hides = |other: &Line| {
                matches!(other.mark, Mark::Solid(_)) && other.arm != *arm && other.marks.iter().any(near)
            };
            let hiding = above.iter().chain(&larger).map(|(other, _)| other).filter(|other| hides(other));
            // Around two others it would have to be so large that it looks like another thing.
            let is_larger = hiding.map(|other| &other.arm).collect::<BTreeSet<_>>().len() == 1;
            if is_larger {
                let (mark, marks) = (Mark::Solid(radius + LARGER), vec![*mark]);
                larger.push((Line { arm: arm.clone(), mark, marks, width: 0.0, ..Line::default() }, *style));
            }
            !is_larger
        });
    }
    lines.extend(larger);
}

/// Draws lines, of which the first lies above the others, and their labels.
pub(super) fn draw_lines(canvas: &mut Canvas, frame: &Frame, lines: &[(Line, ArmStyle)]) -> Result<()> {
    let at = |x: f64, y: f64| frame.at(x, y);
    let [areas, strokes, marks] = LAYERS;
    let draw = |canvas: &mut Canvas, layer| {
        lines.iter().rev().for_each(|(line, style)| line.draw(canvas, layer, *style, at));
    };
    [areas, strokes].into_iter().for_each(|layer| draw(canvas, layer));
    // A line that ends before the others has its label there: beside theirs it would be read as a value at their end.
    let last = furthest(lines.iter().map(|(line, _)| line));
    let ended = lines.iter().filter_map(|(line, style)| Some((line.end()?, line, style)));
    let (at_edge, before): (Vec<_>, Vec<_>) = ended.partition(|(point, ..)| Some(point.0) == last);
    let label = |((x, y), line, style): ((f64, f64), &Line, &ArmStyle)| (at(x, y).1, line.ending.clone(), style.color);
    let edge = last.map_or(frame.area.2, |last| at(last, frame.y.low).0);
    let labelled = end_labels(canvas, frame, edge, at_edge.into_iter().map(label).collect())?;
    draw(canvas, marks);
    if before.is_empty() && lines.iter().all(|(line, _)| line.notes.is_empty()) {
        return Ok(());
    }
    let mut taken: Vec<Area> = lines.iter().flat_map(|(line, _)| line.taken(at)).chain(labelled).collect();
    let early = before.into_iter().map(|(point, line, style)| (line.ending.join(" "), point, style));
    let noted =
        lines.iter().flat_map(|(line, style)| line.notes.iter().map(move |(text, at)| (text.clone(), *at, style)));
    for (text, (x, y), style) in early.chain(noted) {
        taken.push(beside_mark(canvas, &text, at(x, y), style.color, frame, &taken)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::axes::zero_axis;

    #[test]
    fn a_mark_below_that_of_another_arm_is_larger() {
        let line = |arm: &str, marks: &[(f64, f64)]| {
            (Line { marks: marks.to_vec(), ..Line::of(arm, arm, Vec::new()) }, NO_ARM)
        };
        let frame = Frame { area: (0.0, 0.0, 100.0, 100.0), x: zero_axis(1.0), y: zero_axis(1.0) };
        let mut lines = vec![
            line("a", &[(0.5, 0.5)]),
            line("b", &[(0.5, 0.51), (0.8, 0.8)]),
            line("a", &[(0.5, 0.5)]),
            line("c", &[(0.51, 0.5)]),
        ];
        uncover(&mut lines, &frame);
        let marks: Vec<(Mark, usize)> = lines.iter().map(|(line, _)| (line.mark, line.marks.len())).collect();
        let [as_it_is, larger] = [0.0, LARGER].map(|more| Mark::Solid(MARK + more));
        assert_eq!(marks, [(as_it_is, 1), (as_it_is, 1), (as_it_is, 0), (as_it_is, 1), (larger, 1), (larger, 1)]);
    }

    #[test]
    fn a_label_at_the_end_of_a_line_takes_what_the_plot_does_not_leave() -> Result<()> {
        let line =
            |ending: &str| Line { ending: vec![ending.into()], ..Line::of("a", "a", vec![(0.0, 1.0), (0.5, 1.0)]) };
        let (axis, label) = (zero_axis(1.0), ENDING + text_width("99 %", DIRECT.size)?);
        assert_eq!(beyond(&[line("99 %")], &axis, 100.0)?, (label - 50.0).max(0.0));
        assert_eq!(beyond(&[line("99 %")], &axis, 2000.0)?, 0.0);
        assert_eq!(beyond(&[Line::default()], &axis, 100.0)?, 0.0);
        Ok(())
    }
}
