//! Layer normalisation over the last axis, and the mean over tokens that usually follows the last one.
//!
//! candle's own cuts the graph: its fused pass has no backward pass, and everything before it stops learning.

#[cfg(feature = "cuda")]
use super::cuda;
use super::fused::{Fused, Pass, Saved, apply};
use super::init::Init;
use super::kernels::lanes::Element;
use super::kernels::layer_norm::{self as kernel, EPSILON, Moments};
use super::params::Scope;
use super::storage::{check_parameters, has_kernel, single_or_wider};
use super::trace::Trace;
use candle_core::{D, Result, Shape, Tensor, bail};
use candle_nn::Module;

/// y = weight (x - mean) / sqrt(variance + 1e-5) + bias, with mean and (biased) variance of every row.
#[derive(Debug, Clone)]
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
}

impl LayerNorm {
    /// A layer from its parameters, both of shape (channels).
    ///
    /// # Errors
    /// When their shapes differ or there are no channels.
    pub fn new(weight: Tensor, bias: Tensor) -> Result<Self> {
        let channels = weight.dims1()?;
        check_parameters(&[&weight, &bias])?;
        if bias.dims() != [channels] {
            bail!("layer norm over {channels} channels cannot take a bias of shape {:?}", bias.dims());
        }
        Ok(Self { weight, bias })
    }

    /// The same function composed of candle's operations.
    pub(super) fn forward_composed(&self, xs: &Tensor) -> Result<Tensor> {
        let [wide, weight, bias] = [xs, &self.weight, &self.bias].map(single_or_wider);
        let wide = wide?;
        let centred = wide.broadcast_sub(&wide.mean_keepdim(D::Minus1)?)?;
        let deviation = (centred.sqr()?.mean_keepdim(D::Minus1)? + EPSILON)?.sqrt()?;
        let y = centred.broadcast_div(&deviation)?.broadcast_mul(&weight?)?.broadcast_add(&bias?)?;
        y.to_dtype(xs.dtype())
    }

    /// The normalised rows; with a trace, a step of it rather than a part of candle's graph.
    ///
    /// # Shapes
    /// As [`Module::forward`].
    ///
    /// # Errors
    /// When shape or type do not fit the parameters.
    pub fn forward_traced(&self, xs: &Tensor, trace: Option<&mut Trace>) -> Result<Tensor> {
        let channels = self.weight.dims1()?;
        if xs.dims().last() != Some(&channels) {
            bail!("layer norm over {channels} channels cannot take a tensor of shape {:?}", xs.dims());
        }
        if !has_kernel(xs)? {
            Trace::refuse(trace, "layer norm")?;
            #[cfg(feature = "cuda")]
            if cuda::layers::apply_to(xs) {
                return cuda::layers::layer_norm(xs, &self.weight, &self.bias);
            }
            return self.forward_composed(xs);
        }
        apply(LayerNormOp { moments: Saved::default() }, [xs, &self.weight, &self.bias], trace)
    }
}

impl Module for LayerNorm {
    /// # Shapes
    /// - xs: (.., channels) -> same
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        self.forward_traced(xs, None)
    }
}

/// Builds a layer with weight 1 and bias 0.
///
/// # Errors
/// When there are no channels, or a name is taken.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use candle_nn::Module;
/// use han_exp::nn::{Scope, layer_norm};
/// use han_exp::rng::Seed;
///
/// let scope = Scope::new(Seed(1), DType::F32, &Device::Cpu);
/// let norm = layer_norm(4, &scope)?;
/// assert_eq!(norm.forward(&Tensor::ones((2, 4), DType::F32, &Device::Cpu)?)?.to_vec2::<f32>()?, [[0.0; 4]; 2]);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn layer_norm(channels: usize, scope: &Scope) -> Result<LayerNorm> {
    LayerNorm::new(scope.parameter("weight", channels, Init::Ones)?, scope.parameter("bias", channels, Init::Zeros)?)
}

/// The operation on (x, weight, bias).
struct LayerNormOp {
    moments: Saved,
}

impl Fused<3> for LayerNormOp {
    const NAME: &'static str = "layer-norm";

    fn forward<T: Element>(&self, [x, weight, bias]: [&[T]; 3]) -> Result<Vec<T>> {
        let mut moments = vec![Moments::default(); x.len() / weight.len()];
        kernel::measure(x, &mut moments);
        let mut y = vec![T::default(); x.len()];
        kernel::normalise(x, &moments, weight, bias, &mut y);
        self.moments.put(moments);
        Ok(y)
    }

