//! The experiments: a room for each kind, and the list of verbs.

pub mod checkerboard;
pub mod robustness;

use crate::engine::{EvaluateOf, Of, Verb};

/// Every verb that runs an experiment, in the order in which `reproduce` runs them.
pub const VERBS: &[Verb] = &[
    Verb {
        name: "checkerboard",
        about: "Generalization on a checkerboard: HanNet against dense networks",
        text: checkerboard::TEXT,
        kind: &Of::<checkerboard::Checkerboard>::NEW,
        on_gpu: None,
        evaluate: Some(&EvaluateOf::<checkerboard::Arguments>::NEW),
    },
    Verb {
        name: "mnist-attack",
        about: "Attack and certify classifiers of MNIST: HanNet against dense networks",
        text: robustness::TEXT,
        kind: &Of::<robustness::Robustness>::NEW,
        on_gpu: None,
        evaluate: None,
    },
];
