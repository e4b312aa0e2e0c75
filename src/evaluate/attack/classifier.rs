//! A network as an attack sees it: logits, and gradients of functions of the logits with respect to the image.

use crate::model::Network;
use crate::nn::kernels::threads;
use crate::nn::{Mode, Trace};
use candle_core::{DType, Device, FloatDType, Result, Tensor, Var, WithDType, bail};
use rayon::prelude::*;
use std::marker::PhantomData;

/// Rows of every pass through the network. What is missing is filled up with rows that nobody reads.
///
/// A matrix product may add in another order when it has another number of rows (`gemm` chooses its loops by the
/// shape), and an attack takes the sign of numbers near 0: an image would then be attacked differently in other
/// company. With one shape for all passes a row's result depends on the row alone. In networks of 784-100-10, 25 rows
/// and fewer gave other bits than 128 for every image, 32 and more gave the same. 128 rows are few enough for the
/// activations to stay in cache, and enough for the products to run at full speed.
pub const ROWS: usize = 128;

/// A classifier of flat images with pixels in [0, 1]. `T` is the type in which the network computes, and with it that of
/// all points that an attack visits.
#[derive(Clone)]
pub struct Classifier<'a, T = f32> {
    network: &'a dyn Network,
    inputs: usize,
    classes: usize,
    device: Device,
    batch: usize,
    pixels: PhantomData<T>,
}

impl<'a> Classifier<'a> {
    /// A network of f32 parameters on the CPU, for images of `inputs` pixels. Give [`crate::model::Model::frozen`]:
    /// its parameters are constants, so that a backward pass computes the gradient of the images alone.
    ///
    /// # Errors
    /// When the network cannot take such images or has fewer than two outputs.
    pub fn new(network: &'a dyn Network, inputs: usize) -> Result<Self> {
        Self::on(network, inputs, &Device::Cpu)
    }
}

impl<'a, T: FloatDType> Classifier<'a, T> {
    /// As [`Classifier::new`], for a network of another type (f64) or on another device.
    ///
    /// # Errors
    /// As [`Classifier::new`].
    pub fn on(network: &'a dyn Network, inputs: usize, device: &Device) -> Result<Self> {
        let mut classifier =
            Self { network, inputs, classes: 0, device: device.clone(), batch: ROWS, pixels: PhantomData };
        if inputs == 0 || inputs > isize::MAX as usize / (ROWS * size_of::<f64>()) {
            bail!("images of {inputs} pixels cannot be attacked");
        }
        let blank = classifier.tensor(&vec![T::zero(); ROWS * inputs])?;
        let (rows, classes) = network.forward(&blank, Mode::Eval)?.dims2()?;
        if rows != ROWS || classes < 2 {
            bail!(
                "a classifier of {ROWS} images should return {ROWS} rows of at least 2 logits, got {rows} x {classes}"
            );
        }
        classifier.classes = classes;
        Ok(classifier)
    }

    /// How many images are attacked at a time on each thread: 1 to [`ROWS`], larger numbers count as [`ROWS`]. Results
    /// do not depend on it; fewer are slower.
    pub fn with_batch(self, batch: usize) -> Self {
        Self { batch: batch.clamp(1, ROWS), ..self }
    }

    /// Pixels of an image.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Number of logits.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Images attacked at a time on each thread.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Logits of some images, in f64. Images of another type are rounded to that of the network.
    ///
    /// # Shapes
    /// - images: (images, inputs) -> (images, classes)
    ///
    /// # Errors
    /// When the network fails, or the pixels are no whole images.
    pub fn logits<I: WithDType>(&self, images: &[I]) -> Result<Vec<f64>> {
        if !images.len().is_multiple_of(self.inputs) {
            bail!("{} pixels are no whole number of images of {}", images.len(), self.inputs);
        }
        let of_block = |images: &[I]| {
            let logits = self.network.forward(&self.tensor(&self.filled(images))?, Mode::Eval)?;
            Ok(in_double(&logits)?[..images.len() / self.inputs * self.classes].to_vec())
        };
        each_block(images.chunks(ROWS * self.inputs).collect(), of_block)
    }

