//! Networks that are one layer after the other, and their layers one by one for what can be proved from that.

use super::Network;
use crate::nn::{Dense, DenseStack, HanLayer, HanStack, Mode, OrthogonalDense, Trace};
use candle_core::{DType, Result, Tensor};
use candle_nn::Module;

/// Hidden layers and a dense head without an activation.
#[derive(Debug, Clone)]
pub struct Chain {
    body: Vec<Link>,
    head: Dense,
}

/// One or several hidden layers that are computed as one operation.
#[derive(Debug, Clone)]
pub enum Link {
    /// Any weight.
    Dense(Dense),
    /// Equal layers.
    DenseStack(DenseStack),
    /// An orthonormal weight.
    Orthogonal(OrthogonalDense),
    /// Han-layers.
    Han(HanStack),
}

/// A single layer of a chain.
#[derive(Debug, Clone)]
pub enum Layer {
    /// act(x W^T + b) with |.|, ReLU, tanh or nothing, each 1-Lipschitz.
    Dense(Dense),
    /// A Han-layer, 1-Lipschitz.
    Han(HanLayer),
}

impl Chain {
    /// A network of these layers.
    pub fn new(body: Vec<Link>, head: Dense) -> Self {
        Self { body, head }
    }

    /// The last layer; margins between classes are measured by the distances of its rows.
    pub fn head(&self) -> &Dense {
        &self.head
    }

    /// The hidden layers in order, as constants of the given type.
    pub fn hidden(&self, dtype: DType) -> Result<Vec<Layer>> {
        let mut layers = Vec::new();
        let dense = |layer: &Dense| Ok(Layer::Dense(layer.constant(dtype)?));
        for link in &self.body {
            match link {
                Link::Dense(layer) => layers.push(dense(layer)?),
                Link::Orthogonal(layer) => layers.push(dense(&layer.dense()?)?),
                Link::DenseStack(stack) => {
                    layers.extend(stack.layers()?.iter().map(dense).collect::<Result<Vec<_>>>()?);
                }
                Link::Han(stack) => {
                    let han = |layer: &HanLayer| Ok(Layer::Han(layer.constant(dtype)?));
                    layers.extend(stack.layers()?.iter().map(han).collect::<Result<Vec<_>>>()?);
                }
            }
        }
        Ok(layers)
    }

    fn pass(&self, xs: &Tensor, mut trace: Option<&mut Trace>) -> Result<Tensor> {
        let hidden = self.body.iter().try_fold(xs.clone(), |h, link| match link {
            Link::Dense(layer) => layer.forward_traced(&h, trace.as_deref_mut()),
            Link::DenseStack(stack) => stack.forward_traced(&h, trace.as_deref_mut()),
            Link::Orthogonal(layer) => layer.forward_traced(&h, trace.as_deref_mut()),
            Link::Han(stack) => stack.forward_traced(&h, trace.as_deref_mut()),
        })?;
        self.head.forward_traced(&hidden, trace)
    }
}

impl Network for Chain {
    fn forward(&self, xs: &Tensor, _mode: Mode) -> Result<Tensor> {
        self.pass(xs, None)
    }

    fn traced(&self, xs: &Tensor) -> Result<Option<(Tensor, Trace)>> {
        let Some(mut trace) = Trace::of(xs)? else { return Ok(None) };
        Ok(Some((self.pass(xs, Some(&mut trace))?, trace)))
    }

    fn traced_in_training(&self, xs: &Tensor) -> Result<Option<(Tensor, Trace)>> {
        let is_computed = |link: &Link| match link {
            Link::Dense(layer) => layer.is_computed(),
            Link::DenseStack(stack) => stack.is_computed(),
            Link::Orthogonal(_) => true,
            Link::Han(stack) => stack.is_computed(),
        };
        if self.body.iter().any(is_computed) || self.head.is_computed() {
            return Ok(None);
        }
        let Some(mut trace) = Trace::of_training(xs)? else { return Ok(None) };
        Ok(Some((self.pass(xs, Some(&mut trace))?, trace)))
    }

    fn chain(&self) -> Result<&Chain> {
        Ok(self)
    }
}

impl Module for Layer {
    /// # Shapes
    /// - xs: (batch, inputs) -> (batch, outputs)
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        match self {
            Self::Dense(layer) => layer.forward(xs),
            Self::Han(layer) => layer.forward(xs),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Chain, Link};
    use crate::model::{Activation, BoundedFcNetConfig, FcNetConfig, HanNetConfig, ModelConfig, Network};
    use crate::nn::{Dense, HanStack, Mode, Trace};
    use crate::rng::Seed;
    use candle_core::{DType, Device, Result, Tensor, Var};

