//! Adversarial images of several networks for the same test images: what was changed, and what the networks answer.

use anyhow::{Result, bail, ensure};

use super::columns::{Columns, draw_heads, draw_row};
use crate::figure::canvas::Canvas;
use crate::figure::legend::{Legend, Sign};
use crate::figure::sheet::{MARGIN, draw_title, title_height};
use crate::figure::{Image, fraction};

/// What a network says about an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Name of the class, such as `4`.
    pub class: String,
    /// Probability that the network gives to it, as a fraction.
    pub confidence: f64,
}

/// How an attack on one image ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// An image with another answer was found.
    Found {
        /// Its pixels, row by row, from 0 (black) to 1 (white).
        pixels: Vec<f32>,
        /// What the network says about it.
        answer: Answer,
    },
    /// No attack has changed the answer; the text says where was searched, such as `L2 up to 5`.
    /// An image that is misclassified as it is belongs here too, and is called so.
    Resisted(String),
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
    /// How the attack ended.
    pub outcome: Outcome,
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

/// Draws a row for each test image: the image, then for every network what was changed, enlarged to the full range of
/// colours, and the image that it takes for something else. Below each change stand its L2 and its Linf norm, below
/// each result what the network answers to it and to the test image.
///
/// Fails if there is no row or network, if the rows differ in their side or their networks, if pixels do not fit the
/// side or are not in 0..1, or if a confidence is no fraction.
pub fn adversarial_grid(title: &str, rows: &[GridRow]) -> Result<Image> {
    let Some(first) = rows.first() else { bail!("adversarial images {title:?}: no row to draw") };
    ensure!(first.side > 0, "adversarial images, row {:?}: side is 0, there is no pixel to draw", first.heading);
    rows.iter().try_for_each(|row| check(row, first))?;
    let columns = Columns::of(first);
    let width = columns.width();
    let legend = Legend::new(entries(), width - 2.0 * MARGIN)?;
    let top = title_height(title, width)?.round();
    let rows_top = top + columns.head_height().round();
    let row_height = columns.row_height().round();
    let rows_bottom = rows_top + rows.len() as f64 * row_height;
    let mut canvas = Canvas::new(width, rows_bottom + legend.height() + MARGIN)?;
    draw_title(&mut canvas, title, width)?;
    draw_heads(&mut canvas, first, &columns, top)?;
    for (index, row) in rows.iter().enumerate() {
        draw_row(&mut canvas, row, &columns, rows_top + index as f64 * row_height)?;
    }
    legend.draw(&mut canvas, width / 2.0, rows_bottom)?;
    Ok(canvas.finish())
}

fn check(row: &GridRow, first: &GridRow) -> Result<()> {
    let (what, side) = (format!("adversarial images, row {:?}", row.heading), row.side);
    ensure!(side == first.side, "{what}: side is {side}, that of the first row {}", first.side);
    ensure!(!row.attempts.is_empty(), "{what}: no network");
    let names = |row: &GridRow| row.attempts.iter().map(|attempt| attempt.label.clone()).collect::<Vec<String>>();
    ensure!(
        names(row) == names(first),
        "{what}: its networks are {:?}, the first row's {:?}",
        names(row),
        names(first)
    );
    let fits = |what: &str, pixels: &[f32]| {
        ensure!(pixels.len() == side * side, "{what}: {} pixels for {side} x {side}", pixels.len());
        let outside = pixels.iter().find(|pixel| !(-1e-4..=1.0 + 1e-4).contains(*pixel));
        outside.map_or(Ok(()), |pixel| bail!("{what}: a pixel is {pixel}, not between 0 and 1"))
    };
    fits(&format!("{what}, test image"), &row.pixels)?;
    for attempt in &row.attempts {
        let what = format!("{what}, {:?}", attempt.label);
        fraction(attempt.before.confidence, || format!("{what}: confidence in the test image"))?;
        if let Outcome::Found { pixels, answer } = &attempt.outcome {
            fits(&what, pixels)?;
            fraction(answer.confidence, || format!("{what}: confidence in the adversarial image"))?;
        }
    }
    Ok(())
}

fn entries() -> Vec<(Sign, String)> {
    vec![
        (Sign::Signed, "darker to brighter; full colour: the largest change, Linf".to_owned()),
        (Sign::Mistaken, "misclassified; answers with confidence in brackets".to_owned()),
    ]
}
