//! Whether a network's slope at a point says anything about its slope nearby.

use super::RowFunction;
use super::jacobian::gradient;
use candle_core::{D, DType, Result, Tensor, Var};
use serde::{Deserialize, Serialize};

/// How alike gradients are at points and at their neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Likeness {
    /// The mean cosine between the gradient of the mean output at a point and that at its neighbour: near 1 for a function
    /// that is smooth at that distance, near 0 for one that is noise. None without a pair.
    pub cosine: Option<f64>,
    /// Pairs of gradients that are not 0.
    pub pairs: usize,
}

impl Likeness {
    /// Of the cosines of all pairs.
    pub fn of(cosines: &[f64]) -> Self {
        let pairs = cosines.len();
        Self { cosine: (pairs > 0).then(|| cosines.iter().sum::<f64>() / pairs as f64), pairs }
    }
}

/// The likeness of a function's gradients at neighbouring points (the shattered gradients of Balduzzi et al. 2017, "The
/// Shattered Gradients Problem", Section 2).
///
/// # Shapes
/// - points, neighbours: (pairs, inputs)
pub fn likeness(function: &RowFunction<'_>, points: &Tensor, neighbours: &Tensor) -> Result<Likeness> {
    Ok(Likeness::of(&cosines(function, points, neighbours)?))
}

/// The cosines of which [`likeness`] is the mean; for some of the pairs, where all at once take too much memory.
///
/// # Shapes
/// As [`likeness`].
pub fn cosines(function: &RowFunction<'_>, points: &Tensor, neighbours: &Tensor) -> Result<Vec<f64>> {
    let slopes = |at: &Tensor| -> Result<Tensor> {
        let input = Var::from_tensor(at)?;
        let output = function(&input)?;
        gradient(&output, &output.ones_like()?, &input)?.to_dtype(DType::F64)
    };
    let (here, there) = (slopes(points)?, slopes(neighbours)?);
    let lengths = (here.sqr()?.sum(D::Minus1)?.sqrt()? * there.sqr()?.sum(D::Minus1)?.sqrt()?)?.to_vec1::<f64>()?;
    let products = (here * there)?.sum(D::Minus1)?.to_vec1::<f64>()?;
    // What is no number stays, so that it shows in the mean.
    let pairs = products.iter().zip(&lengths).filter(|(_, length)| **length != 0.0);
    Ok(pairs.map(|(product, length)| product / length).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{HanNetConfig, ModelConfig};
    use crate::nn::Mode;
    use crate::rng::Seed;
    use candle_core::Device;

    #[test]
    fn a_plane_has_one_slope_and_a_deep_han_net_has_many() -> Result<()> {
        let mut stream = Seed(1).stream("test");
        let entries: Vec<f64> = (0..200).map(|_| 2.0 * stream.uniform() - 1.0).collect();
        let points = Tensor::from_vec(entries, (100, 2), &Device::Cpu)?;
        let neighbours = (&points + 0.025)?;
        let plane = |xs: &Tensor| xs.affine(3.0, 1.0);
        let flat = likeness(&plane, &points, &neighbours)?;
        assert!(flat.pairs == 100 && flat.cosine.is_some_and(|cosine| (cosine - 1.0).abs() < 1e-12), "{flat:?}");
        let constant = |xs: &Tensor| xs.affine(0.0, 1.0);
        assert_eq!(likeness(&constant, &points, &neighbours)?, Likeness { cosine: None, pairs: 0 });
        let cosine = |depth: usize| -> Result<f64> {
            let config = ModelConfig::Hannet(HanNetConfig::new(30, depth, vec![1, 2, depth]));
            let model = config.build_as(DType::F64, 2, 2, Seed(2), &Device::Cpu)?;
            let found = likeness(&|xs| model.frozen.forward(xs, Mode::Eval), &points, &neighbours)?;
            Ok(found.cosine.unwrap_or(f64::NAN))
        };
        let (shallow, deep) = (cosine(5)?, cosine(300)?);
        assert!(shallow > 0.5 && deep < 0.5 * shallow, "{shallow} and {deep}");
        Ok(())
    }
}
