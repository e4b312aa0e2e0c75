//! Random Han-layers with a point each, in the interior of a linear piece or at the edge of one.

use super::jacobian::{deviation, of_one_point};
use crate::nn::HanLayer;
use crate::rng::Stream;
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::Module;

/// A layer and a point, drawn in f64.
#[derive(Debug, Clone, PartialEq)]
pub struct RandomLayer {
    direction: Vec<f64>,
    bias: Vec<f64>,
    point: Vec<f64>,
}

impl RandomLayer {
    /// A width between the two, their logarithms equally likely; a direction of any orientation and of a length around
    /// 0.001 to 1,000; standard normal biases and point. The narrowest width is 1, and the widest no less than it.
    pub fn draw(narrowest: usize, widest: usize, stream: &mut Stream) -> Self {
        let narrowest = narrowest.max(1);
        let widest = widest.max(narrowest);
        let (low, high) = ((narrowest as f64).ln(), (widest as f64 + 1.0).ln());
        let width = ((low + (high - low) * stream.uniform()).exp() as usize).clamp(narrowest, widest);
        let length = 10f64.powf(6.0 * stream.uniform() - 3.0) / (width as f64).sqrt();
        let mut normal = |scale: f64| (0..width).map(|_| scale * stream.normal()).collect::<Vec<f64>>();
        Self { direction: normal(length), bias: normal(1.0), point: normal(1.0) }
    }

    /// Width.
    pub fn width(&self) -> usize {
        self.point.len()
    }

    /// See [`deviation`].
    pub fn deviation(&self, dtype: DType, device: &Device) -> Result<f64> {
        deviation(&self.jacobian(dtype, device)?)
    }

    fn jacobian(&self, dtype: DType, device: &Device) -> Result<Tensor> {
        let tensor = |values: &[f64]| Tensor::new(values, device)?.to_dtype(dtype);
        let layer = HanLayer::new(tensor(&self.direction)?, tensor(&self.bias)?)?;
        of_one_point(&|xs| layer.forward(xs), &tensor(&self.point)?, self.width())
    }
}

/// A layer whose z has one entry of a given value; all others are at least 1/8 from 0. Its arithmetic is exact, so that
/// the entry has that value in floating point too, 0 included.
#[derive(Debug, Clone, PartialEq)]
pub struct KinkedLayer {
    layer: RandomLayer,
    entry: usize,
}

impl KinkedLayer {
    /// Width of these layers: with directions of entries 1 and -1 it makes |u| a power of two.
    pub const WIDTH: usize = 16;

    /// A layer with z = `value` in one entry. In f64 the arithmetic is exact for 0 and powers of two down to 2^-36.
    pub fn draw(value: f64, stream: &mut Stream) -> Self {
        let direction: Vec<f64> = (0..Self::WIDTH).map(|_| if stream.uniform() < 0.5 { -1.0 } else { 1.0 }).collect();
        let point: Vec<f64> = (0..Self::WIDTH).map(|_| stream.index(2049) as f64 / 1024.0 - 1.0).collect();
        let along: f64 = direction.iter().zip(&point).map(|(u, x)| u * x).sum::<f64>() / Self::WIDTH as f64;
        let reflected = point.iter().zip(&direction).map(|(x, u)| x - 2.0 * along * u);
        let entry = stream.index(Self::WIDTH);
        let wanted = (0..Self::WIDTH).map(|place| {
            let size = 0.125 + stream.index(1024) as f64 / 1024.0;
            if place == entry {
                value
            } else if stream.uniform() < 0.5 {
                -size
            } else {
                size
            }
        });
        let wanted: Vec<f64> = wanted.collect();
        let bias = wanted.iter().zip(reflected).map(|(z, hx)| z - hx).collect();
        Self { layer: RandomLayer { direction, bias, point }, entry }
    }

    /// See [`deviation`], and the length of the row of the Jacobian that belongs to the entry: 1 on either side of the
    /// kink; 0 on it, where |.| has no derivative and 0 is taken for its slope.
    pub fn measure(&self, dtype: DType, device: &Device) -> Result<(f64, f64)> {
        let jacobian = self.layer.jacobian(dtype, device)?;
        let row = jacobian.get(self.entry)?.to_dtype(DType::F64)?;
        Ok((deviation(&jacobian)?, row.sqr()?.sum_all()?.to_scalar::<f64>()?.sqrt()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    #[test]
    fn the_jacobian_is_orthogonal_wherever_no_entry_is_zero() -> Result<()> {
        let mut stream = Seed(1).stream("test");
        for _ in 0..60 {
            let layer = RandomLayer::draw(2, 300, &mut stream);
            let (double, single) =
                (layer.deviation(DType::F64, &Device::Cpu)?, layer.deviation(DType::F32, &Device::Cpu)?);
            assert!(double < 1e-12 && single < 1e-5, "width {}: {double}, {single}", layer.width());
        }
        Ok(())
    }

    #[test]
    fn at_the_kink_one_row_is_zero_and_beside_it_none() -> Result<()> {
        let mut stream = Seed(2).stream("test");
        for dtype in [DType::F64, DType::F32] {
            let (deviation, row) = KinkedLayer::draw(0.0, &mut stream).measure(dtype, &Device::Cpu)?;
            assert!(row == 0.0 && deviation > 0.05, "{dtype:?}: {deviation}, {row}");
            for value in [2f64.powi(-9), -(2f64.powi(-9))] {
                let (deviation, row) = KinkedLayer::draw(value, &mut stream).measure(dtype, &Device::Cpu)?;
                assert!(deviation < 1e-6 && (row - 1.0).abs() < 1e-6, "{dtype:?} {value}: {deviation}, {row}");
            }
        }
        let near = KinkedLayer::draw(2f64.powi(-36), &mut stream).measure(DType::F64, &Device::Cpu)?;
        assert!(near.0 < 1e-14, "{near:?}");
        Ok(())
    }

    #[test]
    fn widths_cover_their_range() {
        let mut stream = Seed(3).stream("test");
        let widths: Vec<usize> = (0..2000).map(|_| RandomLayer::draw(2, 9, &mut stream).width()).collect();
        assert!((2..=9).all(|width| widths.contains(&width)) && widths.iter().all(|width| (2..=9).contains(width)));
    }
}
