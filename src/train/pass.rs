//! A pass forward and back, all of a step but the update.

use crate::model::Model;
use crate::nn::Mode;
use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var, bail};

/// What a pass through a model in [`Mode::Train`] gives.
pub struct Pass {
    /// Of the network.
    pub outputs: Tensor,
    /// A scalar.
    pub loss: Tensor,
    /// Of the loss, by the model's variables.
    pub gradients: GradStore,
}

impl Pass {
    /// A batch through a model to a loss of the outputs, and back.
    ///
    /// # Errors
    /// When the batch does not fit the model, or the loss fails or is no scalar.
    pub fn of(model: &Model, xs: &Tensor, loss: impl FnOnce(&Tensor) -> Result<Tensor>) -> Result<Self> {
        let Some((outputs, trace)) = model.network.traced_in_training(xs)? else {
            let outputs = model.network.forward(xs, Mode::Train)?;
            let loss = loss(&outputs)?;
            let gradients = loss.backward()?;
            return Ok(Self { outputs, loss, gradients });
        };
        // The graph of the loss begins here.
        let outputs = Var::from_tensor(&outputs)?.into_inner();
        let loss = loss(&outputs)?;
        let mut gradients = loss.backward()?;
        let Some(gradient) = gradients.remove(&outputs) else { bail!("the loss does not depend on the outputs") };
        trace.backward_to_variables(&gradient, &mut gradients)?;
        Ok(Self { outputs, loss, gradients })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::image::{HanPlace, ImageModelConfig, MixerConfig};
    use crate::model::{FcNetConfig, HanNetConfig, ModelConfig};
    use crate::nn::{IdentityStart, Trace, loss};
    use crate::rng::Seed;
    use candle_core::{DType, Device};

    fn random(dims: &[usize], dtype: DType) -> Result<Tensor> {
        let mut stream = Seed(2).stream("inputs");
        let entries = (0..dims.iter().product()).map(|_| stream.normal()).collect::<Vec<f64>>();
        Tensor::from_vec(entries, dims, &Device::Cpu)?.to_dtype(dtype)
    }

    /// Holds a pass of one model against the graph of another that is the same.
    fn compare([traced, model]: [&Model; 2], xs: &Tensor, loss: impl Fn(&Tensor) -> Result<Tensor>) -> Result<()> {
        assert!(traced.network.traced_in_training(xs)?.is_some());
        let pass = Pass::of(traced, xs, &loss)?;
        let outputs = model.network.forward(xs, Mode::Train)?;
        let expected = loss(&outputs)?.backward()?;
        let numbers = |tensor: &Tensor| tensor.flatten_all()?.to_dtype(DType::F64)?.to_vec1::<f64>();
        assert_eq!(numbers(&pass.outputs)?, numbers(&outputs)?);
        for (var, same) in model.parameters.trained().iter().zip(traced.parameters.trained()) {
            let (expected, found) = (expected.get(var).expect("a gradient"), pass.gradients.get(&same));
            assert_eq!(numbers(found.expect("a gradient"))?, numbers(expected)?);
        }
        Ok(())
    }

    #[test]
    fn a_traced_pass_gives_the_gradients_of_the_graph_to_the_bit() -> Result<()> {
        let start = Some(IdentityStart { lift: 2.0, pace: 0.5 });
        let mixers = [
            MixerConfig::new(16, 2, 0),
            MixerConfig::new(16, 0, 3),
            MixerConfig { identity_start: start, ..MixerConfig::new(8, 1, 2) },
            MixerConfig { han_place: HanPlace::Between, ..MixerConfig::new(8, 2, 3) },
            MixerConfig { han_place: HanPlace::InFront, ..MixerConfig::new(8, 1, 1) },
        ];
        let labels = Tensor::from_iter((0..12).map(|image| image % 5u32), &Device::Cpu)?;
        for dtype in [DType::F32, DType::F64] {
            let xs = random(&[12, 16, 16, 3], dtype)?;
            for config in &mixers {
                let config = ImageModelConfig::Mixer(config.clone());
                let build = || config.build_as(dtype, [16, 16, 3], 5, Seed(1), &Device::Cpu);
                compare([&build()?, &build()?], &xs, |outputs| loss::cross_entropy(outputs, &labels))?;
            }
            let (xs, ys) = (random(&[12, 3], dtype)?, random(&[12, 2], dtype)?);
            for config in
                [ModelConfig::Hannet(HanNetConfig::new(6, 5, vec![1, 3])), ModelConfig::Fcnet(FcNetConfig::new(6, 3))]
            {
                let build = || config.build_as(dtype, 3, 2, Seed(1), &Device::Cpu);
                compare([&build()?, &build()?], &xs, |outputs| loss::mse(outputs, &ys))?;
            }
        }
        Ok(())
    }

    #[test]
    fn what_is_computed_from_variables_goes_through_the_graph() -> Result<()> {
        let config = ModelConfig::Certified(HanNetConfig::new(6, 5, vec![1, 3]));
        let model = config.build(3, 2, Seed(1), &Device::Cpu)?;
        let (xs, ys) = (random(&[12, 3], DType::F32)?, random(&[12, 2], DType::F32)?);
        assert!(model.network.traced_in_training(&xs)?.is_none());
        let pass = Pass::of(&model, &xs, |outputs| loss::mse(outputs, &ys))?;
        assert!(model.parameters.trained().iter().all(|var| pass.gradients.get(var).is_some()));
        Ok(())
    }

    #[test]
    fn a_trace_of_an_input_leads_to_no_variables() -> Result<()> {
        let xs = Tensor::zeros((2, 3), DType::F32, &Device::Cpu)?;
        let trace = Trace::of(&xs)?.expect("kernels for f32");
        let mut gradients = Var::ones(1, DType::F32, &Device::Cpu)?.sum_all()?.backward()?;
        assert!(trace.backward_to_variables(&xs, &mut gradients).is_err());
        Ok(())
    }
}
