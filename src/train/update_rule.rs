//! The update rules by name, with their coefficients.

use serde::{Deserialize, Serialize};

/// Which update rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum OptimizerConfig {
    /// Stochastic gradient descent with momentum.
    Sgd {
        /// In [0, 1).
        momentum: f64,
        /// Added to the gradient as weight_decay w.
        #[serde(default)]
        weight_decay: f64,
    },
    /// Adam (Kingma and Ba 2015); AdamW (Loshchilov and Hutter 2019) with a weight decay.
    Adam {
        /// Decay of the first moment, in [0, 1).
        #[serde(default = "beta1")]
        beta1: f64,
        /// Decay of the second moment, in [0, 1).
        #[serde(default = "beta2")]
        beta2: f64,
        /// Added to the root of the second moment.
        #[serde(default = "epsilon")]
        epsilon: f64,
        /// Decoupled from the gradient: w shrinks by learning rate x weight_decay a step.
        #[serde(default)]
        weight_decay: f64,
    },
}

fn beta1() -> f64 {
    0.9
}

fn beta2() -> f64 {
    0.999
}

fn epsilon() -> f64 {
    1e-8
}

fn is_decay(value: f64) -> bool {
    value >= 0.0 && value.is_finite()
}

impl OptimizerConfig {
    /// Why the rule makes no sense, if so.
    pub fn problem(&self) -> Option<String> {
        let check = |name: &str, value: f64, fits: bool, range: &str| {
            (!fits).then(|| format!("{name} is {value}; use {range}"))
        };
        match *self {
            Self::Sgd { momentum, weight_decay } => check(
                "sgd.momentum",
                momentum,
                (0.0..1.0).contains(&momentum),
                "0 to below 1",
            )
            .or(check("sgd.weight_decay", weight_decay, is_decay(weight_decay), "0 or more")),
            Self::Adam { beta1, beta2, epsilon, weight_decay } => {
                check("adam.beta1", beta1, (0.0..1.0).contains(&beta1), "0 to below 1")
                    .or(check("adam.beta2", beta2, (0.0..1.0).contains(&beta2), "0 to below 1"))
                    .or(check(
                        "adam.epsilon",
                        epsilon,
                        epsilon as f32 > 0.0 && (epsilon as f32).is_finite(),
                        "a positive number of single precision, such as 1e-8",
                    ))
                    .or(check("adam.weight_decay", weight_decay, is_decay(weight_decay), "0 or more"))
            }
        }
    }
}
