//! Han blocks: two Han-layers along the tokens of every channel, then two along the channels of every token, without
//! norm or skip (Yu and Zhang 2024, the mixer experiment). A run of blocks is one operation.

#[cfg(feature = "cuda")]
use super::cuda;
use super::fused::{Fused, Pass, Saved, apply};
use super::han::{Axis, HanStack};
use super::han_scope::HanInit;
use super::init::Init;
#[cfg(feature = "cuda")]
use super::kernels::han::Geometry;
use super::kernels::han::{Record, Stack};
use super::kernels::han_blocks::{self as kernel, ALONG, Blocks};
use super::kernels::lanes::Element;
use super::params::{Draw, Role, Scope, Stored};
use super::storage::{check_parameters, has_kernel};
use super::trace::Trace;
use candle_core::{Result, Tensor, bail};
use candle_nn::Module;
use serde::{Deserialize, Serialize};

/// A run of Han blocks of one size.
#[derive(Debug, Clone)]
pub struct HanBlocks {
    /// u of all layers, one after the other: first those along tokens, block by block, then those along channels. One tensor, or
    /// one for each axis.
    direction: Vec<Tensor>,
    /// b, likewise.
    bias: Vec<Tensor>,
    blocks: usize,
    tokens: usize,
    channels: usize,
}

impl HanBlocks {
    /// Blocks from the layers' parameters, the first block's first: two rows each.
    ///
    /// # Shapes
    /// - direction: (2 blocks, tokens) along tokens, (2 blocks, channels) along channels
    /// - bias: likewise
    ///
    /// # Errors
    /// When the shapes do not fit together, there is no block, or a direction is zero or not finite.
    pub fn new(direction: [Tensor; 2], bias: [Tensor; 2]) -> Result<Self> {
        let ([_, tokens], [_, channels]) = (rows(&direction[0])?, rows(&direction[1])?);
        for (direction, bias) in direction.iter().zip(&bias) {
            let [layers, _] = rows(direction)?;
            if layers != rows(bias)?[0] || !layers.is_multiple_of(ALONG) || direction.dims() != bias.dims() {
                bail!("Han blocks cannot be made of {:?} and {:?}", direction.dims(), bias.dims());
            }
            check_parameters(&[direction, bias])?;
            super::params::check_directions(direction)?;
        }
        if rows(&direction[0])?[0] != rows(&direction[1])?[0] {
            bail!("Han blocks need as many layers along tokens as along channels");
        }
        let blocks = rows(&direction[0])?[0] / ALONG;
        let flat = |parts: [Tensor; 2]| parts.iter().map(Tensor::flatten_all).collect::<Result<Vec<_>>>();
        Ok(Self { direction: flat(direction)?, bias: flat(bias)?, blocks, tokens, channels })
    }

    /// Number of blocks.
    pub fn blocks(&self) -> usize {
        self.blocks
    }

    /// u and b of all layers, as they are now.
    fn parameters(&self) -> Result<[Tensor; 2]> {
        Ok([Tensor::cat(&self.direction, 0)?, Tensor::cat(&self.bias, 0)?])
    }

    /// The same function composed of candle's operations: for devices and types without a kernel of ours.
    ///
    /// # Shapes
    /// As [`Module::forward`].
    pub fn forward_composed(&self, xs: &Tensor) -> Result<Tensor> {
        let along = |all: &Tensor, block: usize, axis: Axis| -> Result<Tensor> {
            let (start, width) = match axis {
                Axis::Tokens => (0, self.tokens),
                Axis::Last => (ALONG * self.blocks() * self.tokens, self.channels),
            };
            all.narrow(0, start + ALONG * block * width, ALONG * width)?.reshape((ALONG, width))
        };
        let [direction, bias] = self.parameters()?;
        (0..self.blocks()).try_fold(xs.clone(), |h, block| {
            [Axis::Tokens, Axis::Last].into_iter().try_fold(h, |h, axis| {
                let (direction, bias) = (along(&direction, block, axis)?, along(&bias, block, axis)?);
                HanStack::unchecked(direction, bias, axis).forward_composed(&h)
            })
        })
    }

