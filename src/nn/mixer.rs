//! Mixer blocks (Tolstikhin et al. 2021, "MLP-Mixer: An all-MLP Architecture for Vision") as one operation.
//!
//! ```text
//! x = x + (W2 gelu(W1 LN(x)^T + b1) + b2)^T      along tokens
//! x = x + W2 gelu(W1 LN(x) + b1) + b2            along channels
//! ```

#[cfg(feature = "cuda")]
use super::cuda;
use super::dense::{DenseInit, bias_init};
use super::fused::{Fused, Pass, Saved, apply};
use super::init::Init;
use super::kernels::activation::Activation;
use super::kernels::han::Record;
use super::kernels::lanes::Element;
use super::kernels::mixer as kernel;
use super::params::{Draw, Role, Scope, Stored};
use super::storage::has_kernel;
use super::trace::Trace;
use super::{Dense, LayerNorm};
use candle_core::{Result, Tensor, bail};
use candle_nn::Module;

/// Mixer blocks of one size; the hidden size of each half is that of what it mixes.
#[derive(Debug, Clone)]
pub struct MixerStack {
    /// All parameters, block by block, each with its half for tokens and its half for channels: norm weight, norm bias,
    /// W1, b1, W2, b2.
    parameters: Tensor,
    tokens: usize,
    channels: usize,
}

impl MixerStack {
    fn shape(&self, xs: &Tensor) -> Result<kernel::Shape> {
        let (batch, tokens, channels) = xs.dims3()?;
        if (tokens, channels) != (self.tokens, self.channels) {
            let expected = (self.tokens, self.channels);
            bail!("mixer blocks of {expected:?} tokens and channels cannot take a tensor of shape {:?}", xs.dims());
        }
        let mut shape = kernel::Shape { batch, tokens, channels, blocks: 1 };
        shape.blocks = self.parameters.elem_count() / shape.block();
        Ok(shape)
    }

    /// The output of the last block; with a trace, a step of it rather than a part of candle's graph.
    ///
    /// # Shapes
    /// As [`Module::forward`].
    ///
    /// # Errors
    /// When shape or type do not fit the parameters.
    pub fn forward_traced(&self, xs: &Tensor, trace: Option<&mut Trace>) -> Result<Tensor> {
        let shape = self.shape(xs)?;
        if !has_kernel(xs)? {
            Trace::refuse(trace, "a run of mixer blocks")?;
            #[cfg(feature = "cuda")]
            if cuda::layers::apply_to(xs) {
                return cuda::layers::mixer_blocks(
                    xs,
                    &self.parameters,
                    self.halves(&self.parameters.detach(), shape)?,
                );
            }
            return self.forward_composed(xs);
        }
        let record = Record::for_gradients(Trace::wanted(trace.as_deref(), xs, &[&self.parameters]));
        apply(MixerOp { shape, record, tape: Saved::default() }, [xs, &self.parameters], trace)
    }

    /// Norm weight, norm bias, W1, b1, W2 and b2 of every half, and whether it mixes tokens.
    fn halves(&self, parameters: &Tensor, shape: kernel::Shape) -> Result<Vec<(bool, [Tensor; 6])>> {
        let mut start = 0;
        let mut take = |dims: &[usize]| {
            let len = dims.iter().product();
            start += len;
            parameters.narrow(0, start - len, len)?.reshape(dims)
        };
        let mut halves = Vec::with_capacity(2 * shape.blocks);
        for _ in 0..shape.blocks {
            for (tokens, width) in [(true, self.tokens), (false, self.channels)] {
                let norm = [take(&[self.channels])?, take(&[self.channels])?];
                let first = [take(&[width, width])?, take(&[width])?];
                let second = [take(&[width, width])?, take(&[width])?];
                let ([norm_weight, norm_bias], [w1, b1], [w2, b2]) = (norm, first, second);
                halves.push((tokens, [norm_weight, norm_bias, w1, b1, w2, b2]));
            }
        }
        Ok(halves)
    }

    /// The same function composed of candle's operations.
    fn forward_composed(&self, xs: &Tensor) -> Result<Tensor> {
        let mut x = xs.clone();
        for (tokens, [norm_weight, norm_bias, w1, b1, w2, b2]) in self.halves(&self.parameters, self.shape(xs)?)? {
            let norm = LayerNorm::new(norm_weight, norm_bias)?;
            let [first, second] = [(w1, b1), (w2, b2)].map(|(w, b)| Dense::new(w, b, Activation::Identity));
            let turn = |x: Tensor| if tokens { x.transpose(1, 2)?.contiguous() } else { Ok(x) };
            let n = turn(norm.forward_composed(&x)?)?;
            x = (x + turn(second?.forward(&gelu_composed(&first?.forward(&n)?)?)?)?)?;
        }
        Ok(x)
    }
}

