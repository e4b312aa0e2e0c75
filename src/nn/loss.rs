//! Losses, averaged as PyTorch averages by default.

use super::fused::{Fused, Pass, apply};
use super::kernels::lanes::Element;
use super::kernels::loss as kernel;
use super::storage::{check_parameters, has_kernel, same_type, single_or_wider};
use candle_core::{D, DType, Result, Shape, Tensor, bail};
use serde::{Deserialize, Serialize};

/// The mean cross-entropy of some logits, a scalar: candle's own, which agrees with PyTorch in value and gradient (see
/// `tests/golden.rs`). The label 2^32 - 1, which candle takes for "no label", is refused.
///
/// # Shapes
/// - logits: (batch, classes)
/// - labels: (batch), of a type of whole numbers
/// - -> ()
///
/// # Errors
/// When shapes do not fit together, there is no sample, or a label is no class.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use han_exp::nn::loss;
///
/// let (logits, labels) = (Tensor::new(&[[0f32, 0.0]], &Device::Cpu)?, Tensor::new(&[1u32], &Device::Cpu)?);
/// assert!((loss::cross_entropy(&logits, &labels)?.to_scalar::<f32>()? - 2f32.ln()).abs() < 1e-6);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn cross_entropy(logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
    let labels = checked(logits, labels)?;
    candle_nn::loss::cross_entropy(&single_or_wider(logits)?, &labels)?.to_dtype(logits.dtype())
}

/// Labels as u32: the largest number of a type means "no label" to candle, and may be a class of a smaller type.
fn checked(logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
    has_kernel(logits)?;
    let ((batch, classes), count) = (logits.dims2()?, labels.dims1()?);
    if batch != count || batch == 0 || classes == 0 {
        bail!("logits of shape {:?} have no loss with {count} labels", logits.dims());
    }
    if labels.dtype().is_float() {
        bail!("labels are whole numbers, not entries of type {}", labels.dtype().as_str());
    }
    let fits = |label: &i64| usize::try_from(*label).is_ok_and(|label| label < classes);
    match labels.to_dtype(DType::I64)?.to_vec1::<i64>()?.into_iter().find(|label| !fits(label)) {
        Some(label) => bail!("label {label} is none of the {classes} classes"),
        None => labels.to_dtype(DType::U32)?.contiguous(),
    }
}

/// The mean of (prediction - target)^2 over all entries, a scalar.
///
/// candle's own agrees with PyTorch, but is four operations: for a small network they cost an eighth of a training step.
///
/// # Shapes
/// - prediction, target: any, the same -> ()
///
/// # Errors
/// When shapes or types differ, or there is no entry.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use han_exp::nn::loss;
///
/// let [prediction, target] = [[1f32, 2.0], [1.0, 4.0]].map(|entries| Tensor::new(&entries, &Device::Cpu));
/// assert_eq!(loss::mse(&prediction?, &target?)?.to_scalar::<f32>()?, 2.0);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn mse(prediction: &Tensor, target: &Tensor) -> Result<Tensor> {
    if prediction.elem_count() == 0 {
        bail!("predictions of shape {:?} have no mean error", prediction.dims());
    }
    if has_kernel(prediction)? && prediction.dtype() == target.dtype() && prediction.dims() == target.dims() {
        let wanted = [prediction.track_op(), target.track_op()];
        return apply(MeanSquaredError { wanted }, [prediction, target], None);
    }
    same_type(prediction, target)?;
    candle_nn::loss::mse(&single_or_wider(prediction)?, &single_or_wider(target)?)?.to_dtype(prediction.dtype())
}

/// What [`margin`] asks of every sample.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Margin {
    /// The radius (L2, in the inputs' unit) up to which a sample should be certified.
    pub radius: f64,
    /// How far around that radius samples count: the loss is a smooth maximum at this scale, in the same unit. Towards
    /// 0 it becomes the multi-class hinge max(0, radius - min_j r_j) of Crammer and Singer (2001).
    pub temperature: f64,
}

