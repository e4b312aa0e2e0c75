//! Parameters of whole models: how many, how they start, whether training reaches all of them, how they are saved.

mod common;

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::Module;
use common::{bits, entries, largest, normal};
use han_exp::model::{FcNetConfig, HanNetConfig, Model, ModelConfig, ResNetConfig, weights};
use han_exp::nn::params::{Parameter, Stored};
use han_exp::nn::{IdentityStart, Mode, Role, Scope, han_blocks, loss};
use han_exp::rng::Seed;
use han_exp::train::{Optimizer, OptimizerConfig};
use std::collections::HashMap;

fn hannet(width: usize, depth: usize, dense_at: &[usize]) -> ModelConfig {
    ModelConfig::Hannet(HanNetConfig::new(width, depth, dense_at.to_vec()))
}

fn fcnet(width: usize, depth: usize) -> ModelConfig {
    ModelConfig::Fcnet(FcNetConfig::new(width, depth))
}

fn resnet(width: usize, blocks: usize) -> ModelConfig {
    ModelConfig::Resnet(ResNetConfig { width, blocks })
}

fn count(config: &ModelConfig, inputs: usize, outputs: usize) -> Result<usize> {
    Ok(config.build(inputs, outputs, Seed(1), &Device::Cpu)?.parameters.count())
}

#[test]
fn checkerboard_models_have_the_papers_parameter_counts() -> Result<()> {
    assert_eq!(count(&hannet(30, 20, &[1, 2, 20]), 2, 2)?, 3_032);
    assert_eq!(count(&fcnet(100, 6), 2, 2)?, 51_002);
    assert_eq!(count(&resnet(100, 10), 2, 2)?, 206_702);
    Ok(())
}

#[test]
fn mnist_models_have_the_papers_parameter_counts() -> Result<()> {
    assert_eq!(count(&hannet(100, 20, &[1]), 784, 10)?, 83_310);
    assert_eq!(count(&fcnet(100, 6), 784, 10)?, 130_010);
    assert_eq!(count(&fcnet(100, 2), 784, 10)?, 89_610);
    Ok(())
}

#[test]
fn regression_models_have_the_papers_parameter_counts() -> Result<()> {
    // Columns of the data sets in the order of the paper's table; only the first layer depends on them.
    let table =
        [(15, 5_501, 52_201), (8, 4_801, 51_501), (18, 5_801, 52_501), (20, 6_001, 52_701), (19, 5_901, 52_601)];
    for (inputs, of_hannet, of_fcnet) in table {
        assert_eq!(count(&hannet(100, 20, &[1]), inputs, 1)?, of_hannet, "HanNet with {inputs} inputs");
        assert_eq!(count(&fcnet(100, 6), inputs, 1)?, of_fcnet, "FCNet with {inputs} inputs");
    }
    Ok(())
}

/// One of each kind, small enough to train and large enough to have every kind of part.
fn models() -> [(&'static str, ModelConfig); 4] {
    let certified = HanNetConfig::new(30, 12, vec![1, 7]);
    [
        ("HanNet", hannet(30, 20, &[1, 2, 20])),
        ("certified", ModelConfig::Certified(certified)),
        ("FCNet", fcnet(40, 4)),
        ("ResNet", resnet(40, 3)),
    ]
}

fn build(config: &ModelConfig, seed: u64) -> Result<Model> {
    config.build(2, 2, Seed(seed), &Device::Cpu)
}

/// The bits of every parameter and buffer.
fn snapshot(model: &Model) -> Result<Vec<Vec<u64>>> {
    model.parameters.iter().map(|p| bits(&p.var)).collect()
}

#[test]
fn equal_seeds_give_equal_bits() -> Result<()> {
    for (name, config) in models() {
        assert_eq!(snapshot(&build(&config, 7)?)?, snapshot(&build(&config, 7)?)?, "{name}");
    }
    Ok(())
}

#[test]
fn another_seed_changes_every_tensor_that_starts_at_random() -> Result<()> {
    for (name, config) in models() {
        let (one, other) = (build(&config, 7)?, build(&config, 8)?);
        for (a, b) in one.parameters.iter().zip(other.parameters.iter()) {
            let (ours, others) = (pieces(a, &a.var)?, pieces(b, &b.var)?);
            for ((ours, others), stored) in ours.iter().zip(&others).zip(&a.stored) {
                // Batch norm starts at 0 and 1 whatever the seed; nothing else starts constant.
                let start = entries(ours)?;
                let constant = start.iter().all(|x| *x == start[0]);
                assert_eq!(constant, is_batch_norm(&one, layer(stored)), "{name}: {stored:?}");
                assert_eq!(bits(ours)? == bits(others)?, constant, "{name}: {stored:?}");
            }
        }
    }
    Ok(())
}

/// The layer's part of a stored name.
fn layer(stored: &Stored) -> &str {
    stored.name.rsplit_once('.').unwrap_or_default().0
}

/// Whether a layer is a batch norm: one that keeps running statistics.
fn is_batch_norm(model: &Model, name: &str) -> bool {
    let mut buffers = model.parameters.iter().filter(|parameter| parameter.role == Role::Buffer);
    buffers.any(|buffer| layer(&buffer.stored[0]) == name)
}

/// Whether a tensor is the bias of a dense layer directly before a batch norm. The batch's mean takes it away again, so
/// no loss depends on it and its gradient is 0 up to rounding.
fn is_cancelled_by_batch_norm(model: &Model, stored: &Stored) -> bool {
    let name = layer(stored);
    let (block, module) = name.rsplit_once('.').unwrap_or(("", name));
    let next = module.parse::<usize>().map(|module| format!("{block}.{}", module + 1));
    let dense_bias = stored.name.ends_with(".bias") && !is_batch_norm(model, name);
    dense_bias && next.is_ok_and(|next| is_batch_norm(model, &next))
}

/// The gradients of one training step on random points.
fn gradients(model: &Model) -> Result<GradStore> {
    let mut stream = Seed(3).stream("points");
    let [x, t] = [(); 2].map(|()| normal(&mut stream, &[100, 2])?.to_dtype(DType::F32));
    loss::mse(&model.network.forward(&x?, Mode::Train)?, &t?)?.backward()
}

fn gradient<'a>(gradients: &'a GradStore, parameter: &Parameter) -> Result<&'a Tensor> {
    match gradients.get(parameter.var.as_tensor()) {
        Some(gradient) => Ok(gradient),
        None => candle_core::bail!("{:?} got no gradient", parameter.stored),
    }
}

