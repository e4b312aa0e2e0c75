//! The columns of a page of adversarial images, and what stands in them.

use anyhow::Result;
use plotters::style::RGBColor;

use super::examples::{Answer, Attempt, GridRow, Outcome};
use super::picture::{Changes, Picture, draw_picture, frame, picture_side};
use crate::figure::axes::significant;
use crate::figure::canvas::{Align, Canvas};
use crate::figure::sheet::{LEADING, MARGIN, draw_lines};
use crate::figure::text::fit;
use crate::figure::theme::{
    AXIS, AXIS_LABEL, FRAME, INK, NOTE, PANEL_TITLE, SOFT_INK, Stroke, Type, WRONG_INK, styles,
};

/// Room between the pictures of one network, and between two networks.
const GAP: f64 = 20.0;
const APART: f64 = 52.0;
/// Width of the headings of the rows.
const HEADING: f64 = 180.0;
/// Room between two rows, and between a picture and its caption.
const BETWEEN: f64 = 34.0;
const CAPTION: f64 = 14.0;
/// Lines of a caption.
const LINES: f64 = 2.0;

/// Where the pictures stand: the test image, then two for each network.
pub(super) struct Columns {
    side: f64,
    networks: usize,
}

impl Columns {
    /// The columns of all rows like this one.
    pub fn of(row: &GridRow) -> Columns {
        Columns { side: picture_side(row.side), networks: row.attempts.len() }
    }

    /// Width of the page, with its margins.
    pub fn width(&self) -> f64 {
        self.pair(self.networks).0 - APART + MARGIN
    }

    /// Height of the names above the columns.
    pub fn head_height(&self) -> f64 {
        2.0 * PANEL_TITLE.size * LEADING + 30.0
    }

    /// Height of a row with its captions.
    pub fn row_height(&self) -> f64 {
        self.side + CAPTION + LINES * NOTE.size * LEADING + BETWEEN
    }

    /// Left edge of the test image.
    fn image(&self) -> f64 {
        MARGIN + HEADING
    }

    /// Left edges of what was changed and of the result.
    fn pair(&self, network: usize) -> (f64, f64) {
        let left = self.image() + self.side + APART + network as f64 * (2.0 * self.side + GAP + APART);
        (left, left + self.side + GAP)
    }
}

/// The names of the networks, each over its two columns, and below them the names of the columns.
pub(super) fn draw_heads(canvas: &mut Canvas, row: &GridRow, columns: &Columns, top: f64) -> Result<()> {
    let (side, line) = (columns.side, PANEL_TITLE.size * LEADING);
    let below = top + 1.55 * line + 8.0;
    canvas.text("test image", (columns.image() + side / 2.0, below), Align::Center, AXIS_LABEL)?;
    let names: Vec<&str> = row.attempts.iter().map(|attempt| attempt.arm.as_str()).collect();
    for (network, (attempt, style)) in row.attempts.iter().zip(styles(&names)).enumerate() {
        let (change, result) = columns.pair(network);
        let (kind, name) = fit(&attempt.label, 2.0 * side + GAP, 1, PANEL_TITLE)?;
        let middle = (change + result + side) / 2.0;
        for text in name {
            canvas.text(&text, (middle, top + 0.4 * line), Align::Center, Type { color: style.color, ..kind })?;
        }
        let rule = top + 0.95 * line;
        canvas.line((change, rule), (result + side, rule), 3.0, style.color, 1.0);
        canvas.text("change", (change + side / 2.0, below), Align::Center, AXIS_LABEL)?;
        canvas.text("adversarial", (result + side / 2.0, below), Align::Center, AXIS_LABEL)?;
    }
    Ok(())
}

/// Draws a row from this height downwards, which has to be a whole pixel for the pictures to have sharp edges.
pub(super) fn draw_row(canvas: &mut Canvas, row: &GridRow, columns: &Columns, y: f64) -> Result<()> {
    draw_lines(canvas, &fit(&row.heading, HEADING - GAP, 4, AXIS_LABEL)?, (MARGIN, y))?;
    let at = (columns.image(), y);
    draw_picture(canvas, &Picture::grey(row.side, &row.pixels), at, columns.side);
    write(canvas, &format!("true class {}", row.class), line_below(at, columns.side, 0), columns.side, INK)?;
    for (network, attempt) in row.attempts.iter().enumerate() {
        draw_attempt(canvas, row, attempt, columns, (network, y))?;
    }
    Ok(())
}