impl Margin {
    /// Why nothing can be trained so, if so.
    pub fn problem(self) -> Option<String> {
        let Self { radius, temperature } = self;
        let fits = [radius, temperature].into_iter().all(|value| value > 0.0 && value.is_finite());
        (!fits).then(|| format!("loss.margin has radius {radius} and temperature {temperature}; use positive numbers"))
    }
}

/// How far the rows of a head lie from each other: ||w_i - w_j||, and 1 on the diagonal, which is no distance and may be divided by.
///
/// # Shapes
/// - head: (classes, width) -> (classes, classes)
///
/// # Errors
/// When a size is 0.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use han_exp::nn::loss::row_distances;
///
/// let distances = row_distances(&Tensor::new(&[[3f32, 0.0], [0.0, 4.0]], &Device::Cpu)?)?;
/// assert_eq!(distances.to_vec2::<f32>()?, [[1.0, 5.0], [5.0, 1.0]]);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn row_distances(head: &Tensor) -> Result<Tensor> {
    check_parameters(&[head])?;
    let wide = single_or_wider(head)?;
    let differences = wide.unsqueeze(1)?.broadcast_sub(&wide.unsqueeze(0)?)?; // (classes, classes, width)
    let diagonal = Tensor::eye(head.dims2()?.0, wide.dtype(), head.device())?;
    (differences.sqr()?.sum(D::Minus1)? + diagonal)?.sqrt()?.to_dtype(head.dtype())
}

/// The mean of T ln(1 + sum_j exp((radius - r_j) / T)), where r_j = (z_t - z_j) / ||w_t - w_j|| is the distance to class
/// j that a network with a 1-Lipschitz body certifies for a sample of class t.
///
/// It is the cross entropy of logits divided by T, with an offset for the right class (Prach and Lampert 2022,
/// "Almost-Orthogonal Layers", Section 5), taken on radii in place of logits: the scale of the head has no part in it.
///
/// # Shapes
/// - logits: (batch, classes)
/// - labels: (batch), u32
/// - distances: (classes, classes), see [`row_distances`]
/// - -> ()
///
/// # Errors
/// When shapes or types do not fit together, a label is no class, or radius or temperature are no positive numbers.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use han_exp::nn::loss::{Margin, margin, row_distances};
///
/// let distances = row_distances(&Tensor::new(&[[1f32, 0.0], [0.0, 1.0]], &Device::Cpu)?)?;
/// let (logits, labels) = (Tensor::new(&[[5f32, 0.0]], &Device::Cpu)?, Tensor::new(&[0u32], &Device::Cpu)?);
/// let loss = margin(&logits, &labels, &distances, Margin { radius: 1.0, temperature: 0.25 })?;
/// assert!(loss.to_scalar::<f32>()? < 1e-3); // 5 / sqrt(2) is far more than the radius
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn margin(logits: &Tensor, labels: &Tensor, distances: &Tensor, margin: Margin) -> Result<Tensor> {
    let labels = &checked(logits, labels)?;
    if let Some(problem) = margin.problem() {
        bail!("{problem}");
    }
    let (classes, dtype) = (logits.dims2()?.1, logits.dtype());
    same_type(logits, distances)?;
    let (logits, distances) = (&single_or_wider(logits)?.contiguous()?, single_or_wider(distances)?);
    let right = logits.gather(&labels.unsqueeze(1)?, 1)?; // (batch, 1)
    let radii = right.broadcast_sub(logits)?.div(&distances.index_select(labels, 0)?)?; // (batch, classes), 0 at t
    let is_right = Tensor::eye(classes, logits.dtype(), logits.device())?.index_select(labels, 0)?;
    let missing = (is_right.affine(-margin.radius, margin.radius)? - radii)?; // radius - r_j, 0 at t
    (candle_nn::loss::cross_entropy(&(missing / margin.temperature)?, labels)? * margin.temperature)?.to_dtype(dtype)
}

struct MeanSquaredError {
    /// Whose gradient somebody will read.
    wanted: [bool; 2],
}

impl Fused<2> for MeanSquaredError {
    const NAME: &'static str = "mean-squared-error";

    fn shape(&self, _prediction: &Shape) -> Shape {
        ().into()
    }

