//! Changes of place: random part, mirror image, black square, and affine maps as Pillow makes them.

use crate::data::images::Shape;
use crate::rng::Stream;

/// What lies outside the image after an affine map; the usual implementations take this grey.
const OUTSIDE: u8 = 128;

/// A random part, as large as the image, of the image with a black border.
pub(super) fn crop(pixels: &mut Vec<u8>, shape: Shape, padding: usize, stream: &mut Stream) {
    let (down, right) = (stream.index(2 * padding + 1), stream.index(2 * padding + 1));
    let from = |row: usize, column: usize| {
        let (row, column) = ((row + down).checked_sub(padding)?, (column + right).checked_sub(padding)?);
        (row < shape.height && column < shape.width).then_some((row, column))
    };
    remap(pixels, shape, 0, from);
}

/// The mirror image, in half of the cases.
pub(super) fn flip(pixels: &mut Vec<u8>, shape: Shape, stream: &mut Stream) {
    if stream.index(2) == 1 {
        remap(pixels, shape, 0, |row, column| Some((row, shape.width - 1 - column)));
    }
}

/// A black square around a random pixel, cut off at the edges.
pub(super) fn cut_out(pixels: &mut [u8], shape: Shape, edge: usize, stream: &mut Stream) {
    let (y, x) = (stream.index(shape.height), stream.index(shape.width));
    let span = |middle: usize, limit: usize| middle.saturating_sub(edge / 2)..(middle + edge / 2).min(limit);
    for row in span(y, shape.height) {
        let columns = span(x, shape.width);
        let start = (row * shape.width + columns.start) * shape.channels;
        pixels[start..start + columns.len() * shape.channels].fill(0);
    }
}

/// Moves the image by `right` columns to the left and `down` rows up, in parts of a pixel.
pub(super) fn translate(pixels: &mut Vec<u8>, shape: Shape, right: f64, down: f64) {
    // Pillow adds up in floating point where nothing is sheared.
    let sources = |start: f64, limit: usize| -> Vec<Option<usize>> {
        let places = std::iter::successors(Some(start + 0.5), |place| Some(place + 1.0)).take(limit);
        places.map(|place| (place >= 0.0 && (place as usize) < limit).then_some(place as usize)).collect()
    };
    let (rows, columns) = (sources(down, shape.height), sources(right, shape.width));
    remap(pixels, shape, OUTSIDE, |row, column| rows[row].zip(columns[column]));
}

/// Turns the image around its centre, counterclockwise.
pub(super) fn rotate(pixels: &mut Vec<u8>, shape: Shape, degrees: f64) {
    let (sine, cosine) = (-degrees.rem_euclid(360.0).to_radians()).sin_cos();
    let (x, y) = (shape.width as f64 / 2.0, shape.height as f64 / 2.0);
    let (a, b, d, e) = (cosine, sine, -sine, cosine);
    affine(pixels, shape, [a, b, a * -x + b * -y + x, d, e, d * -x + e * -y + y]);
}

/// The pixel at (column x, row y) comes from (a x + b y + c, d x + e y + f), taken at the middle of pixels: the nearest
/// one, in Pillow's numbers with 16 binary digits after the point.
pub(super) fn affine(pixels: &mut Vec<u8>, shape: Shape, [a, b, c, d, e, f]: [f64; 6]) {
    let fixed = |value: f64| (value * 65536.0 + 0.5).floor() as i64;
    let (start_x, start_y) = (fixed(c + a * 0.5 + b * 0.5), fixed(f + d * 0.5 + e * 0.5));
    let [a, b, d, e] = [a, b, d, e].map(fixed);
    remap(pixels, shape, OUTSIDE, |row, column| {
        let (row, column) = (row as i64, column as i64);
        let x = usize::try_from((start_x + column * a + row * b) >> 16).ok()?;
        let y = usize::try_from((start_y + column * d + row * e) >> 16).ok()?;
        (x < shape.width && y < shape.height).then_some((y, x))
    });
}

/// Takes each pixel (row, column) from the place that `from` says, or fills it.
fn remap(pixels: &mut Vec<u8>, shape: Shape, fill: u8, from: impl Fn(usize, usize) -> Option<(usize, usize)>) {
    let Shape { height, width, channels } = shape;
    let mut changed = vec![fill; pixels.len()];
    for row in 0..height {
        for column in 0..width {
            if let Some((y, x)) = from(row, column) {
                let (to, source) = ((row * width + column) * channels, (y * width + x) * channels);
                changed[to..to + channels].copy_from_slice(&pixels[source..source + channels]);
            }
        }
    }
    *pixels = changed;
}
