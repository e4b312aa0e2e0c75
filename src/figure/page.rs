//! Plots in rows and columns on a page, with one legend: the frame of every chart of one quantity against another.

use anyhow::{Result, ensure};

use super::Image;
use super::axes::{Axis, Scale};
use super::canvas::Align;
use super::frame::{Frame, beside};
use super::grid::{Grid, Layout};
use super::legend::Sign;
use super::plot::{Line, beyond, draw_lines, uncover};
use super::quantity::Quantity;
use super::text::{Block, tallest};
use super::theme::{ArmStyle, PANEL_TITLE, Stroke, styles};

/// Room between a plot, or the labels at its right, and its neighbour.
const GAP: f64 = 60.0;
/// Room between the title of a plot and its frame, and below a frame for its labels and the next row.
const HEAD: f64 = 20.0;
const BELOW: f64 = 136.0;
/// More plots than this continue in a second row.
const COLUMNS: usize = 3;
/// With more names than this on its axis a plot takes the whole width.
const MOST_NAMES: usize = 5;

/// Which values an axis has to show.
#[derive(Debug, Clone)]
pub(super) enum Range {
    /// Those of all plots with an equal quantity and this range.
    Shared,
    /// Those of its own plot.
    Own,
    /// Those of an axis that is known.
    Known(Axis),
}

/// One plot.
#[derive(Debug, Clone)]
pub(super) struct Plot {
    pub title: String,
    pub x: (Quantity, Range),
    pub y: (Quantity, Range),
    /// The first lies above the others.
    pub lines: Vec<Line>,
    /// A value that belongs to no arm, with the kind and the width of a line across.
    pub level: Option<(f64, Stroke, f64)>,
}

impl Plot {
    fn check(&self) -> Result<()> {
        let what = format!("panel {:?}", self.title);
        ensure!(!self.lines.is_empty(), "{what}: nothing to draw");
        // From the lowest up: a mistake in what other lines are made of is reported first.
        self.lines.iter().rev().try_for_each(|line| line.check(&self.x.0, &self.y.0, &self.title))?;
        self.level.iter().try_for_each(|level| self.y.0.check(level.0, &what))
    }

    /// The axes of this plot among all.
    fn axes(&self, all: &[Plot]) -> (Axis, Axis) {
        let points = |plot: &Plot| plot.lines.iter().flat_map(Line::values).collect::<Vec<(f64, f64)>>();
        let x = |plot: &Plot| points(plot).into_iter().map(|point| point.0).collect::<Vec<f64>>();
        let y = |plot: &Plot| {
            points(plot).into_iter().map(|point| point.1).chain(plot.level.map(|level| level.0)).collect::<Vec<f64>>()
        };
        let axis = |side: fn(&Plot) -> &(Quantity, Range), values: &dyn Fn(&Plot) -> Vec<f64>| {
            let (quantity, range) = side(self);
            let shares = |other: &&Plot| matches!(side(other), (of, Range::Shared) if of == quantity);
            match range {
                Range::Known(axis) => axis.clone(),
                Range::Own => quantity.axis(&values(self)),
                Range::Shared => quantity.axis(&all.iter().filter(shares).flat_map(values).collect::<Vec<f64>>()),
            }
        };
        (axis(|plot| &plot.x, &x), axis(|plot| &plot.y, &y))
    }
}

/// Plots beside each other.
fn columns(axes: &[(Axis, Axis)]) -> usize {
    let names = |(x, _): &(Axis, Axis)| if x.scale == Scale::Names { x.ticks.len() } else { 0 };
    match axes.len() {
        _ if axes.iter().any(|axes| names(axes) > MOST_NAMES) => 1,
        // Two by two: three and a single one below would leave a third of the page empty.
        4 => 2,
        count => count.clamp(1, COLUMNS),
    }
}

/// A chart.
pub(super) struct Page<'a> {
    pub title: &'a str,
    pub plots: Vec<Plot>,
    /// What the legend says after the arms.
    pub notes: Vec<(Sign, String)>,
    /// Whether a plot leaves out the numbers of an upright axis that its neighbour to the left has too.
    pub aligned: bool,
    /// Whether plots are as wide as high.
    pub square: bool,
}

