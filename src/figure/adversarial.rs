//! Adversarial images of several networks for the same test images: what was changed, and what the networks answer.

use anyhow::{Result, bail, ensure};
use plotters::style::RGBColor;

use super::Image;
use super::axes::significant;
use super::canvas::{Align, Canvas};
use super::grid::{Grid, Layout, Picture, frame, whole_size};
use super::legend::Sign;
use super::quantity::{AxisScale, Quantity};
use super::text::Block;
use super::theme::{
    AXIS, AXIS_LABEL, FRAME, INK, NOTE, PANEL_TITLE, SOFT_INK, Stroke, Type, WRONG_INK, diverging, styles,
};

/// What a network says about an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Name of the class, such as `4`.
    pub class: String,
    /// Probability that the network gives to it, as a fraction.
    pub confidence: f64,
}

/// The attack on one network at one test image.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// Name of the arm, which fixes the colour of its heading.
    pub arm: String,
    /// Its text in the heading.
    pub label: String,
    /// What the network says about the test image.
    pub before: Answer,
    /// The pixels of an image with another answer, as those of the test image, and what the network says about it. None where
    /// no attack has changed the answer, or where the test image is misclassified as it is.
    pub found: Option<(Vec<f32>, Answer)>,
}

/// One test image and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct GridRow {
    /// Text to the left, such as `image 4231`.
    pub heading: String,
    /// Name of the true class.
    pub class: String,
    /// Number of rows and of columns of the image, the same in every row of the grid.
    pub side: usize,
    /// Pixels of the test image, row by row, from 0 (black) to 1 (white).
    pub pixels: Vec<f32>,
    /// The networks, the same and in the same order in every row.
    pub attempts: Vec<Attempt>,
}

/// Side of a picture, or a little less.
const SIDE: f64 = 252.0;
/// Room between the pictures of one network, and between two networks.
const GAP: f64 = 20.0;
const APART: f64 = 52.0;
/// Width of the headings of the rows, and height of those of the columns.
const HEADING: f64 = 180.0;
const HEAD: f64 = 118.0;
/// Room between a picture and its caption, and between it and the next row.
const CAPTION: f64 = 14.0;
const BELOW: f64 = 124.0;
/// Colours in the legend of what was changed.
const SHADES: usize = 64;

/// Draws a row for each test image: the image, then for every network what was changed, in colours that are full at a
/// change of `eps`, and the image that it takes for something else. Below each change stand its L2 and its Linf norm, below
/// each result what the network answers to it and to the test image. Where nothing was found, the chart says where was
/// searched: `searched`, such as `L2 up to 5`.
///
/// Fails if there is no row or network, if `eps` is not above 0, if the rows differ in their side or their networks, if pixels do not fit the
/// side or are not in 0..1, or if a confidence is no fraction.
pub fn adversarial_grid(title: &str, eps: f64, searched: &str, rows: &[GridRow]) -> Result<Image> {
    let Some(first) = rows.first() else { bail!("adversarial images {title:?}: no row to draw") };
    ensure!(first.side > 0, "adversarial images, row {:?}: side is 0, there is no pixel to draw", first.heading);
    rows.iter().try_for_each(|row| check(row, first))?;
    ensure!(eps > 0.0 && eps.is_finite(), "adversarial images {title:?}: a colour scale up to {eps}; it ends above 0");
    let mut grid = page(title, eps, rows)?;
    draw_heads(&mut grid, first)?;
    rows.iter().enumerate().try_for_each(|(index, row)| draw_row(&mut grid, row, index, (eps, searched)))?;
    Ok(grid.canvas.finish())
}

