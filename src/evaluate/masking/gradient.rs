//! Gradients themselves: whether there are any, and whether they are those of the function.

use super::{Check, median, share};
use crate::evaluate::attack::{Classifier, Example, Examples, Loss, Objective};
use crate::rng::Seed;
use candle_core::{DType, FloatDType, Result};

/// Shift of a pixel to either side, in f64 and in f32: small against the distance of kinks, large against rounding.
const SHIFT: [f64; 2] = [1e-5, 1e-3];
/// Largest 1 - cosine of gradient and differences.
const DEVIATION: f64 = 1e-3;
/// Most numbers in the shifted images that are evaluated at once.
const AT_ONCE: usize = 1 << 23;
/// Part of the examples whose softmax may be 0 and 1 in f32.
const SATURATED: f64 = 0.5;

/// Euclidean norms of the gradient of the cross-entropy at the examples that are classified right, divided by the
/// largest entry of the loss's own gradient with respect to the logits: a small number is the network's doing, not that
/// of a confident softmax. 0 where the gradient is exactly 0.
///
/// # Errors
/// When the network fails.
pub fn gradient_norms<T: FloatDType>(classifier: &Classifier<'_, T>, examples: &Examples<T>) -> Result<Vec<f64>> {
    let right = examples.filter(|example| example.is_correct());
    let mut cotangents = Vec::new();
    for example in right.iter() {
        let start = cotangents.len();
        Loss::away(Objective::CrossEntropy).gradient(example.logits, example.label, &mut cotangents);
        let largest = cotangents[start..].iter().fold(0f64, |largest, c| largest.max(c.abs()));
        if largest > 0.0 {
            cotangents[start..].iter_mut().for_each(|c| *c /= largest);
        }
    }
    let gradients = classifier.gradients(right.images(), &cotangents)?;
    let norm = |gradient: &[T]| gradient.iter().map(|g| g.to_f64().powi(2)).sum::<f64>().sqrt();
    Ok(gradients.chunks_exact(classifier.inputs()).map(norm).collect())
}

/// Part of the examples classified right at which the gradient of the cross-entropy is exactly 0, or is no number: an attack
/// gets no direction from either. dl/dz is taken in f64, so a gradient lost to f32 alone is not counted here, see
/// [`softmax_saturates`].
///
/// # Errors
/// When the network fails.
pub fn gradients_vanish<T: FloatDType>(classifier: &Classifier<'_, T>, examples: &Examples<T>) -> Result<Check> {
    let norms = gradient_norms(classifier, examples)?;
    let zeros = norms.iter().filter(|norm| **norm == 0.0 || !norm.is_finite()).count();
    Ok(Check::at_most("no gradient is exactly 0", share(zeros, norms.len()), 0.0))
}

/// Part of the examples classified right whose softmax is exactly 1 in f32: an attack that computes in f32 sees no
/// gradient there.
pub fn softmax_saturates<T: FloatDType>(examples: &Examples<T>) -> Check {
    let saturated = |example: &Example<'_, T>| {
        let others = (0..example.logits.len()).filter(|class| *class != example.label);
        let rest: f64 = others.map(|class| (example.logits[class] - example.logits[example.label]).exp()).sum();
        (1.0 / (1.0 + rest)) as f32 == 1.0
    };
    let right = examples.filter(|example| example.is_correct());
    let found = right.iter().filter(saturated).count();
    Check::at_most("the softmax is not saturated", share(found, right.len()), SATURATED)
}

/// The median over some examples of 1 - cosine between the gradient of the margin and central differences of every
/// pixel. `precise` evaluates the differences; give it the network in f64 where there is one.
///
/// The examples are drawn at random from those classified right. The median, because a kink within the shift spoils
/// single examples of a sound network, and a network that hides its gradients spoils most.
///
/// # Errors
/// When the network fails, or the examples are not of such networks.
pub fn gradients_match_differences<T: FloatDType, P: FloatDType>(
    classifier: &Classifier<'_, T>,
    precise: &Classifier<'_, P>,
    examples: &Examples<T>,
    probes: usize,
) -> Result<Check> {
    examples.check(classifier)?;
    examples.check(precise)?;
    let right = examples.filter(|example| example.is_correct());
    let order = Seed(0).stream("masking/differences").permutation(right.len());
    let mut deviations = Vec::new();
    for place in order.into_iter().take(probes) {
        deviations.push(deviation(classifier, precise, right.get(place))?);
    }
    // A NaN is sorted to the end, where it would not be seen.
    let measured = if deviations.iter().any(|d| d.is_nan()) { f64::NAN } else { median(deviations) };
    Ok(Check::at_most("gradients are those of central differences", measured, DEVIATION))
}

/// 1 - cosine at one example; 0 if both vectors are 0, NaN if one is.
fn deviation<T: FloatDType, P: FloatDType>(
    classifier: &Classifier<'_, T>,
    precise: &Classifier<'_, P>,
    example: Example<'_, T>,
) -> Result<f64> {
    let shift = if P::DTYPE == DType::F64 { SHIFT[0] } else { SHIFT[1] };
    let target = example.targets()[0];
    let loss = Loss::toward(Objective::Margin, target);
    let mut cotangent = Vec::new();
    loss.gradient(example.logits, example.label, &mut cotangent);
    let gradient = classifier.gradients(example.image, &cotangent)?;

    let image: Vec<f64> = example.image.iter().map(|x| x.to_f64()).collect();
    let mut differences = Vec::with_capacity(image.len());
    let pixels: Vec<usize> = (0..image.len()).collect();
    for pixels in pixels.chunks((AT_ONCE / 2 / image.len().max(1)).max(1)) {
        let mut shifted = Vec::with_capacity(2 * pixels.len() * image.len());
        for pixel in pixels {
            for shift in [shift, -shift] {
                shifted.extend_from_slice(&image);
                let start = shifted.len() - image.len();
                shifted[start + pixel] += shift;
            }
        }
        let logits = precise.logits(&shifted)?;
        let values: Vec<f64> = logits.chunks_exact(precise.classes()).map(|z| loss.value(z, example.label)).collect();
        differences.extend(values.chunks_exact(2).map(|pair| (pair[0] - pair[1]) / (2.0 * shift)));
    }

    let product =
        |a: &dyn Fn(usize) -> f64, b: &dyn Fn(usize) -> f64| (0..image.len()).map(|i| a(i) * b(i)).sum::<f64>();
    let g = |i: usize| gradient[i].to_f64();
    let d = |i: usize| differences[i];
    let (gg, dd, gd) = (product(&g, &g), product(&d, &d), product(&g, &d));
    Ok(if gg == 0.0 && dd == 0.0 { 0.0 } else { 1.0 - gd / (gg * dd).sqrt() })
}
