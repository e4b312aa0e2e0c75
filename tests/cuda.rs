//! The layers on a GPU, kernels and composed, against the kernels on the CPU, and short trainings on both.
//! `make test-cuda` runs it. Where there is no GPU every test says so and ends.

#![cfg(feature = "cuda")]

mod common;

use candle_core::{DType, Device, Result, Tensor, Var, bail};
use candle_nn::Module;
use common::{TYPES, assert_close, assert_close_at_scale, bits, golden, largest, normal};
use han_exp::data::Points;
use han_exp::device::DeviceChoice;
use han_exp::model::image::{ImageModelConfig, MixerConfig};
use han_exp::model::{BoundedFcNetConfig, FcNetConfig, HanNetConfig, Model, ModelConfig, PassThrough, ResNetConfig};
use han_exp::nn::loss::Margin;
use han_exp::nn::{
    Activation, Axis, ConvBias, ConvConfig, DenseInit, HanStack, Mode, Parameters, Scope, activate, add_relu,
    batch_norm, bounded_dense, conv_norm, conv2d, dense, dense_stack, han_blocks, layer_norm, loss, mean_of_tokens,
    mixer_stack, orthogonal_dense, residual_block, scoped_han_stack,
};
use han_exp::rng::Seed;
use han_exp::train::{
    Control, FitConfig, LossConfig, Observer, OptimizerConfig, Outcome, Sampling, ScheduleConfig, Snapshot, State,
    StepReport, Streams, fit, resume,
};
use std::collections::BTreeSet;
use std::sync::OnceLock;

/// The first GPU, one handle for all tests: tensors of two handles do not mix.
fn gpu() -> Option<&'static Device> {
    static GPU: OnceLock<Option<Device>> = OnceLock::new();
    let open = || match DeviceChoice::Cuda(0).open() {
        Ok(chosen) => Some(chosen.device),
        Err(error) => {
            let text = format!("{error:#}");
            println!("no GPU: {}", text.lines().next().unwrap_or_default());
            None
        }
    };
    let gpu = GPU.get_or_init(open).as_ref();
    if gpu.is_none() {
        println!("skipped: there is no GPU");
    }
    gpu
}

fn on_cpu(tensor: &Tensor) -> Result<Tensor> {
    tensor.detach().to_device(&Device::Cpu)
}

/// A layer as a function.
type Function = Box<dyn Fn(&Tensor, Mode) -> Result<Tensor>>;

/// A layer by name, the shape of its input, and how to make it.
type Case = (&'static str, &'static [usize], fn(&Scope) -> Result<Function>);

fn module(layer: impl Module + 'static) -> Result<Function> {
    Ok(Box::new(move |xs, _| layer.forward(xs)))
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|place| format!("layer{place}")).collect()
}

const CONV: ConvConfig = ConvConfig { stride: 2, padding: 1 };

