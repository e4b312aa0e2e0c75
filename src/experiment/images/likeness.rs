//! Whether the slope of the loss at an image says anything about its slope nearby.

use super::parts::Parts;
use crate::data::TrainingSet;
use crate::data::augment::DEVIATION;
use crate::evaluate::gradient::{Likeness, cosines};
use crate::model::Network;
use crate::nn::Mode;
use crate::rng::Seed;
use candle_core::{D, Result, Tensor};
use candle_nn::ops::log_softmax;

/// Test images that are looked at.
const IMAGES: usize = 256;
/// Numbers in the images of a pass, for which all that a network computes is kept: a ResNet takes 9.5 GB for 64 images of 96 x 96
/// pixels.
const PASS: usize = IMAGES * 3 * 32 * 32;

/// The likeness of the loss's gradients at test images and at neighbours, in which every byte is one higher or lower. The images and
/// neighbours are the same for every network and seed.
pub(super) fn of_images(network: &dyn Network, parts: &Parts<'_>) -> Result<Likeness> {
    in_passes(network, parts, PASS)
}

/// [`of_images`] in passes of so many numbers.
fn in_passes(network: &dyn Network, parts: &Parts<'_>, numbers: usize) -> Result<Likeness> {
    let rows: Vec<u32> = (0..IMAGES.min(parts.test.len()) as u32).collect();
    let (images, labels) = parts.test.batch(0, &rows)?;
    let shape = images.dims().to_vec();
    let mut stream = Seed(0).stream("likeness");
    let steps = DEVIATION.map(|deviation| 1.0 / (255.0 * deviation));
    let moves: Vec<f32> = (0..images.elem_count())
        .map(|entry| if stream.uniform() < 0.5 { -steps[entry % steps.len()] } else { steps[entry % steps.len()] })
        .collect();
    let moves = Tensor::from_vec(moves, shape.as_slice(), images.device())?;
    let (labels, neighbours) = (labels.unsqueeze(1)?, (&images + moves)?.flatten_from(1)?);
    let points = images.flatten_from(1)?;
    let mut found = Vec::new();
    let most = (numbers / points.dim(1)?).max(1);
    for first in (0..rows.len()).step_by(most) {
        let count = most.min(rows.len() - first);
        let labels = labels.narrow(0, first, count)?;
        let extents = [&[count], &shape[1..]].concat();
        let loss = |flat: &Tensor| -> Result<Tensor> {
            let logits = network.forward(&flat.reshape(extents.as_slice())?, Mode::Eval)?;
            log_softmax(&logits, D::Minus1)?.gather(&labels, 1)?.neg()
        };
        found.extend(cosines(&loss, &points.narrow(0, first, count)?, &neighbours.narrow(0, first, count)?)?);
    }
    Ok(Likeness::of(&found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::augment::Augmented;
    use crate::data::images::{Images, Shape};
    use crate::model::image::{ImageModelConfig, MixerConfig};
    use candle_core::Device;

    #[test]
    fn the_likeness_does_not_depend_on_the_passes() -> Result<()> {
        const COUNT: usize = 10;
        let shape = Shape::colour(32);
        let mut stream = Seed(1).stream("test");
        let pixels = (0..COUNT * shape.features()).map(|_| (256.0 * stream.uniform()) as u8).collect();
        let images = Images { pixels, labels: (0..COUNT as u16).collect(), shape };
        let plain = || Augmented::plain(&images, (0..COUNT).collect(), &Device::Cpu);
        let parts = Parts { train: plain(), scored: plain(), validation: None, test: plain() };
        let config = ImageModelConfig::Mixer(MixerConfig::new(8, 1, 1));
        let model = config.build([32, 32, 3], COUNT, Seed(2), &Device::Cpu)?;
        let of = |images: usize| in_passes(model.frozen.as_ref(), &parts, images * shape.features());
        let whole = of(COUNT)?;
        assert!(whole.pairs == COUNT && whole.cosine.is_some_and(|cosine| cosine.abs() < 0.999), "{whole:?}");
        for most in [0, 1, 3, COUNT - 1, COUNT + 1] {
            let cut = of(most)?;
            let off = cut.cosine.zip(whole.cosine).map(|(cut, whole)| (cut - whole).abs());
            assert!(cut.pairs == COUNT && off.is_some_and(|off| off < 1e-6), "{most}: {cut:?} and {whole:?}");
        }
        Ok(())
    }
}
