//! Stacks of Han-layers with parameters of a [`Scope`]: drawn from a seed, all layers as one variable.

use super::han::{HanStack, check_size};
use super::init::Init;
use super::params::{Draw, Role, Scope, Stored};
use candle_core::Result;

/// Builds a seeded stack: u uniform on the unit sphere (the orthogonal initialisation of a width x 1 matrix), b uniform
/// in [-1/sqrt(width), 1/sqrt(width)].
///
/// `stored_as` names the layers in a weights file; there each layer has its own `vector` `[width, 1]` and `bias`.
///
/// # Errors
/// When there is no layer, the width is 0, or a name is taken.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use candle_nn::Module;
/// use han_exp::nn::{Scope, scoped_han_stack};
/// use han_exp::rng::Seed;
///
/// let scope = Scope::new(Seed(1), DType::F32, &Device::Cpu);
/// let stack = scoped_han_stack(4, &["a".into(), "b".into()], &scope)?;
/// assert_eq!(stack.forward(&Tensor::ones((2, 4), DType::F32, &Device::Cpu)?)?.dims(), [2, 4]);
/// assert_eq!(scope.parameters().to_stored()?[0].0, "a.vector");
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn scoped_han_stack(width: usize, stored_as: &[String], scope: &Scope) -> Result<HanStack> {
    let one_draw = |init: Init, part: &str, shape: &[usize]| {
        let stored = stored_as.iter().map(|name| Stored { name: format!("{name}.{part}"), shape: shape.to_vec() });
        vec![Draw { init, stored: stored.collect() }]
    };
    let HanInit { direction, bias, .. } = HanInit::usual(width);
    of_draws(width, one_draw(direction, "vector", &[width, 1]), one_draw(bias, "bias", &[width]), Vec::new(), scope)
}

/// How a Han-layer starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HanInit {
    /// u
    pub direction: Init,
    /// b
    pub bias: Init,
    /// A factor on its learning rate.
    pub pace: f64,
}

impl HanInit {
    /// That of the released code.
    pub fn usual(width: usize) -> Self {
        Self { direction: Init::UnitRows, bias: Init::Uniform { bound: bias_bound(width) }, pace: 1.0 }
    }
}

/// The largest magnitude of an entry of b at the start.
pub(super) fn bias_bound(width: usize) -> f64 {
    1.0 / (width as f64).sqrt()
}

/// As [`scoped_han_stack`], every layer with its own start, drawn from a stream of its own.
///
/// # Errors
/// As [`scoped_han_stack`].
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use candle_nn::Module;
/// use han_exp::nn::{HanInit, Init, Scope, han_stack_from};
/// use han_exp::rng::Seed;
///
/// let scope = Scope::new(Seed(1), DType::F32, &Device::Cpu);
/// let usual = HanInit::usual(4);
/// let layers = [("a".into(), HanInit { bias: Init::Zeros, ..usual }), ("b".into(), usual)];
/// let stack = han_stack_from(4, &layers, &scope)?;
/// assert_eq!(stack.forward(&Tensor::ones((2, 4), DType::F32, &Device::Cpu)?)?.dims(), [2, 4]);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn han_stack_from(width: usize, layers: &[(String, HanInit)], scope: &Scope) -> Result<HanStack> {
    let draw = |name: &str, part: &str, init: Init, shape: Vec<usize>| {
        let stored = vec![Stored { name: format!("{name}.{part}"), shape }];
        Draw { init, stored }
    };
    let directions = layers.iter().map(|(name, init)| draw(name, "vector", init.direction, vec![width, 1]));
    let biases = layers.iter().map(|(name, init)| draw(name, "bias", init.bias, vec![width]));
    let paces = layers.iter().map(|(_, init)| init.pace).collect();
    of_draws(width, directions.collect(), biases.collect(), paces, scope)
}

fn of_draws(
    width: usize,
    directions: Vec<Draw>,
    biases: Vec<Draw>,
    paces: Vec<f64>,
    scope: &Scope,
) -> Result<HanStack> {
    let depth = directions.iter().map(|draw| draw.stored.len()).sum::<usize>();
    check_size(depth, width)?;
    let direction = scope.stacked_at((depth, width), directions, Role::Direction, paces.clone())?;
    HanStack::new(direction, scope.stacked_at((depth, width), biases, Role::Trained, paces)?)
}
