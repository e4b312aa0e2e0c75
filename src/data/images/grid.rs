//! Colour images side by side in one picture, as PNG: 40 in a row, row after row.

use super::{Images, Shape};
use anyhow::{Context, Result, ensure};
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};

/// Images side by side.
const COLUMNS: usize = 40;

/// The pixels of all images, one image after the other.
pub(super) fn read(png: &[u8], shape: Shape) -> Result<Vec<u8>> {
    let picture = image::load_from_memory(png)?.to_rgb8();
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let fits = width == COLUMNS * shape.width && height.is_multiple_of(shape.height) && shape.channels == 3;
    ensure!(fits, "a picture of {width} x {height} pixels does not hold rows of {COLUMNS} images");
    let mut pixels = vec![0; picture.len()];
    for (place, row) in picture.chunks_exact(3 * shape.width).enumerate() {
        let to = start(place, shape);
        pixels[to..to + row.len()].copy_from_slice(row);
    }
    Ok(pixels)
}

/// The picture of all images.
pub(super) fn write(images: &Images) -> Result<Vec<u8>> {
    let shape = images.shape;
    ensure!(images.len().is_multiple_of(COLUMNS), "{} images do not fill rows of {COLUMNS}", images.len());
    let row = 3 * shape.width;
    let picture: Vec<u8> = (0..images.pixels.len() / row)
        .flat_map(|place| &images.pixels[start(place, shape)..][..row])
        .copied()
        .collect();
    let (width, height) = (COLUMNS * shape.width, images.len() / COLUMNS * shape.height);
    let mut png = Vec::new();
    PngEncoder::new_with_quality(&mut png, CompressionType::Best, FilterType::Adaptive)
        .write_image(&picture, width as u32, height as u32, ExtendedColorType::Rgb8)
        .context("encoding the picture")?;
    Ok(png)
}

/// Where the row of pixels at this place of the picture begins in the images.
fn start(place: usize, shape: Shape) -> usize {
    let (line, column) = (place / COLUMNS, place % COLUMNS);
    let image = line / shape.height * COLUMNS + column;
    image * shape.features() + line % shape.height * 3 * shape.width
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_holds_every_image_again() {
        let shape = Shape { height: 2, width: 3, channels: 3 };
        let pixels: Vec<u8> = (0..80 * shape.features()).map(|place| (place % 251) as u8).collect();
        let images = Images { pixels, labels: vec![0; 80], shape };
        let png = write(&images).expect("a picture");
        assert_eq!(read(&png, shape).expect("the images"), images.pixels);
        assert!(read(&png, Shape::colour(32)).is_err());
    }
}