    #[cfg(feature = "cuda")]
    fn cuda_plan(&self, batch: usize) -> cuda::Plan {
        let (layers, along_tokens) = (ALONG * self.blocks(), ALONG * self.blocks() * self.tokens);
        let of_tokens = Geometry { outer: batch, width: self.tokens, inner: self.channels };
        let of_channels = Geometry { outer: batch * self.tokens, width: self.channels, inner: 1 };
        let parts = [(0, of_tokens), (along_tokens, of_channels)];
        let part = |(start, geometry)| cuda::Part { start, layers, geometry };
        cuda::Plan { parts: parts.map(part).to_vec(), at_once: ALONG }
    }
}

fn rows(tensor: &Tensor) -> Result<[usize; 2]> {
    let (rows, columns) = tensor.dims2()?;
    Ok([rows, columns])
}

impl Module for HanBlocks {
    /// # Shapes
    /// - xs: (batch, tokens, channels) -> same
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        self.forward_traced(xs, None)
    }
}

impl HanBlocks {
    /// The output of the last block; with a trace, a step of it rather than a part of candle's graph.
    ///
    /// # Shapes
    /// As [`Module::forward`].
    ///
    /// # Errors
    /// When shape or type do not fit the parameters.
    pub fn forward_traced(&self, xs: &Tensor, trace: Option<&mut Trace>) -> Result<Tensor> {
        let (batch, tokens, channels) = xs.dims3()?;
        if (tokens, channels) != (self.tokens, self.channels) {
            let expected = (self.tokens, self.channels);
            bail!("Han blocks of {expected:?} tokens and channels cannot take a tensor of shape {:?}", xs.dims());
        }
        let [direction, bias] = self.parameters()?;
        if !has_kernel(xs)? {
            Trace::refuse(trace, "a run of Han blocks")?;
            #[cfg(feature = "cuda")]
            if cuda::has_kernel(xs, &[tokens, channels]) {
                return cuda::apply(self.cuda_plan(batch), xs, &direction, &bias);
            }
            return self.forward_composed(xs);
        }
        let record = Record::for_gradients(Trace::wanted(trace.as_deref(), xs, &[&direction, &bias]));
        let shape = kernel::Shape { batch, tokens, channels };
        let op = HanBlocksOp { shape, along_tokens: ALONG * self.blocks() * tokens, record, tape: Saved::default() };
        apply(op, [xs, &direction, &bias], trace)
    }
}

/// A start of a run of blocks as the identity on what has no mean: both layers of a pair begin with one direction, and two
/// equal reflections cancel. The first layer lifts all entries, so that |.| does nothing behind it; directions whose
/// entries add up to 0 leave that constant alone, and a LayerNorm behind the blocks takes it away.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityStart {
    /// How far the entries are lifted: several times their size.
    pub lift: f64,
    /// A factor on the learning rate of the blocks.
    pub pace: f64,
}

impl IdentityStart {
    /// What is wrong with it, if anything is.
    pub fn problem(&self) -> Option<String> {
        let &Self { lift, pace } = self;
        let sound = lift.is_finite() && lift >= 0.0 && pace.is_finite() && pace >= 0.0;
        (!sound)
            .then(|| format!("the start of the Han blocks has lift {lift} and pace {pace}; use numbers of 0 or more"))
    }
}

