//! Time of one training step on a GPU, of the networks that `benches/peers.py` times in PyTorch: `make test-cuda` and `make bench-cuda`.
//! Every step ends when the GPU has made it. A line for each network: its name and the median in milliseconds.

use candle_core::{DType, Result, Tensor};
use han_exp::device::DeviceChoice;
use han_exp::model::image::{ImageModelConfig, MixerConfig};
use han_exp::model::{FcNetConfig, HanNetConfig, Model, ModelConfig, ResNetConfig};
use han_exp::nn::{Mode, loss};
use han_exp::rng::Seed;
use han_exp::train::{Optimizer, OptimizerConfig};
use std::time::{Duration, Instant};

const WARM_UP: Duration = Duration::from_secs(1);
const MEASURED: Duration = Duration::from_secs(3);
const FEWEST_STEPS: usize = 5;

fn main() -> anyhow::Result<()> {
    let device = DeviceChoice::Cuda(0).open()?.device;
    let sgd = OptimizerConfig::Sgd { momentum: 0.9, weight_decay: 0.0 };
    let adam = OptimizerConfig::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.1 };
    for (name, config) in [
        ("hannet-20x30", ModelConfig::Hannet(HanNetConfig::new(30, 20, vec![1, 2, 20]))),
        ("fcnet-6x100", ModelConfig::Fcnet(FcNetConfig::new(100, 6))),
        ("resnet-10x100", ModelConfig::Resnet(ResNetConfig { width: 100, blocks: 10 })),
    ] {
        let model = config.build_as(DType::F32, 2, 2, Seed(0), &device)?;
        let xs = normal(&[100, 2])?.to_device(&device)?;
        println!("{name} {:.4}", median(&model, &sgd, &xs, |y| loss::mse(y, &xs))?);
    }
    for (name, mixer_blocks, han_blocks) in [("mixer-4", 4, 0), ("mixer-4-han-12", 4, 12), ("mixer-8", 8, 0)] {
        let config = ImageModelConfig::Mixer(MixerConfig::new(256, mixer_blocks, han_blocks));
        let model = config.build_as(DType::F32, [32, 32, 3], 10, Seed(0), &device)?;
        let xs = normal(&[64, 32, 32, 3])?.to_device(&device)?;
        let labels = Tensor::from_iter((0..64).map(|label| label % 10u32), &device)?;
        println!("{name} {:.4}", median(&model, &adam, &xs, |y| loss::cross_entropy(y, &labels))?);
    }
    Ok(())
}

fn normal(dims: &[usize]) -> Result<Tensor> {
    let mut stream = Seed(1).stream("bench");
    let values: Vec<f32> = (0..dims.iter().product()).map(|_| stream.normal() as f32).collect();
    Tensor::from_vec(values, dims, &candle_core::Device::Cpu)
}

/// Milliseconds of a step: forward, backward, optimizer.
fn median(model: &Model, rule: &OptimizerConfig, xs: &Tensor, loss: impl Fn(&Tensor) -> Result<Tensor>) -> Result<f64> {
    let mut optimizer = Optimizer::new(rule.clone(), model.parameters.trained())?;
    let (start, mut milliseconds) = (Instant::now(), Vec::new());
    while start.elapsed() < WARM_UP + MEASURED || milliseconds.len() < FEWEST_STEPS {
        let step = Instant::now();
        optimizer.step(&loss(&model.network.forward(xs, Mode::Train)?)?.backward()?, 1e-4)?;
        xs.device().synchronize()?;
        if start.elapsed() > WARM_UP {
            milliseconds.push(1e3 * step.elapsed().as_secs_f64());
        }
    }
    milliseconds.sort_by(f64::total_cmp);
    Ok(milliseconds[milliseconds.len() / 2])
}
