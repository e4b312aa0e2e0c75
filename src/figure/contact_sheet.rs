//! Contact sheet: a few images, each as it is and as random changes made it.

use anyhow::{Result, bail, ensure};
use plotters::style::RGBColor;

use super::Image;
use super::canvas::Align;
use super::grid::{Grid, Layout, Picture, whole_size};
use super::text::Block;
use super::theme::PANEL_TITLE;

/// Width of the headings of the rows.
const HEADING: f64 = 190.0;
/// Side of an image on the sheet, or a little less.
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
    ensure!(columns.iter().all(|count| *count > 0), "contact sheet {title:?}: a group without an image");
    for SheetRow { heading, groups } in rows {
        let same = groups.iter().map(Vec::len).eq(columns.iter().copied());
        ensure!(same, "contact sheet {title:?}: {heading} has other columns than {}", first.heading);
        let whole = groups.iter().flatten().all(|image| image.len() == 3 * side * side);
        ensure!(whole, "contact sheet {title:?}: an image of {heading} has not {side} x {side} pixels");
    }
    let before = |count: &usize| (0..*count).map(|column| if column == 0 { BETWEEN } else { GAP });
    let mut before: Vec<f64> = columns.iter().flat_map(before).collect();
    if let Some(first) = before.first_mut() {
        *first = HEADING;
    }
    let above = (0..rows.len()).map(|row| if row == 0 { HEAD } else { 0.0 }).collect();
    let size = whole_size(side, SIDE);
    let mut grid = Grid::new(Layout { title, size: (size, size), before, above, below: GAP, ..Layout::default() })?;
    let mut column = 0;
    for (group, count) in groups.iter().zip(&columns) {
        let heading = Block::fit(group, *count as f64 * (size + GAP), 1, PANEL_TITLE)?;
        let (left, top) = grid.at(0, column);
        heading.draw(&mut grid.canvas, (left, top - HEAD), Align::Left)?;
        column += count;
    }
    for (index, row) in rows.iter().enumerate() {
        grid.name_row(index, &row.heading)?;
        for (column, image) in row.groups.iter().flatten().enumerate() {
            let colors = image.chunks_exact(3).map(|pixel| RGBColor(pixel[0], pixel[1], pixel[2])).collect();
            let at = grid.at(index, column);
            Picture { side, colors }.draw(&mut grid.canvas, at, size);
        }
    }
    Ok(grid.canvas.finish())
}
