//! What other methods reach on a table: ridge regression and an ensemble of trees, from the crate `smartcore`.
//!
//! Both are fitted to the training rows alone. A small grid of settings is tried, and the validation rows choose; the test
//! rows are no argument of [`Baseline::fit`].

mod ridge;
#[cfg(test)]
mod tests;
mod trees;

use crate::data::table::Part;
use crate::rng::Seed;
use anyhow::{Context, Result, ensure};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use smartcore::linalg::basic::matrix::DenseMatrix;
use std::fmt;

/// A method without a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Baseline {
    /// Linear least squares with a penalty on the squares of the weights (Hoerl and Kennard 1970).
    Ridge,
    /// The mean of trees whose splits are the best of random ones (Geurts, Ernst and Wehenkel 2006).
    ExtraTrees,
}

impl Baseline {
    /// Every method.
    pub const ALL: [Self; 2] = [Self::Ridge, Self::ExtraTrees];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ridge => "ridge regression",
            Self::ExtraTrees => "extra trees",
        }
    }

    /// Numbers that are fitted with so many features: of ridge regression a weight for each and the intercept; trees have
    /// splits, which are not counted.
    pub fn parameters(self, features: usize) -> Option<usize> {
        match self {
            Self::Ridge => Some(features + 1),
            Self::ExtraTrees => None,
        }
    }

    /// The settings that are tried for so many features, from the strongest restriction to the weakest.
    fn grid(self, features: usize) -> Vec<Choice> {
        match self {
            Self::Ridge => ridge::PENALTIES.map(|penalty| Choice::Ridge { penalty }).into(),
            Self::ExtraTrees => trees::grid(features),
        }
    }

    /// Fits every setting of the grid to the training rows, and keeps the one with the least mean squared error on the
    /// validation rows (the first of equals). The same seed gives the same answer on any number of threads.
    ///
    /// # Errors
    /// When there are no rows, no more training rows than features, or no setting whose error is a finite number.
    pub fn fit(self, train: &Part, validation: &Part, seed: Seed) -> Result<Fitted> {
        ensure!(train.columns > 0 && train.columns == validation.columns, "both parts need the same features");
        ensure!(train.rows() > train.columns, "{} training rows for {} features", train.rows(), train.columns);
        ensure!(validation.rows() > 0, "there are no validation rows to choose by");
        let grid = self.grid(train.columns);
        let fits = grid.par_iter().map(|choice| {
            let model = choice.fit(train, seed).with_context(|| choice.to_string())?;
            let error = mean_squared_error(&model.predict(validation)?, &validation.targets);
            Ok((model, Trial { choice: *choice, validation_mse: error }))
        });
        let fits = fits.collect::<Result<Vec<_>>>()?;
        let trials: Vec<Trial> = fits.iter().map(|(_, trial)| *trial).collect();
        let finite = fits.into_iter().filter(|(_, trial)| trial.validation_mse.is_finite());
        let best = finite.min_by(|(_, a), (_, b)| a.validation_mse.total_cmp(&b.validation_mse));
        let (model, trial) = best.context("no setting has a finite error on the validation rows")?;
        Ok(Fitted { choice: trial.choice, trials, model })
    }
}

impl fmt::Display for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One setting of a method.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "method")]
pub enum Choice {
    /// Ridge regression.
    Ridge {
        /// On the squared weights of standardised features, for each training row: the mean squared error plus `penalty`
        /// times the squared weights is least.
        penalty: f64,
    },
    /// Extra trees.
    ExtraTrees {
        /// Number of trees.
        trees: usize,
        /// Features that are drawn to choose a split from.
        features: usize,
        /// Fewest training rows in a leaf.
        leaf: usize,
    },
}

impl Choice {
    fn fit(self, train: &Part, seed: Seed) -> Result<Model> {
        match self {
            Self::Ridge { penalty } => Ok(Model::Ridge(ridge::Ridge::fit(train, penalty)?)),
            Self::ExtraTrees { trees, features, leaf } => {
                Ok(Model::ExtraTrees(trees::Trees::fit(train, [trees, features, leaf], seed)?))
            }
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ridge { penalty } => write!(f, "penalty {penalty:e}"),
            Self::ExtraTrees { trees, features, leaf } => {
                write!(f, "{trees} trees, splits from {features} features, leaves of {leaf} or more rows")
            }
        }
    }
}

/// A setting that was tried.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The setting.
    pub choice: Choice,
    /// Mean squared error on the validation rows, in squared standard deviations.
    pub validation_mse: f64,
}

/// A fitted method.
#[derive(Debug)]
pub struct Fitted {
    /// The setting that the validation rows chose.
    pub choice: Choice,
    /// Every setting that was tried.
    pub trials: Vec<Trial>,
    model: Model,
}

impl Fitted {
    /// Predictions for some rows, in standard deviations of the target.
    ///
    /// # Shapes
    /// -> (rows)
    ///
    /// # Errors
    /// When the rows have other features than the training rows.
    pub fn predict(&self, part: &Part) -> Result<Vec<f64>> {
        self.model.predict(part)
    }
}

#[derive(Debug)]
enum Model {
    Ridge(ridge::Ridge),
    ExtraTrees(trees::Trees),
}

impl Model {
    fn predict(&self, part: &Part) -> Result<Vec<f64>> {
        if part.rows() == 0 {
            return Ok(Vec::new());
        }
        match self {
            Self::Ridge(ridge) => ridge.predict(part),
            Self::ExtraTrees(trees) => trees.predict(part),
        }
    }
}

/// The features of a part as a matrix of smartcore's, column by column: trees read a column at a time.
fn matrix(part: &Part) -> Result<DenseMatrix<f64>> {
    let column = |column| part.features.iter().skip(column).step_by(part.columns).copied();
    let by_column = true;
    let values = (0..part.columns).flat_map(column).collect();
    Ok(DenseMatrix::new(part.rows(), part.columns, values, by_column)?)
}

fn mean_squared_error(predictions: &[f64], targets: &[f64]) -> f64 {
    let squares = predictions.iter().zip(targets).map(|(prediction, target)| (prediction - target).powi(2));
    squares.sum::<f64>() / targets.len() as f64
}
