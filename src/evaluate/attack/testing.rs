//! Networks whose answers are known, for the tests of attacks.

use super::{Classifier, Examples, Norm};
use crate::model::{FcNetConfig, HanNetConfig, Model, ModelConfig, Network};
use crate::nn::Mode;
use crate::rng::Seed;
use candle_core::{DType, Device, FloatDType, Result, Tensor};
use std::sync::atomic::{AtomicU64, Ordering};

/// z = W x + b behind something that hides its gradient, or breaks it.
pub struct Planted {
    /// (classes, inputs)
    weight: Tensor,
    rows: Vec<Vec<f32>>,
    bias: Tensor,
    mask: Mask,
}

/// What stands between a planted network and its attacker.
pub enum Mask {
    /// Nothing.
    None,
    /// Logits times a number.
    Scaled(f64),
    /// Pixels rounded to eighths; the gradient passes as if they were not.
    Rounded,
    /// Pixels rounded to eighths, through which no gradient passes.
    Shattered,
    /// Other noise on the logits in every pass.
    Noisy(AtomicU64),
    /// The same logits; their gradient is NaN.
    Slopeless,
    /// Logits times NaN.
    Broken,
    /// Softmax.
    Probabilities,
}

impl Planted {
    pub fn new(classes: usize, inputs: usize, mask: Mask) -> Result<Self> {
        let mut stream = Seed(21).stream("planted");
        let rows: Vec<Vec<f32>> = (0..classes).map(|_| (0..inputs).map(|_| stream.normal() as f32).collect()).collect();
        let bias: Vec<f32> = (0..classes).map(|_| 0.1 * stream.normal() as f32).collect();
        // The middle of the box is then near all boundaries.
        let shift = |row: &Vec<f32>| row.iter().sum::<f32>() / 2.0;
        let bias: Vec<f32> = bias.iter().zip(&rows).map(|(b, row)| b - shift(row)).collect();
        let weight = Tensor::from_vec(rows.concat(), (classes, inputs), &Device::Cpu)?;
        Ok(Self { weight, rows, bias: Tensor::new(bias, &Device::Cpu)?, mask })
    }

    /// The same logits for all images.
    pub fn constant(logits: &[f32], inputs: usize) -> Result<Self> {
        let weight = Tensor::zeros((logits.len(), inputs), DType::F32, &Device::Cpu)?;
        let bias = Tensor::new(logits, &Device::Cpu)?;
        Ok(Self { weight, rows: vec![vec![0.0; inputs]; logits.len()], bias, mask: Mask::None })
    }

    /// The distance to the nearest boundary without a box: min_j (z_y - z_j) / |w_y - w_j|, in the dual norm.
    pub fn distance(&self, norm: Norm, logits: &[f64], label: usize) -> f64 {
        let to = |class: usize| {
            let differences = self.rows[label].iter().zip(&self.rows[class]).map(|(a, b)| f64::from(a - b));
            let size = match norm {
                Norm::Linf => differences.map(f64::abs).sum::<f64>(),
                Norm::L2 => differences.map(|d| d * d).sum::<f64>().sqrt(),
            };
            (logits[label] - logits[class]) / size
        };
        (0..self.rows.len()).filter(|class| *class != label).map(to).fold(f64::INFINITY, f64::min)
    }
}

impl Network for Planted {
    fn forward(&self, xs: &Tensor, _mode: Mode) -> Result<Tensor> {
        let linear = |xs: &Tensor| xs.matmul(&self.weight.t()?)?.broadcast_add(&self.bias);
        let eighths = |xs: &Tensor| (xs.detach() * 8.0)?.round()? / 8.0;
        match &self.mask {
            Mask::None => linear(xs),
            Mask::Scaled(factor) => linear(xs)? * *factor,
            Mask::Rounded => linear(&(xs + (eighths(xs)? - xs.detach())?)?),
            Mask::Shattered => linear(&eighths(xs)?),
            Mask::Noisy(pass) => {
                let z = linear(xs)?;
                let mut stream = Seed(pass.fetch_add(1, Ordering::Relaxed)).stream("noise");
                let noise: Vec<f32> = (0..z.elem_count()).map(|_| stream.normal() as f32).collect();
                z.clone() + Tensor::from_vec(noise, z.shape(), z.device())?
            }
            Mask::Slopeless => {
                let zero = (xs.sum_keepdim(1)? - xs.sum_keepdim(1)?)?;
                linear(xs)?.broadcast_add(&zero.sqrt()?)
            }
            Mask::Broken => linear(xs)? * f64::NAN,
            Mask::Probabilities => candle_nn::ops::softmax(&linear(xs)?, 1),
        }
    }
}

/// Images around the middle of the box, in uniform noise of that size.
pub fn images<T: FloatDType>(count: usize, inputs: usize, spread: f64) -> Vec<T> {
    let mut stream = Seed(8).stream("images");
    (0..count * inputs).map(|_| T::from_f64(0.5 + spread * (stream.uniform() - 0.5))).collect()
}

/// Examples that the network classifies right.
pub fn right<T: FloatDType>(classifier: &Classifier<'_, T>, images: Vec<T>) -> Result<Examples<T>> {
    let logits = classifier.logits(&images)?;
    let labels = logits.chunks_exact(classifier.classes()).map(|z| super::loss::descending(z)[0]).collect();
    Examples::new(classifier, images, labels)
}

/// Untrained networks of both kinds, with a Han-layer in the first.
pub fn models(inputs: usize, width: usize, classes: usize, dtype: DType) -> Result<Vec<Model>> {
    let han = ModelConfig::Hannet(HanNetConfig::new(width, 3, vec![1]));
    let fc = ModelConfig::Fcnet(FcNetConfig::new(width, 3));
    [han, fc].iter().map(|config| config.build_as(dtype, inputs, classes, Seed(3), &Device::Cpu)).collect()
}
