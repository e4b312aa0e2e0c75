//! Whether a network's slope at a point says anything about its slope nearby.

use super::jacobian::gradient;
use candle_core::{D, DType, Result, Tensor, Var};

/// The mean cosine between the gradient of the mean output at a point and that at its neighbour: near 1 for a function
/// that is smooth at that distance, near 0 for one that is noise (the shattered gradients of Balduzzi et al. 2017, "The
/// Shattered Gradients Problem", Section 2). Pairs with a gradient of 0 do not count; NaN if none is left.
///
/// # Shapes
/// - points, neighbours: (pairs, inputs)
pub fn mean_cosine(function: &dyn Fn(&Tensor) -> Result<Tensor>, points: &Tensor, neighbours: &Tensor) -> Result<f64> {
    let slopes = |at: &Tensor| -> Result<Tensor> {
        let input = Var::from_tensor(at)?;
        let output = function(&input)?;
        gradient(&output, &output.ones_like()?, &input)?.to_dtype(DType::F64)
    };
    let (here, there) = (slopes(points)?, slopes(neighbours)?);
    let lengths = (here.sqr()?.sum(D::Minus1)?.sqrt()? * there.sqr()?.sum(D::Minus1)?.sqrt()?)?.to_vec1::<f64>()?;
    let products = (here * there)?.sum(D::Minus1)?.to_vec1::<f64>()?;
    let cosines: Vec<f64> =
        products.iter().zip(&lengths).filter(|(_, length)| **length > 0.0).map(|(p, length)| p / length).collect();
    Ok(cosines.iter().sum::<f64>() / cosines.len() as f64)
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
        assert!((mean_cosine(&plane, &points, &neighbours)? - 1.0).abs() < 1e-12);
        let cosine = |depth: usize| -> Result<f64> {
            let config = ModelConfig::Hannet(HanNetConfig::new(30, depth, vec![1, 2, depth]));
            let model = config.build_as(DType::F64, 2, 2, Seed(2), &Device::Cpu)?;
            mean_cosine(&|xs| model.frozen.forward(xs, Mode::Eval), &points, &neighbours)
        };
        let (shallow, deep) = (cosine(5)?, cosine(300)?);
        assert!(shallow > 0.5 && deep < 0.5 * shallow, "{shallow} and {deep}");
        Ok(())
    }
}
