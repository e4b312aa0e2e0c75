//! The experiments: a room for each kind, and the list of verbs.

pub mod checkerboard;
pub mod gradients;
pub mod images;
pub mod regression;
pub mod robustness;

use crate::engine::settings::ProfileName;
use crate::engine::{Of, Verb};

/// Every verb that runs an experiment, in the order in which `reproduce` runs them.
pub const VERBS: &[Verb] = &[
    Verb {
        name: "checkerboard",
        about: "Generalization on a checkerboard: HanNet against dense networks",
        text: checkerboard::TEXT,
        variants: &[],
        kind: &Of::<checkerboard::Checkerboard>::NEW,
        only_by_name: false,
        on_gpu: None,
    },
    Verb {
        name: "gradients",
        about: "The layer's own claims, measured: Jacobian, gradients over depth, cost, Lipschitz constant",
        text: gradients::TEXT,
        variants: &[],
        kind: &Of::<gradients::Claims>::NEW,
        only_by_name: false,
        on_gpu: None,
    },
    Verb {
        name: "regression",
        about: "Regression on tables: HanNet and a dense network beside ridge regression and trees",
        text: regression::TEXT,
        variants: &[],
        kind: &Of::<regression::Regression>::NEW,
        only_by_name: false,
        on_gpu: None,
    },
    Verb {
        name: "mnist-attack",
        about: "Attack and certify classifiers of MNIST: HanNet against dense networks",
        text: robustness::TEXT,
        variants: &[],
        kind: &Of::<robustness::Robustness>::NEW,
        only_by_name: false,
        on_gpu: None,
    },
    Verb {
        name: "mixer",
        about: "Classify colour images: MLP-Mixer with and without Han blocks, and a ResNet",
        text: images::TEXT,
        variants: images::VARIANTS,
        kind: &Of::<images::Comparison>::NEW,
        only_by_name: false,
        on_gpu: Some(ProfileName::Paper),
    },
    Verb {
        name: "mixer-budget",
        about: "What Han blocks change in an MLP-Mixer after 5 and 10 epochs, in profile paper 10, 30 and 100; hours to a day",
        text: images::BUDGET,
        variants: &[],
        kind: &Of::<images::Comparison>::NEW,
        only_by_name: true,
        on_gpu: None,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_in_claims_may_be_missing() {
        // One seed has none.
        for (name, text) in VERBS.iter().flat_map(Verb::files) {
            for figure in text.lines().filter_map(|line| line.split_once("figure = ")) {
                let sure = figure.1.split('[').map(|piece| piece.split_once(']').map_or(piece, |(_, rest)| rest));
                let sure = sure.collect::<String>();
                assert!(!sure.contains("_low") && !sure.contains("_high"), "{name}: {}", figure.1);
            }
        }
    }
}
