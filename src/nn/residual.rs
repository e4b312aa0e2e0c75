//! A residual block of two dense layers with batch norm (He et al. 2016, with dense layers in place of convolutions) as
//! one operation in training.

use super::Mode;
use super::activation::add_relu;
use super::batch_norm::{BatchNorm, EPSILON};
use super::dense::{Dense, DenseInit, bias_init};
use super::fused::{Fused, Pass, Saved, apply};
use super::init::Init;
use super::kernels::activation::Activation;
use super::kernels::batch_norm::Statistics;
use super::kernels::lanes::Element;
use super::kernels::residual::{self as kernel, VECTORS};
use super::params::{Draw, Role, Scope, Stored};
use super::running::Running;
use super::storage::has_kernel;
use candle_core::{Result, Tensor, bail};
use candle_nn::{Module, ModuleT};

/// y = max(x + BN(D2 max(BN(D1 x), 0)), 0) with dense layers D1 and D2 of one width.
#[derive(Debug, Clone)]
pub struct ResidualBlock {
    /// Both dense weights, (2, width, width).
    weight: Tensor,
    /// For each half the dense bias and the batch norm's weight and bias, (2 x 3, width).
    vectors: Tensor,
    running: [Running; 2],
}

impl ResidualBlock {
    /// # Shapes
    /// - xs: (batch, width) -> same
    ///
    /// # Errors
    /// In [`Mode::Train`] with a batch of one: its variance is undefined.
    pub fn forward(&self, xs: &Tensor, mode: Mode) -> Result<Tensor> {
        let (rows, inputs) = xs.dims2()?;
        let width = self.weight.dims()[1];
        if inputs != width {
            bail!("a residual block of width {width} cannot take a tensor of shape {:?}", xs.dims());
        }
        if mode == Mode::Eval || !has_kernel(xs)? {
            return self.forward_composed(xs, mode);
        }
        if rows < 2 {
            bail!("batch norm cannot train on a single value per channel");
        }
        let op =
            ResidualOp { shape: kernel::Shape { rows, width }, tape: Saved::default(), measured: Saved::default() };
        let measured = op.measured.clone();
        let y = apply(op, [xs, &self.weight, &self.vectors], None)?;
        for (running, measured) in self.running.iter().zip(measured.get::<[Statistics; 2]>()?) {
            running.update(measured, rows)?;
        }
        Ok(y)
    }

    fn forward_composed(&self, xs: &Tensor, mode: Mode) -> Result<Tensor> {
        let half = |half: usize| -> Result<(Dense, BatchNorm)> {
            let vector = |place: usize| self.vectors.get(VECTORS * half + place);
            let Running { mean, variance } = self.running[half].clone();
            let dense = Dense::new(self.weight.get(half)?, vector(0)?, Activation::Identity)?;
            Ok((dense, BatchNorm::new(vector(1)?, vector(2)?, mean, variance)?))
        };
        let ((first, first_norm), (second, second_norm)) = (half(0)?, half(1)?);
        let inner = first_norm.then_relu().forward(&first.forward(xs)?, mode)?;
        add_relu(xs, &second_norm.forward(&second.forward(&inner)?, mode)?)
    }
}

impl ModuleT for ResidualBlock {
    fn forward_t(&self, xs: &Tensor, train: bool) -> Result<Tensor> {
        self.forward(xs, Mode::of(train))
    }
}