    fn backward<T: Element>(&self, pass: &Pass<'_, T, 3>) -> Result<[Option<Vec<T>>; 3]> {
        let [x, weight, _] = pass.inputs;
        let mut dx = vec![T::default(); x.len()];
        let [mut dw, mut db] = [(); 2].map(|()| vec![T::default(); weight.len()]);
        let moments = self.moments.get::<Vec<Moments<T>>>()?;
        kernel::add_backward(x, moments, weight, pass.gradient, &mut dx, &mut dw, &mut db);
        Ok([Some(dx), Some(dw), Some(db)])
    }
}

/// The mean over tokens.
///
/// # Shapes
/// - xs: (batch, tokens, channels) -> (batch, channels)
///
/// # Errors
/// When there are no tokens or no channels.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use han_exp::nn::mean_of_tokens;
///
/// let xs = Tensor::new(&[[[1f32, 2.0], [3.0, 6.0]]], &Device::Cpu)?;
/// assert_eq!(mean_of_tokens(&xs)?.to_vec2::<f32>()?, [[2.0, 4.0]]);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn mean_of_tokens(xs: &Tensor) -> Result<Tensor> {
    mean_of_tokens_traced(xs, None)
}

/// As [`mean_of_tokens`]; with a trace, a step of it rather than a part of candle's graph.
///
/// # Errors
/// As [`mean_of_tokens`].
pub fn mean_of_tokens_traced(xs: &Tensor, trace: Option<&mut Trace>) -> Result<Tensor> {
    let (batch, tokens, channels) = xs.dims3()?;
    if tokens == 0 || channels == 0 {
        bail!("a tensor of shape {:?} has no tokens to average", xs.dims());
    }
    if !has_kernel(xs)? {
        Trace::refuse(trace, "the mean of tokens")?;
        return single_or_wider(xs)?.mean(1)?.to_dtype(xs.dtype());
    }
    apply(MeanOp { batch, tokens, channels }, [xs], trace)
}

struct MeanOp {
    batch: usize,
    tokens: usize,
    channels: usize,
}

impl Fused<1> for MeanOp {
    const NAME: &'static str = "mean-of-tokens";

    fn shape(&self, _x: &Shape) -> Shape {
        (self.batch, self.channels).into()
    }

    fn forward<T: Element>(&self, [x]: [&[T]; 1]) -> Result<Vec<T>> {
        let mut means = Vec::with_capacity(self.batch * self.channels);
        for sample in x.chunks_exact(self.tokens * self.channels) {
            means.extend(super::kernels::dense::column_sums(sample, self.channels));
        }
        let scale = T::from_f64(1.0 / self.tokens as f64);
        means.iter_mut().for_each(|mean| *mean *= scale);
        Ok(means)
    }

    fn backward<T: Element>(&self, pass: &Pass<'_, T, 1>) -> Result<[Option<Vec<T>>; 1]> {
        let scale = T::from_f64(1.0 / self.tokens as f64);
        let scaled: Vec<T> = pass.gradient.iter().map(|g| *g * scale).collect();
        let mut rows = Vec::with_capacity(scaled.len() * self.tokens);
        for row in scaled.chunks_exact(self.channels) {
            (0..self.tokens).for_each(|_| rows.extend_from_slice(row));
        }
        Ok([Some(rows)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::{assert_same, normal};
    use candle_core::Var;

    #[test]
    fn the_kernels_equal_their_compositions() -> Result<()> {
        for channels in [3, 40, 256] {
            let weight = Var::from_tensor(&(normal(&[channels], 1)? + 2.0)?)?;
            let bias = Var::from_tensor(&normal(&[channels], 2)?)?;
            let xs = Var::from_tensor(&normal(&[2, 5, channels], 3)?)?;
            let layer = LayerNorm::new(weight.as_tensor().clone(), bias.as_tensor().clone())?;
            let gradient = normal(&[2, 5, channels], 4)?;
            assert_same(&layer.forward(&xs)?, &layer.forward_composed(&xs)?, &gradient, &[&xs, &weight, &bias])?;
            assert_same(&mean_of_tokens(&xs)?, &xs.mean(1)?, &normal(&[2, channels], 5)?, &[&xs])?;
        }
        Ok(())
    }
}
