//! Labelled images and what the network says of them before any attack.

use super::classifier::Classifier;
use super::loss::margin;
use super::threat::in_box;
use candle_core::{FloatDType, Result, bail};
use std::collections::BTreeSet;
use std::ops::Range;

/// A set of labelled images with their clean logits. Pixels are of the type in which the network computes.
#[derive(Debug, Clone)]
pub struct Examples<T = f32> {
    /// `[len, inputs]`
    images: Vec<T>,
    labels: Vec<usize>,
    /// Which image of the data set each of them is; keys the random numbers.
    indices: Vec<usize>,
    /// `[len, classes]`
    logits: Vec<f64>,
}

/// One of them.
#[derive(Debug, Clone, Copy)]
pub struct Example<'a, T = f32> {
    /// Its place in the data set.
    pub index: usize,
    /// Its pixels, each in [0, 1].
    pub image: &'a [T],
    /// Its true class.
    pub label: usize,
    /// What the network says of it before any attack.
    pub logits: &'a [f64],
}

impl<T: FloatDType> Example<'_, T> {
    /// z_y less the largest other logit; see [`margin`].
    pub fn margin(&self) -> f64 {
        margin(self.logits, self.label)
    }

    /// Whether the network classifies it right: the margin is a number above 0.
    pub fn is_correct(&self) -> bool {
        self.margin() > 0.0
    }

    /// The wrong classes, the likeliest first.
    pub fn targets(&self) -> Vec<usize> {
        super::loss::descending(self.logits).into_iter().filter(|class| *class != self.label).collect()
    }
}

impl<T: FloatDType> Examples<T> {
    /// The images of a data set from its start, and their classes.
    ///
    /// # Shapes
    /// - images: (labels, inputs), pixels in [0, 1]
    ///
    /// # Errors
    /// When the images are not that many, a pixel is outside [0, 1], a label is no class, or the network fails.
    pub fn new(classifier: &Classifier<'_, T>, images: Vec<T>, labels: Vec<usize>) -> Result<Self> {
        let indices = (0..labels.len()).collect();
        Self::of_indices(classifier, images, labels, indices)
    }

    /// As [`Examples::new`], for chosen images of a data set. An image's index keys its random numbers: alone or among
    /// others it meets the same attacks.
    ///
    /// # Errors
    /// As [`Examples::new`], and when an index occurs twice.
    pub fn of_indices(
        classifier: &Classifier<'_, T>,
        images: Vec<T>,
        labels: Vec<usize>,
        indices: Vec<usize>,
    ) -> Result<Self> {
        let (inputs, classes) = (classifier.inputs(), classifier.classes());
        if images.len() != labels.len() * inputs || indices.len() != labels.len() {
            bail!("{} pixels are not {} images of {inputs}", images.len(), labels.len());
        }
        if !in_box(&images) {
            bail!("a pixel is outside [0, 1]; put the scaling of the inputs into the network");
        }
        if let Some(label) = labels.iter().find(|label| **label >= classes) {
            bail!("label {label} is no class of a network with {classes} outputs");
        }
        if indices.iter().collect::<BTreeSet<_>>().len() < indices.len() {
            bail!("an image is among the examples twice");
        }
        let logits = classifier.logits(&images)?;
        Ok(Self { images, labels, indices, logits })
    }

    /// Refuses a classifier of other images or classes than the one that the examples were made for.
    pub(crate) fn check<P: FloatDType>(&self, classifier: &Classifier<'_, P>) -> Result<()> {
        let (inputs, classes) = (classifier.inputs(), classifier.classes());
        if self.images.len() != self.len() * inputs || self.logits.len() != self.len() * classes {
            bail!("the examples are not of a classifier of images of {inputs} pixels into {classes} classes");
        }
        Ok(())
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Pixels of all images, one image after the other.
    pub fn images(&self) -> &[T] {
        &self.images
    }

    /// The example at a place of this set.
    ///
    /// # Panics
    /// When the place is not below [`Examples::len`].
    pub fn get(&self, place: usize) -> Example<'_, T> {
        let (inputs, classes) = (self.images.len() / self.len(), self.logits.len() / self.len());
        Example {
            index: self.indices[place],
            image: &self.images[place * inputs..][..inputs],
            label: self.labels[place],
            logits: &self.logits[place * classes..][..classes],
        }
    }

    /// All examples in order.
    pub fn iter(&self) -> impl Iterator<Item = Example<'_, T>> {
        (0..self.len()).map(|place| self.get(place))
    }

    /// The examples for which `keep` holds, with their indices.
    pub fn filter(&self, keep: impl Fn(Example<'_, T>) -> bool) -> Self {
        let mut kept = Self { images: vec![], labels: vec![], indices: vec![], logits: vec![] };
        for example in self.iter().filter(|example| keep(*example)) {
            kept.images.extend_from_slice(example.image);
            kept.labels.push(example.label);
            kept.indices.push(example.index);
            kept.logits.extend_from_slice(example.logits);
        }
        kept
    }

    /// Some of them, one after the other.
    ///
    /// # Panics
    /// When there are not as many.
    pub fn slice(&self, range: Range<usize>) -> Self {
        let of = |entries: usize| {
            let each = entries / self.len().max(1);
            range.start * each..range.end * each
        };
        Self {
            images: self.images[of(self.images.len())].to_vec(),
            labels: self.labels[range.clone()].to_vec(),
            indices: self.indices[range.clone()].to_vec(),
            logits: self.logits[of(self.logits.len())].to_vec(),
        }
    }

    /// Part of the images that the network classifies right, 0 to 1; 0 for no images.
    pub fn accuracy(&self) -> f64 {
        self.iter().filter(Example::is_correct).count() as f64 / self.len().max(1) as f64
    }
}
