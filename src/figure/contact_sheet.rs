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
/// Room between two changed images, and between the first of them and the image as it is.
const GAP: f64 = 8.0;
const BETWEEN: f64 = 40.0;
/// Height of the headings.
const HEAD: f64 = 60.0;

/// A row of a contact sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SheetRow {
    /// Text to the left, such as `frog`.
    pub heading: String,
    /// The image as it is, and at least one changed: red, green and blue of every pixel, row by row from the top.
    pub images: Vec<Vec<u8>>,
}

/// Draws a row of images for each of the `rows`: below the first of the `groups` the image as it is, below the second all
/// others. Images are square with `side` pixels an edge, enlarged without blur.
///
/// Fails if there is nothing to draw, if the rows differ in their number of images, or if an image has another size.
pub fn contact_sheet(title: &str, side: usize, groups: [&str; 2], rows: &[SheetRow]) -> Result<Image> {
    let Some(first) = rows.first() else { bail!("contact sheet {title:?}: no row to draw") };
    let columns = first.images.len();
    ensure!(side > 0 && columns > 1, "contact sheet {title:?}: a group without an image");
    for SheetRow { heading, images } in rows {
        ensure!(images.len() == columns, "contact sheet {title:?}: {heading} has other columns than {}", first.heading);
        let whole = images.iter().all(|image| image.len() == 3 * side * side);
        ensure!(whole, "contact sheet {title:?}: an image of {heading} has not {side} x {side} pixels");
    }
    let before = [HEADING, BETWEEN].into_iter().chain((2..columns).map(|_| GAP)).collect();
    let above = (0..rows.len()).map(|row| if row == 0 { HEAD } else { 0.0 }).collect();
    let size = whole_size(side, SIDE);
    let mut grid = Grid::new(Layout { title, size: (size, size), before, above, below: GAP, ..Layout::default() })?;
    for (group, (column, count)) in groups.into_iter().zip([(0, 1), (1, columns - 1)]) {
        let heading = Block::fit(group, count as f64 * (size + GAP), 1, PANEL_TITLE)?;
        let (left, top) = grid.at(0, column);
        heading.draw(&mut grid.canvas, (left, top - HEAD), Align::Left)?;
    }
    for (index, row) in rows.iter().enumerate() {
        grid.name_row(index, &row.heading)?;
        for (column, image) in row.images.iter().enumerate() {
            let colors = image.chunks_exact(3).map(|pixel| RGBColor(pixel[0], pixel[1], pixel[2])).collect();
            let at = grid.at(index, column);
            Picture { side, colors }.draw(&mut grid.canvas, at, size);
        }
    }
    Ok(grid.canvas.finish())
}
