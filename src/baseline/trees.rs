//! Extra trees.

use super::{Choice, matrix};
use crate::data::table::Part;
use crate::rng::Seed;
use anyhow::Result;
use smartcore::ensemble::extra_trees_regressor::{ExtraTreesRegressor, ExtraTreesRegressorParameters};
use smartcore::linalg::basic::matrix::DenseMatrix;

/// More trees are never worse, only slower.
const TREES: usize = 100;
/// Fewest rows in a leaf; large leaves are for noisy targets.
const LEAVES: [usize; 2] = [5, 1];

/// A third of the features, the usual number for regression, and all of them, with leaves of each size.
pub(super) fn grid(features: usize) -> Vec<Choice> {
    let mut drawn = vec![features.div_ceil(3), features];
    drawn.dedup();
    let sizes = LEAVES.into_iter().flat_map(|leaf| drawn.iter().map(move |features| (leaf, *features)));
    sizes.map(|(leaf, features)| Choice::ExtraTrees { trees: TREES, features, leaf }).collect()
}

/// An ensemble whose prediction is the mean of its trees'.
#[derive(Debug)]
pub(super) struct Trees(ExtraTreesRegressor<f64, f64, DenseMatrix<f64>, Vec<f64>>);

impl Trees {
    /// With so many trees, features to choose a split from, and rows in a leaf.
    pub fn fit(train: &Part, [trees, features, leaf]: [usize; 3], seed: Seed) -> Result<Self> {
        let parameters = ExtraTreesRegressorParameters::default()
            .with_n_trees(trees)
            .with_m(features)
            .with_min_samples_leaf(leaf)
            .with_min_samples_split(2 * leaf)
            .with_seed(seed.stream("extra-trees").index(u32::MAX as usize) as u64);
        Ok(Self(ExtraTreesRegressor::fit(&matrix(train)?, &train.targets, parameters)?))
    }

    pub fn predict(&self, part: &Part) -> Result<Vec<f64>> {
        Ok(self.0.predict(&matrix(part)?)?)
    }
}
