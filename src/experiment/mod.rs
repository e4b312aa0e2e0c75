//! The experiments: a room for each kind, and the list of verbs.

pub mod checkerboard;
pub mod gradients;

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
        name: "gradients",
        about: "The layer's own claims, measured: Jacobian, gradients over depth, cost, Lipschitz constant",
        text: gradients::TEXT,
        kind: &Of::<gradients::Claims>::NEW,
        on_gpu: None,
        evaluate: None,
    },
];