    fn forward<T: Element>(&self, [prediction, target]: [&[T]; 2]) -> Result<Vec<T>> {
        Ok(vec![kernel::mean_squared_error(prediction, target)])
    }

    fn backward<T: Element>(&self, pass: &Pass<'_, T, 2>) -> Result<[Option<Vec<T>>; 2]> {
        let ([prediction, target], factor) = (pass.inputs, pass.gradient[0]);
        let gradient = |factor: T| kernel::mean_squared_error_gradient(prediction, target, factor);
        let [of_prediction, of_target] = self.wanted;
        Ok([of_prediction.then(|| gradient(factor)), of_target.then(|| gradient(T::default() - factor))])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::{assert_close, normal};
    use candle_core::{Device, Var};

    /// The definition, sample by sample.
    fn margin_by_hand(
        z: &[Vec<f64>],
        labels: &[u32],
        head: &[Vec<f64>],
        Margin { radius, temperature }: Margin,
    ) -> f64 {
        let distance = |t: usize, j: usize| -> f64 {
            head[t].iter().zip(&head[j]).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
        };
        let of_sample = |z: &[f64], t: usize| {
            let others = (0..z.len()).filter(|j| *j != t);
            let terms = others.map(|j| ((radius - (z[t] - z[j]) / distance(t, j)) / temperature).exp());
            temperature * (1.0 + terms.sum::<f64>()).ln()
        };
        z.iter().zip(labels).map(|(z, t)| of_sample(z, *t as usize)).sum::<f64>() / z.len() as f64
    }

    #[test]
    fn the_margin_loss_is_its_definition_and_its_gradient_that_of_finite_differences() -> Result<()> {
        let (head, xs) = (Var::from_tensor(&normal(&[4, 6], 1)?)?, normal(&[5, 6], 2)?);
        let labels = [3, 0, 1, 1, 2];
        let config = Margin { radius: 0.7, temperature: 0.4 };
        let at = |head: &Tensor| -> Result<Tensor> {
            margin(&xs.matmul(&head.t()?)?, &Tensor::new(&labels, &Device::Cpu)?, &row_distances(head)?, config)
        };
        let loss = at(head.as_tensor())?;
        let z = xs.matmul(&head.t()?)?.to_vec2()?;
        let expected = margin_by_hand(&z, &labels, &head.to_vec2()?, config);
        assert!((loss.to_scalar::<f64>()? - expected).abs() < 1e-13);

        let gradients = loss.backward()?;
        let Some(gradient) = gradients.get(head.as_tensor()) else { panic!("the head got no gradient") };
        let (step, way) = (1e-6, normal(&[4, 6], 3)?);
        let moved = |step: f64| at(&(head.as_detached_tensor() + (&way * step)?)?)?.to_scalar::<f64>();
        let slope = (moved(step)? - moved(-step)?) / (2.0 * step);
        let along = (gradient * way)?.sum_all()?.to_scalar::<f64>()?;
        assert!((along - slope).abs() < 1e-8, "{along} is not {slope}");
        // Only directions and relative lengths of the rows count.
        assert_close(&at(&(head.as_detached_tensor() * 10.0)?)?, &loss)
    }

    #[test]
    fn a_cold_margin_loss_is_the_hinge_of_the_smallest_radius() -> Result<()> {
        let head = Tensor::new(&[[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]], &Device::Cpu)?;
        let logits = Tensor::new(&[[2.0, 1.0, -2.0], [0.5, 0.4, -0.5], [0.0, 1.0, 0.0]], &Device::Cpu)?;
        let labels = Tensor::new(&[0u32, 0, 0], &Device::Cpu)?;
        // Smallest radii: 1 / sqrt 2, 0.1 / sqrt 2, -1 / sqrt 2.
        let config = Margin { radius: 0.5, temperature: 1e-3 };
        let expected = ((0.5 - 0.1 / 2f64.sqrt()) + (0.5 + 1.0 / 2f64.sqrt())) / 3.0;
        let loss = margin(&logits, &labels, &row_distances(&head)?, config)?.to_scalar::<f64>()?;
        assert!((loss - expected).abs() < 1e-9, "{loss} is not {expected}");
        Ok(())
    }
}