const CASES: &[Case] = &[
    ("han stack", &[20, 30], |scope| module(scoped_han_stack(30, &names(5), scope)?)),
    ("han stack along tokens", &[3, 16, 5], |scope| {
        module(scoped_han_stack(16, &names(4), scope)?.along(Axis::Tokens))
    }),
    ("a Han-layer of one entry", &[5, 1], |scope| module(scoped_han_stack(1, &names(1), scope)?)),
    ("a deep Han stack", &[7, 33], |scope| module(scoped_han_stack(33, &names(100), scope)?)),
    ("a Han stack with many samples", &[5000, 100], |scope| module(scoped_han_stack(100, &names(3), scope)?)),
    ("a Han stack along many tokens", &[70, 64, 65], |scope| {
        module(scoped_han_stack(64, &names(2), scope)?.along(Axis::Tokens))
    }),
    ("the widest Han stack with a kernel", &[9, 1024], |scope| module(scoped_han_stack(1024, &names(2), scope)?)),
    ("a Han stack without a kernel", &[3, 1025], |scope| module(scoped_han_stack(1025, &names(2), scope)?)),
    ("han blocks", &[3, 16, 24], |scope| module(han_blocks(16, 24, &names(3), None, scope)?)),
    ("wide Han blocks", &[5, 64, 256], |scope| module(han_blocks(64, 256, &names(1), None, scope)?)),
    ("mixer blocks", &[3, 16, 24], |scope| module(mixer_stack(16, 24, &names(2), scope)?)),
    ("mixer blocks of many channels", &[9, 4, 300], |scope| module(mixer_stack(4, 300, &names(2), scope)?)),
    ("dense", &[20, 7], |scope| module(dense(7, 11, Activation::Identity, DenseInit::Orthogonal, scope)?)),
    ("dense, |.|", &[4, 5, 7], |scope| module(dense(7, 11, Activation::Abs, DenseInit::KaimingNormal, scope)?)),
    ("dense, ReLU", &[20, 7], |scope| module(dense(7, 11, Activation::Relu, DenseInit::XavierNormal, scope)?)),
    ("dense, tanh", &[20, 7], |scope| module(dense(7, 11, Activation::Tanh, DenseInit::KaimingNormal, scope)?)),
    ("dense stack", &[20, 9], |scope| module(dense_stack(9, &names(3), DenseInit::KaimingNormal, scope)?)),
    ("orthonormal dense", &[20, 9], |scope| module(orthogonal_dense(9, 9, Activation::Abs, scope)?)),
    ("bounded dense", &[20, 9], |scope| module(bounded_dense(9, 6, Activation::Relu, 1.5, scope)?)),
    ("convolution", &[3, 8, 8, 3], |scope| module(conv2d(3, 5, 3, CONV, scope)?)),
    ("convolution of single pixels", &[3, 4, 4, 3], |scope| {
        module(conv2d(3, 5, 1, ConvConfig { stride: 1, padding: 0 }, scope)?)
    }),
    ("convolution of five pixels", &[2, 7, 9, 3], |scope| {
        module(conv2d(3, 4, 5, ConvConfig { stride: 3, padding: 1 }, scope)?)
    }),
    ("convolution with norm", &[3, 8, 8, 3], |scope| {
        let layer = conv_norm([3, 5, 3], CONV, ConvBias::With, ["conv", "norm"], scope)?.then_relu();
        Ok(Box::new(move |xs, mode| layer.forward(xs, mode)))
    }),
    ("layer norm and mean", &[3, 16, 24], |scope| {
        let layer = layer_norm(24, scope)?;
        Ok(Box::new(move |xs, _| mean_of_tokens(&layer.forward(xs)?)))
    }),
    ("batch norm", &[20, 6], |scope| {
        let layer = batch_norm(6, scope)?.then_relu();
        Ok(Box::new(move |xs, mode| layer.forward(xs, mode)))
    }),
    ("batch norm of many rows and channels", &[9000, 300], |scope| {
        let layer = batch_norm(300, scope)?.then_relu();
        Ok(Box::new(move |xs, mode| layer.forward(xs, mode)))
    }),
    ("batch norm around a first row far away", &[200, 6], |scope| {
        let layer = batch_norm(6, scope)?;
        Ok(Box::new(move |xs, mode| {
            let far = Tensor::cat(&[xs.narrow(0, 0, 1)?.affine(1.0, 1e3)?, xs.narrow(0, 1, 199)?], 0)?;
            layer.forward(&far, mode)
        }))
    }),
    ("batch norm of planes", &[4, 6, 3, 5], |scope| {
        let layer = batch_norm(6, scope)?;
        Ok(Box::new(move |xs, mode| layer.forward(xs, mode)))
    }),
    ("residual block", &[20, 9], |scope| {
        let layer = residual_block(9, DenseInit::KaimingNormal, scope)?;
        Ok(Box::new(move |xs, mode| layer.forward(xs, mode)))
    }),
    ("activations", &[20, 9], |_| {
        Ok(Box::new(|xs, _| add_relu(&activate(Activation::Abs, xs)?, &activate(Activation::Tanh, xs)?)))
    }),
];

