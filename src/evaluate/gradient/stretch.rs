//! The largest ||f(x) - f(y)|| / ||x - y|| that gradient ascent finds: a lower bound of the Lipschitz constant, to be held
//! against an upper one.

use super::RowFunction;
use crate::rng::Stream;
use candle_core::{D, DType, Device, Result, Tensor, Var, bail};

/// How it is searched for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ascent {
    /// Pairs of points that are followed.
    pub pairs: usize,
    /// Steps of each.
    pub steps: usize,
}

/// What the search found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// The largest ratio over all pairs and steps: the Lipschitz constant from below. None if no images were further apart
    /// than rounding puts them.
    pub largest: Option<f64>,
    /// The largest ratio of the pairs as they were drawn.
    pub at_random: Option<f64>,
}

/// Images nearer to each other than this part of their length may be so by rounding: they have no ratio.
const ROUNDING: f64 = 1e-11;
/// Length of the first step, as a part of the distance of the pair; it falls to a hundredth of that.
const STEP: f64 = 0.3;

impl Ascent {
    /// Follows the gradient of log ||f(x) - f(y)|| - log ||x - y|| with both points of every pair. x begins as a normal
    /// vector and y at distances between 0.001 and 10 from it, so that pairs on one linear piece and far apart are tried.
    /// A step is a part of the distance of its pair, of constant length however steep the ratio is.
    ///
    /// `function` is of f64 and treats every row by itself.
    ///
    /// # Errors
    /// When there are no pairs or no inputs, or the function fails.
    pub fn search(
        &self,
        function: &RowFunction<'_>,
        inputs: usize,
        stream: &mut Stream,
        device: &Device,
    ) -> Result<Found> {
        if self.pairs == 0 || inputs == 0 {
            bail!("{} pairs of points of {inputs} inputs find nothing; use at least 1 of each", self.pairs);
        }
        let mut x = self.normal(inputs, 1.0, stream, device)?;
        let scales: Vec<f64> = (0..self.pairs).map(|_| 10f64.powf(4.0 * stream.uniform() - 3.0)).collect();
        let away = unit(&self.normal(inputs, 1.0, stream, device)?)?;
        let mut y = (&x + away.broadcast_mul(&Tensor::new(scales, device)?.unsqueeze(1)?)?)?;
        let (mut largest, mut at_random) = (None, None);
        for step in 0..=self.steps {
            let (from, to) = (Var::from_tensor(&x)?, Var::from_tensor(&y)?);
            let apart = length(&(from.as_tensor() - to.as_tensor())?)?;
            let (image, other) = (function(&from)?, function(&to)?);
            let images_apart = length(&(&image - &other)?)?;
            let ratio = images_apart.div(&apart)?;
            let in_numbers = |tensor: &Tensor| tensor.detach().flatten_all()?.to_vec1::<f64>();
            let told = in_numbers(&images_apart)?.into_iter().zip(in_numbers(&length(&image)?)?);
            let told = told.zip(in_numbers(&ratio)?).filter(|((apart, size), _)| *apart > ROUNDING * size);
            // A pair that has met has no ratio either.
            let values = told.map(|(_, ratio)| ratio).filter(|ratio| ratio.is_finite());
            largest = values.fold(largest, |largest: Option<f64>, value| Some(largest.map_or(value, |l| l.max(value))));
            if step == 0 {
                at_random = largest;
            }
            if step == self.steps {
                break;
            }
            let gradients = ratio.log()?.sum_all()?.backward()?;
            let part = STEP * 0.01f64.powf(step as f64 / self.steps as f64);
            let reach = (apart.detach() * part)?;
            let moved = |var: &Var| -> Result<Tensor> {
                let at = var.as_detached_tensor();
                match gradients.get(var.as_tensor()) {
                    Some(gradient) => at + unit(gradient)?.broadcast_mul(&reach)?,
                    None => Ok(at),
                }
            };
            (x, y) = (moved(&from)?.detach(), moved(&to)?.detach());
        }
        Ok(Found { largest, at_random })
    }

    fn normal(&self, inputs: usize, scale: f64, stream: &mut Stream, device: &Device) -> Result<Tensor> {
        let entries: Vec<f64> = (0..self.pairs * inputs).map(|_| scale * stream.normal()).collect();
        Tensor::from_vec(entries, (self.pairs, inputs), device)
    }
}

/// Lengths of the rows, (rows, 1).
fn length(rows: &Tensor) -> Result<Tensor> {
    rows.sqr()?.sum_keepdim(D::Minus1)?.sqrt()
}

/// The rows at length 1; what is 0 stays so, what is no number becomes 0.
fn unit(rows: &Tensor) -> Result<Tensor> {
    let rows = rows.detach().to_dtype(DType::F64)?;
    let finite = rows.eq(&rows)?.to_dtype(DType::F64)?;
    let rows = finite.ne(0.0)?.where_cond(&rows, &rows.zeros_like()?)?;
    rows.broadcast_div(&(length(&rows)? + 1e-300)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Activation, Dense};
    use crate::rng::Seed;
    use candle_nn::Module;

    #[test]
    fn the_norm_of_a_matrix_is_found_and_never_passed() -> Result<()> {
        let matrix = Tensor::new(&[[3f64, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.1]], &Device::Cpu)?;
        let ascent = Ascent { pairs: 8, steps: 200 };
        let found = ascent.search(&|xs| xs.matmul(&matrix), 3, &mut Seed(1).stream("test"), &Device::Cpu)?;
        let largest = found.largest.unwrap_or(f64::NAN);
        assert!(largest <= 3.0 + 1e-9 && largest > 2.999 && found.at_random < found.largest, "{found:?}");
        Ok(())
    }

    #[test]
    fn a_folded_piece_is_not_taken_for_the_whole() -> Result<()> {
        // relu(10 x) is constant on the left: pairs there have ratio 0, and log 0 has no gradient.
        let weight = Tensor::new(&[[10f64]], &Device::Cpu)?;
        let layer = Dense::new(weight, Tensor::new(&[0f64], &Device::Cpu)?, Activation::Relu)?;
        let ascent = Ascent { pairs: 16, steps: 50 };
        let found = ascent.search(&|xs| layer.forward(xs), 1, &mut Seed(2).stream("test"), &Device::Cpu)?;
        assert!(found.largest.is_some_and(|largest| (largest - 10.0).abs() < 1e-9), "{found:?}");
        Ok(())
    }

    #[test]
    fn rounding_is_no_distance() -> Result<()> {
        let found = Ascent { pairs: 8, steps: 20 };
        let found = found.search(&|xs| xs.affine(1e-18, 1.0), 3, &mut Seed(3).stream("test"), &Device::Cpu)?;
        assert_eq!(found, Found { largest: None, at_random: None });
        Ok(())
    }
}
