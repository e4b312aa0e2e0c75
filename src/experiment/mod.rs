//! The experiments: a room for each kind, and the list of verbs.

pub mod checkerboard;
pub mod gradients;
pub mod images;
pub mod regression;
pub mod robustness;

use crate::engine::settings::ProfileName;
use crate::engine::{Experiment, Of, Verb};

/// Every verb that runs an experiment, in the order in which `reproduce` runs them.
pub const VERBS: &[Verb] = &[
    verb::<checkerboard::Checkerboard>(
        "checkerboard",
        "Generalization on a checkerboard: HanNet against dense networks",
        checkerboard::TEXT,
    ),
    verb::<gradients::Claims>(
        "gradients",
        "The layer's own claims, measured: Jacobian, gradients over depth, cost, Lipschitz constant",
        gradients::TEXT,
    ),
    verb::<regression::Regression>(
        "regression",
        "Regression on tables: HanNet and a dense network beside ridge regression and trees",
        regression::TEXT,
    ),
    verb::<robustness::Robustness>(
        "mnist-attack",
        "Attack and certify classifiers of MNIST: HanNet against dense networks",
        robustness::TEXT,
    ),
    Verb {
        variants: images::VARIANTS,
        on_gpu: Some(ProfileName::Paper),
        ..verb::<images::Comparison>(
            "mixer",
            "Classify colour images: MLP-Mixer with and without Han blocks, and a ResNet",
            images::TEXT,
        )
    },
    Verb {
        only_by_name: true,
        ..verb::<images::Comparison>(
            "mixer-budget",
            "Effect of Han blocks in an MLP-Mixer after 5 and 10 epochs (profile paper: 10, 30, 100); hours to days",
            images::BUDGET,
        )
    },
];

/// A verb with one file, which `reproduce` runs in the usual way.
const fn verb<E: Experiment>(name: &'static str, about: &'static str, text: &'static str) -> Verb {
    Verb { name, about, text, variants: &[], kind: const { &Of::<E>::NEW }, only_by_name: false, on_gpu: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_every_file_can_be_set_and_every_flag_sets_one() {
        for verb in VERBS {
            verb.files().for_each(|(name, _)| verb.kind.check_keys(VERBS, name));
        }
    }

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