/// Builds seeded blocks; each layer starts like one of [`super::scoped_han_stack`], or all as `start` says. `stored_as` names the
/// blocks in a weights file; a block's layers are `token1`, `token2`, `channel1` and `channel2`.
///
/// # Errors
/// When there is no block, a size is 0, or a pair that starts as the identity has fewer than two entries.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use candle_nn::Module;
/// use han_exp::nn::{Scope, han_blocks};
/// use han_exp::rng::Seed;
///
/// let scope = Scope::new(Seed(1), DType::F32, &Device::Cpu);
/// let blocks = han_blocks(6, 4, &["a".into(), "b".into()], None, &scope)?;
/// assert_eq!(blocks.forward(&Tensor::ones((2, 6, 4), DType::F32, &Device::Cpu)?)?.dims(), [2, 6, 4]);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn han_blocks(
    tokens: usize,
    channels: usize,
    stored_as: &[String],
    start: Option<IdentityStart>,
    scope: &Scope,
) -> Result<HanBlocks> {
    if start.is_some() && tokens.min(channels) < 2 {
        bail!("Han blocks of {tokens} tokens and {channels} channels have no directions whose entries add up to 0");
    }
    let stored = |name: &String, axis: &str, part: &str, place: usize, shape: &[usize]| Stored {
        name: format!("{name}.{axis}{place}.{part}"),
        shape: shape.to_vec(),
    };
    let (mut directions, mut biases) = (Vec::new(), Vec::new());
    for (axis, width) in [("token", tokens), ("channel", channels)] {
        for (block, name) in stored_as.iter().enumerate() {
            let pair = (1..=ALONG).map(|place| stored(name, axis, "vector", place, &[width, 1]));
            match start {
                Some(_) => directions.push(Draw { init: Init::EqualRows { length: 1.0 }, stored: pair.collect() }),
                None => directions.extend(pair.map(|layer| Draw { init: Init::UnitRows, stored: vec![layer] })),
            }
            for place in 1..=ALONG {
                let is_first = axis == "token" && block == 0 && place == 1;
                let init = match start {
                    Some(IdentityStart { lift, .. }) if is_first => Init::Constant { value: lift },
                    Some(_) => Init::Zeros,
                    None => HanInit::usual(width).bias,
                };
                biases.push(Draw { init, stored: vec![stored(name, axis, "bias", place, &[width])] });
            }
        }
    }
    let len = tokens.saturating_add(channels).saturating_mul(ALONG * stored_as.len());
    let paces = start.map_or_else(Vec::new, |start| vec![start.pace]);
    let direction = scope.stacked_at(len, directions, Role::Direction, paces.clone())?;
    let bias = scope.stacked_at(len, biases, Role::Trained, paces)?;
    Ok(HanBlocks { direction: vec![direction], bias: vec![bias], blocks: stored_as.len(), tokens, channels })
}

/// The operation on (x, directions, biases).
struct HanBlocksOp {
    shape: kernel::Shape,
    /// Entries of the directions (and of the biases) that belong to layers along tokens.
    along_tokens: usize,
    record: Record,
    tape: Saved,
}

impl HanBlocksOp {
    fn blocks<T: Element>(&self, direction: &[T], bias: &[T]) -> Blocks<T> {
        let ((tokens, channels), (of_tokens, of_channels)) =
            (direction.split_at(self.along_tokens), bias.split_at(self.along_tokens));
        Blocks {
            tokens: Stack::new(tokens, of_tokens, self.shape.tokens),
            channels: Stack::new(channels, of_channels, self.shape.channels),
        }
    }
}

impl Fused<3> for HanBlocksOp {
    const NAME: &'static str = "han-blocks";

    fn forward<T: Element>(&self, [x, direction, bias]: [&[T]; 3]) -> Result<Vec<T>> {
        let blocks = self.blocks(direction, bias);
        let (y, tape) = kernel::forward(self.shape, &blocks, x, self.record);
        // Inputs are rebuilt from the output, by the parameters that made it: a step of an optimizer may come in between.
        self.tape.put((blocks, tape));
        Ok(y)
    }

