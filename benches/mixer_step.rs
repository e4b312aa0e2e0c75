//! Time of one training step (forward, backward, AdamW) of the mixer, batch 64, on as many threads as
//! `RAYON_NUM_THREADS` says: whole networks, and Han blocks by themselves against depth and width.

use candle_core::{DType, Device, Tensor};
use candle_nn::Module;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use han_exp::memory::keep_freed_memory;
use han_exp::model::image::{ImageModelConfig, MixerConfig};
use han_exp::nn::{Scope, han_blocks, loss};
use han_exp::rng::Seed;
use han_exp::train::{Optimizer, OptimizerConfig, Pass};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BATCH: usize = 64;
const TOKENS: usize = 64;

fn normal(dims: &[usize]) -> Tensor {
    let mut stream = Seed(1).stream("bench");
    let values: Vec<f32> = (0..dims.iter().product()).map(|_| stream.normal() as f32).collect();
    Tensor::from_vec(values, dims, &Device::Cpu).expect("as many values as entries")
}

fn networks(criterion: &mut Criterion) {
    keep_freed_memory();
    let mut group = criterion.benchmark_group("mixer step, batch 64");
    group.sample_size(10);
    let xs = normal(&[BATCH, 32, 32, 3]);
    let labels = Tensor::from_vec((0..BATCH as u32).map(|i| i % 10).collect(), BATCH, &Device::Cpu).expect("labels");
    for (channels, mixer_blocks, han_blocks) in
        [(256, 4, 0), (256, 4, 12), (256, 8, 0), (64, 4, 0), (64, 4, 12), (64, 8, 0)]
    {
        let config = ImageModelConfig::Mixer(MixerConfig::new(channels, mixer_blocks, han_blocks));
        let model = config.build([32, 32, 3], 10, Seed(1), &Device::Cpu).expect("a model");
        let rule = OptimizerConfig::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.1 };
        let mut optimizer = Optimizer::new(rule, model.parameters.trained()).expect("an optimizer");
        let name = format!("channels {channels}, {mixer_blocks} + {han_blocks}");
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let pass = Pass::of(&model, &xs, |logits| loss::cross_entropy(logits, &labels)).expect("a pass");
                optimizer.step(&pass.gradients, 1e-4).expect("a step");
            });
        });
    }
}

/// Forward and backward pass of Han blocks alone: the time should double with depth and with width.
fn blocks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("Han blocks, batch 64");
    group.sample_size(10);
    for (depth, channels) in [(3, 256), (6, 256), (12, 256), (24, 256), (12, 64), (12, 128), (12, 512)] {
        let scope = Scope::new(Seed(1), DType::F32, &Device::Cpu);
        let names: Vec<String> = (0..depth).map(|block| block.to_string()).collect();
        let blocks = han_blocks(TOKENS, channels, &names, None, &scope).expect("blocks");
        let xs = normal(&[BATCH, TOKENS, channels]);
        group.bench_function(BenchmarkId::new(format!("{depth} blocks"), channels), |bencher| {
            bencher.iter(|| {
                let y = blocks.forward(&xs).expect("a forward pass");
                y.sum_all().and_then(|sum| sum.backward()).expect("a backward pass")
            });
        });
    }
}

criterion_group!(benches, networks, blocks);
criterion_main!(benches);
