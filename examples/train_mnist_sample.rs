//! Trains a network of Han-layers with candle's own parts on a sample of MNIST, saves it, and loads it again:
//!
//! `cargo run --release --no-default-features --example train_mnist_sample`

use anyhow::{Result, ensure};
use candle_core::{D, DType, Device, Tensor};
use candle_nn::{AdamW, Module, Optimizer, Sequential, VarBuilder, VarMap, linear, loss, seq};
use han_exp::data::idx::Array;
use han_exp::nn::han_stack;
use han_exp::rng::Seed;

const TRAIN: [&[u8]; 2] = [
    include_bytes!("../src/data/sample/train-images-idx3-ubyte.gz"),
    include_bytes!("../src/data/sample/train-labels-idx1-ubyte.gz"),
];
const TEST: [&[u8]; 2] = [
    include_bytes!("../src/data/sample/t10k-images-idx3-ubyte.gz"),
    include_bytes!("../src/data/sample/t10k-labels-idx1-ubyte.gz"),
];
const PIXELS: usize = 28 * 28;
/// Images of a file, at most.
const MOST: usize = 4_000;
const BATCH: usize = 50;

/// Images as rows in [0, 1], and their classes.
fn load([images, labels]: [&[u8]; 2]) -> Result<(Tensor, Tensor)> {
    let images = Array::decode(images, MOST * PIXELS)?;
    let pixels: Vec<f32> = images.bytes.iter().map(|byte| f32::from(*byte) / 255.0).collect();
    let labels: Vec<u32> = Array::decode(labels, MOST)?.bytes.into_iter().map(u32::from).collect();
    let xs = Tensor::from_vec(pixels, (images.dimensions[0], PIXELS), &Device::Cpu)?;
    Ok((xs, Tensor::new(labels, &Device::Cpu)?))
}

/// A dense layer to 64 numbers, eight Han-layers, and a dense layer to the classes.
fn network(vars: &VarMap) -> Result<Sequential> {
    let vb = VarBuilder::from_varmap(vars, DType::F32, &Device::Cpu);
    let first = linear(PIXELS, 64, vb.pp("first"))?;
    Ok(seq().add(first).add(han_stack(64, 8, vb.pp("han"))?).add(linear(64, 10, vb.pp("last"))?))
}

fn main() -> Result<()> {
    let ((xs, ys), (test_xs, test_ys)) = (load(TRAIN)?, load(TEST)?);
    let vars = VarMap::new();
    let model = network(&vars)?;
    let mut optimizer = AdamW::new_lr(vars.all_vars(), 1e-3)?;
    for epoch in 1..=10 {
        let order = Seed(epoch).stream("batches").permutation(xs.dims()[0]);
        for rows in order.chunks(BATCH) {
            let rows = Tensor::from_iter(rows.iter().map(|row| *row as u32), &Device::Cpu)?;
            let logits = model.forward(&xs.index_select(&rows, 0)?)?;
            optimizer.backward_step(&loss::cross_entropy(&logits, &ys.index_select(&rows, 0)?)?)?;
        }
        let right = model.forward(&test_xs)?.argmax(D::Minus1)?.eq(&test_ys)?.to_dtype(DType::F32)?;
        println!("epoch {epoch}: {:.1} % of the test images", 100.0 * right.mean_all()?.to_scalar::<f32>()?);
    }

    let path = std::env::temp_dir().join("han-mnist.safetensors");
    vars.save(&path)?;
    let mut loaded = VarMap::new();
    let again = network(&loaded)?;
    loaded.load(&path)?;
    let outputs = |model: &Sequential| model.forward(&test_xs)?.to_vec2::<f32>();
    ensure!(outputs(&model)? == outputs(&again)?, "a network that was loaded again has other outputs");
    println!("saved to {} and loaded again: the same outputs", path.display());
    Ok(())
}
