//! The experiments: a room for each kind, and the list of verbs.

pub mod checkerboard;
pub mod images;

use crate::engine::settings::ProfileName;
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
        name: "mixer",
        about: "Classify colour images: MLP-Mixer with and without Han blocks, and a ResNet",
        text: images::TEXT,
        kind: &Of::<images::Comparison>::NEW,
        on_gpu: Some(ProfileName::Paper),
        evaluate: Some(&EvaluateOf::<images::Arguments>::NEW),
    },
];