fn check(row: &GridRow, first: &GridRow) -> Result<()> {
    let (what, side) = (format!("adversarial images, row {:?}", row.heading), row.side);
    ensure!(side == first.side, "{what}: side is {side}, that of the first row {}", first.side);
    ensure!(!row.attempts.is_empty(), "{what}: no network");
    let names = |row: &GridRow| row.attempts.iter().map(|attempt| attempt.label.clone()).collect::<Vec<String>>();
    let (own, others) = (names(row), names(first));
    ensure!(own == others, "{what}: its networks are {own:?}, the first row's {others:?}");
    let fits = |what: &str, pixels: &[f32]| {
        ensure!(pixels.len() == side * side, "{what}: {} pixels for {side} x {side}", pixels.len());
        let outside = pixels.iter().find(|pixel| !(-1e-4..=1.0 + 1e-4).contains(*pixel));
        outside.map_or(Ok(()), |pixel| bail!("{what}: a pixel is {pixel}, not between 0 and 1"))
    };
    fits(&format!("{what}, test image"), &row.pixels)?;
    let confidence = Quantity::new("confidence", AxisScale::Percent);
    for attempt in &row.attempts {
        let what = format!("{what}, {:?}", attempt.label);
        confidence.check(attempt.before.confidence, &format!("{what}, test image"))?;
        if let Some((pixels, answer)) = &attempt.found {
            fits(&what, pixels)?;
            confidence.check(answer.confidence, &format!("{what}, adversarial image"))?;
        }
    }
    Ok(())
}

/// The empty page for these rows.
fn page(title: &str, eps: f64, rows: &[GridRow]) -> Result<Grid> {
    let (networks, size) = (rows[0].attempts.len(), whole_size(rows[0].side, SIDE));
    let before = [HEADING].into_iter().chain((0..networks).flat_map(|_| [APART, GAP])).collect();
    let above = (0..rows.len()).map(|row| if row == 0 { HEAD } else { 0.0 }).collect();
    let shade = |index: usize| diverging(2.0 * index as f64 / (SHADES - 1) as f64 - 1.0);
    let shades = Sign::Cells((0..SHADES).map(shade).collect(), 64.0);
    let legend = vec![
        (shades, format!("change of a pixel, −{0} (darker) to +{0} (brighter); white: none", significant(eps))),
        (Sign::Frame(WRONG_INK, FRAME), "misclassified; answers with confidence in brackets".to_owned()),
    ];
    Grid::new(Layout { title, size: (size, size), before, above, below: BELOW, legend, ..Layout::default() })
}

/// The names of the networks, each over its two columns, and below them the names of the columns.
fn draw_heads(grid: &mut Grid, row: &GridRow) -> Result<()> {
    let (size, top) = (grid.size.0, grid.tops[0] - HEAD);
    let styles = styles(&row.attempts.iter().map(|attempt| attempt.arm.as_str()).collect::<Vec<&str>>());
    let names = ["test image"].into_iter().chain((0..row.attempts.len()).flat_map(|_| ["change", "adversarial"]));
    for (left, name) in grid.lefts.iter().zip(names) {
        grid.canvas.text(name, (left + size / 2.0, top + 78.0), Align::Center, AXIS_LABEL)?;
    }
    for ((attempt, style), columns) in row.attempts.iter().zip(styles).zip(grid.lefts[1..].chunks(2)) {
        let (left, right, color) = (columns[0], columns[1] + size, style.color);
        let name = Block::fit(&attempt.label, right - left, 1, Type { color, ..PANEL_TITLE })?;
        name.draw_around(&mut grid.canvas, ((left + right) / 2.0, top + 18.0), Align::Center)?;
        grid.canvas.line((left, top + 43.0), (right, top + 43.0), 3.0, color, 1.0);
    }
    Ok(())
}

