//! How long the gradient is at every layer.

use super::jacobian::gradient;
use crate::model::Part;
use crate::nn::Mode;
use candle_core::{D, DType, Result, Tensor, Var};

/// Lengths of the gradient at one hidden state, over the samples of a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flow {
    /// Root of the mean square.
    pub norm: f64,
    /// The smallest ratio of a sample's length to that at the last hidden state; NaN where that is 0.
    pub least: f64,
    /// The largest.
    pub most: f64,
}

/// ||dL/dh|| at every hidden state h of a network, the first one first, for sum_i l(y_i) with a gradient dl/dy of the
/// caller's.
///
/// Every part gets a backward pass of its own, so that a network of a thousand layers needs no deeper graph than one of
/// one.
///
/// # Shapes
/// - xs: (batch, inputs)
/// - dl_dy: (batch, outputs) -> same
pub fn gradient_norms(
    parts: &[Part<'_>],
    xs: &Tensor,
    mode: Mode,
    dl_dy: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<Vec<Flow>> {
    let mut states = vec![xs.clone()];
    for part in parts {
        let state = part(&states[states.len() - 1], mode)?.detach();
        states.push(state);
    }
    let Some(output) = states.pop() else { return Ok(Vec::new()) };
    let mut cotangents = dl_dy(&output)?.detach();
    let mut lengths = Vec::with_capacity(states.len());
    // The first state is the input, not a hidden one.
    for (part, state) in parts.iter().zip(&states).skip(1).rev() {
        let state = Var::from_tensor(state)?;
        cotangents = gradient(&part(&state, mode)?, &cotangents, &state)?.detach();
        lengths.push(row_lengths(&cotangents)?);
    }
    let last = lengths.first().cloned().unwrap_or_default();
    Ok(lengths.iter().rev().map(|lengths| Flow::of(lengths, &last)).collect())
}

/// Lengths of the rows, of entries whose squares may be out of the range of f64.
fn row_lengths(rows: &Tensor) -> Result<Vec<f64>> {
    let rows = rows.to_dtype(DType::F64)?;
    let largest = rows.abs()?.max_keepdim(D::Minus1)?;
    let scale = (&largest + largest.eq(0.0)?.to_dtype(DType::F64)?)?; // 1 for a row of zeros
    let lengths = rows.broadcast_div(&scale)?.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?;
    (lengths * scale)?.flatten_all()?.to_vec1()
}

impl Flow {
    fn of(lengths: &[f64], last: &[f64]) -> Self {
        let ratios = || lengths.iter().zip(last).filter(|(_, last)| **last != 0.0).map(|(length, last)| length / last);
        // `min` and `max` pass over a NaN, which would leave the ratios of the other samples.
        let of_all = |choose: fn(f64, f64) -> f64| {
            let chosen =
                |one: f64, other: f64| if one.is_nan() || other.is_nan() { f64::NAN } else { choose(one, other) };
            ratios().reduce(chosen).unwrap_or(f64::NAN)
        };
        // Squares of lengths beyond 1e154 or below 1e-154 would leave the range of f64.
        let largest = lengths.iter().copied().fold(0.0, f64::max);
        let squares: f64 = lengths.iter().map(|length| (length / largest).powi(2)).sum();
        // Without a length above 0 the sum is 0, or NaN if one is: `max` passes over it.
        let norm = if largest > 0.0 { largest * (squares / lengths.len() as f64).sqrt() } else { lengths.iter().sum() };
        Self { norm, least: of_all(f64::min), most: of_all(f64::max) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FcNetConfig, HanNetConfig, ModelConfig, ResNetConfig};
    use crate::rng::Seed;
    use candle_core::Device;

    fn batch() -> Result<Tensor> {
        Tensor::new(&[[0.3f64, -0.2], [0.9, 0.1], [-0.5, 0.7]], &Device::Cpu)
    }

    #[test]
    fn parts_one_after_the_other_are_the_network() -> Result<()> {
        for config in [
            ModelConfig::Hannet(HanNetConfig::new(8, 6, vec![1, 4])),
            ModelConfig::Fcnet(FcNetConfig::new(8, 4)),
            ModelConfig::Resnet(ResNetConfig { width: 8, blocks: 2 }),
        ] {
            let model = config.build_as(DType::F64, 2, 2, Seed(1), &Device::Cpu)?;
            let expected = model.frozen.forward(&batch()?, Mode::Eval)?.to_vec2::<f64>()?;
            let parts = model.frozen.parts()?;
            let chained = parts.iter().try_fold(batch()?, |h, part| part(&h, Mode::Eval))?.to_vec2::<f64>()?;
            let apart = expected.iter().flatten().zip(chained.iter().flatten()).map(|(a, b)| (a - b).abs());
            assert!(apart.fold(0.0, f64::max) < 1e-14);
        }
        Ok(())
    }

    #[test]
    fn gradients_are_those_of_one_backward_pass() -> Result<()> {
        let config = ModelConfig::Fcnet(FcNetConfig::new(8, 3));
        let model = config.build_as(DType::F64, 2, 2, Seed(4), &Device::Cpu)?;
        let parts = model.frozen.parts()?;
        let flows = gradient_norms(&parts, &batch()?, Mode::Eval, |ys| ys.ones_like())?;
        assert_eq!(flows.len(), 3);
        let hidden = Var::from_tensor(&parts[0](&batch()?, Mode::Eval)?)?;
        let output = parts[1..].iter().try_fold(hidden.as_tensor().clone(), |h, part| part(&h, Mode::Eval))?;
        let whole = gradient(&output, &output.ones_like()?, &hidden)?;
        let expected = (whole.sqr()?.sum_all()?.to_scalar::<f64>()? / 3.0).sqrt();
        assert!((flows[0].norm - expected).abs() < 1e-14 * expected);
        Ok(())
    }

    #[test]
    fn lengths_are_told_where_their_squares_could_not_be() -> Result<()> {
        let rows = Tensor::new(&[[3e200f64, 4e200], [3e-200, 4e-200], [0.0, 0.0]], &Device::Cpu)?;
        let lengths = row_lengths(&rows)?;
        assert!((lengths[0] / 5e200 - 1.0).abs() < 1e-12 && (lengths[1] / 5e-200 - 1.0).abs() < 1e-12);
        assert_eq!(lengths[2], 0.0);
        Ok(())
    }

    #[test]
    fn han_layers_keep_the_length_of_every_samples_gradient() -> Result<()> {
        let config = ModelConfig::Hannet(HanNetConfig::new(20, 300, vec![1]));
        let model = config.build_as(DType::F64, 2, 2, Seed(5), &Device::Cpu)?;
        let flows = gradient_norms(&model.frozen.parts()?, &batch()?, Mode::Eval, |ys| ys.ones_like())?;
        assert_eq!(flows.len(), 300);
        assert!(flows.iter().all(|flow| (flow.least - 1.0).abs() < 1e-12 && (flow.most - 1.0).abs() < 1e-12));
        Ok(())
    }
}
