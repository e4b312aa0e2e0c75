//! AutoAugment's policy for CIFAR-10: 25 pairs of operations, one of which is drawn for each image.
//!
//! Cubuk, Zoph, Mane, Vasudevan and Le 2019, "AutoAugment: Learning Augmentation Policies from Data" (arXiv 1805.09501),
//! table 7 in the appendix. The paper gives magnitudes as 0 to 9; what they mean is as in the implementations for PyTorch
//! that are in common use: up to 0.3 for shears, 150 / 331 of the width for translations, 30 degrees for rotations, 0.9
//! for the distance of a factor from 1, 8 to 4 bits, and a threshold of 256 to 0.

use super::{colour, geometry};
use crate::data::images::Shape;
use crate::rng::Stream;

/// An operation of the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Rows move sideways, the more the lower they are.
    ShearX,
    /// Columns move up or down.
    ShearY,
    /// Sideways.
    TranslateX,
    /// Up or down.
    TranslateY,
    /// Around the centre.
    Rotate,
    /// Stretches each channel to 0 to 255.
    AutoContrast,
    /// Makes the values of each channel equally frequent.
    Equalize,
    /// The opposite of every value.
    Invert,
    /// The opposite of high values.
    Solarize,
    /// Fewer bits.
    Posterize,
    /// More or less contrast.
    Contrast,
    /// More or less colour.
    Color,
    /// Brighter or darker.
    Brightness,
    /// Sharper or smoother.
    Sharpness,
}

/// Two operations, each with its probability and its magnitude, 0 to 9.
pub type SubPolicy = [(Operation, f64, u8); 2];

use Operation::{
    AutoContrast, Brightness, Color, Contrast, Equalize, Invert, Posterize, Rotate, Sharpness, ShearX, ShearY,
    Solarize, TranslateX, TranslateY,
};

/// The policy, in the order of the paper's table. The magnitude counts for nothing with AutoContrast, Equalize and Invert.
pub const CIFAR10_POLICY: [SubPolicy; 25] = [
    [(Invert, 0.1, 7), (Contrast, 0.2, 6)],
    [(Rotate, 0.7, 2), (TranslateX, 0.3, 9)],
    [(Sharpness, 0.8, 1), (Sharpness, 0.9, 3)],
    [(ShearY, 0.5, 8), (TranslateY, 0.7, 9)],
    [(AutoContrast, 0.5, 8), (Equalize, 0.9, 2)],
    [(ShearY, 0.2, 7), (Posterize, 0.3, 7)],
    [(Color, 0.4, 3), (Brightness, 0.6, 7)],
    [(Sharpness, 0.3, 9), (Brightness, 0.7, 9)],
    [(Equalize, 0.6, 5), (Equalize, 0.5, 1)],
    [(Contrast, 0.6, 7), (Sharpness, 0.6, 5)],
    [(Color, 0.7, 7), (TranslateX, 0.5, 8)],
    [(Equalize, 0.3, 7), (AutoContrast, 0.4, 8)],
    [(TranslateY, 0.4, 3), (Sharpness, 0.2, 6)],
    [(Brightness, 0.9, 6), (Color, 0.2, 8)],
    [(Solarize, 0.5, 2), (Invert, 0.0, 3)],
    [(Equalize, 0.2, 0), (AutoContrast, 0.6, 0)],
    [(Equalize, 0.2, 8), (Equalize, 0.6, 4)],
    [(Color, 0.9, 9), (Equalize, 0.6, 6)],
    [(AutoContrast, 0.8, 4), (Solarize, 0.2, 8)],
    [(Brightness, 0.1, 3), (Color, 0.7, 0)],
    [(Solarize, 0.4, 5), (AutoContrast, 0.9, 3)],
    [(TranslateY, 0.9, 9), (TranslateY, 0.7, 9)],
    [(AutoContrast, 0.9, 2), (Solarize, 0.8, 3)],
    [(Equalize, 0.8, 8), (Invert, 0.1, 3)],
    [(TranslateY, 0.7, 9), (AutoContrast, 0.9, 1)],
];

/// Draws a pair, and then for each operation of it whether it is made and in which direction.
pub(super) fn apply(pixels: &mut Vec<u8>, shape: Shape, stream: &mut Stream) {
    for (operation, probability, magnitude) in CIFAR10_POLICY[stream.index(CIFAR10_POLICY.len())] {
        let made = stream.uniform() < probability;
        let sign = if stream.index(2) == 0 { -1.0 } else { 1.0 };
        if made {
            operation.apply(pixels, shape, magnitude, sign);
        }
    }
}

impl Operation {
    /// Changes an image in place. `sign` is 1 or -1; operations without a direction ignore it.
    pub(super) fn apply(self, pixels: &mut Vec<u8>, shape: Shape, magnitude: u8, sign: f64) {
        let part = f64::from(magnitude) / 9.0;
        let factor = 1.0 + sign * 0.9 * part;
        let shift = sign * part * 150.0 / 331.0;
        match self {
            ShearX => geometry::affine(pixels, shape, [1.0, sign * 0.3 * part, 0.0, 0.0, 1.0, 0.0]),
            ShearY => geometry::affine(pixels, shape, [1.0, 0.0, 0.0, sign * 0.3 * part, 1.0, 0.0]),
            TranslateX => geometry::translate(pixels, shape, shift * shape.width as f64, 0.0),
            TranslateY => geometry::translate(pixels, shape, 0.0, shift * shape.height as f64),
            Rotate => geometry::rotate(pixels, shape, sign * 30.0 * part),
            AutoContrast => colour::autocontrast(pixels),
            Equalize => colour::equalize(pixels),
            Invert => colour::invert(pixels),
            Solarize => colour::solarize(pixels, 256.0 * (1.0 - part)),
            Posterize => colour::posterize(pixels, (8.0 - 4.0 * part).round() as u32),
            Contrast => colour::contrast(pixels, factor),
            Color => colour::colour(pixels, factor),
            Brightness => colour::brightness(pixels, factor),
            Sharpness => colour::sharpness(pixels, shape, factor),
        }
    }
}