fn draw_row(grid: &mut Grid, row: &GridRow, index: usize, ball: (f64, &str)) -> Result<()> {
    grid.name_row(index, &row.heading)?;
    let size = grid.size.0;
    let at = grid.at(index, 0);
    Picture::grey(row.side, &row.pixels).draw(&mut grid.canvas, at, size);
    caption(&mut grid.canvas, at, (size, size), &[(format!("true class {}", row.class), INK)])?;
    for (network, attempt) in row.attempts.iter().enumerate() {
        let at = [grid.at(index, 2 * network + 1), grid.at(index, 2 * network + 2)];
        draw_attempt(&mut grid.canvas, row, attempt, (at, size), ball)?;
    }
    Ok(())
}

/// What was changed and what came of it, or one field over both columns: there is neither.
fn draw_attempt(
    canvas: &mut Canvas,
    row: &GridRow,
    attempt: &Attempt,
    ([change, result], size): ([(f64, f64); 2], f64),
    (eps, searched): (f64, &str),
) -> Result<()> {
    let said = |when: &str, Answer { class, confidence }: &Answer| {
        let color = if *class == row.class { SOFT_INK } else { WRONG_INK };
        (format!("{when}: {class} ({:.1} %)", 100.0 * confidence), color)
    };
    let Some((pixels, answer)) = &attempt.found else {
        let ((left, top), right, bottom) = (change, result.0 + size, result.1 + size);
        let corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)];
        canvas.stroke(&corners, Stroke::Dashed, 2.5, AXIS);
        // Nobody attacks an image that is wrong as it is.
        let (what, searched) = match attempt.before.class == row.class {
            true => ("resisted every attack", searched),
            false => ("misclassified as it is", ""),
        };
        let inside = right - left - 2.0 * GAP;
        let text = Block::fit(what, inside, 2, AXIS_LABEL)?.above(Block::fit(searched, inside, 3, NOTE)?);
        text.draw_around(canvas, ((left + right) / 2.0, (top + bottom) / 2.0), Align::Center)?;
        return caption(canvas, change, (right - left, size), &[said("answer", &attempt.before)]);
    };
    let (values, l2, linf) = changes(&row.pixels, pixels);
    let colors = values.iter().map(|value| diverging(value / eps)).collect();
    Picture { side: row.side, colors }.draw(canvas, change, size);
    let norms = [("L2", l2), ("Linf", linf)].map(|(name, value)| (format!("{name} {}", significant(value)), INK));
    caption(canvas, change, (size, size), &norms)?;
    Picture::grey(row.side, pixels).draw(canvas, result, size);
    if answer.class != row.class {
        frame(canvas, result, size, FRAME, WRONG_INK);
    }
    caption(canvas, result, (size, size), &[said("now", answer), said("before", &attempt.before)])
}

/// Writes lines below a picture of this width and height, each smaller if it would be wider.
fn caption(
    canvas: &mut Canvas,
    (left, top): (f64, f64),
    (width, height): (f64, f64),
    lines: &[(String, RGBColor)],
) -> Result<()> {
    let mut y = top + height + CAPTION;
    for (text, color) in lines {
        let text = Block::fit(text, width + GAP / 2.0, 1, Type { color: *color, ..NOTE })?;
        text.draw(canvas, (left + width / 2.0, y), Align::Center)?;
        y += text.height();
    }
    Ok(())
}

/// What was added to every pixel, and its L2 and its Linf norm.
fn changes(before: &[f32], after: &[f32]) -> (Vec<f64>, f64, f64) {
    let values: Vec<f64> = before.iter().zip(after).map(|(a, b)| f64::from(*b) - f64::from(*a)).collect();
    let l2 = values.iter().map(|value| value * value).sum::<f64>().sqrt();
    let linf = values.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
    (values, l2, linf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_measured_in_both_norms() {
        let (values, l2, linf) = changes(&[0.0, 0.5, 0.5, 1.0], &[0.25, 0.25, 0.5, 1.0]);
        assert_eq!((values, l2, linf), (vec![0.25, -0.25, 0.0, 0.0], 0.125f64.sqrt(), 0.25));
        assert_eq!(changes(&[0.3], &[0.3]), (vec![0.0], 0.0, 0.0));
    }
}