    #[test]
    fn a_trace_leads_to_the_gradient_of_the_graph_to_the_bit() -> Result<()> {
        let fcnet = |depth, activation| ModelConfig::Fcnet(FcNetConfig { activation, ..FcNetConfig::new(9, depth) });
        for config in [
            ModelConfig::Hannet(HanNetConfig::new(9, 5, vec![1, 4])),
            ModelConfig::Certified(HanNetConfig::new(9, 5, vec![1, 3])),
            ModelConfig::BoundedFcnet(BoundedFcNetConfig { width: 9, depth: 3, norm_product: 2.0 }),
            fcnet(3, Activation::Relu),
            fcnet(1, Activation::Abs),
            fcnet(2, Activation::Tanh),
        ] {
            for dtype in [DType::F32, DType::F64] {
                let model = config.build_as(dtype, 7, 4, Seed(3), &Device::Cpu)?;
                let mut stream = Seed(4).stream("chain");
                let mut normal = |len: usize| (0..len).map(|_| stream.normal()).collect::<Vec<f64>>();
                let xs = Tensor::from_vec(normal(11 * 7), (11, 7), &Device::Cpu)?.to_dtype(dtype)?;
                let c = Tensor::from_vec(normal(11 * 4), (11, 4), &Device::Cpu)?.to_dtype(dtype)?;
                let input = Var::from_tensor(&xs)?;
                let output = model.frozen.forward(input.as_tensor(), Mode::Eval)?;
                let gradients = (&output * &c)?.sum_all()?.backward()?;
                let expected = gradients.get(input.as_tensor()).expect("a gradient").flatten_all()?;
                // Parameters that are no constants make no difference.
                for network in [&model.frozen, &model.network] {
                    let (traced, trace) = network.traced(&xs)?.expect("a trace");
                    assert!(!traced.track_op());
                    assert_eq!(
                        traced.to_dtype(DType::F64)?.to_vec2::<f64>()?,
                        output.to_dtype(DType::F64)?.to_vec2::<f64>()?
                    );
                    let c = c.flatten_all()?;
                    match dtype {
                        DType::F32 => assert_eq!(trace.backward(c.to_vec1::<f32>()?)?, expected.to_vec1::<f32>()?),
                        _ => assert_eq!(trace.backward(c.to_vec1::<f64>()?)?, expected.to_vec1::<f64>()?),
                    }
                    assert!(trace.backward(vec![0f32; 3]).is_err() && trace.backward(vec![0u8; 44]).is_err());
                }
            }
        }
        Ok(())
    }

    #[test]
    fn whole_numbers_have_no_trace() -> Result<()> {
        let model = ModelConfig::Fcnet(FcNetConfig::new(9, 2)).build(7, 4, Seed(3), &Device::Cpu)?;
        assert!(model.frozen.traced(&Tensor::zeros((2, 7), DType::U8, &Device::Cpu)?).is_err());
        assert!(model.frozen.traced(&Tensor::zeros((2, 7), DType::BF16, &Device::Cpu)?)?.is_none());
        Ok(())
    }

    #[test]
    fn computed_parameters_take_the_graph_in_training() -> Result<()> {
        let ones = |dims: &[usize]| Tensor::ones(dims, DType::F32, &Device::Cpu);
        let variable = Var::from_tensor(&ones(&[3, 3])?)?;
        let doubled = (variable.as_tensor() * 2.0)?;
        let dense = |weight: &Tensor| Dense::new(weight.clone(), ones(&[3])?, Activation::Identity);
        let han = |direction: Tensor| HanStack::new(direction, ones(&[1, 3])?);
        let plain = dense(variable.as_tensor())?;
        let trains = |body: Link, head: &Dense| -> Result<bool> {
            Ok(Chain::new(vec![body], head.clone()).traced_in_training(&ones(&[2, 3])?)?.is_some())
        };
        assert!(trains(Link::Dense(plain.clone()), &plain)?);
        assert!(
            !trains(Link::Dense(dense(&doubled)?), &plain)? && !trains(Link::Dense(plain.clone()), &dense(&doubled)?)?
        );
        assert!(!trains(Link::Han(han(doubled.narrow(0, 0, 1)?)?), &plain)?);
        Ok(())
    }

    #[test]
    fn a_layer_without_a_kernel_refuses_a_trace() -> Result<()> {
        let tensor = |dims: &[usize]| Tensor::ones(dims, DType::BF16, &Device::Cpu);
        let mut trace = Trace::of(&Tensor::zeros(1, DType::F32, &Device::Cpu)?)?.expect("kernels for f32");
        let dense = Dense::new(tensor(&[3, 3])?, tensor(&[3])?, Activation::Identity)?;
        let han = HanStack::new(tensor(&[2, 3])?, tensor(&[2, 3])?)?;
        let xs = tensor(&[4, 3])?;
        for refused in [dense.forward_traced(&xs, Some(&mut trace)), han.forward_traced(&xs, Some(&mut trace))] {
            assert!(refused.is_err_and(|error| error.to_string().contains("leaves no trace")));
        }
        assert!(dense.forward_traced(&xs, None).is_ok() && han.forward_traced(&xs, None).is_ok());
        Ok(())
    }
}
