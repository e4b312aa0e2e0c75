//! Weights on which sums round away what a certificate has to count.

use candle_core::{Device, Result, Tensor};
use candle_nn::Module;
use han_exp::evaluate::certificate::rounding::{LayerError, Precision, bound};
use han_exp::evaluate::certificate::spectral::upper_bound;
use han_exp::model::Layer;
use han_exp::nn::HanLayer;

#[test]
fn a_direction_whose_length_is_rounded_away_is_bounded_still() -> Result<()> {
    // The sum of squares in f64 stays 1; in truth it is 1 + rest, and every entry of v is too long by half of that.
    let (count, small) = (10_000, 2f64.powi(-27));
    let rest = f64::from(count) * small * small;
    let direction: Vec<f64> = std::iter::once(1.0).chain((0..count).map(|_| small)).collect();
    let mut x = vec![0.0; direction.len()];
    x[0] = 1.0;
    let direction = Tensor::new(direction, &Device::Cpu)?;
    let layer = HanLayer::new(direction.clone(), direction.zeros_like()?)?;
    let y = layer.forward(&Tensor::new(x, &Device::Cpu)?.unsqueeze(0)?)?.flatten_all()?.to_vec1::<f64>()?;
    // z_0 = 1 - 2 / (1 + rest), so y_0 = 1 - 2 rest / (1 + rest), and the program says 1.
    let off = (y[0] - 1.0) + 2.0 * rest / (1.0 + rest);
    let bound = bound(&[LayerError::of_hidden(&Layer::Han(layer), 1.0, Precision::F64)?], &[1.0], 0.0);
    assert!(off.abs() <= bound, "off by {off:e}, bounded by {bound:e}");
    Ok(())
}

#[test]
fn a_frobenius_norm_whose_sum_is_rounded_away_is_bounded_still() -> Result<()> {
    // v v^T with v = (1, a, .., a): nearly a million of its entries are a^2, and their squares are each less than half of
    // a unit in the last place of the sum.
    let (side, a) = (1000, 8.5e-5);
    let entry = |place: usize| if place == 0 { 1.0 } else { a };
    let entries: Vec<f64> = (0..side * side).map(|place| entry(place / side) * entry(place % side)).collect();
    let bound = upper_bound(&Tensor::from_vec(entries, (side, side), &Device::Cpu)?)?;
    let norm = 1.0 + 999.0 * a * a;
    assert!(norm * (1.0 - 1e-15) <= bound && bound <= norm * (1.0 + 1.1e-9), "{bound:.17} for {norm:.17}");
    Ok(())
}
