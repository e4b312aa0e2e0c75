//! Values in categories: in each of them networks side by side, so that none hides another.

use anyhow::{Result, ensure};

use super::Image;
use super::axes::names_axis;
use super::legend::Sign;
use super::marks::Mark;
use super::page::{Page, Plot, Range};
use super::plot::Line;
use super::quantity::{AxisScale, Quantity};
use super::theme::{MARK, SMALL_MARK, Stroke};

/// How a range is drawn, beside the mark in its middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// As a thin line.
    Whisker,
    /// As a thin line on a bar from 0 up to the middle.
    Bar,
    /// As a broad bar.
    Interval,
}

/// What is shown of a network in a category.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Name of the arm, which fixes its colour.
    pub arm: String,
    /// Its text in the legend.
    pub label: String,
    /// Place of the category in its panel.
    pub category: usize,
    /// Lowest, middle and highest value.
    pub range: Option<[f64; 3]>,
    /// How they are drawn.
    pub body: Body,
    /// Whether marks are white inside: a second quantity of the same network, with a place of its own.
    pub open: bool,
    /// Single values as small marks.
    pub points: Vec<f64>,
    /// Text near the middle.
    pub note: Option<String>,
}

impl Entry {
    /// A filled mark without values yet.
    pub fn of(arm: &str, label: &str, category: usize, body: Body) -> Self {
        let (arm, label) = (arm.to_owned(), label.to_owned());
        Self { arm, label, category, range: None, body, open: false, points: Vec::new(), note: None }
    }
}

/// A plot.
#[derive(Debug, Clone, PartialEq)]
pub struct CategoryPanel {
    /// What it shows.
    pub title: String,
    /// What the categories are; empty where their names say it.
    pub x_label: String,
    /// Their names.
    pub categories: Vec<String>,
    /// The vertical axis. Panels with equal ones share the range.
    pub y: Quantity,
    /// What is shown.
    pub entries: Vec<Entry>,
    /// A value with a thin line across, and its name, if that has to be explained.
    pub level: Option<(f64, String)>,
}

impl CategoryPanel {
    /// A panel without entries yet, whose categories say what they are.
    pub fn of(title: impl Into<String>, categories: Vec<String>, y: Quantity) -> Self {
        Self { title: title.into(), x_label: String::new(), categories, y, entries: Vec::new(), level: None }
    }
}

/// What a note of the legend explains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// A filled mark with its range.
    Filled,
    /// An open one.
    Open,
    /// A small mark.
    Point,
    /// Nothing that is drawn.
    Text,
}

/// Part of the width of a category that is used.
const USED: f64 = 0.84;
/// Half the width of a bar, as a part of its place.
const HALF: f64 = 0.4;
/// How far single values lie from the middle of their place, likewise.
const BESIDE: f64 = 0.3;
/// A place counts as no wider than this part of a category.
const WIDEST: f64 = 0.25;
/// Opacity of a bar.
const BAR: f64 = 0.45;
/// Width of the line of a level.
const LEVEL: f64 = 2.0;
/// More places than this in all categories of a panel have small marks.
const CROWDED: usize = 50;

/// Draws the panels in rows, with a legend below: the arms, then the notes.
///
/// Fails if there is no panel or entry, if an entry has neither range nor point or its category does not exist, or if a
/// number cannot be shown on its axis.
pub fn category_panels(title: &str, panels: &[CategoryPanel], notes: &[(Key, &str)]) -> Result<Image> {
    let mut plots = Vec::new();
    for panel in panels {
        plots.push(Plot {
            title: panel.title.clone(),
            x: (Quantity::new(&panel.x_label, AxisScale::Close), Range::Known(names_axis(&panel.categories))),
            y: (panel.y.clone(), Range::Shared),
            lines: lines(panel)?,
            level: panel.level.as_ref().map(|(value, _)| (*value, Stroke::Solid, LEVEL)),
        });
    }
    let whiskers = panels.iter().flat_map(|panel| &panel.entries).any(|entry| entry.body != Body::Interval);
    let explained = notes.iter().map(|(key, text)| (sign(*key, whiskers), (*text).to_owned()));
    let mut notes: Vec<(Sign, String)> = explained.collect();
    let level = panels.iter().filter_map(|panel| panel.level.as_ref()).find(|(_, name)| !name.is_empty());
    notes.extend(level.map(|(_, name)| (Sign::plain(Stroke::Solid, LEVEL), name.clone())));
    Page { title, plots, notes, aligned: false, square: false }.draw()
}

fn sign(key: Key, whiskers: bool) -> Sign {
    match key {
        Key::Filled => Sign::mark(Mark::Solid(MARK), whiskers),
        Key::Open => Sign::sample(Line { open: true, marks: vec![(0.5, 0.5)], ..Line::default() }),
        Key::Point => Sign::mark(Mark::Solid(SMALL_MARK), false),
        Key::Text => Sign::Text,
    }
}

/// The lines of a panel: what has a range, and points above it.
fn lines(panel: &CategoryPanel) -> Result<Vec<Line>> {
    let mut places: Vec<(&str, bool)> = Vec::new();
    for entry in &panel.entries {
        if !places.contains(&(entry.arm.as_str(), entry.open)) {
            places.push((entry.arm.as_str(), entry.open));
        }
    }
    let step = USED / places.len().max(1) as f64;
    let mark = Mark::Solid(if places.len() * panel.categories.len() > CROWDED { SMALL_MARK } else { MARK });
    let (mut points, mut marks, mut bars) = (Vec::new(), Vec::new(), Vec::new());
    for entry in &panel.entries {
        let (what, categories) = (format!("panel {:?}, {:?}", panel.title, entry.label), panel.categories.len());
        ensure!(entry.category < categories, "{what}: category {} of {categories}", entry.category);
        ensure!(entry.range.is_some() || !entry.points.is_empty(), "{what}: no value to draw");
        let place = places.iter().position(|place| *place == (entry.arm.as_str(), entry.open)).unwrap_or(0);
        let alone = panel.entries.iter().filter(|other| other.category == entry.category).count() == 1;
        let middle = (places.len() - 1) as f64 / 2.0;
        let x = entry.category as f64 + if alone { 0.0 } else { (place as f64 - middle) * step };
        let line = || Line { width: 0.0, open: entry.open, mark, ..Line::of(&entry.arm, &entry.label, Vec::new()) };
        if !entry.points.is_empty() {
            // Beside the mark of the middle, which would hide some.
            let beside = if entry.range.is_some() { x + BESIDE * step.min(WIDEST) } else { x };
            let dots = entry.points.iter().map(|value| (beside, *value)).collect();
            points.push(Line { mark: Mark::Solid(SMALL_MARK), marks: dots, ..line() });
        }
        let Some([low, middle, high]) = entry.range else { continue };
        let notes = entry.note.iter().map(|text| (text.clone(), (x, middle))).collect();
        let bar = |low: f64, high: f64| {
            let band = [-HALF, HALF].map(|side| (x + side * step, low, high)).to_vec();
            Line { band, alpha: BAR, marks: vec![(x, middle)], ..line() }
        };
        match entry.body {
            Body::Whisker => {}
            Body::Bar => bars.push(bar(0.0, middle)),
            Body::Interval => bars.push(bar(low, high)),
        }
        let band = if entry.body == Body::Interval { Vec::new() } else { vec![(x, low, high)] };
        marks.push(Line { band, marks: vec![(x, middle)], notes, ..line() });
    }
    Ok(marks.into_iter().chain(points).chain(bars).collect())
}