impl Module for MixerStack {
    /// # Shapes
    /// - xs: (batch, tokens, channels) -> same
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        self.forward_traced(xs, None)
    }
}

/// z Phi(z). The slope of candle's own has seven digits.
fn gelu_composed(z: &Tensor) -> Result<Tensor> {
    let phi = ((z * std::f64::consts::FRAC_1_SQRT_2)?.erf()? + 1.0)?;
    (z * phi)? * 0.5
}

/// Most tokens or channels: a weight of their squares is beyond any memory, and counts of entries are not yet beyond `usize`.
const LARGEST: usize = 1 << 24;

/// Builds seeded blocks: orthogonal weights (Saxe et al. 2014), biases uniform in [-1/sqrt(width), 1/sqrt(width)], norms
/// with weight 1 and bias 0. `stored_as` names the blocks in a weights file.
///
/// # Errors
/// When there is no block, a size is 0 or beyond any memory, or a name is taken.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use candle_nn::Module;
/// use han_exp::nn::{Scope, mixer_stack};
/// use han_exp::rng::Seed;
///
/// let scope = Scope::new(Seed(1), DType::F32, &Device::Cpu);
/// let blocks = mixer_stack(6, 4, &["a".into(), "b".into()], &scope)?;
/// assert_eq!(blocks.forward(&Tensor::ones((2, 6, 4), DType::F32, &Device::Cpu)?)?.dims(), [2, 6, 4]);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn mixer_stack(tokens: usize, channels: usize, stored_as: &[String], scope: &Scope) -> Result<MixerStack> {
    if tokens.max(channels) > LARGEST {
        candle_core::bail!("mixer blocks of {tokens} x {channels}: at most {LARGEST} tokens and channels");
    }
    let mut draws = Vec::new();
    for name in stored_as {
        for (half, width) in [("token", tokens), ("channel", channels)] {
            let mut draw = |init: Init, part: String, shape: &[usize]| {
                draws.push(Draw {
                    init,
                    stored: vec![Stored { name: format!("{name}.{part}"), shape: shape.to_vec() }],
                });
            };
            draw(Init::Ones, format!("ln_{half}.weight"), &[channels]);
            draw(Init::Zeros, format!("ln_{half}.bias"), &[channels]);
            for layer in ["fc1", "fc2"] {
                draw(DenseInit::Orthogonal.of_weight(width, width), format!("{half}_{layer}.weight"), &[width, width]);
                draw(bias_init(width), format!("{half}_{layer}.bias"), &[width]);
            }
        }
    }
    let of_block = kernel::Shape { batch: 1, tokens, channels, blocks: 1 }.block();
    let parameters = scope.stacked(of_block.saturating_mul(stored_as.len()), draws, Role::Trained)?;
    Ok(MixerStack { parameters, tokens, channels })
}

/// The operation on (x, parameters).
struct MixerOp {
    shape: kernel::Shape,
    record: Record,
    tape: Saved,
}

impl Fused<2> for MixerOp {
    const NAME: &'static str = "mixer-blocks";

    fn forward<T: Element>(&self, [x, parameters]: [&[T]; 2]) -> Result<Vec<T>> {
        let (y, tape) = kernel::forward(self.shape, x, parameters, self.record);
        self.tape.put(tape);
        Ok(y)
    }

    fn backward<T: Element>(&self, pass: &Pass<'_, T, 2>) -> Result<[Option<Vec<T>>; 2]> {
        let [_, parameters] = pass.inputs;
        let (input, parameters) = kernel::backward(self.shape, parameters, self.tape.get()?, pass.gradient);
        Ok([Some(input), Some(parameters)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::{assert_same, normal};
    use candle_core::Var;

    #[test]
    fn the_kernel_equals_the_composed_blocks() -> Result<()> {
        for (batch, tokens, channels) in [(3, 4, 6), (19, 5, 5), (9, 64, 40)] {
            let shape = kernel::Shape { batch, tokens, channels, blocks: 2 };
            let parameters = Var::from_tensor(&(normal(&[2 * shape.block()], 1)? * 0.3)?)?;
            let stack = MixerStack { parameters: parameters.as_tensor().clone(), tokens, channels };
            let xs = Var::from_tensor(&normal(&[batch, tokens, channels], 2)?)?;
            let gradient = normal(&[batch, tokens, channels], 3)?;
            assert_same(&stack.forward(&xs)?, &stack.forward_composed(&xs)?, &gradient, &[&xs, &parameters])?;
        }
        Ok(())
    }
}
