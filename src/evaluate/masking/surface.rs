//! The loss around an image, on a plane through it.

use crate::evaluate::attack::{Classifier, Example, Loss, Objective};
use crate::rng::Seed;
use candle_core::{FloatDType, Result};

/// Points along each side.
const SIDE: usize = 21;

/// Cross-entropy on a square around an image: along the sign of its gradient and along random signs.
#[derive(Debug, Clone, PartialEq)]
pub struct Surface {
    /// The loss, `[21, 21]`; rows go along the gradient from -eps to eps, columns along the random signs.
    pub loss: Vec<f64>,
    /// Coordinates of rows and columns, in units of the pixels.
    pub coordinates: Vec<f64>,
    /// The largest |l(x + d) - l(x) - d.g| on the square: 0 for a linear function.
    pub nonlinearity: f64,
}

/// Evaluates the loss around an example. Pixels are not moved into the box: the surface is that of the function.
///
/// # Errors
/// When the network fails.
pub fn loss_surface<T: FloatDType>(
    classifier: &Classifier<'_, T>,
    example: Example<'_, T>,
    eps: f64,
    seed: Seed,
) -> Result<Surface> {
    let loss = Loss::away(Objective::CrossEntropy);
    let mut cotangent = Vec::new();
    loss.gradient(example.logits, example.label, &mut cotangent);
    let gradient = classifier.gradients(example.image, &cotangent)?;
    let mut stream = seed.stream(&format!("masking/surface/{}", example.index));
    let sign = |v: f64| T::from_f64(if v == 0.0 { 0.0 } else { v.signum() });
    let random: Vec<T> = example.image.iter().map(|_| sign(if stream.uniform() < 0.5 { -1.0 } else { 1.0 })).collect();
    let uphill: Vec<T> = gradient.iter().map(|g| sign(g.to_f64())).collect();
    let half = (SIDE / 2) as f64;
    let coordinates: Vec<f64> = (0..SIDE).map(|place| (place as f64 - half) / half * eps).collect();

    let mut points = Vec::with_capacity(SIDE * SIDE * example.image.len());
    for a in &coordinates {
        for b in &coordinates {
            let directions = uphill.iter().zip(&random).map(|(u, r)| T::from_f64(*a) * *u + T::from_f64(*b) * *r);
            points.extend(example.image.iter().zip(directions).map(|(x, d)| *x + d));
        }
    }
    let logits = classifier.logits(&points)?;
    let values: Vec<f64> = logits.chunks_exact(classifier.classes()).map(|z| loss.value(z, example.label)).collect();
    let slope = |direction: &[T]| gradient.iter().zip(direction).map(|(g, d)| g.to_f64() * d.to_f64()).sum::<f64>();
    let (up, aside) = (slope(&uphill), slope(&random));
    let clean = loss.value(example.logits, example.label);
    let plane = coordinates.iter().flat_map(|a| coordinates.iter().map(move |b| clean + a * up + b * aside));
    let nonlinearity = values.iter().zip(plane).map(|(value, plane)| (value - plane).abs());
    let nonlinearity = nonlinearity.fold(0.0, |most, value| if value.is_nan() || value > most { value } else { most });
    Ok(Surface { loss: values, coordinates, nonlinearity })
}
