//! Certified radii of images.

use super::precision::Precision;
use super::rounding::{self, LayerError};
use super::spectral;
use crate::model::{Layer, Network};
use crate::nn::{Dense, Mode};
use candle_core::{DType, Result, Tensor, bail};
use candle_nn::Module;
use serde::{Deserialize, Serialize};

/// Images in one forward pass: few enough for their activations to stay in cache.
const CHUNK: usize = 512;
/// Room for the rounding of the few operations in f64 that turn bounds into a radius.
const DOWN: f64 = 1.0 - 1e-12;
/// See [`DOWN`].
const UP: f64 = 1.0 + 1e-12;

/// Radii in L2, in the inputs' unit, within which an image stays classified right; 0 where it is not, or by a tie.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Radii {
    /// In real arithmetic, from the distances between rows of the head.
    pub pair: f64,
    /// In real arithmetic, from the norm of the head.
    pub global: f64,
    /// As `pair`, after [`Certificates::measured_error`] was taken from both logits: what to expect of the f32 program,
    /// not a proof.
    pub measured: f64,
    /// As `pair`, after a bound of the rounding in f32 was taken from both logits: a proof about the f32 program on
    /// this crate's CPU kernels.
    pub rounded: f64,
}

/// What is known of one image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// The class whose logit is above all others; None if there is none, for a tie or NaN.
    pub predicted: Option<u32>,
    /// Whether that is the label.
    pub correct: bool,
    /// How far that holds.
    pub radii: Radii,
}

/// The certificates of some images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Certificates {
    /// One for each image, in order.
    pub images: Vec<Certificate>,
    /// The largest distance seen between a logit of the network and the one in f64, over these images. It tells nothing
    /// of other images.
    pub measured_error: f64,
    /// The largest of the bounds of that distance, over the images that are classified right and all inputs within their real
    /// radii.
    pub error_bound: f64,
}

impl Certificates {
    /// One column of the radii.
    pub fn radii(&self, column: impl Fn(&Radii) -> f64) -> Vec<f64> {
        self.images.iter().map(|image| column(&image.radii)).collect()
    }

    /// Which images are classified right.
    pub fn correct(&self) -> Vec<bool> {
        self.images.iter().map(|image| image.correct).collect()
    }
}

/// What a network's weights say about all images: compute it once, after training.
pub struct Certifier<'a> {
    network: &'a dyn Network,
    /// In f64.
    hidden: Vec<Layer>,
    /// In f64.
    head: Dense,
    lipschitz: f64,
    head_norm: f64,
    /// ||w_t - w_j||, (classes, classes)
    distances: Vec<Vec<f64>>,
    /// Of every layer, the head last, in f32.
    single: Vec<LayerError>,
    /// As `single`, in f64.
    double: Vec<LayerError>,
}

impl<'a> Certifier<'a> {
    /// Bounds the norms of all layers.
    ///
    /// # Errors
    /// When the network is no chain of layers (a ResNet), has tanh, computes with half precision, or has a weight that is not
    /// finite.
    pub fn new(network: &'a dyn Network) -> Result<Self> {
        let chain = network.chain()?;
        let dtype = chain.head().weight().dtype();
        if !matches!(dtype, DType::F32 | DType::F64) {
            bail!("a network in {} has no certificate: it rounds more than f32", dtype.as_str());
        }
        let hidden = chain.hidden(DType::F64)?;
        let head = chain.head().constant(DType::F64)?;
        let gains = hidden.iter().map(gain).collect::<Result<Vec<_>>>()?;
        let errors = |precision| -> Result<Vec<LayerError>> {
            let hidden = hidden.iter().zip(&gains).map(|(layer, gain)| LayerError::of_hidden(layer, *gain, precision));
            hidden.chain([LayerError::of_head(&head, precision)]).collect()
        };
        let (single, double) = (errors(Precision::F32)?, errors(Precision::F64)?);
        // Products of thousands of gains round more often than UP has room for.
        let lipschitz = gains.iter().product::<f64>() * (1.0 + Precision::F64.gamma(gains.len() + 2)).max(UP);
        let head_norm = spectral::upper_bound(head.weight())?;
        let distances = row_distances(&head.weight().to_vec2()?);
        Ok(Self { network, hidden, head, lipschitz, head_norm, distances, single, double })
    }

    /// L, an upper bound of the Lipschitz constant (L2) of all layers before the head.
    pub fn lipschitz(&self) -> f64 {
        self.lipschitz
    }

    /// An upper bound of the spectral norm of the head.
    pub fn head_norm(&self) -> f64 {
        self.head_norm
    }

    /// Certifies images.
    ///
    /// # Shapes
    /// - images: (images, inputs), of the network's type
    /// - labels: one for each image
    ///
    /// # Errors
    /// When the numbers of images and labels differ, or a label is no class.
    pub fn certify(&self, images: &Tensor, labels: &[u32]) -> Result<Certificates> {
        let (count, _) = images.dims2()?;
        if count != labels.len() {
            bail!("{count} images cannot be certified with {} labels", labels.len());
        }
        if let Some(label) = labels.iter().find(|label| **label as usize >= self.distances.len()) {
            bail!("label {label} is none of the {} classes", self.distances.len());
        }
        let mut logits = Vec::with_capacity(count);
        for start in (0..count).step_by(CHUNK) {
            logits.extend(self.logits(&images.narrow(0, start, CHUNK.min(count - start))?)?);
        }
        let measured_error = logits.iter().map(Logits::error).fold(0.0, f64::max);
        let certified =
            logits.iter().zip(labels).map(|(logits, label)| self.certificate(logits, *label, measured_error));
        let (images, bounds): (Vec<_>, Vec<_>) = certified.unzip();
        let error_bound = bounds.into_iter().fold(0.0, f64::max);
        Ok(Certificates { images, measured_error, error_bound })
    }

