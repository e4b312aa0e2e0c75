//! Contact sheet: a few images, each as it is and as random changes made it.

use anyhow::{Result, bail, ensure};
use plotters::style::RGBColor;

use super::Image;
use super::canvas::Canvas;
use super::sheet::{MARGIN, draw_lines, draw_title, title_height};
use super::text::fit;
use super::theme::{AXIS_LABEL, PANEL_TITLE};

/// Width of the headings of the rows.
const HEADING: f64 = 190.0;
/// Side of an image on the sheet, before it is rounded down to a whole number for each of its pixels.
const SIDE: f64 = 128.0;
/// Room between two images, and between two groups of them.
const GAP: f64 = 8.0;
const BETWEEN: f64 = 40.0;
/// Height of the headings of the groups.
const HEAD: f64 = 60.0;

/// A row of a contact sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SheetRow {
    /// Text to the left, such as `frog`.
    pub heading: String,
    /// The images of each group: red, green and blue of every pixel, row by row from the top.
    pub groups: Vec<Vec<Vec<u8>>>,
}

/// Draws a row of images for each of the `rows`, in groups side by side that have the headings `groups`. Images are
/// square with `side` pixels an edge, enlarged without blur.
///
/// Fails if there is nothing to draw, if the rows differ in their groups, or if an image has another size.
pub fn contact_sheet(title: &str, side: usize, groups: &[&str], rows: &[SheetRow]) -> Result<Image> {
    let Some(first) = rows.first() else { bail!("contact sheet {title:?}: no row to draw") };
    let columns: Vec<usize> = first.groups.iter().map(Vec::len).collect();
    ensure!(side > 0 && columns.len() == groups.len(), "contact sheet {title:?}: {} headings", groups.len());
    for SheetRow { heading, groups } in rows {
        let same = groups.iter().map(Vec::len).eq(columns.iter().copied());
        ensure!(same, "contact sheet {title:?}: {heading} has other columns than {}", first.heading);
        let whole = groups.iter().flatten().all(|image| image.len() == 3 * side * side);
        ensure!(whole, "contact sheet {title:?}: an image of {heading} has not {side} x {side} pixels");
    }
    let edge = side as f64 * (SIDE / side as f64).floor().max(1.0);
    let width_of = |columns: usize| columns as f64 * (edge + GAP) - GAP;
    let mut lefts = vec![MARGIN + HEADING];
    for count in &columns {
        lefts.push(lefts[lefts.len() - 1] + width_of(*count) + BETWEEN);
    }
    let width = lefts[columns.len()] - BETWEEN + MARGIN;
    let top = (title_height(title, width)? + HEAD).round();
    let mut canvas = Canvas::new(width, top + rows.len() as f64 * (edge + GAP) - GAP + MARGIN)?;
    draw_title(&mut canvas, title, width)?;
    for ((group, left), count) in groups.iter().zip(&lefts).zip(&columns) {
        draw_lines(&mut canvas, &fit(group, width_of(*count), 1, PANEL_TITLE)?, (*left, top - HEAD))?;
    }
    for (index, row) in rows.iter().enumerate() {
        let y = top + index as f64 * (edge + GAP);
        let heading = fit(&row.heading, HEADING - 2.0 * GAP, 2, AXIS_LABEL)?;
        draw_lines(&mut canvas, &heading, (MARGIN, y + edge / 2.0 - AXIS_LABEL.size / 2.0))?;
        for (images, left) in row.groups.iter().zip(&lefts) {
            for (column, image) in images.iter().enumerate() {
                draw_image(&mut canvas, image, side, (left + column as f64 * (edge + GAP), y), edge);
            }
        }
    }
    Ok(canvas.finish())
}

fn draw_image(canvas: &mut Canvas, image: &[u8], side: usize, (left, top): (f64, f64), edge: f64) {
    let each = edge / side as f64;
    for (index, pixel) in image.chunks_exact(3).enumerate() {
        let from = (left + (index % side) as f64 * each, top + (index / side) as f64 * each);
        canvas.rect(from, (from.0 + each, from.1 + each), RGBColor(pixel[0], pixel[1], pixel[2]), 1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(heading: &str, level: u8) -> SheetRow {
        let image = |level: u8| [level, 0, 255 - level].repeat(64);
        let groups = vec![vec![image(level)], vec![image(level / 2), image(level / 4)]];
        SheetRow { heading: heading.into(), groups }
    }

    #[test]
    fn every_image_is_on_the_sheet_with_its_colour() -> Result<()> {
        let rows = [row("frog", 200), row("ship", 120)];
        let sheet = contact_sheet("Two images", 8, &["original", "basic"], &rows)?;
        let count = |color: [u8; 3]| sheet.pixels.chunks_exact(3).filter(|pixel| **pixel == color).count();
        // 8 pixels of 16 each.
        for level in [200, 100, 50, 120, 60, 30] {
            assert_eq!(count([level, 0, 255 - level]), 128 * 128, "{level}");
        }
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let told = |rows: &[SheetRow], groups: &[&str]| {
            contact_sheet("Images", 8, groups, rows).expect_err("rows that do not fit").to_string()
        };
        assert!(told(&[], &["original"]).contains("no row"));
        assert!(told(&[row("frog", 1)], &["original"]).contains("1 headings"));
        let mut other = row("ship", 2);
        other.groups[1].pop();
        assert!(told(&[row("frog", 1), other], &["original", "basic"]).contains("ship has other columns than frog"));
        let mut cut = row("ship", 2);
        cut.groups[0][0].pop();
        assert!(told(&[cut], &["original", "basic"]).contains("has not 8 x 8 pixels"));
    }
}
