//! How far the logits that a program computes may lie from the real ones.
//!
//! The theorem behind a certificate is about real numbers. A program in f32 computes other logits, and rounding alone
//! can turn a prediction inside a radius that ignores it (Zombori et al. 2021, "Fooling a Complete Neural Network
//! Verifier"; Jin et al. 2022, "Getting a-Round Guarantees: Floating-Point Attacks on Certified Robustness"). With an
//! error e of a layer's input, of real norm n, its output is off by at most
//!
//! ```text
//! e' = gain e + relative (n + e) + absolute
//! ```
//!
//! A sum of k products is off by gamma_k = k u / (1 - k u) of the sum of their magnitudes in any order, fused or not
//! (Higham 2002, Section 3.1). For a dense layer that makes relative = gamma ||W||_F and absolute = gamma ||b||; |.| and
//! ReLU round nothing. What a Han-layer rounds is in `rounding_han`. All of it holds while nothing overflows: the error that
//! a layer adds is at least u of every sum in it, so where it is below u times the largest number, nothing does.

pub use super::precision::Precision;
use super::rounding_han;
use crate::model::Layer;
use crate::nn::{Activation, Dense};
use candle_core::{DType, Result, Tensor, bail};

/// How a layer passes errors on and adds its own.
#[derive(Debug, Clone, Copy)]
pub struct LayerError {
    gain: f64,
    relative: f64,
    absolute: f64,
    /// A sum in the layer may overflow once the error that the layer adds is this large: that error is at least one unit of every
    /// partial sum.
    overflow: f64,
}

impl LayerError {
    /// The error in the Euclidean norm of a hidden layer with the Lipschitz constant `gain`.
    ///
    /// # Errors
    /// When the layer has tanh.
    pub fn of_hidden(layer: &Layer, gain: f64, precision: Precision) -> Result<Self> {
        match layer {
            Layer::Dense(dense) => {
                if dense.activation() == Activation::Tanh {
                    bail!("a network with tanh has no certificate: how far a program's tanh is off is not known");
                }
                let (outputs, inputs) = dense.weight().dims2()?;
                let gamma = precision.gamma(inputs + 2);
                Ok(Self {
                    gain,
                    relative: gamma * norm(dense.weight())?,
                    absolute: gamma * norm(dense.bias())? + underflow(precision, inputs, outputs),
                    overflow: overflow(precision),
                })
            }
            Layer::Han(han) => {
                let width = han.bias().elem_count();
                let relative = rounding_han::relative(han, precision)?;
                // x + b and what is added to it: two operations, see `rounding_han`.
                let absolute = precision.gamma(4) * norm(han.bias())? + underflow(precision, width, width);
                Ok(Self { gain, relative, absolute, overflow: overflow(precision) })
            }
        }
    }

    /// The largest error of a logit, for the head.
    ///
    /// # Errors
    /// When an operation fails.
    pub fn of_head(head: &Dense, precision: Precision) -> Result<Self> {
        let (classes, width) = head.weight().dims2()?;
        let rows = (0..classes).map(|class| norm(&head.weight().get(class)?)).collect::<Result<Vec<_>>>()?;
        let longest = rows.into_iter().fold(0.0, f64::max);
        let gamma = precision.gamma(width + 2);
        let absolute = gamma * norm(head.bias())? + underflow(precision, width, 1);
        Ok(Self { gain: longest, relative: gamma * longest, absolute, overflow: overflow(precision) })
    }
}

/// A bound of the error of every logit, for all inputs closer than `radius` to one whose hidden layers see inputs of
/// the given real norms.
pub fn bound(layers: &[LayerError], norms: &[f64], radius: f64) -> f64 {
    let (mut error, mut reach) = (0.0, radius);
    for (layer, norm) in layers.iter().zip(norms) {
        error = layer.after(error, norm + reach);
        reach *= layer.gain;
    }
    // The few operations of this function itself are far below.
    error * (1.0 + 1e-9)
}

/// The real norms of the inputs of all layers, from above, given those that a pass of these errors computed.
///
/// A norm computed lies within the error of its vector from the real one. That is far below the room for the rounding of
/// the norm itself, 1e-9 of it, half of which is enough for sums of any width (gamma_k / 2 of k squares); where a layer
/// has left almost nothing of a large input, it is not, and is added.
pub(super) fn real_norms(layers: &[LayerError], computed: &[f64]) -> Vec<f64> {
    let mut error = 0.0;
    let mut real = Vec::with_capacity(computed.len());
    for (layer, norm) in layers.iter().zip(computed) {
        let roomy = norm * (1.0 + 1e-9);
        real.push(if error <= 0.4e-9 * norm { roomy } else { roomy + error });
        error = layer.after(error, roomy) * (1.0 + 1e-9);
    }
    real
}

impl LayerError {
    /// The error behind the layer, of an input of that norm and error.
    fn after(&self, error: f64, norm: f64) -> f64 {
        let own = self.relative * (norm + error);
        // Written so that NaN is no bound.
        if own + self.absolute < self.overflow { self.gain * error + own + self.absolute } else { f64::INFINITY }
    }
}

fn overflow(precision: Precision) -> f64 {
    precision.unit() * precision.largest()
}

fn underflow(precision: Precision, inputs: usize, outputs: usize) -> f64 {
    precision.underflow() * (2 * inputs + 8) as f64 * (outputs as f64).sqrt()
}

/// The Euclidean norm of all entries, a little too large rather than too small.
fn norm(tensor: &Tensor) -> Result<f64> {
    let entries = tensor.elem_count();
    let squares = tensor.detach().to_dtype(DType::F64)?.sqr()?.sum_all()?.to_scalar::<f64>()?;
    // The root of a sum that is off by gamma is off by less than gamma. Squares may be lost to underflow.
    let rounding = Precision::F64.gamma(entries + 4).max(1e-9);
    Ok(squares.sqrt() * (1.0 + rounding) + (entries as f64 * f64::MIN_POSITIVE).sqrt())
}