/// What a function makes of a batch, the gradients of sum(y * g) for the input and for every parameter, and buffers
/// after that, each with its name.
fn everything(
    function: impl Fn(&Tensor, Mode) -> Result<Tensor>,
    parameters: &Parameters,
    xs: &Tensor,
    mode: Mode,
) -> Result<Vec<(String, Tensor)>> {
    let xs = Var::from_tensor(xs)?;
    let y = function(xs.as_tensor(), mode)?;
    let g = normal(&mut Seed(2).stream("gradient"), y.dims())?.to_dtype(y.dtype())?.to_device(y.device())?;
    let gradients = (&y * g)?.sum_all()?.backward()?;
    let mut all = vec![("the output".to_string(), on_cpu(&y)?)];
    for (name, var) in std::iter::once(("input", &xs)).chain(parameters.iter().map(|p| (&*p.stored[0].name, &p.var))) {
        // A buffer has no gradient.
        let (kind, tensor) = match gradients.get(var.as_tensor()) {
            Some(gradient) => ("gradient of", gradient),
            None => ("value of", var.as_tensor()),
        };
        all.push((format!("{kind} {name}"), on_cpu(tensor)?));
    }
    Ok(all)
}

/// The largest deviation between what both devices made, in the unit of the largest entry of each tensor, or of a
/// hundredth of the largest of all: a bias before batch norm has a gradient of 0 up to rounding.
///
/// # Errors
/// Where it is more than `tolerance`.
fn compare(cpu: &[(String, Tensor)], gpu: &[(String, Tensor)], tolerance: f64) -> Result<f64> {
    if cpu.len() != gpu.len() {
        bail!("{} tensors on the CPU, {} on the GPU", cpu.len(), gpu.len());
    }
    let sizes = cpu.iter().map(|(_, tensor)| largest(tensor)).collect::<Result<Vec<_>>>()?;
    let least = 0.01 * sizes.iter().copied().fold(0.0, f64::max);
    let mut worst = 0.0_f64;
    for (((name, expected), (other, actual)), size) in cpu.iter().zip(gpu).zip(sizes) {
        if name != other || expected.dims() != actual.dims() {
            bail!("{name} {:?} on the CPU, {other} {:?} on the GPU", expected.dims(), actual.dims());
        }
        let difference = actual.to_dtype(DType::F64)?.sub(&expected.to_dtype(DType::F64)?)?;
        let off = largest(&difference)? / size.max(least);
        if off > tolerance || off.is_nan() {
            bail!("{name} is {off:.1e} off, {tolerance:.0e} is allowed");
        }
        worst = worst.max(off);
    }
    Ok(worst)
}