    /// Gradients of sum_k c_k z_k with respect to some images.
    ///
    /// # Shapes
    /// - images: (images, inputs)
    /// - cotangents (c): (images, classes) -> (images, inputs)
    ///
    /// # Errors
    /// When the network fails, or there are not as many images as cotangents.
    pub fn gradients(&self, images: &[T], cotangents: &[f64]) -> Result<Vec<T>> {
        if !images.len().is_multiple_of(self.inputs) || images.len() / self.inputs * self.classes != cotangents.len() {
            bail!("{} pixels have no gradients with {} cotangents", images.len(), cotangents.len());
        }
        let of_block = |(images, cotangents): (&[T], &[f64])| {
            let mut all = cotangents.to_vec();
            all.resize(ROWS * self.classes, 0.0);
            let mut gradients = self.forward(&self.filled(images), Want::Gradients)?.backward(&all)?;
            gradients.truncate(images.len());
            for (gradient, c) in gradients.chunks_exact_mut(self.inputs).zip(all.chunks_exact(self.classes)) {
                let scale = largest(c);
                gradient.iter_mut().for_each(|g| *g = T::from_f64(g.to_f64() * scale));
            }
            Ok(gradients)
        };
        let pieces = images.chunks(ROWS * self.inputs).zip(cotangents.chunks(ROWS * self.classes));
        each_block(pieces.collect(), of_block)
    }

    /// One pass of [`ROWS`] images.
    pub(super) fn forward(&self, block: &[T], want: Want) -> Result<Pass<T>> {
        let images = self.tensor(block)?;
        let (output, back) = match want {
            Want::Logits => (self.network.forward(&images, Mode::Eval)?, Back::Nowhere),
            Want::Gradients => match self.network.traced(&images)? {
                Some((output, trace)) => (output, Back::Trace(trace)),
                None => {
                    let input = Var::from_slice(block, (ROWS, self.inputs), &self.device)?;
                    let output = self.network.forward(input.as_tensor(), Mode::Eval)?;
                    (output.clone(), Back::Graph { input, output })
                }
            },
        };
        Ok(Pass { logits: in_double(&output)?, back, classes: self.classes, pixels: PhantomData })
    }

    fn tensor<I: WithDType>(&self, images: &[I]) -> Result<Tensor> {
        Tensor::from_slice(images, (ROWS, self.inputs), &self.device)?.to_dtype(T::DTYPE)
    }

    fn filled<I: WithDType>(&self, images: &[I]) -> Vec<I> {
        let mut block = images.to_vec();
        block.resize(ROWS * self.inputs, I::zero());
        block
    }
}

/// What becomes of every block, one after the other; on all threads, if there are several.
fn each_block<B: Send, R: Clone + Send>(blocks: Vec<B>, work: impl Fn(B) -> Result<Vec<R>> + Sync) -> Result<Vec<R>> {
    let results: Result<Vec<_>> = match threads::count() {
        1 => blocks.into_iter().map(work).collect(),
        _ => blocks.into_par_iter().map(&work).collect(),
    };
    Ok(results?.concat())
}

/// What a pass is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// Logits alone: nothing is recorded.
    Logits,
    /// A backward pass may follow.
    Gradients,
}

/// A forward pass, ready to go back.
pub(super) struct Pass<T> {
    back: Back,
    /// (ROWS, classes)
    pub logits: Vec<f64>,
    classes: usize,
    pixels: PhantomData<T>,
}

/// How gradients get from the logits to the images.
enum Back {
    /// The pass was made for logits alone.
    Nowhere,
    /// From layer to layer.
    Trace(Trace),
    /// Through candle's graph.
    Graph { input: Var, output: Tensor },
}

impl<T: FloatDType> Pass<T> {
    /// Gradients of sum_k c_k z_k, each divided by the largest |c_k| of its row; 0 where c is 0. Attacks use directions,
    /// and the probabilities in c would leave the range of f32. Where the largest |c_k| is 1 this is the gradient.
    ///
    /// # Shapes
    /// - cotangents (c): (ROWS, classes) -> (ROWS, inputs)
    pub fn backward(&self, cotangents: &[f64]) -> Result<Vec<T>> {
        let mut scaled = cotangents.to_vec();
        for row in scaled.chunks_exact_mut(self.classes) {
            let largest = largest(row);
            if largest > 0.0 {
                row.iter_mut().for_each(|c| *c /= largest);
            }
        }
        let (input, output) = match &self.back {
            Back::Nowhere => bail!("this pass was made for logits alone"),
            Back::Trace(trace) => return trace.backward(scaled.into_iter().map(T::from_f64).collect()),
            Back::Graph { input, output } => (input, output),
        };
        let c = Tensor::from_vec(scaled, output.dims(), output.device())?.to_dtype(output.dtype())?;
        let gradients = (output * c)?.sum_all()?.backward()?;
        match gradients.get(input.as_tensor()) {
            Some(gradient) => gradient.flatten_all()?.to_vec1(),
            // The network does not let a gradient through; that is a finding, not an error.
            None => Ok(vec![T::zero(); input.elem_count()]),
        }
    }
}

fn largest(row: &[f64]) -> f64 {
    row.iter().fold(0.0, |largest, c| largest.max(c.abs()))
}

fn in_double(logits: &Tensor) -> Result<Vec<f64>> {
    logits.detach().to_dtype(DType::F64)?.flatten_all()?.to_vec1()
}