fn draw_attempt(
    canvas: &mut Canvas,
    row: &GridRow,
    attempt: &Attempt,
    columns: &Columns,
    (network, y): (usize, f64),
) -> Result<()> {
    let side = columns.side;
    let (change, result) = columns.pair(network);
    let (change, result) = ((change, y), (result, y));
    match &attempt.outcome {
        Outcome::Found { pixels, answer } => {
            let changes = Changes::between(&row.pixels, pixels);
            draw_picture(canvas, &changes.picture(row.side), change, side);
            write(canvas, &format!("L2 {}", significant(changes.l2)), line_below(change, side, 0), side, INK)?;
            write(canvas, &format!("Linf {}", significant(changes.linf)), line_below(change, side, 1), side, INK)?;
            draw_picture(canvas, &Picture::grey(row.side, pixels), result, side);
            if answer.class != row.class {
                frame(canvas, result, side, FRAME, WRONG_INK);
            }
            write(canvas, &format!("now: {}", said(answer)), line_below(result, side, 0), side, ink(answer, row))?;
            let before = format!("before: {}", said(&attempt.before));
            write(canvas, &before, line_below(result, side, 1), side, ink(&attempt.before, row))
        }
        Outcome::Resisted(searched) => {
            let right = result.0 + side;
            // Nobody attacks an image that is wrong as it is.
            let words = match attempt.before.class == row.class {
                true => ("resisted every attack", searched.as_str()),
                false => ("misclassified as it is", ""),
            };
            draw_resisted(canvas, words, change, (right, y + side))?;
            let answer = format!("answer: {}", said(&attempt.before));
            write(canvas, &answer, line_below(change, side, 0), right - change.0, ink(&attempt.before, row))
        }
    }
}

/// Left end of a line of the caption below a picture.
fn line_below((left, top): (f64, f64), side: f64, line: usize) -> (f64, f64) {
    (left, top + side + CAPTION + (line as f64 + 0.5) * NOTE.size * LEADING)
}

/// One field over both columns: there is neither a change nor a result.
fn draw_resisted(canvas: &mut Canvas, (what, searched): (&str, &str), from: (f64, f64), to: (f64, f64)) -> Result<()> {
    let corners = [from, (to.0, from.1), to, (from.0, to.1), from];
    canvas.stroke(&corners, Stroke::Dashed, 2.5, AXIS);
    let inside = to.0 - from.0 - 2.0 * GAP;
    let (kind, mut lines) = fit(what, inside, 2, AXIS_LABEL)?;
    let (small, more) = fit(searched, inside, 3, NOTE)?;
    let (head, each) = (lines.len(), kind.size * LEADING);
    lines.extend(more);
    let top = (from.1 + to.1 - lines.len() as f64 * each) / 2.0;
    for (index, line) in lines.iter().enumerate() {
        let at = ((from.0 + to.0) / 2.0, top + (index as f64 + 0.5) * each);
        canvas.text(line, at, Align::Center, if index < head { kind } else { small })?;
    }
    Ok(())
}

fn said(answer: &Answer) -> String {
    format!("{} ({:.1} %)", answer.class, 100.0 * answer.confidence)
}

fn ink(answer: &Answer, row: &GridRow) -> RGBColor {
    if answer.class == row.class { SOFT_INK } else { WRONG_INK }
}

/// Writes a line of a caption, centred below a picture and smaller if it would be wider.
fn write(canvas: &mut Canvas, text: &str, (left, y): (f64, f64), side: f64, color: RGBColor) -> Result<()> {
    let (kind, lines) = fit(text, side + GAP / 2.0, 1, NOTE)?;
    lines.iter().try_for_each(|line| canvas.text(line, (left + side / 2.0, y), Align::Center, Type { color, ..kind }))
}
