//! Pictures of a known size.

use super::caught::caught;
use anyhow::{Result, ensure};
use image::{DynamicImage, ImageReader};
use std::io::Cursor;

/// Decodes a picture of at most so many pixels. A header that claims more is refused before anything is allocated.
///
/// # Errors
/// When it is no picture, a damaged one, or larger.
pub(crate) fn decode(bytes: &[u8], width: usize, height: usize) -> Result<DynamicImage> {
    let reader = || ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    // A palette that ends within a colour is a panic in the crate `png`.
    caught("the picture", || {
        let (found_width, found_height) = reader()?.into_dimensions()?;
        let fits = found_width as usize <= width && found_height as usize <= height;
        ensure!(fits, "the image has {found_height} x {found_width} pixels, more than {height} x {width}");
        Ok(reader()?.decode()?)
    })
}
