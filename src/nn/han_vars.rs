//! Han-layers by candle's conventions: parameters from a [`VarBuilder`], under the keys and in the shapes that a PyTorch
//! `Sequential` of the paper's layers has.
//!
//! ```
//! use candle_core::{DType, Device, Tensor};
//! use candle_nn::{AdamW, Module, Optimizer, VarBuilder, VarMap};
//! use han_exp::nn::han_stack;
//!
//! let (device, vars) = (Device::Cpu, VarMap::new());
//! let stack = han_stack(64, 8, VarBuilder::from_varmap(&vars, DType::F32, &device))?; // eight layers of width 64
//! let mut optimizer = AdamW::new_lr(vars.all_vars(), 1e-3)?;
//! let loss = stack.forward(&Tensor::ones((32, 64), DType::F32, &device)?)?.sqr()?.mean_all()?;
//! optimizer.backward_step(&loss)?;
//! assert_eq!(vars.data().lock().unwrap()["7.vector"].dims(), [64, 1]);
//! # Ok::<(), candle_core::Error>(())
//! ```

use super::han::{HanLayer, HanStack, check_size};
use super::han_scope::bias_bound;
use super::storage::check_type;
use candle_core::Result;
use candle_nn::{Init, VarBuilder};

/// A Han-layer with the parameters `vector` (u) and `bias` (b).
///
/// New ones start as in the paper: u in a uniformly random direction, b uniform in +-1/sqrt(width). candle's generator on
/// the CPU cannot be seeded; [`scoped_han_stack`](super::scoped_han_stack) draws from a seed.
///
/// # Shapes
/// - `vector`: (width, 1)
/// - `bias`: (width)
///
/// # Errors
/// When the width is 0 or the type one of whole numbers, a tensor is missing or has another shape, or u is zero (as that of
/// [`VarBuilder::zeros`]) or not finite.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use candle_nn::{Module, VarBuilder, VarMap};
/// use han_exp::nn::han_layer;
///
/// let vars = VarMap::new();
/// let layer = han_layer(4, VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu).pp("layer"))?;
/// assert_eq!(layer.forward(&Tensor::ones((2, 4), DType::F32, &Device::Cpu)?)?.dims(), [2, 4]);
/// assert!(vars.data().lock().unwrap().contains_key("layer.vector"));
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn han_layer(width: usize, vb: VarBuilder<'_>) -> Result<HanLayer> {
    check_size(1, width)?;
    check_type(vb.dtype())?;
    let bound = bias_bound(width);
    // The direction of a normal vector is uniform. With this deviation its length is about the paper's, 1, which decides how far
    // a step of an optimizer turns it.
    let vector = vb.get_with_hints((width, 1), "vector", Init::Randn { mean: 0.0, stdev: bound })?;
    let bias = vb.get_with_hints(width, "bias", Init::Uniform { lo: -bound, up: bound })?;
    // Both views share the memory of the variables, so the layer follows what an optimizer or a file sets.
    HanLayer::new(vector.reshape(width)?, bias).map_err(|error| match vb.prefix() {
        prefix if prefix.is_empty() => error,
        prefix => error.context(format!("the Han-layer {prefix:?}")),
    })
}

/// `depth` Han-layers of one width, each as [`han_layer`] with its number as prefix: `0.vector`, `0.bias`, `1.vector`, ..
///
/// They run as one fused operation. Since every layer has variables of its own, a pass first copies them into one tensor of
/// 2 x depth x width numbers, and the way back cuts that tensor's gradient up again.
///
/// # Shapes
/// As [`han_layer`], for every layer.
///
/// # Errors
/// As [`han_layer`], and when the depth is 0.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use candle_nn::{Module, VarBuilder, VarMap};
/// use han_exp::nn::han_stack;
///
/// let vars = VarMap::new();
/// let stack = han_stack(4, 3, VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu))?;
/// assert_eq!((stack.depth(), stack.direction()?.dims()), (3, &[3, 4][..]));
/// assert_eq!(stack.forward(&Tensor::ones((2, 4), DType::F32, &Device::Cpu)?)?.dims(), [2, 4]);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn han_stack(width: usize, depth: usize, vb: VarBuilder<'_>) -> Result<HanStack> {
    check_size(depth, width)?;
    let layers = (0..depth).map(|layer| han_layer(width, vb.pp(layer))).collect::<Result<Vec<_>>>()?;
    Ok(HanStack::of(layers))
}
