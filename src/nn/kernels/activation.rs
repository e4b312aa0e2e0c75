//! Element-wise activations and their slopes, with PyTorch's sub-gradients at the kinks.

use super::dispatch::vectorized;
use super::lanes::Element;
use serde::{Deserialize, Serialize};

/// What follows the affine part of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// z
    Identity,
    /// |z|, with slope 0 at 0
    Abs,
    /// max(z, 0), with slope 0 at 0
    Relu,
    /// tanh z
    Tanh,
}

impl Activation {
    /// The slope of the activation, read from a witness (see [`backward`]).
    #[inline(always)]
    pub(super) fn slope<T: Element>(self, witness: T) -> T {
        let zero = T::default();
        let positive = T::from_f64(if witness > zero { 1.0 } else { 0.0 });
        match self {
            Self::Identity => T::from_f64(1.0),
            Self::Relu => positive,
            Self::Abs => positive - T::from_f64(if witness < zero { 1.0 } else { 0.0 }),
            Self::Tanh => T::from_f64(1.0) - witness * witness,
        }
    }

    #[inline(always)]
    pub(super) fn value<T: Element>(self, z: T) -> T {
        // Comparisons with NaN are false: z passes through both arms, so that a NaN stays one.
        let zero = T::default();
        match self {
            Self::Identity => z,
            Self::Relu => {
                if z < zero {
                    zero
                } else {
                    z
                }
            }
            Self::Abs => {
                if z < zero {
                    zero - z
                } else {
                    z
                }
            }
            Self::Tanh => T::from_f64(z.to_f64().tanh()),
        }
    }
}

/// Compiles an expression once for every activation, with the one at hand as a constant: a choice inside a loop would keep it from
/// being vectorised.
macro_rules! for_known {
    ($act:expr, $known:ident => $body:expr) => {
        for_known!($act, $known => $body; Identity Abs Relu Tanh)
    };
    ($act:expr, $known:ident => $body:expr; $($name:ident)*) => {
        match $act {
            $(Activation::$name => {
                const $known: Activation = Activation::$name;
                $body
            })*
        }
    };
}

pub(super) use for_known;

vectorized! {
    /// act(z), element by element.
    pub fn forward<T: Element>(act: Activation, z: &[T]) -> Vec<T> {
        for_known!(act, ACT => z.iter().map(|z| ACT.value(*z)).collect())
    }

    /// act(z), written over z.
    pub fn forward_in_place<T: Element>(act: Activation, z: &mut [T]) {
        for_known!(act, ACT => z.iter_mut().for_each(|z| *z = ACT.value(*z)));
    }

    /// act'(z) g, element by element. `witness` tells the slope: z itself for |z|, either of z and max(z, 0) for ReLU,
    /// tanh z for tanh.
    pub fn backward<T: Element>(act: Activation, witness: &[T], gradient: &[T]) -> Vec<T> {
        for_known!(act, ACT => gradient.iter().zip(witness).map(|(g, z)| *g * ACT.slope(*z)).collect())
    }

    /// max(a + b, 0)
    pub fn add_relu<T: Element>(a: &[T], b: &[T]) -> Vec<T> {
        a.iter().zip(b).map(|(a, b)| Activation::Relu.value(*a + *b)).collect()
    }

    /// [`backward`] of ReLU, written over the gradient.
    pub fn relu_backward_in_place<T: Element>(witness: &[T], gradient: &mut [T]) {
        gradient.iter_mut().zip(witness).for_each(|(g, z)| *g *= Activation::Relu.slope(*z));
    }
}
