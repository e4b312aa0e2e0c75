//! Changes of colour, to the byte as Pillow's `ImageOps`, `ImageEnhance` and `ImageFilter.SMOOTH` make them. Images have
//! three channels.

use crate::data::images::Shape;

/// Every byte becomes what is opposite.
pub(super) fn invert(pixels: &mut [u8]) {
    pixels.iter_mut().for_each(|byte| *byte = 255 - *byte);
}

/// Bytes from `threshold` on become what is opposite.
pub(super) fn solarize(pixels: &mut [u8], threshold: f64) {
    pixels.iter_mut().filter(|byte| f64::from(**byte) >= threshold).for_each(|byte| *byte = 255 - *byte);
}

/// Keeps the upper `bits` of every byte.
pub(super) fn posterize(pixels: &mut [u8], bits: u32) {
    let mask = (0xff_u32 << (8 - bits)) as u8;
    pixels.iter_mut().for_each(|byte| *byte &= mask);
}

/// Stretches each channel so that it goes from 0 to 255.
pub(super) fn autocontrast(pixels: &mut [u8]) {
    map_channels(pixels, |histogram| {
        let low = histogram.iter().position(|count| *count > 0)?;
        let high = histogram.iter().rposition(|count| *count > 0)?;
        let scale = 255.0 / high.checked_sub(low).filter(|range| *range > 0)? as f64;
        let offset = -(low as f64) * scale;
        Some(std::array::from_fn(|byte| (byte as f64 * scale + offset).clamp(0.0, 255.0) as u8))
    });
}

/// Spreads each channel so that its bytes are about equally frequent.
pub(super) fn equalize(pixels: &mut [u8]) {
    map_channels(pixels, |histogram| {
        let last = *histogram.iter().rfind(|count| **count > 0)?;
        let step = (histogram.iter().sum::<usize>() - last) / 255;
        if step == 0 {
            return None;
        }
        let mut below = step / 2;
        Some(std::array::from_fn(|byte| {
            let level = (below / step).min(255) as u8;
            below += histogram[byte];
            level
        }))
    });
}

/// Away from black, or towards it: 1 changes nothing.
pub(super) fn brightness(pixels: &mut [u8], factor: f64) {
    pixels.iter_mut().for_each(|byte| *byte = blend(0, *byte, factor));
}

/// Away from the image's mean grey, or towards it.
pub(super) fn contrast(pixels: &mut [u8], factor: f64) {
    let greys = pixels.as_chunks::<3>().0.iter().map(|pixel| u64::from(grey(pixel))).sum::<u64>();
    let mean = (greys as f64 / (pixels.len() / 3) as f64 + 0.5) as u8;
    pixels.iter_mut().for_each(|byte| *byte = blend(mean, *byte, factor));
}

/// Away from each pixel's grey, or towards it.
pub(super) fn colour(pixels: &mut [u8], factor: f64) {
    for pixel in pixels.as_chunks_mut::<3>().0 {
        let grey = grey(pixel);
        pixel.iter_mut().for_each(|byte| *byte = blend(grey, *byte, factor));
    }
}

/// Away from the smoothed image, or towards it. Pixels at the edges have no smoothed value and stay.
pub(super) fn sharpness(pixels: &mut [u8], shape: Shape, factor: f64) {
    let Shape { height, width, channels } = shape;
    let original = pixels.to_vec();
    let [beside, middle] = [1.0_f32 / 13.0, 5.0 / 13.0];
    for row in 1..height.saturating_sub(1) {
        for at in row * width * channels + channels..((row + 1) * width - 1) * channels {
            // Pillow's order of sums: from the row below to the one above, left to right.
            let line = |at: usize, centre: f32| {
                f32::from(original[at - channels]) * beside
                    + f32::from(original[at]) * centre
                    + f32::from(original[at + channels]) * beside
            };
            let (above, below) = (at - width * channels, at + width * channels);
            let sum = 0.5 + line(below, beside) + line(at, middle) + line(above, beside);
            pixels[at] = blend(sum as u8, original[at], factor);
        }
    }
}

/// From `a` (0) through `b` (1) and beyond, cut off at black and white.
fn blend(a: u8, b: u8, factor: f64) -> u8 {
    let (a, b) = (f32::from(a), f32::from(b));
    // Conversion cuts off at 0 and 255, and drops what is behind the point.
    (a + factor as f32 * (b - a)) as u8
}

/// ITU-R 601 luma in 16 binary digits.
fn grey(pixel: &[u8; 3]) -> u8 {
    let [red, green, blue] = pixel.map(u32::from);
    ((19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16) as u8
}

/// Replaces the bytes of each channel by a table made from its histogram; without a table they stay.
fn map_channels(pixels: &mut [u8], table: impl Fn(&[usize; 256]) -> Option<[u8; 256]>) {
    for channel in 0..3 {
        let mut histogram = [0; 256];
        pixels.iter().skip(channel).step_by(3).for_each(|byte| histogram[usize::from(*byte)] += 1);
        if let Some(table) = table(&histogram) {
            pixels.iter_mut().skip(channel).step_by(3).for_each(|byte| *byte = table[usize::from(*byte)]);
        }
    }
}