/// Builds a seeded block. Its parts are drawn and saved like the modules 0 (dense), 1 (batch norm), 3 and 4 of PyTorch's
/// `Sequential(Linear, BatchNorm1d, ReLU, Linear, BatchNorm1d)`.
///
/// # Errors
/// When the width is 0, or a name is taken.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use han_exp::nn::{DenseInit, Mode, Scope, residual_block};
/// use han_exp::rng::Seed;
///
/// let scope = Scope::new(Seed(1), DType::F32, &Device::Cpu);
/// let block = residual_block(4, DenseInit::default(), &scope)?;
/// let y = block.forward(&Tensor::ones((2, 4), DType::F32, &Device::Cpu)?, Mode::Train)?; // or candle's forward_t(.., true)
/// assert_eq!(y.dims(), [2, 4]);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn residual_block(width: usize, init: DenseInit, scope: &Scope) -> Result<ResidualBlock> {
    let modules = [("0", "1"), ("3", "4")];
    let draw = |init: Init, module: &str, part: &str, shape: &[usize]| Draw {
        init,
        stored: vec![Stored { name: format!("{module}.{part}"), shape: shape.to_vec() }],
    };
    let weights = modules.map(|(dense, _)| draw(init.of_weight(width, width), dense, "weight", &[width, width]));
    let vectors = modules.map(|(dense, norm)| {
        let vector = |init: Init, module: &str, part: &str| draw(init, module, part, &[width]);
        [vector(bias_init(width), dense, "bias"), vector(Init::Ones, norm, "weight"), vector(Init::Zeros, norm, "bias")]
    });
    let running = |norm: &str| Running::buffers(width, &scope.enter(norm));
    Ok(ResidualBlock {
        weight: scope.stacked((2, width, width), weights.into(), Role::Trained)?,
        vectors: scope.stacked((2 * VECTORS, width), vectors.into_iter().flatten().collect(), Role::Trained)?,
        running: [running(modules[0].1)?, running(modules[1].1)?],
    })
}

/// Train mode as an operation on (x, weight, vectors).
struct ResidualOp {
    shape: kernel::Shape,
    tape: Saved,
    /// Statistics of both batch norms, for the running ones.
    measured: Saved,
}

impl Fused<3> for ResidualOp {
    const NAME: &'static str = "residual-block";

    fn forward<T: Element>(&self, [x, weight, vectors]: [&[T]; 3]) -> Result<Vec<T>> {
        let (y, tape) = kernel::forward(self.shape, EPSILON, x, weight, vectors);
        let mut measured = tape.statistics.clone();
        // The kernel leaves the dense biases out; running means are of what a dense layer gives with its bias.
        for (statistics, of_half) in measured.iter_mut().zip(vectors.chunks_exact(VECTORS * self.shape.width)) {
            statistics.mean.iter_mut().zip(of_half).for_each(|(mean, bias)| *mean += bias.to_f64());
        }
        self.measured.put(measured);
        self.tape.put(tape);
        Ok(y)
    }

    fn backward<T: Element>(&self, pass: &Pass<'_, T, 3>) -> Result<[Option<Vec<T>>; 3]> {
        let [x, weight, vectors] = pass.inputs;
        let tape = self.tape.get()?;
        let gradients = kernel::backward(self.shape, EPSILON, x, weight, vectors, tape, pass.output, pass.gradient);
        Ok([Some(gradients.input), Some(gradients.weight), Some(gradients.vectors)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::{assert_close, assert_same, normal};
    use candle_core::Var;

    #[test]
    fn the_kernel_equals_dense_layers_with_batch_norm() -> Result<()> {
        const WIDTH: usize = 6;
        let weight = Var::from_tensor(&normal(&[2, WIDTH, WIDTH], 1)?)?;
        let vectors = Var::from_tensor(&(normal(&[2 * VECTORS, WIDTH], 2)? + 0.5)?)?;
        let xs = Var::from_tensor(&normal(&[11, WIDTH], 3)?)?;
        let block = || -> Result<ResidualBlock> {
            let running = |seed: u64| -> Result<Running> {
                let mean = Var::from_tensor(&normal(&[WIDTH], seed)?)?;
                Ok(Running { mean, variance: Var::from_tensor(&normal(&[WIDTH], seed)?.sqr()?)? })
            };
            let [weight, vectors] = [&weight, &vectors].map(|var| var.as_tensor().clone());
            Ok(ResidualBlock { weight, vectors, running: [running(4)?, running(5)?] })
        };
        let (fused, composed) = (block()?, block()?);
        let (y, expected) = (fused.forward(&xs, Mode::Train)?, composed.forward_composed(&xs, Mode::Train)?);
        assert_same(&y, &expected, &normal(&[11, WIDTH], 6)?, &[&xs, &weight, &vectors])?;
        for (actual, expected) in fused.running.iter().zip(&composed.running) {
            assert_close(actual.mean.as_tensor(), expected.mean.as_tensor())?;
            assert_close(actual.variance.as_tensor(), expected.variance.as_tensor())?;
        }
        Ok(())
    }
}
