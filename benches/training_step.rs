//! Time of one whole training step (forward, backward, optimizer) at the checkerboard's batch of 100.
//!
//! `make bench`, or `cargo bench --bench training_step`. One thread: run with RAYON_NUM_THREADS=1.

use candle_core::{Device, Tensor};
use criterion::{Criterion, criterion_group, criterion_main};
use han_exp::data::{Points, TrainingSet};
use han_exp::memory::keep_freed_memory;
use han_exp::model::{FcNetConfig, HanNetConfig, Model, ModelConfig, ResNetConfig};
use han_exp::nn::loss;
use han_exp::rng::Seed;
use han_exp::train::{Optimizer, OptimizerConfig, Pass};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BATCH: usize = 100;

fn points(stream_name: &str) -> Points {
    let mut stream = Seed(0).stream(stream_name);
    let mut tensor = || {
        let values: Vec<f32> = (0..2 * BATCH).map(|_| stream.uniform() as f32).collect();
        Tensor::from_vec(values, (BATCH, 2), &Device::Cpu).expect("the length fits the shape")
    };
    Points { inputs: tensor(), targets: tensor() }
}

fn step(model: &Model, optimizer: &mut Optimizer, data: &Points, rows: &[u32]) -> candle_core::Result<f32> {
    let (xs, ys) = data.batch(0, rows)?;
    let Pass { loss, gradients, .. } = Pass::of(model, &xs, |outputs| loss::mse(outputs, &ys))?;
    optimizer.step(&gradients, 1e-4)?;
    loss.to_scalar()
}

fn training_step(criterion: &mut Criterion) {
    keep_freed_memory();
    let sgd = OptimizerConfig::Sgd { momentum: 0.9, weight_decay: 0.0 };
    let adam = OptimizerConfig::Adam { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weight_decay: 0.0 };
    let hannet = ModelConfig::Hannet(HanNetConfig::new(30, 20, vec![1, 2, 20]));
    let fcnet = ModelConfig::Fcnet(FcNetConfig::new(100, 6));
    let resnet = ModelConfig::Resnet(ResNetConfig { width: 100, blocks: 10 });
    let mut group = criterion.benchmark_group("training step, batch 100");
    for (name, model, optimizer) in [
        ("hannet 20x30, sgd", &hannet, &sgd),
        ("hannet 20x30, adam", &hannet, &adam),
        ("fcnet 6x100, sgd", &fcnet, &sgd),
        ("resnet 10x100, sgd", &resnet, &sgd),
    ] {
        let model = model.build(2, 2, Seed(0), &Device::Cpu).expect("a valid model");
        let mut optimizer = Optimizer::new(optimizer.clone(), model.parameters.trained()).expect("CPU state");
        let data = points(name);
        let rows: Vec<u32> = (0..BATCH as u32).collect();
        group.bench_function(name, |bencher| {
            bencher.iter(|| step(&model, &mut optimizer, &data, &rows).expect("a step"));
        });
    }
    group.finish();
}

criterion_group!(benches, training_step);
criterion_main!(benches);
