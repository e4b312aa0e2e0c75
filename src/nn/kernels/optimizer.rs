//! Fused parameter updates, one pass over a parameter and its state.

use super::dispatch::vectorized;
use super::lanes::Element;

/// Coefficients of one step of SGD with momentum, as PyTorch defines it.
#[derive(Debug, Clone, Copy)]
pub struct Sgd {
    /// Step length.
    pub learning_rate: f64,
    /// v = momentum v + g
    pub momentum: f64,
    /// g = g + weight_decay w
    pub weight_decay: f64,
}

vectorized! {
    /// w -= learning_rate v, with the velocity v updated first.
    pub fn sgd<T: Element>(step: Sgd, weight: &mut [T], gradient: &[T], velocity: &mut [T]) {
        let [rate, momentum, decay] = [step.learning_rate, step.momentum, step.weight_decay].map(T::from_f64);
        for ((w, g), v) in weight.iter_mut().zip(gradient).zip(velocity) {
            *v = momentum * *v + (*g + decay * *w);
            *w -= rate * *v;
        }
    }
}

/// Coefficients of one step of Adam (Kingma and Ba 2015, Algorithm 1) with optional decoupled weight decay
/// (Loshchilov and Hutter 2019, Algorithm 2), bias corrections folded in.
#[derive(Debug, Clone, Copy)]
pub struct Adam {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Learning rate over the first bias correction, rate / (1 - beta1^t).
    pub step_size: f64,
    /// 1 / sqrt(1 - beta2^t)
    pub second_correction: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// 1 - learning rate x weight decay; 1 without decay.
    pub shrink: f64,
}

vectorized! {
    /// w = shrink w - step_size m / (sqrt(v) correction + epsilon), with the moments m and v updated first.
    pub fn adam<T: Element>(step: Adam, weight: &mut [T], gradient: &[T], first: &mut [T], second: &mut [T]) {
        let [beta1, beta2, rest1, rest2] = [step.beta1, step.beta2, 1.0 - step.beta1, 1.0 - step.beta2].map(T::from_f64);
        let [size, correction, epsilon, shrink] =
            [step.step_size, step.second_correction, step.epsilon, step.shrink].map(T::from_f64);
        for (((w, g), m), v) in weight.iter_mut().zip(gradient).zip(first).zip(second) {
            *m = beta1 * *m + rest1 * *g;
            *v = beta2 * *v + rest2 * *g * *g;
            *w = shrink * *w - size * *m / (v.square_root() * correction + epsilon);
        }
    }
}