/// Every tensor that a parameter is saved as: the layers of a stack one by one.
fn pieces(parameter: &Parameter, tensor: &Tensor) -> Result<Vec<Tensor>> {
    let (entries, mut start) = (tensor.flatten_all()?, 0);
    let next = |stored: &Stored| {
        let len = stored.shape.iter().product();
        start += len;
        entries.narrow(0, start - len, len)
    };
    parameter.stored.iter().map(next).collect()
}

#[test]
fn every_parameter_of_every_layer_gets_a_gradient() -> Result<()> {
    for (name, config) in models() {
        let model = build(&config, 1)?;
        let gradients = gradients(&model)?;
        for parameter in model.parameters.iter().filter(|p| p.role != Role::Buffer) {
            let gradient = gradient(&gradients, parameter)?;
            for (piece, stored) in pieces(parameter, gradient)?.iter().zip(&parameter.stored) {
                let size = largest(piece)?;
                let what = format!("{name}: the gradient of {} is {size:e}", stored.name);
                match is_cancelled_by_batch_norm(&model, stored) {
                    true => assert!(size < 1e-6, "{what}"),
                    // Far above rounding, so that a gradient of mere noise does not count.
                    false => assert!(size > 1e-5 && size.is_finite(), "{what}"),
                }
            }
        }
    }
    Ok(())
}

#[test]
fn one_step_of_each_optimizer_changes_every_parameter_of_every_layer() -> Result<()> {
    let sgd = OptimizerConfig::Sgd { momentum: 0.9, weight_decay: 0.0 };
    let adam = OptimizerConfig::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 };
    for (name, config) in models() {
        for (rule, learning_rate) in [(&sgd, 0.1), (&adam, 1e-3)] {
            let model = build(&config, 1)?;
            let gradients = gradients(&model)?;
            // `copy`, because the optimizer writes into the variable's own memory.
            let before: Vec<Tensor> = model.parameters.iter().map(|p| p.var.copy()).collect::<Result<_>>()?;
            Optimizer::new(rule.clone(), model.parameters.trained())?.step(&gradients, learning_rate)?;
            for (parameter, before) in model.parameters.iter().zip(&before) {
                let moved = (parameter.var.as_detached_tensor() - before)?;
                for (piece, stored) in pieces(parameter, &moved)?.iter().zip(&parameter.stored) {
                    if is_cancelled_by_batch_norm(&model, stored) {
                        continue;
                    }
                    let distance = largest(piece)?;
                    let expected = parameter.role != Role::Buffer;
                    assert_eq!(distance > 0.0, expected, "{name}, {rule:?}: {} moved by {distance:e}", stored.name);
                }
            }
            assert!(model.parameters.all_finite()?);
        }
    }
    Ok(())
}