#[test]
fn layers_agree_with_their_kernels_on_the_cpu() -> Result<()> {
    let Some(gpu) = gpu() else { return Ok(()) };
    let mut wrong = Vec::new();
    for (name, dims, make) in CASES {
        for (dtype, tolerance) in TYPES {
            for mode in [Mode::Train, Mode::Eval] {
                let xs = normal(&mut Seed(1).stream("input"), dims)?.to_dtype(dtype)?;
                let made = |device: &Device| {
                    let scope = Scope::new(Seed(3), dtype, device);
                    let function = make(&scope)?;
                    everything(function, &scope.parameters(), &xs.to_device(device)?, mode)
                };
                let what = format!("{name} in {dtype:?}, {mode:?}");
                match made(gpu).and_then(|on_gpu| compare(&made(&Device::Cpu)?, &on_gpu, tolerance)) {
                    Ok(worst) => println!("{what}: at most {worst:.1e} off"),
                    Err(error) => wrong.push(format!("{what}: {error}")),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

/// As the mixer has them: 12 blocks are 48 folds, and of 16 million entries rounding in single precision puts some on the other side of
/// a fold than on the CPU. Their slope is another one then, and with it the gradient of that sample and a little of every parameter's.
/// So in single precision outputs are compared, and the gradients of most samples; gradients of parameters in double precision alone.
#[test]
fn many_han_blocks_agree_with_the_cpu() -> Result<()> {
    let Some(gpu) = gpu() else { return Ok(()) };
    const SAMPLES: usize = 20;
    for (dtype, tolerance) in TYPES {
        let xs = normal(&mut Seed(1).stream("input"), &[SAMPLES, 64, 256])?.to_dtype(dtype)?;
        let made = |device: &Device| {
            let scope = Scope::new(Seed(3), dtype, device);
            let blocks = han_blocks(64, 256, &names(12), None, &scope)?;
            everything(|xs, _| blocks.forward(xs), &scope.parameters(), &xs.to_device(device)?, Mode::Train)
        };
        let (cpu, on_gpu) = (made(&Device::Cpu)?, made(gpu)?);
        if dtype == DType::F64 {
            println!("many Han blocks: at most {:.1e} off", compare(&cpu, &on_gpu, tolerance)?);
            continue;
        }
        println!("many Han blocks in F32: outputs at most {:.1e} off", compare(&cpu[..1], &on_gpu[..1], tolerance)?);
        let of_sample = |all: &[(String, Tensor)], sample: usize| {
            Ok::<_, candle_core::Error>([(all[1].0.clone(), all[1].1.narrow(0, sample, 1)?)])
        };
        let agrees = |sample: usize| {
            Ok::<_, candle_core::Error>(
                compare(&of_sample(&cpu, sample)?, &of_sample(&on_gpu, sample)?, tolerance).is_ok(),
            )
        };
        let agreeing = (0..SAMPLES).map(agrees).collect::<Result<Vec<_>>>()?;
        let agreeing = agreeing.into_iter().filter(|agrees| *agrees).count();
        println!("gradients of {agreeing} of {SAMPLES} samples agree");
        assert!(agreeing >= SAMPLES * 3 / 4, "gradients of {agreeing} of {SAMPLES} samples agree");
    }
    Ok(())
}

/// What is easily wrong in a kernel: tensors that are parts of others, an empty batch, a zero direction, entries that are 0, and a
/// broken parameter.
#[test]
fn the_kernel_of_han_stacks_equals_the_composed_one_at_the_edges() -> Result<()> {
    let Some(gpu) = gpu() else { return Ok(()) };
    for (dtype, tolerance) in TYPES {
        let random =
            |name: &str, dims: &[usize]| normal(&mut Seed(6).stream(name), dims)?.to_dtype(dtype)?.to_device(gpu);
        let (direction, bias) =
            (Var::from_tensor(&random("u", &[4, 40])?)?, Var::from_tensor(&random("b", &[4, 40])?)?);
        let stack = HanStack::new(direction.as_tensor().clone(), bias.as_tensor().clone())?;
        let xs = random("x", &[50, 6, 40])?;
        let whole = stack.forward_composed(&xs)?;
        for (what, part, expected) in [
            ("rows in between", xs.narrow(0, 7, 11)?, whole.narrow(0, 7, 11)?),
            ("turned", xs.transpose(0, 1)?, whole.transpose(0, 1)?),
            ("one sample", xs.narrow(0, 3, 1)?.narrow(1, 2, 1)?, whole.narrow(0, 3, 1)?.narrow(1, 2, 1)?),
        ] {
            assert_close(&on_cpu(&stack.forward(&part)?)?, &on_cpu(&expected)?, tolerance, what)?;
        }
        assert_eq!(stack.forward(&xs.narrow(0, 0, 0)?)?.dims(), [0, 6, 40]);

        // A direction that training made zero is the identity, and entries that are 0 have no slope.
        let second = direction.narrow(0, 1, 1)?.zeros_like()?;
        let rows = [direction.narrow(0, 0, 1)?, second, direction.narrow(0, 2, 2)?].map(|rows| rows.detach());
        direction.set(&Tensor::cat(&rows, 0)?)?;
        let zeros = Tensor::cat(&[xs.narrow(0, 0, 3)?, xs.narrow(0, 0, 3)?.zeros_like()?], 0)?;
        let gradients = |y: Tensor| y.sum_all()?.backward();
        let (kernel, composed) = (gradients(stack.forward(&zeros)?)?, gradients(stack.forward_composed(&zeros)?)?);
        for (what, var) in [("zero direction", &direction), ("its bias", &bias)] {
            let [Some(actual), Some(expected)] = [&kernel, &composed].map(|store| store.get(var.as_tensor())) else {
                panic!("no gradient of {what}")
            };
            assert_close(&on_cpu(actual)?, &on_cpu(expected)?, tolerance, what)?;
        }
        bias.set(&bias.zeros_like()?)?;
        let silent = Var::from_tensor(&zeros.narrow(0, 3, 3)?)?;
        let gradients = stack.forward(silent.as_tensor())?.sum_all()?.backward()?;
        assert_eq!(gradients.get(silent.as_tensor()).map(largest).transpose()?, Some(0.0));

        bias.set(&(bias.as_detached_tensor() + f64::NAN)?)?;
        assert!(common::entries(&stack.forward(&xs)?)?.iter().all(|y| y.is_nan()));
    }
    Ok(())
}

#[test]
fn a_step_between_forward_and_backward_pass_changes_no_gradient() -> Result<()> {
    let Some(gpu) = gpu() else { return Ok(()) };
    let random = |name: &str, dims: &[usize]| normal(&mut Seed(7).stream(name), dims)?.to_device(gpu);
    let xs = Var::from_tensor(&random("x", &[50, 40])?)?;
    let gradient = |step: bool| -> Result<Vec<f64>> {
        let [direction, bias] = [random("u", &[4, 40])?, random("b", &[4, 40])?];
        let [direction, bias] = [Var::from_tensor(&direction)?, Var::from_tensor(&bias)?];
        let stack = HanStack::new(direction.as_tensor().clone(), bias.as_tensor().clone())?;
        let loss = stack.forward(xs.as_tensor())?.sum_all()?;
        if step {
            for var in [&direction, &bias] {
                var.set(&(var.as_detached_tensor() + 1.0)?)?;
            }
        }
        common::entries(loss.backward()?.get(xs.as_tensor()).expect("a gradient"))
    };
    assert_eq!(gradient(true)?, gradient(false)?);
    Ok(())
}

#[test]
fn han_stacks_match_pytorch() -> Result<()> {
    let Some(gpu) = gpu() else { return Ok(()) };
    let tensors = golden("han_layer")?;
    let cases: BTreeSet<&str> = tensors.keys().filter_map(|key| Some(key.split_once('.')?.0)).collect();
    for case in cases {
        for (dtype, tolerance) in TYPES {
            let reference = |key: &str| &tensors[&format!("{case}.{key}")];
            let on_gpu = |key: &str| reference(key).to_dtype(dtype)?.to_device(gpu);
            let [x, u, b] = ["x", "u", "b"].map(|key| Var::from_tensor(&on_gpu(key)?));
            let (x, u, b) = (x?, u?, b?);
            let y = HanStack::new(u.as_tensor().clone(), b.as_tensor().clone())?.forward(&x)?;
            let gradients = (&y * on_gpu("gy")?)?.sum_all()?.backward()?;
            assert_close(&on_cpu(&y)?, reference("y"), tolerance, case)?;
            for (key, var) in [("gx", &x), ("gu", &u), ("gb", &b)] {
                let Some(gradient) = gradients.get(var.as_tensor()) else { panic!("{case}: no {key}") };
                // A direction of one entry cannot turn: its gradient is 0 up to rounding.
                let scale = largest(reference(key))?.max(largest(reference("gb"))? * f64::from(u.dims()[1] == 1));
                let what = format!("{key} of {case} in {dtype:?}");
                assert_close_at_scale(&on_cpu(gradient)?, reference(key), scale, tolerance, &what)?;
            }
        }
    }
    Ok(())
}

#[test]
fn losses_match_pytorch() -> Result<()> {
    let Some(gpu) = gpu() else { return Ok(()) };
    let reference = golden("losses")?;
    for (dtype, tolerance) in TYPES {
        let on_gpu = |key: &str| reference[key].to_dtype(dtype)?.to_device(gpu);
        let labels = reference["labels"].to_dtype(DType::U32)?.to_device(gpu)?;
        let z = Var::from_tensor(&on_gpu("logits")?)?;
        for (name, loss) in
            [("mse", loss::mse(&z, &on_gpu("mse_target")?)?), ("cross_entropy", loss::cross_entropy(&z, &labels)?)]
        {
            assert_close(&on_cpu(&loss)?, &reference[name], tolerance, name)?;
            let gradients = loss.backward()?;
            let Some(gradient) = gradients.get(z.as_tensor()) else { panic!("{name}: no gradient") };
            assert_close(&on_cpu(gradient)?, &reference[&format!("{name}_grad")], tolerance, name)?;
        }
    }
    Ok(())
}

/// The networks of all experiments but the large ResNet, each with the shape of a batch and what it is trained on.
fn networks() -> Vec<(&'static str, Network, LossConfig)> {
    let hannet = HanNetConfig::new(30, 20, vec![1, 2, 20]);
    let start = PassThrough { folding: 4, offset: 5.0, rest: 1.0, pace: 1.0, length: 3.0 };
    let flat = |config: ModelConfig, inputs: usize| Network::Flat { config, inputs };
    let mixer = |mixer_blocks, han_blocks| MixerConfig::new(32, mixer_blocks, han_blocks);
    let image = |config| Network::Image(ImageModelConfig::Mixer(config));
    let margin = LossConfig::Margin(Margin { radius: 0.5, temperature: 0.5 });
    let of_board = LossConfig::MeanSquaredError;
    let of_classes = LossConfig::CrossEntropy;
    let paced = HanNetConfig { pass_through: Some(start), ..hannet.clone() };
    let bounded = BoundedFcNetConfig { width: 20, depth: 3, norm_product: 2.0 };
    vec![
        ("HanNet", flat(ModelConfig::Hannet(hannet.clone()), 2), of_board),
        ("HanNet that passes through", flat(ModelConfig::Hannet(paced), 2), of_board),
        ("FCNet", flat(ModelConfig::Fcnet(FcNetConfig::new(40, 6)), 2), of_board),
        ("ResNet", flat(ModelConfig::Resnet(ResNetConfig { width: 40, blocks: 4 }), 2), of_board),
        ("HanNet of images", flat(ModelConfig::Hannet(HanNetConfig::new(30, 6, vec![1])), 50), of_classes),
        ("certified HanNet", flat(ModelConfig::Certified(HanNetConfig::new(30, 6, vec![1, 4])), 50), margin),
        ("bounded FCNet", flat(ModelConfig::BoundedFcnet(bounded), 50), of_classes),
        ("mixer", image(mixer(2, 0)), of_classes),
        ("mixer with Han blocks", image(mixer(1, 3)), of_classes),
    ]
}

enum Network {
    Flat { config: ModelConfig, inputs: usize },
    Image(ImageModelConfig),
}

impl Network {
    fn build(&self, dtype: DType, device: &Device) -> Result<Model> {
        match self {
            Self::Flat { config, inputs } => config.build_as(dtype, *inputs, 2, Seed(1), device),
            Self::Image(config) => config.build_as(dtype, [16, 16, 3], 2, Seed(1), device),
        }
    }

    /// So many points: normal numbers, and what the sign of the first tells.
    fn points(&self, count: usize, loss: &LossConfig, device: &Device) -> Result<Points> {
        let dims = match self {
            Self::Flat { inputs, .. } => vec![count, *inputs],
            Self::Image(_) => vec![count, 16, 16, 3],
        };
        let inputs = normal(&mut Seed(4).stream("points"), &dims)?.to_dtype(DType::F32)?;
        let first = inputs.flatten_from(1)?.narrow(1, 0, 1)?; // (points, 1)
        let class = first.gt(0.0)?;
        let targets = match loss {
            LossConfig::MeanSquaredError => class.to_dtype(DType::F32)?.broadcast_as((count, 2))?.contiguous()?,
            LossConfig::CrossEntropy | LossConfig::Margin(_) => class.to_dtype(DType::U32)?.flatten_all()?,
        };
        Ok(Points { inputs: inputs.to_device(device)?, targets: targets.to_device(device)? })
    }
}

#[test]
fn networks_agree_with_the_cpu_in_every_gradient() -> Result<()> {
    let Some(gpu) = gpu() else { return Ok(()) };
    let mut networks = networks();
    networks.push(("ResNet-32", Network::Image(ImageModelConfig::Resnet32), LossConfig::CrossEntropy));
    let mut wrong = Vec::new();
    for (name, network, loss) in networks {
        for (dtype, tolerance) in TYPES {
            for mode in [Mode::Train, Mode::Eval] {
                let made = |device: &Device| {
                    let model = network.build(dtype, device)?;
                    // With few points batch norm divides by small variances, and rounding grows.
                    let count = if matches!(network, Network::Flat { .. }) { 40 } else { 6 };
                    let xs = network.points(count, &loss, device)?.inputs.to_dtype(dtype)?;
                    everything(|xs, mode| model.network.forward(xs, mode), &model.parameters, &xs, mode)
                };
                let what = format!("{name} in {dtype:?}, {mode:?}");
                match made(gpu).and_then(|on_gpu| compare(&made(&Device::Cpu)?, &on_gpu, tolerance)) {
                    Ok(worst) => println!("{what}: at most {worst:.1e} off"),
                    Err(error) => wrong.push(format!("{what}: {error}")),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

/// The loss of every step.
struct Losses(Vec<f64>);

impl Observer for Losses {
    fn step(&mut self, step: StepReport) -> Control {
        self.0.push(step.loss);
        Control::Continue
    }
}

fn config(rule: &OptimizerConfig, loss: LossConfig) -> FitConfig {
    FitConfig {
        iterations: 20,
        batch_size: 32,
        report_every: 10,
        learning_rate: 1e-3,
        optimizer: rule.clone(),
        schedule: ScheduleConfig::Cosine { warmup: 0.1, floor: 0.0 },
        input_noise: 0.01,
        sampling: Sampling::default(),
        loss,
    }
}

/// Losses of the steps of a short training, and the weights after it.
fn trained(network: &Network, loss: LossConfig, rule: &OptimizerConfig, device: &Device) -> Result<Trained> {
    let config = config(rule, loss);
    let (model, points) = (network.build(DType::F32, device)?, network.points(100, &loss, device)?);
    let mut losses = Losses(Vec::new());
    let (batches, noise) = (&mut Seed(5).stream("batch"), &mut Seed(5).stream("noise"));
    let outcome = fit(&model, &points, &config, Streams { batches, noise }, &mut losses)?;
    assert_eq!(outcome, Outcome::Finished);
    let weights = model.parameters.to_stored()?.into_iter().map(|(name, tensor)| Ok((name, bits(&tensor)?)));
    Ok((losses.0, weights.collect::<Result<_>>()?))
}

type Trained = (Vec<f64>, Vec<(String, Vec<u64>)>);

#[test]
fn short_trainings_agree_with_the_cpu_and_repeat_themselves() -> Result<()> {
    let Some(gpu) = gpu() else { return Ok(()) };
    let sgd = OptimizerConfig::Sgd { momentum: 0.9, weight_decay: 1e-3 };
    let adam = OptimizerConfig::Adam { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weight_decay: 0.1 };
    let mut wrong = Vec::new();
    for (name, network, loss) in networks() {
        for (rule, config) in [("SGD", &sgd), ("Adam", &adam)] {
            let what = format!("{name} with {rule}");
            let train = |device: &Device| trained(&network, loss, config, device);
            let (cpu, _) = train(&Device::Cpu)?;
            match train(gpu).and_then(|first| Ok((first, train(gpu)?))) {
                Ok(((losses, weights), (again, repeated))) => {
                    let off = cpu.iter().zip(&losses).map(|(a, b)| (a - b).abs() / a.abs()).fold(0.0, f64::max);
                    println!("{what}: losses at most {off:.1e} off");
                    if off > 1e-3 {
                        wrong.push(format!("{what}: losses {cpu:?} on the CPU, {losses:?} on the GPU"));
                    }
                    if losses != again || weights != repeated {
                        wrong.push(format!("{what}: two trainings on one GPU differ"));
                    }
                }
                Err(error) => wrong.push(format!("{what}: {error}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

/// Keeps the state of a training after so many steps.
struct Kept {
    at: usize,
    steps: usize,
    state: Option<State>,
}

impl Observer for Kept {
    fn keep(&mut self, now: &Snapshot<'_>) -> Result<()> {
        self.steps += 1;
        if self.steps == self.at {
            self.state = Some(now.state()?);
        }
        Ok(())
    }
}

#[test]
fn a_training_goes_on_to_the_same_bits() -> Result<()> {
    let Some(gpu) = gpu() else { return Ok(()) };
    let adam = OptimizerConfig::Adam { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weight_decay: 0.1 };
    let mut wrong = Vec::new();
    for (name, network, loss) in networks() {
        let config = config(&adam, loss);
        let points = network.points(100, &loss, gpu)?;
        let go = |state: Option<&State>, kept: &mut Kept| -> Result<Vec<(String, Vec<u64>)>> {
            let model = network.build(DType::F32, gpu)?;
            let (batches, noise) = (&mut Seed(5).stream("batch"), &mut Seed(5).stream("noise"));
            let streams = Streams { batches, noise };
            match state {
                Some(state) => resume(&model, &points, &config, streams, state, kept)?,
                None => fit(&model, &points, &config, streams, kept)?,
            };
            model.parameters.to_stored()?.into_iter().map(|(name, tensor)| Ok((name, bits(&tensor)?))).collect()
        };
        let mut kept = Kept { at: 7, steps: 0, state: None };
        let whole = go(None, &mut kept)?;
        let Some(state) = kept.state.take() else { panic!("{name}: no state after 7 steps") };
        if go(Some(&state), &mut kept)? != whole {
            wrong.push(name);
        }
    }
    assert!(wrong.is_empty(), "other weights than without a break: {wrong:?}");
    Ok(())
}

/// Work of several threads is one queue on the GPU: what one thread makes another may use at once.
#[test]
fn a_thread_may_use_what_another_has_just_made() -> Result<()> {
    let Some(gpu) = gpu() else { return Ok(()) };
    const SIDE: usize = 2048;
    const ROUNDS: usize = 20;
    // A number everywhere, by way of products that are still under way when the tensor is handed over.
    let make = |number: usize| -> Result<(f32, Tensor)> {
        let number = number as f32;
        let mut all = Tensor::from_vec(vec![number; SIDE * SIDE], (SIDE, SIDE), gpu)?;
        let mean = Tensor::from_vec(vec![1.0 / SIDE as f32; SIDE * SIDE], (SIDE, SIDE), gpu)?;
        for _ in 0..20 {
            all = all.matmul(&mean)?;
        }
        Ok((number, all))
    };
    let (sender, made) = std::sync::mpsc::sync_channel(4);
    let wrong = std::thread::scope(|scope| {
        for worker in 0..3 {
            let sender = sender.clone();
            scope.spawn(move || (1..=ROUNDS).all(|round| sender.send(make(worker * ROUNDS + round)).is_ok()));
        }
        drop(sender);
        // Dropped with this closure, so that nobody waits to hand over more when something fails.
        let made = made;
        made.iter().try_fold(0, |wrong, handed_over| {
            let (number, all) = handed_over?;
            let off = ((all - f64::from(number))?.abs()? / f64::from(number))?.max_all()?.to_scalar::<f32>()?;
            Ok::<_, candle_core::Error>(wrong + usize::from(off.is_nan() || off > 1e-3))
        })
    })?;
    assert_eq!(wrong, 0, "of {} tensors from other threads", 3 * ROUNDS);
    Ok(())
}