    fn backward<T: Element>(&self, pass: &Pass<'_, T, 3>) -> Result<[Option<Vec<T>>; 3]> {
        let (blocks, tape) = self.tape.get::<(Blocks<T>, kernel::Tape<T>)>()?;
        let gradients = kernel::backward(self.shape, blocks, pass.output, tape, pass.gradient);
        Ok([Some(gradients.input), Some(gradients.directions.concat()), Some(gradients.biases.concat())])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::{assert_same, normal};
    use candle_core::{DType, Device, Var};

    #[test]
    fn the_kernel_equals_single_layers() -> Result<()> {
        for (batch, tokens, channels, count) in [(3, 4, 6, 1), (19, 5, 33, 3), (9, 64, 40, 12)] {
            let var = |width: usize, seed: u64| Var::from_tensor(&normal(&[ALONG * count, width], seed)?);
            let [ut, uc, bt, bc] = [var(tokens, 1)?, var(channels, 2)?, var(tokens, 3)?, var(channels, 4)?];
            let tensor = |var: &Var| var.as_tensor().clone();
            let blocks = HanBlocks::new([tensor(&ut), tensor(&uc)], [tensor(&bt), tensor(&bc)])?;
            let xs = Var::from_tensor(&normal(&[batch, tokens, channels], 5)?)?;
            let gradient = normal(&[batch, tokens, channels], 6)?;
            let vars = [&xs, &ut, &uc, &bt, &bc];
            assert_same(&blocks.forward(&xs)?, &blocks.forward_composed(&xs)?, &gradient, &vars)?;
            // What variables become is seen.
            let before = blocks.forward(&xs)?;
            bt.set(&(bt.as_tensor().detach() + 1.0)?)?;
            assert!((before - blocks.forward(&xs)?)?.abs()?.max_all()?.to_scalar::<f64>()? > 0.1);
        }
        Ok(())
    }

    #[test]
    fn a_step_between_forward_and_backward_pass_changes_no_gradient() -> Result<()> {
        let (tokens, channels) = (6, 10);
        let len = 2 * ALONG * (tokens + channels);
        let xs = Var::from_tensor(&normal(&[3, tokens, channels], 5)?)?;
        let gradient = |step: bool| -> Result<Vec<f64>> {
            let [direction, bias] = [Var::from_tensor(&normal(&[len], 1)?)?, Var::from_tensor(&normal(&[len], 2)?)?];
            let tensor = |var: &Var| vec![var.as_tensor().clone()];
            let blocks = HanBlocks { direction: tensor(&direction), bias: tensor(&bias), blocks: 2, tokens, channels };
            let loss = blocks.forward(&xs)?.sum_all()?;
            if step {
                for var in [&direction, &bias] {
                    var.set(&(var.as_tensor().detach() + 1.0)?)?;
                }
            }
            loss.backward()?.get(&xs).expect("a gradient").flatten_all()?.to_vec1()
        };
        assert_eq!(gradient(true)?, gradient(false)?);
        Ok(())
    }

    #[test]
    fn blocks_that_start_as_the_identity_shift_what_has_no_mean() -> Result<()> {
        let (tokens, channels) = (6, 10);
        let names: Vec<String> = (0..3).map(|block| block.to_string()).collect();
        let scope = Scope::new(crate::rng::Seed(1), DType::F64, &Device::Cpu);
        let start = IdentityStart { lift: 9.0, pace: 1.0 };
        let blocks = han_blocks(tokens, channels, &names, Some(start), &scope)?;
        let xs = normal(&[4, tokens, channels], 2)?;
        let y = (blocks.forward(&xs)? - 9.0)?;
        assert!((y - &xs)?.abs()?.max_all()?.to_scalar::<f64>()? < 1e-12);
        Ok(())
    }

    #[test]
    fn an_entry_that_is_0_gets_no_gradient_and_the_others_keep_theirs() -> Result<()> {
        // Directions along the first axis and no bias: the blocks make |x| of x, whose slope is the sign, 0 at 0. Some samples
        // have many zeros, some none, and rows and tokens do not fill registers.
        let (batch, tokens, channels, layers) = (19, 7, 37, 3 * ALONG);
        for kind in [DType::F32, DType::F64] {
            let along_first = |width: usize| -> Result<Tensor> {
                let first = Tensor::ones((layers, 1), kind, &Device::Cpu)?;
                Tensor::cat(&[first, Tensor::zeros((layers, width - 1), kind, &Device::Cpu)?], 1)
            };
            let (ut, uc) = (along_first(tokens)?, along_first(channels)?);
            let blocks = HanBlocks::new([ut.clone(), uc.clone()], [ut.zeros_like()?, uc.zeros_like()?])?;
            let values: Vec<f64> = (0..batch * tokens * channels)
                .map(|place| match place / (tokens * channels) % 3 {
                    0 => [-1.5, 0.0, 2.5][place % 3],
                    1 => [0.0, 0.0, -0.5, 3.0][place % 4],
                    _ => [-1.0, 2.0][place % 2],
                })
                .collect();
            let xs = Tensor::from_vec(values.clone(), (batch, tokens, channels), &Device::Cpu)?.to_dtype(kind)?;
            let xs = Var::from_tensor(&xs)?;
            let gradients = blocks.forward(&xs)?.sum_all()?.backward()?;
            let gradient = gradients.get(xs.as_tensor()).expect("a gradient").to_dtype(DType::F64)?;
            let slopes: Vec<f64> = values.iter().map(|x| if *x == 0.0 { 0.0 } else { x.signum() }).collect();
            assert_eq!(gradient.flatten_all()?.to_vec1::<f64>()?, slopes, "{kind:?}");
        }
        Ok(())
    }
}
