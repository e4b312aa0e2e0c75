//! Whether the slope of the loss at an image says anything about its slope nearby.

use super::parts::Parts;
use crate::data::TrainingSet;
use crate::data::augment::DEVIATION;
use crate::evaluate::gradient::{Likeness, likeness};
use crate::model::Network;
use crate::nn::Mode;
use crate::rng::Seed;
use candle_core::{D, Result, Tensor};
use candle_nn::ops::log_softmax;

/// Test images that are looked at.
const IMAGES: usize = 256;

/// The likeness of the loss's gradients at test images and at neighbours, in which every byte is one higher or lower. The images and
/// neighbours are the same for every network and seed.
pub(super) fn of_images(network: &dyn Network, parts: &Parts<'_>) -> Result<Likeness> {
    let rows: Vec<u32> = (0..IMAGES.min(parts.test.len()) as u32).collect();
    let (images, labels) = parts.test.batch(0, &rows)?;
    let shape = images.dims().to_vec();
    let mut stream = Seed(0).stream("likeness");
    let steps = DEVIATION.map(|deviation| 1.0 / (255.0 * deviation));
    let moves: Vec<f32> = (0..images.elem_count())
        .map(|entry| if stream.uniform() < 0.5 { -steps[entry % steps.len()] } else { steps[entry % steps.len()] })
        .collect();
    let moves = Tensor::from_vec(moves, shape.as_slice(), images.device())?;
    let labels = labels.unsqueeze(1)?;
    let loss = |flat: &Tensor| -> Result<Tensor> {
        let logits = network.forward(&flat.reshape(shape.as_slice())?, Mode::Eval)?;
        log_softmax(&logits, D::Minus1)?.gather(&labels, 1)?.neg()
    };
    likeness(&loss, &images.flatten_from(1)?, &(&images + moves)?.flatten_from(1)?)
}
