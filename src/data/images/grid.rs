//! Colour images side by side in one picture, as PNG: 40 in a row, row after row.

use super::Shape;
use anyhow::{Result, ensure};

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

/// Where the row of pixels at this place of the picture begins in the images.
fn start(place: usize, shape: Shape) -> usize {
    let (line, column) = (place / COLUMNS, place % COLUMNS);
    let image = line / shape.height * COLUMNS + column;
    image * shape.features() + line % shape.height * 3 * shape.width
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::RgbImage;
    use std::io::Cursor;

    #[test]
    fn a_picture_holds_every_image() {
        let shape = Shape { height: 2, width: 3, channels: 3 };
        // The red of a pixel is the number of its image, green its row, blue its column.
        let pixel = |x: u32, y: u32| [(y / 2 * 40 + x / 3) as u8, (y % 2) as u8, (x % 3) as u8];
        let picture = RgbImage::from_fn(3 * 40, 2 * 2, |x, y| image::Rgb(pixel(x, y)));
        let mut png = Cursor::new(Vec::new());
        picture.write_to(&mut png, image::ImageFormat::Png).expect("a picture");
        let expected = (0..80).flat_map(|image| (0..6).flat_map(move |place| [image, place / 3, place % 3]));
        assert_eq!(read(png.get_ref(), shape).expect("the images"), expected.collect::<Vec<u8>>());
        assert!(read(png.get_ref(), Shape::colour(32)).is_err());
    }
}
