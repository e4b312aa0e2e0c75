//! Ridge regression.

use super::matrix;
use crate::data::table::Part;
use anyhow::Result;
use smartcore::linalg::basic::arrays::MutArray;
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::linear::ridge_regression::{RidgeRegression, RidgeRegressionParameters};

/// Tried, for each training row.
pub(super) const PENALTIES: [f64; 7] = [1.0, 0.1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6];

/// A linear function of the features.
#[derive(Debug)]
pub(super) struct Ridge {
    model: RidgeRegression<f64, f64, DenseMatrix<f64>, Vec<f64>>,
    /// Of the training rows: the intercept is not penalised.
    means: Vec<f64>,
    target_mean: f64,
}

impl Ridge {
    pub fn fit(train: &Part, penalty: f64) -> Result<Self> {
        let rows = train.rows() as f64;
        let columns = train.columns;
        let mean = |column| train.features.iter().skip(column).step_by(columns).sum::<f64>() / rows;
        let means: Vec<f64> = (0..columns).map(mean).collect();
        let target_mean = train.targets.iter().sum::<f64>() / rows;
        let targets = train.targets.iter().map(|target| target - target_mean).collect();
        // The crate would divide by deviations that may be zero; features are standardised here already.
        let parameters = RidgeRegressionParameters::default().with_alpha(penalty * rows).with_normalize(false);
        let model = RidgeRegression::fit(&centred(train, &means)?, &targets, parameters)?;
        Ok(Self { model, means, target_mean })
    }

    pub fn predict(&self, part: &Part) -> Result<Vec<f64>> {
        let predictions = self.model.predict(&centred(part, &self.means)?)?;
        Ok(predictions.into_iter().map(|prediction| prediction + self.target_mean).collect())
    }
}

/// The features less their means.
fn centred(part: &Part, means: &[f64]) -> Result<DenseMatrix<f64>> {
    let mut matrix = matrix(part)?;
    for (column, mean) in means.iter().enumerate() {
        for row in 0..part.rows() {
            matrix.set((row, column), part.features[row * part.columns + column] - mean);
        }
    }
    Ok(matrix)
}
