//! Jacobians of random Han-layers, and of layers at and near a kink.

use super::rows::JacobianRow;
use super::{Bench, Layers};
use crate::engine::runs::Record;
use crate::evaluate::gradient::{KinkedLayer, RandomLayer};
use crate::train::Control;
use anyhow::Result;
use candle_core::DType;

/// The least power of two at which z is put. Points and directions are multiples of 2^-13 below 8, so that sums with z are
/// exact in f64, with some room.
const NEAREST: i32 = -36;
/// The same in f32.
const NEAREST_SINGLE: i32 = -9;

/// Measures; None if it was stopped.
pub(super) fn measure(bench: &Bench<'_>, plan: &Layers) -> Result<Option<Record>> {
    let (seed, device) = (bench.spec.seed, bench.device);
    let precisions = [DType::F64, DType::F32];
    let headline = |[double, single]: [f64; 2]| format!("largest deviation {double:.1e} in f64, {single:.1e} in f32");
    let mut rows = Vec::new();
    let mut worst = [0.0; 2];
    let mut stream = seed.stream("jacobian/layers");
    for place in 0..plan.layers {
        let layer = RandomLayer::draw(plan.narrowest, plan.widest, &mut stream);
        for (dtype, worst) in precisions.into_iter().zip(&mut worst) {
            let deviation = bench.job.part("layer", || Ok(layer.deviation(dtype, device)?))?;
            *worst = f64::max(*worst, deviation);
            let (width, precision) = (layer.width(), dtype.as_str().to_string());
            rows.push(JacobianRow { layer: place, width, precision, z: None, deviation, row_length: None });
        }
        if bench.job.tick(place + 1, &|| headline(worst)) == Control::Stop {
            return Ok(None);
        }
    }
    let mut stream = seed.stream("jacobian/kinks");
    let powers = (NEAREST..=0).step_by(3);
    let values = powers.flat_map(|power| [-(2f64.powi(power)), 2f64.powi(power)]).chain([0.0]);
    for value in values {
        bench.halt.check()?;
        for place in 0..plan.kinks {
            let layer = KinkedLayer::draw(value, &mut stream);
            for dtype in precisions {
                if dtype == DType::F32 && value != 0.0 && value.abs() < 2f64.powi(NEAREST_SINGLE) {
                    continue;
                }
                let (deviation, row_length) = bench.job.part("kink", || Ok(layer.measure(dtype, device)?))?;
                let (width, precision) = (KinkedLayer::WIDTH, dtype.as_str().to_string());
                let (z, row_length) = (Some(value), Some(row_length));
                rows.push(JacobianRow { layer: place, width, precision, z, deviation, row_length });
            }
        }
    }
    Ok(Some(bench.record(0, headline(worst)).rows("jacobian.csv", &rows)?))
}