    /// Runs images through the network and through its layers in f64.
    fn logits(&self, images: &Tensor) -> Result<Vec<Logits>> {
        let program = self.network.forward(images, Mode::Eval)?.to_dtype(DType::F64)?.to_vec2::<f64>()?;
        let mut h = images.to_dtype(DType::F64)?;
        let mut norms = vec![row_norms(&h)?];
        for layer in &self.hidden {
            h = layer.forward(&h)?;
            norms.push(row_norms(&h)?);
        }
        let real = self.head.forward(&h)?.to_vec2::<f64>()?;
        let images = program.into_iter().zip(real).enumerate();
        let norms = |image: usize| {
            let computed: Vec<f64> = norms.iter().map(|of_layer| of_layer[image]).collect();
            rounding::real_norms(&self.double, &computed)
        };
        Ok(images.map(|(image, (program, real))| Logits { program, real, norms: norms(image) }).collect())
    }

    /// With the bound of the rounding that was taken off.
    fn certificate(&self, logits: &Logits, label: u32, measured_error: f64) -> (Certificate, f64) {
        let predicted = strict_argmax(&logits.program);
        if predicted != Some(label) {
            return (Certificate { predicted, correct: false, radii: Radii::NONE }, 0.0);
        }
        let margins = |error: f64| -> Vec<(usize, f64)> {
            let right = label as usize;
            let others = (0..logits.real.len()).filter(|class| *class != right);
            others.map(|class| (class, logits.real[right] - logits.real[class] - 2.0 * error)).collect()
        };
        let pair = |error: f64| {
            let reach = |class: usize| self.lipschitz * self.distances[label as usize][class];
            smallest(margins(error).into_iter().map(|(class, margin)| margin / reach(class)))
        };
        // The f64 pass rounds as well.
        let of_f64 = rounding::bound(&self.double, &logits.norms, 0.0);
        let real = pair(of_f64);
        let global = 2f64.sqrt() * self.lipschitz * self.head_norm;
        // The f32 program is asked about inputs up to the real radius away, and no certificate reaches further.
        let of_f32 = rounding::bound(&self.single, &logits.norms, real);
        let radii = Radii {
            pair: real,
            global: smallest(margins(of_f64).into_iter().map(|(_, margin)| margin / global)),
            measured: pair(of_f64 + measured_error),
            rounded: pair(of_f64 + of_f32),
        };
        (Certificate { predicted, correct: true, radii }, of_f32)
    }
}

impl Radii {
    const NONE: Self = Self { pair: 0.0, global: 0.0, measured: 0.0, rounded: 0.0 };
}

/// The logits of an image.
struct Logits {
    /// From the network.
    program: Vec<f64>,
    /// From its layers in f64.
    real: Vec<f64>,
    /// Of the real input of every layer, from above, the head's last.
    norms: Vec<f64>,
}

impl Logits {
    fn error(&self) -> f64 {
        self.program.iter().zip(&self.real).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    }
}

/// An upper bound of a layer's Lipschitz constant.
fn gain(layer: &Layer) -> Result<f64> {
    match layer {
        Layer::Dense(dense) => spectral::upper_bound(dense.weight()),
        Layer::Han(_) => Ok(1.0),
    }
}

/// The smallest of some radii from below; 0 if one is not above 0.
fn smallest(radii: impl Iterator<Item = f64>) -> f64 {
    // Written so that NaN counts as 0.
    let counted = radii.map(|radius| if radius > 0.0 { radius } else { 0.0 });
    counted.fold(f64::INFINITY, f64::min) * DOWN
}

/// The place of the entry that is larger than all others; None for ties at the top and where one is not finite.
fn strict_argmax(logits: &[f64]) -> Option<u32> {
    let above_all =
        |place: usize| logits.iter().enumerate().all(|(other, logit)| other == place || logits[place] > *logit);
    let finite = logits.iter().all(|logit| logit.is_finite());
    (0..logits.len()).find(|place| finite && above_all(*place)).map(|place| place as u32)
}

/// The Euclidean distances between rows, from above.
fn row_distances(rows: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let distance = |a: &[f64], b: &[f64]| {
        let square = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
        root(square, a.len()) * UP.max(1.0 + Precision::F64.gamma(a.len() + 4))
    };
    rows.iter().map(|a| rows.iter().map(|b| distance(a, b)).collect()).collect()
}

/// The Euclidean lengths of rows.
fn row_norms(rows: &Tensor) -> Result<Vec<f64>> {
    let squares = rows.sqr()?.sum(1)?.to_vec1::<f64>()?;
    Ok(squares.into_iter().map(|square| root(square, rows.dims()[1])).collect())
}

/// The root of a computed sum of that many squares, and of what was lost where they were so small that they became 0.
fn root(sum: f64, count: usize) -> f64 {
    (sum + count as f64 * f64::MIN_POSITIVE).sqrt()
}