#[test]
fn saved_parameters_reproduce_the_outputs_in_a_model_of_another_seed() -> Result<()> {
    let x = normal(&mut Seed(5).stream("points"), &[50, 2])?.to_dtype(DType::F32)?;
    for (name, config) in models() {
        let (trained, other) = (build(&config, 1)?, build(&config, 2)?);
        // A training pass moves the running statistics away from where every model starts.
        trained.network.forward(&x, Mode::Train)?;
        let outputs = |model: &Model| bits(&model.network.forward(&x, Mode::Eval)?);
        let expected = outputs(&trained)?;
        assert_ne!(outputs(&other)?, expected, "{name}");

        let stored: HashMap<String, Tensor> = trained.parameters.to_stored()?.into_iter().collect();
        other.parameters.assign(&stored)?;
        assert_eq!(outputs(&other)?, expected, "{name}");
        assert_eq!(snapshot(&other)?, snapshot(&trained)?, "{name}");
        // Every accuracy of the program is computed by the frozen network.
        let (scored, tracked) = (other.frozen.forward(&x, Mode::Eval)?, other.network.forward(&x, Mode::Eval)?);
        assert!(!scored.track_op(), "{name}: scoring records a graph");
        let distance = (scored - tracked)?.abs()?.max_all()?.to_scalar::<f32>()?;
        assert!(distance < 1e-4, "{name}: the frozen network is {distance:e} off");

        let mut incomplete = stored;
        incomplete.remove(&trained.parameters.to_stored()?[0].0);
        assert!(other.parameters.assign(&incomplete).is_err(), "{name}: a missing tensor is an error");
    }
    Ok(())
}

#[test]
fn a_saved_model_is_read_back_by_the_reader_of_foreign_weights() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    for (name, config) in models() {
        let (saved, read) = (build(&config, 1)?, build(&config, 2)?);
        let path = directory.path().join(format!("{name}.safetensors"));
        let stored: HashMap<String, Tensor> = saved.parameters.to_stored()?.into_iter().collect();
        candle_core::safetensors::save(&stored, &path)?;
        weights::load(&read.parameters, weights::read(&path)?)?;
        assert_eq!(snapshot(&read)?, snapshot(&saved)?, "{name}");
    }
    Ok(())
}

#[test]
fn hannet_is_saved_under_the_names_of_pytorchs_sequential() -> Result<()> {
    let stored = build(&hannet(30, 20, &[1, 2, 20]), 1)?.parameters.to_stored()?;
    let mut names: Vec<(String, Vec<usize>)> = stored.into_iter().map(|(name, t)| (name, t.dims().to_vec())).collect();
    // `Sequential(Linear, Abs, Linear, Abs, Householder, Abs, ..)`: hidden layer l is module 2 (l - 1), the head is 40.
    let mut expected = vec![];
    for layer in 1..=21 {
        let module = 2 * (layer - 1);
        match layer {
            1 => expected.push((format!("{module}.weight"), vec![30, 2])),
            2 | 20 => expected.push((format!("{module}.weight"), vec![30, 30])),
            21 => expected.push((format!("{module}.weight"), vec![2, 30])),
            _ => expected.push((format!("{module}.vector"), vec![30, 1])),
        }
        expected.push((format!("{module}.bias"), vec![if layer == 21 { 2 } else { 30 }]));
    }
    names.sort();
    expected.sort();
    assert_eq!(names, expected);
    Ok(())
}

#[test]
fn han_blocks_of_every_size_learn_at_their_pace() -> Result<()> {
    let config = OptimizerConfig::Sgd { momentum: 0.0, weight_decay: 0.0 };
    for (tokens, channels) in [(5, 4), (49, 8), (6, 10)] {
        let moved = |pace: f64| -> Result<Vec<f64>> {
            let scope = Scope::new(Seed(1), DType::F64, &Device::Cpu);
            let names = ["0".to_string(), "1".to_string()];
            let start = IdentityStart { lift: 2.0, pace };
            let blocks = han_blocks(tokens, channels, &names, Some(start), &scope)?;
            let parameters = scope.parameters();
            let bias = || parameters.iter().nth(1).expect("the biases").var.as_tensor().to_vec1::<f64>();
            let before = bias()?;
            let xs = Tensor::ones((3, tokens, channels), DType::F64, &Device::Cpu)?;
            let loss = blocks.forward(&xs)?.sqr()?.sum_all()?;
            Optimizer::of(config.clone(), &parameters)?.step(&loss.backward()?, 1e-3)?;
            Ok(bias()?.iter().zip(before).map(|(after, before)| after - before).collect())
        };
        for (half, whole) in moved(0.5)?.into_iter().zip(moved(1.0)?) {
            assert!((2.0 * half - whole).abs() < 1e-12 && half != 0.0, "{half} and {whole}");
        }
    }
    Ok(())
}