impl Page<'_> {
    /// Draws the chart; fails if there is nothing on it or in a panel, if an axis cannot show a value, if values that come
    /// as lowest, middle and highest are not in this order, or if points do not grow along x.
    pub fn draw(self) -> Result<Image> {
        let Page { title, plots, aligned, square, .. } = &self;
        ensure!(!plots.is_empty(), "{title:?}: no panel to draw");
        plots.iter().try_for_each(Plot::check)?;
        let axes: Vec<(Axis, Axis)> = plots.iter().map(|plot| plot.axes(plots)).collect();
        let columns = columns(&axes);
        let (wide, tall): (f64, f64) = [(1300.0, 780.0), (880.0, 740.0), (640.0, 680.0)][columns - 1];
        let tall = if columns == 1 && plots.len() > 1 { 0.75 * tall } else { tall };
        let size = if *square { (tall.min(wide), tall.min(wide)) } else { (wide, tall) };
        let same = |index: usize| axes[index].1 == axes[index - 1].1 && plots[index].y.0 == plots[index - 1].y.0;
        let aligned = *aligned && (1..axes.len()).all(|index| index % columns == 0 || same(index));
        let widest = |widest: f64, width: Result<f64>| anyhow::Ok(widest.max(width?));
        let numbers = axes.iter().map(|(_, y)| beside(y)).try_fold(0.0, widest)?;
        let after = |column: usize| {
            let of_column = plots.iter().zip(&axes).skip(column).step_by(columns);
            of_column.map(|(plot, (x, _))| beyond(&plot.lines, x, size.0)).try_fold(0.0, widest)
        };
        let after = (0..columns).map(after).collect::<Result<Vec<f64>>>()?;
        let between = |column: usize| after[column - 1] + GAP + if aligned { 0.0 } else { numbers };
        let titles = plots.iter().map(|plot| Block::fit(&plot.title, size.0, 2, PANEL_TITLE));
        let titles = titles.collect::<Result<Vec<Block>>>()?;

        let arms = self.arms();
        let mut grid = Grid::new(Layout {
            title,
            size,
            before: (0..columns).map(|column| if column == 0 { numbers } else { between(column) }).collect(),
            after: after[columns - 1],
            above: vec![tallest(&titles) + HEAD; plots.len().div_ceil(columns)],
            below: BELOW,
            legend: self.legend(&arms),
        })?;
        for (index, (plot, (x, y))) in plots.iter().zip(axes).enumerate() {
            let (left, top) = grid.at(index / columns, index % columns);
            titles[index].draw(&mut grid.canvas, (left, top - tallest(&titles) - HEAD), Align::Left)?;
            let frame = Frame { area: (left, top, left + size.0, top + size.1), x, y };
            let label = (!aligned || index % columns == 0).then_some(plot.y.0.label.as_str());
            frame.draw(&mut grid.canvas, &plot.x.0.label, label)?;
            let across = plot.level.map(|(value, stroke, width)| {
                let points = vec![(frame.x.low, value), (frame.x.high, value)];
                Line { stroke: Some(stroke), width, points, ..Line::default() }
            });
            let lines = plot.lines.iter().chain(&across).map(|line| (line.up_to(frame.x.high), line.style(&arms)));
            let mut lines = lines.collect::<Vec<(Line, ArmStyle)>>();
            uncover(&mut lines, &frame);
            draw_lines(&mut grid.canvas, &frame, &lines)?;
        }
        Ok(grid.canvas.finish())
    }

    fn lines(&self) -> impl Iterator<Item = &Line> {
        self.plots.iter().flat_map(|plot| &plot.lines)
    }

    /// The style of every arm.
    fn arms(&self) -> impl Fn(&str) -> ArmStyle {
        let mut names: Vec<String> = Vec::new();
        for name in self.lines().filter_map(|line| line.arm.as_ref()) {
            names.extend((!names.contains(name)).then(|| name.clone()));
        }
        let styles = styles(&names.iter().map(String::as_str).collect::<Vec<&str>>());
        move |name| names.iter().zip(&styles).find(|(known, _)| *known == name).map_or(styles[0], |(_, style)| *style)
    }

    /// An entry for each arm, and the notes.
    fn legend(&self, arms: &impl Fn(&str) -> ArmStyle) -> Vec<(Sign, String)> {
        let (mut legend, mut seen) = (Vec::new(), Vec::new());
        for line in self.lines().filter(|line| !line.label.is_empty() && line.tone == 1.0) {
            if seen.contains(&&line.arm) {
                continue;
            }
            seen.push(&line.arm);
            // An arm that is joined somewhere is shown so.
            let shown = self.lines().find(|other| other.arm == line.arm && other.width > 0.0).unwrap_or(line);
            legend.push((Sign::of(shown, shown.style(arms)), line.label.clone()));
        }
        legend.into_iter().chain(self.notes.clone()).collect()
    }
}
