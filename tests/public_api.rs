//! What a library user may get wrong: every public constructor and forward pass, with sizes 0 and 1, the wrong rank, the
//! wrong width, an empty batch, a view that is not contiguous, whole numbers, NaN. The answer is an error or the right
//! value, never a panic and never a wrong shape.

mod common;

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::Module;
use common::{bits, entries, normal};
use han_exp::data::{Points, TrainingSet};
use han_exp::evaluate::attack::{
    Apgd, Attack, Classifier, Counts, DeepFool, Examples, ImageShape, Norm, Pgd, Setting, StepRule, Threat,
};
use han_exp::evaluate::certificate::{Certifier, Summary, spectral as bounds};
use han_exp::evaluate::gradient::{Ascent, RandomLayer, deviation, extents, likeness, of_one_point};
use han_exp::evaluate::{accuracy, masking};
use han_exp::model::image::{ImageModelConfig, MixerConfig};
use han_exp::model::{
    BoundedFcNetConfig, Chain, FcNetConfig, HanNetConfig, Link, Model, ModelConfig, Network, PassThrough, ResNetConfig,
};
use han_exp::nn::loss::{self, Margin};
use han_exp::nn::params::{Draw, Stored, check_directions};
use han_exp::nn::{
    Activation, Axis, BatchNorm, Conv2d, ConvBias, ConvConfig, Dense, DenseInit, DenseStack, HanBlocks, HanLayer,
    HanStack, Init, LayerNorm, Mode, OrthogonalDense, Role, Scope, activate, add_relu, batch_norm, bounded_dense,
    conv_norm, conv2d, dense, dense_stack, han_blocks, init, layer_norm, mean_of_tokens, mixer_stack, orthogonal_dense,
    residual_block, scoped_han_stack, spectral, stiefel,
};
use han_exp::rng::Seed;
use han_exp::train::{
    FitConfig, LossConfig, Observer, Optimizer, OptimizerConfig, Report, Sampling, ScheduleConfig, Streams, fit,
};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What is wrong, and an attempt at it.
type Attempt<'a> = (String, Box<dyn Fn() -> Result<()> + 'a>);

fn attempt<'a, V>(what: impl Into<String>, make: impl Fn() -> Result<V> + 'a) -> Attempt<'a> {
    (what.into(), Box::new(move || make().map(drop)))
}

/// Every attempt has to end in an error.
fn all_refused(attempts: &[Attempt<'_>]) {
    let mut wrong = Vec::new();
    for (what, make) in attempts {
        match catch_unwind(AssertUnwindSafe(make)) {
            Ok(Err(_)) => {}
            Ok(Ok(())) => wrong.push(format!("accepted: {what}")),
            Err(_) => wrong.push(format!("panicked: {what}")),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn zeros(dims: &[usize]) -> Tensor {
    Tensor::zeros(dims, DType::F32, &Device::Cpu).expect("zeros")
}

fn ones(dims: &[usize]) -> Tensor {
    Tensor::ones(dims, DType::F32, &Device::Cpu).expect("ones")
}

fn whole(dims: &[usize]) -> Tensor {
    Tensor::ones(dims, DType::U32, &Device::Cpu).expect("whole numbers")
}

fn var(dims: &[usize]) -> Var {
    Var::from_tensor(&ones(dims)).expect("a variable")
}

fn scope() -> Scope {
    Scope::new(Seed(1), DType::F32, &Device::Cpu)
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|place| format!("layer{place}")).collect()
}

const CONV: ConvConfig = ConvConfig { stride: 1, padding: 1 };

#[test]
fn tensors_that_make_no_layer_are_refused() {
    let (identity, kaiming) = (Activation::Identity, [ones(&[3]), zeros(&[3])]);
    let [three, none] = kaiming;
    let mut attempts = vec![
        attempt("a stack of whole numbers", || HanStack::new(whole(&[2, 3]), whole(&[2, 3]))),
        attempt("a stack of NaN", || HanStack::new((ones(&[2, 3]) * f64::NAN)?, zeros(&[2, 3]))),
        attempt("a Han-layer of a matrix", || HanLayer::new(ones(&[3, 1]), zeros(&[3, 1]))),
        attempt("a Han-layer of a scalar", || HanLayer::new(ones(&[]), zeros(&[]))),
        attempt("a Han-layer of zeros", || HanLayer::new(zeros(&[3]), zeros(&[3]))),
        attempt("blocks of different counts", || {
            HanBlocks::new([ones(&[2, 3]), ones(&[4, 5])], [zeros(&[2, 3]), zeros(&[4, 5])])
        }),
        attempt("half a block", || HanBlocks::new([ones(&[1, 3]), ones(&[1, 5])], [zeros(&[1, 3]), zeros(&[1, 5])])),
        attempt("blocks of vectors", || HanBlocks::new([ones(&[3]), ones(&[3])], [ones(&[3]), ones(&[3])])),
        attempt("no dense layer", || DenseStack::new(ones(&[0, 3, 3]), zeros(&[0, 3]))),
        attempt("no square", || DenseStack::new(ones(&[2, 3, 4]), zeros(&[2, 3]))),
        attempt("a layer norm of whole numbers", || LayerNorm::new(whole(&[3]), whole(&[3]))),
        attempt("a layer norm of a matrix", || LayerNorm::new(ones(&[3, 1]), zeros(&[3, 1]))),
        attempt("a bias of another width", || LayerNorm::new(three.clone(), ones(&[4]))),
        attempt("a dense bias of another width", || Dense::new(ones(&[3, 4]), ones(&[4]), identity)),
        attempt("a dense layer of a vector", || Dense::new(ones(&[3]), ones(&[3]), identity)),
        attempt("a dense layer of whole numbers", || Dense::new(whole(&[3, 4]), whole(&[3]), identity)),
        attempt("no orthonormal weight", || OrthogonalDense::new(ones(&[3, 4]), none.clone(), identity)),
        attempt("an orthonormal weight of whole numbers", || {
            OrthogonalDense::new(Tensor::eye(3, DType::U32, &Device::Cpu)?, whole(&[3]), identity)
        }),
        attempt("a batch norm of a matrix", || BatchNorm::new(ones(&[3, 1]), zeros(&[3]), var(&[3]), var(&[3]))),
        attempt("a statistic of another width", || BatchNorm::new(ones(&[3]), zeros(&[3]), var(&[3]), var(&[4]))),
        attempt("a convolution of a matrix", || Conv2d::new(ones(&[3, 3]), zeros(&[3]), CONV)),
        attempt("a convolution's bias", || Conv2d::new(ones(&[4, 3, 3, 3]), zeros(&[3]), CONV)),
        attempt("a direction of zeros", || check_directions(&zeros(&[1, 3]))),
        attempt("a direction of rank 1", || check_directions(&ones(&[3]))),
    ];
    for dims in [[0, 3], [2, 0], [0, 0]] {
        attempts.extend([
            attempt(format!("a stack of {dims:?}"), move || HanStack::new(ones(&dims), zeros(&dims))),
            attempt(format!("blocks of {dims:?}"), move || {
                HanBlocks::new([ones(&dims), ones(&dims)], [zeros(&dims), zeros(&dims)])
            }),
            attempt(format!("a dense layer of {dims:?}"), move || {
                Dense::new(ones(&dims), zeros(&[dims[0]]), Activation::Relu)
            }),
            attempt(format!("an orthonormal layer of {dims:?}"), move || {
                OrthogonalDense::new(ones(&dims), zeros(&[dims[0]]), Activation::Abs)
            }),
            attempt(format!("dense layers of {dims:?}"), move || {
                DenseStack::new(ones(&[dims[0], dims[1], dims[1]]), zeros(&dims))
            }),
            attempt(format!("a convolution of {dims:?}"), move || {
                Conv2d::new(ones(&[dims[0], dims[1], 3, 3]), zeros(&[dims[0]]), CONV)
            }),
        ]);
    }
    attempts.extend([
        attempt("a layer norm of nothing", || LayerNorm::new(ones(&[0]), zeros(&[0]))),
        attempt("a Han-layer of nothing", || HanLayer::new(ones(&[0]), zeros(&[0]))),
        attempt("a batch norm of nothing", || BatchNorm::new(ones(&[0]), zeros(&[0]), var(&[0]), var(&[0]))),
        attempt("a convolution with an empty window", || Conv2d::new(ones(&[3, 3, 0, 0]), zeros(&[3]), CONV)),
    ]);
    all_refused(&attempts);
}

#[test]
fn builders_refuse_sizes_of_0_or_beyond_memory_and_what_cannot_be_drawn() {
    let (relu, free) = (Activation::Relu, DenseInit::KaimingNormal);
    let mut attempts = vec![
        attempt("no layer", || scoped_han_stack(3, &[], &scope())),
        attempt("no dense layer", || dense_stack(3, &[], free, &scope())),
        attempt("no block", || han_blocks(3, 4, &[], None, &scope())),
        attempt("no mixer block", || mixer_stack(3, 4, &[], &scope())),
        attempt("a negative bound", || bounded_dense(3, 4, relu, -1.0, &scope())),
        attempt("a bound of NaN", || bounded_dense(3, 4, relu, f64::NAN, &scope())),
        attempt("parameters of whole numbers", || {
            dense(3, 4, relu, free, &Scope::new(Seed(1), DType::U32, &Device::Cpu))
        }),
        attempt("two layers of one name", || {
            let scope = scope();
            dense(3, 4, relu, free, &scope)?;
            dense(3, 4, relu, free, &scope)
        }),
        attempt("twice the same name in a stack", || scoped_han_stack(3, &[names(1), names(1)].concat(), &scope())),
        attempt("a start of NaN", || scope().parameter("w", 3, Init::Uniform { bound: f64::NAN })),
        attempt("balanced rows of one entry", || scope().parameter("w", 1, Init::BalancedRows { length: 1.0 })),
        attempt("no input of an output", || scope().parameter("w", 3, Init::KaimingNormal { fan_in: 0 })),
        attempt("more entries than memory", || dense(usize::MAX, 2, relu, free, &scope())),
        attempt("a draw of nothing", || {
            let draw = Draw { init: Init::Zeros, stored: Vec::new() };
            scope().stacked(3, vec![draw], Role::Trained)
        }),
        attempt("tensors that are not the parameter", || {
            let stored = vec![Stored { name: "a".into(), shape: vec![2] }];
            scope().stacked(3, vec![Draw { init: Init::Zeros, stored }], Role::Trained)
        }),
    ];
    for (a, b) in [(0, 4), (4, 0), (0, 0), (usize::MAX, 4), (4, usize::MAX), (usize::MAX, usize::MAX)] {
        attempts.extend([
            attempt(format!("dense {a} x {b}"), move || dense(a, b, relu, free, &scope())),
            attempt(format!("bounded {a} x {b}"), move || bounded_dense(a, b, relu, 1.0, &scope())),
            attempt(format!("orthonormal {a} x {b}"), move || orthogonal_dense(a, b, relu, &scope())),
            attempt(format!("Han blocks {a} x {b}"), move || han_blocks(a, b, &names(2), None, &scope())),
            attempt(format!("mixer {a} x {b}"), move || mixer_stack(a, b, &names(2), &scope())),
            attempt(format!("convolution {a} x {b}"), move || conv2d(a, b, 3, CONV, &scope())),
            attempt(format!("convolution and norm {a} x {b}"), move || {
                conv_norm([a, b, 3], CONV, ConvBias::With, ["c", "n"], &scope())
            }),
        ]);
    }
    attempts.extend([
        attempt("a stack of width 0", || scoped_han_stack(0, &names(2), &scope())),
        attempt("dense layers of width 0", || dense_stack(0, &names(2), free, &scope())),
        attempt("a residual block of width 0", || residual_block(0, free, &scope())),
        attempt("layer norm of 0", || layer_norm(0, &scope())),
        attempt("batch norm of 0", || batch_norm(0, &scope())),
        attempt("a window of 0", || conv2d(3, 4, 0, CONV, &scope())),
    ]);
    all_refused(&attempts);
    let error = scoped_han_stack(0, &names(2), &scope()).expect_err("no width").to_string();
    assert!(error.contains("at least one layer and one entry, got 2 x 0"), "{error}");
    for init in [Init::UnitRows, Init::Orthogonal, Init::BalancedRows { length: 1.0 }] {
        for dims in [vec![0, 3], vec![3, 0], vec![0]] {
            assert!(init::values(init, &dims, &mut Seed(1).stream("none")).is_empty());
        }
    }
}

/// A layer as a function.
type Forward = Box<dyn Fn(&Tensor) -> Result<Tensor>>;

/// A layer, the shape of a sample, and the parameters that learn.
struct Case {
    name: &'static str,
    sample: Vec<usize>,
    forward: Forward,
    vars: Vec<Var>,
}

impl Case {
    fn of(
        name: &'static str,
        sample: &[usize],
        scope: &Scope,
        forward: impl Fn(&Tensor) -> Result<Tensor> + 'static,
    ) -> Self {
        Self { name, sample: sample.to_vec(), forward: Box::new(forward), vars: scope.parameters().trained() }
    }

    fn input(&self, batch: usize, dtype: DType) -> Result<Tensor> {
        normal(&mut Seed(5).stream(self.name), &[&[batch], self.sample.as_slice()].concat())?.to_dtype(dtype)
    }
}

/// Every layer, each from a scope of its own.
fn cases(dtype: DType) -> Result<Vec<Case>> {
    let new = || Scope::new(Seed(1), dtype, &Device::Cpu);
    let (relu, free) = (Activation::Relu, DenseInit::KaimingNormal);
    let mut cases = vec![
        Case::of("activation", &[5], &new(), |xs| activate(Activation::Abs, xs)),
        Case::of("sum and ReLU", &[5], &new(), |xs| add_relu(xs, xs)),
        Case::of("mean of tokens", &[3, 5], &new(), mean_of_tokens),
    ];
    macro_rules! module {
        ($name:literal, $sample:expr, $make:expr) => {{
            let scope = new();
            #[allow(clippy::redundant_closure_call, reason = "the scope is made here")]
            let layer = $make(&scope)?;
            cases.push(Case::of($name, $sample, &scope, move |xs| layer.forward(xs)));
        }};
    }
    module!("dense", &[5], |scope: &Scope| dense(5, 4, relu, free, scope));
    module!("bounded dense", &[5], |scope: &Scope| bounded_dense(5, 4, relu, 1.0, scope));
    module!("dense of tokens", &[3, 5], |scope: &Scope| dense(5, 4, Activation::Abs, free, scope));
    module!("dense stack", &[5], |scope: &Scope| dense_stack(5, &names(3), free, scope));
    module!("Han stack", &[5], |scope: &Scope| scoped_han_stack(5, &names(3), scope));
    module!("Han stack along tokens", &[5, 3], |scope: &Scope| {
        Ok::<_, candle_core::Error>(scoped_han_stack(5, &names(3), scope)?.along(Axis::Tokens))
    });
    module!("Han blocks", &[3, 5], |scope: &Scope| han_blocks(3, 5, &names(2), None, scope));
    module!("mixer", &[3, 5], |scope: &Scope| mixer_stack(3, 5, &names(2), scope));
    module!("layer norm", &[3, 5], |scope: &Scope| layer_norm(5, scope));
    module!("convolution", &[4, 6, 3], |scope: &Scope| conv2d(3, 4, 3, CONV, scope));
    module!("pointwise convolution", &[4, 6, 3], |scope: &Scope| {
        conv2d(3, 4, 1, ConvConfig { stride: 1, padding: 0 }, scope)
    });
    if matches!(dtype, DType::F32 | DType::F64) {
        module!("orthonormal dense", &[5], |scope: &Scope| orthogonal_dense(5, 4, relu, scope));
    }
    for (name, sample) in [("batch norm", vec![5]), ("batch norm of planes", vec![5, 2, 3])] {
        let scope = new();
        let (trained, frozen) = (batch_norm(5, &scope)?, batch_norm(5, &scope.frozen())?.then_relu());
        cases.push(Case::of(name, &sample, &scope, move |xs| trained.forward(xs, Mode::Eval)));
        cases.push(Case::of(name, &sample, &new(), move |xs| frozen.forward(xs, Mode::Eval)));
    }
    let scope = new();
    let block = residual_block(5, free, &scope)?;
    cases.push(Case::of("residual block", &[5], &scope, move |xs| block.forward(xs, Mode::Eval)));
    for bias in [ConvBias::With, ConvBias::Without] {
        let scope = new();
        let layer = conv_norm([3, 4, 3], CONV, bias, ["c", "n"], &scope)?.then_relu();
        cases.push(Case::of("convolution and norm", &[4, 6, 3], &scope, move |xs| layer.forward(xs, Mode::Eval)));
    }
    Ok(cases)
}

const TYPES: [DType; 2] = [DType::F32, DType::F64];

#[test]
fn an_empty_batch_has_an_output_and_gradients_of_the_right_shapes() -> Result<()> {
    for dtype in TYPES {
        for case in cases(dtype)? {
            let expected = (case.forward)(&case.input(2, dtype)?)?;
            let xs = Var::from_tensor(&case.input(0, dtype)?)?;
            let y = (case.forward)(xs.as_tensor()).unwrap_or_else(|error| panic!("{}: {error}", case.name));
            assert_eq!((y.dims()[0], &y.dims()[1..]), (0, &expected.dims()[1..]), "{}", case.name);
            let gradients = y.sum_all()?.backward().unwrap_or_else(|error| panic!("{}: {error}", case.name));
            for var in case.vars.iter().chain([&xs]) {
                let Some(gradient) = gradients.get(var.as_tensor()) else { continue };
                assert_eq!(gradient.dims(), var.dims(), "{}", case.name);
                assert!(entries(gradient)?.iter().all(|entry| *entry == 0.0), "{}", case.name);
            }
        }
    }
    Ok(())
}

#[test]
fn a_batch_of_one_and_a_view_come_out_as_rows_of_a_whole_batch() -> Result<()> {
    for dtype in TYPES {
        for case in cases(dtype)? {
            let xs = case.input(3, dtype)?;
            let expected = (case.forward)(&xs)?;
            let one = (case.forward)(&xs.narrow(0, 1, 1)?)?;
            common::assert_close(&one, &expected.narrow(0, 1, 1)?, 1e-5, case.name)?;
            // Samples last in memory, a view of every second one, and turned around.
            let last = xs.transpose(0, xs.rank() - 1)?.contiguous()?.transpose(0, xs.rank() - 1)?;
            assert!(!last.is_contiguous());
            assert_eq!(bits(&(case.forward)(&last)?)?, bits(&expected)?, "{}", case.name);
            let twice = Tensor::stack(&[&xs, &xs.zeros_like()?], 1)?.narrow(1, 0, 1)?.squeeze(1)?;
            assert_eq!(bits(&(case.forward)(&twice)?)?, bits(&expected)?, "{}", case.name);
            // A view of no samples that begins beyond the end of its memory.
            let beyond = Tensor::zeros([&[0, 2][..], &xs.dims()[1..]].concat(), dtype, &Device::Cpu)?;
            let none = (case.forward)(&beyond.narrow(1, 1, 1)?.squeeze(1)?)?;
            assert_eq!(none.dims(), [&[0], &expected.dims()[1..]].concat(), "{}", case.name);
        }
    }
    Ok(())
}

#[test]
fn what_is_not_a_number_stays_visible() -> Result<()> {
    for case in cases(DType::F32)? {
        let y = (case.forward)(&(case.input(3, DType::F32)? * f64::NAN)?)?;
        assert!(entries(&y)?.iter().all(|entry| entry.is_nan()), "{}", case.name);
    }
    // In training the running statistics show it too.
    let scope = scope();
    let norm = batch_norm(2, &scope)?;
    let y = norm.forward(&Tensor::new(&[[f32::NAN, 1.0], [1.0, 3.0]], &Device::Cpu)?, Mode::Train)?;
    let buffers: Vec<f64> =
        scope.parameters().iter().filter(|p| p.role == Role::Buffer).map(|p| entries(p.var.as_tensor())).try_fold(
            Vec::new(),
            |mut all, buffer| -> Result<Vec<f64>> {
                all.extend(buffer?);
                Ok(all)
            },
        )?;
    let broken: Vec<bool> = buffers.iter().map(|value| value.is_nan()).collect();
    assert_eq!(broken, [true, false, true, false], "{buffers:?}");
    assert_eq!(entries(&y)?.iter().map(|entry| entry.is_nan()).collect::<Vec<_>>(), [true, false, true, false]);
    Ok(())
}

#[test]
fn forward_passes_refuse_other_ranks_widths_and_types() -> Result<()> {
    let cases = cases(DType::F32)?;
    let tall = conv2d(3, 4, 3, ConvConfig { stride: 1, padding: 0 }, &scope())?;
    let still = conv2d(3, 4, 3, ConvConfig { stride: 0, padding: 1 }, &scope())?;
    let vast = conv2d(3, 4, 3, ConvConfig { stride: 1, padding: usize::MAX / 2 + 1 }, &scope())?;
    let (norm, block) = (batch_norm(3, &scope())?, residual_block(3, DenseInit::KaimingNormal, &scope())?);
    let conv = conv_norm([3, 4, 3], CONV, ConvBias::With, ["c", "n"], &scope())?;
    let mut attempts = Vec::new();
    for Case { name, sample, forward, .. } in &cases {
        let whole_shape: Vec<usize> = [&[2], sample.as_slice()].concat();
        attempts.push(attempt(format!("{name} of whole numbers"), {
            let shape = whole_shape.clone();
            move || forward(&whole(&shape))
        }));
        if matches!(*name, "activation" | "sum and ReLU") {
            continue;
        }
        attempts.push(attempt(format!("{name} of a scalar"), move || forward(&ones(&[]))));
        if *name == "mean of tokens" {
            attempts.push(attempt("the mean of no tokens", move || forward(&ones(&[2, 0, 5]))));
            attempts.push(attempt("the mean of no channels", move || forward(&ones(&[2, 3, 0]))));
            continue;
        }
        attempts.push(attempt(format!("{name} in f64"), {
            let shape = whole_shape.clone();
            move || forward(&ones(&shape).to_dtype(DType::F64)?)
        }));
        for size in [0, 1, 7] {
            let mut shape = whole_shape.clone();
            // The axis that has to have the layer's width.
            let axis = match *name {
                "Han stack along tokens" | "batch norm" | "batch norm of planes" => 1,
                _ => shape.len() - 1,
            };
            shape[axis] = size;
            attempts.push(attempt(format!("{name} of {shape:?}"), move || forward(&ones(&shape))));
        }
    }
    attempts.extend([
        attempt("a window larger than the image", || tall.forward(&ones(&[1, 2, 5, 3]))),
        attempt("a stride of 0", || still.forward(&ones(&[1, 5, 5, 3]))),
        attempt("a padding beyond all numbers", || vast.forward(&ones(&[1, 5, 5, 3]))),
        attempt("a sum of two shapes", || add_relu(&ones(&[2, 3]), &ones(&[3, 2]))),
    ]);
    for batch in [0, 1] {
        attempts.push(attempt(format!("batch norm of {batch}"), {
            let norm = &norm;
            move || norm.forward(&ones(&[batch, 3]), Mode::Train)
        }));
        attempts.push(attempt(format!("a residual block of {batch}"), {
            let block = &block;
            move || block.forward(&ones(&[batch, 3]), Mode::Train)
        }));
        attempts.push(attempt(format!("a convolution and norm of {batch} pixel"), {
            let conv = &conv;
            move || conv.forward(&ones(&[batch, 1, 1, 3]), Mode::Train)
        }));
    }
    attempts.push(attempt("batch norm of no pixels", || norm.forward(&ones(&[2, 3, 0, 4]), Mode::Train)));
    all_refused(&attempts);
    assert_eq!(norm.forward(&ones(&[2, 3, 0, 4]), Mode::Eval)?.dims(), [2, 3, 0, 4]);
    Ok(())
}

/// Types without a kernel of ours go the composed way: it works or says why not.
#[test]
fn half_precision_never_panics() -> Result<()> {
    for dtype in [DType::F16, DType::BF16] {
        for case in cases(dtype)? {
            for batch in [0, 1, 3] {
                let xs = case.input(batch, dtype)?;
                let made = catch_unwind(AssertUnwindSafe(|| (case.forward)(&xs).map(|y| y.dims()[0])));
                let Ok(made) = made else { panic!("{} of {batch} in {dtype:?} panicked", case.name) };
                assert!(made.is_err() || made.is_ok_and(|rows| rows == batch), "{} of {batch} in {dtype:?}", case.name);
            }
        }
    }
    Ok(())
}

#[test]
fn half_precision_is_computed_in_single_where_it_has_no_room() -> Result<()> {
    let far = |a: &Tensor, b: &Tensor| -> Result<f32> {
        (a.to_dtype(DType::F32)? - b.to_dtype(DType::F32)?)?.abs()?.max_all()?.to_scalar()
    };
    // The square of such a direction is beyond the largest number of f16.
    let direction = (Tensor::arange(1f32, 31.0, &Device::Cpu)? * 100.0)?.reshape((1, 30))?;
    let (bias, xs) =
        (direction.zeros_like()?, Tensor::arange(-2f32, 2.0, &Device::Cpu)?.reshape((4, 1))?.broadcast_as((4, 30))?);
    let stack = |dtype: DType| HanStack::new(direction.to_dtype(dtype)?, bias.to_dtype(dtype)?);
    let single = stack(DType::F32)?.forward(&xs)?;
    for dtype in [DType::F16, DType::BF16] {
        assert!(far(&stack(dtype)?.forward(&xs.to_dtype(dtype)?)?, &single)? < 0.2, "{dtype:?}");
        let deviations =
            [Tensor::new(&[[300f32, -300.0]], &Device::Cpu)?, Tensor::new(&[[300f32], [-300.0]], &Device::Cpu)?];
        let [rows, columns] = deviations.map(|xs| xs.to_dtype(dtype));
        let (rows, columns) = (rows?, columns?);
        let (normed, ones) =
            (layer_norm(2, &Scope::new(Seed(1), dtype, &Device::Cpu))?.forward(&rows)?, [[1f32, -1.0]]);
        assert!(far(&normed, &Tensor::new(&ones, &Device::Cpu)?)? < 0.01, "{dtype:?}");
        let normed = batch_norm(1, &Scope::new(Seed(1), dtype, &Device::Cpu))?.forward(&columns, Mode::Train)?;
        assert!(far(&normed.t()?, &Tensor::new(&ones, &Device::Cpu)?)? < 0.01, "{dtype:?}");
        // A sum of so many ones.
        let norm = batch_norm(1, &Scope::new(Seed(1), dtype, &Device::Cpu))?;
        let ones = Tensor::ones((4096, 1), dtype, &Device::Cpu)?;
        assert_eq!(far(&norm.forward(&ones, Mode::Train)?, &ones.zeros_like()?)?, 0.0, "{dtype:?}");
        let one = Tensor::new(1f32, &Device::Cpu)?;
        assert_eq!(far(&loss::mse(&ones, &ones.zeros_like()?)?, &one)?, 0.0, "{dtype:?}");
        let labels = Tensor::zeros(4096, DType::U32, &Device::Cpu)?;
        let logits = Tensor::zeros((4096, 2), dtype, &Device::Cpu)?;
        let entropy = Tensor::new(2f32.ln(), &Device::Cpu)?;
        assert!(far(&loss::cross_entropy(&logits, &labels)?, &entropy)? < 0.01, "{dtype:?}");
        assert_eq!(
            far(&mean_of_tokens(&ones.reshape((1, 4096, 1))?)?.squeeze(1)?.squeeze(0)?, &one)?,
            0.0,
            "{dtype:?}"
        );
        let [weight, bias] =
            [(1, 1).into(), candle_core::Shape::from(1)].map(|shape| Var::ones(shape, dtype, &Device::Cpu));
        let (weight, bias) = (weight?, bias?);
        let layer = Dense::new(weight.as_tensor().clone(), bias.as_tensor().clone(), Activation::Identity)?;
        let gradients = layer.forward(&ones)?.sum_all()?.backward()?;
        let gradient = gradients.get(bias.as_tensor()).expect("a gradient");
        assert_eq!(far(gradient, &Tensor::new(&[4096f32], &Device::Cpu)?)?, 0.0, "{dtype:?}");
        // Infinity times 0 is no number.
        let endless = Tensor::new(&[f32::NEG_INFINITY, 2.0], &Device::Cpu)?.to_dtype(dtype)?;
        assert_eq!(entries(&activate(Activation::Relu, &endless)?)?, [0.0, 2.0], "{dtype:?}");
    }
    Ok(())
}

#[test]
fn losses_of_nothing_and_of_labels_that_are_no_class_are_refused() -> Result<()> {
    let labels = |values: &[u32]| Tensor::new(values, &Device::Cpu);
    let distances = loss::row_distances(&Tensor::eye(3, DType::F32, &Device::Cpu)?)?;
    let margin = |logits: &Tensor, labels: &Tensor, radius, temperature| {
        loss::margin(logits, labels, &distances, Margin { radius, temperature })
    };
    let logits = ones(&[2, 3]);
    all_refused(&[
        attempt("mean squared error of nothing", || loss::mse(&ones(&[0, 3]), &ones(&[0, 3]))),
        attempt("mean squared error of two shapes", || loss::mse(&ones(&[2, 3]), &ones(&[3, 2]))),
        attempt("mean squared error of a row", || loss::mse(&ones(&[2, 3]), &ones(&[3]))),
        attempt("mean squared error of two types", || loss::mse(&logits, &logits.to_dtype(DType::F64)?)),
        attempt("mean squared error of bf16", || loss::mse(&logits, &logits.to_dtype(DType::BF16)?)),
        attempt("mean squared error of whole numbers", || loss::mse(&whole(&[2]), &whole(&[2]))),
        attempt("cross-entropy of nothing", || loss::cross_entropy(&ones(&[0, 3]), &labels(&[])?)),
        attempt("cross-entropy without classes", || loss::cross_entropy(&ones(&[2, 0]), &labels(&[0, 0])?)),
        attempt("too few labels", || loss::cross_entropy(&logits, &labels(&[0])?)),
        attempt("a label beyond the classes", || loss::cross_entropy(&logits, &labels(&[0, 3])?)),
        attempt("the label that candle ignores", || loss::cross_entropy(&logits, &labels(&[0, u32::MAX])?)),
        attempt("a label beyond 32 bits", || {
            loss::cross_entropy(&logits, &Tensor::new(&[0i64, 1 << 32], &Device::Cpu)?)
        }),
        attempt("a negative label", || loss::cross_entropy(&logits, &Tensor::new(&[0i64, -1], &Device::Cpu)?)),
        attempt("labels with fractions", || loss::cross_entropy(&logits, &ones(&[2]))),
        attempt("logits of whole numbers", || loss::cross_entropy(&whole(&[2, 3]), &labels(&[0, 1])?)),
        attempt("logits of rank 1", || loss::cross_entropy(&ones(&[2]), &labels(&[0, 1])?)),
        attempt("a margin of no class", || margin(&logits, &labels(&[0, 3])?, 1.0, 1.0)),
        attempt("a margin at temperature 0", || margin(&logits, &labels(&[0, 1])?, 1.0, 0.0)),
        attempt("a margin of NaN", || margin(&logits, &labels(&[0, 1])?, f64::NAN, 1.0)),
        attempt("a margin of other classes", || margin(&ones(&[2, 4]), &labels(&[0, 1])?, 1.0, 1.0)),
        attempt("distances of no rows", || loss::row_distances(&ones(&[0, 3]))),
        attempt("distances of a vector", || loss::row_distances(&ones(&[3]))),
        attempt("the norm of a vector", || spectral::norm(&ones(&[3]))),
        attempt("a bound of a vector", || bounds::upper_bound(&ones(&[3]))),
        attempt("the nearest to a vector", || stiefel::nearest(&ones(&[3]))),
        attempt("the nearest to zeros", || stiefel::nearest(&zeros(&[2, 3]))),
        attempt("whole numbers near orthonormal", || stiefel::nearest(&whole(&[2, 3]))),
    ]);
    // To candle the largest byte is no label.
    let many = Tensor::arange(0f32, 600.0, &Device::Cpu)?.reshape((2, 300))?;
    let [byte, word] = [Tensor::new(&[255u8, 3], &Device::Cpu)?, labels(&[255, 3])?]
        .map(|labels| loss::cross_entropy(&many, &labels)?.to_scalar::<f32>());
    assert_eq!(byte?, word?);
    assert!(loss::mse(&(logits.clone() * f64::NAN)?, &logits)?.to_scalar::<f32>()?.is_nan());
    assert!(loss::cross_entropy(&(logits * f64::NAN)?, &labels(&[0, 1])?)?.to_scalar::<f32>()?.is_nan());
    Ok(())
}

#[test]
fn weights_of_another_shape_or_type_are_refused_and_change_nothing() -> Result<()> {
    let config = ModelConfig::Hannet(HanNetConfig::new(6, 3, vec![1]));
    let parameters = config.build(4, 2, Seed(1), &Device::Cpu)?.parameters;
    let stored: HashMap<String, Tensor> = parameters.to_stored()?.into_iter().collect();
    let state = || -> Result<Vec<Vec<u64>>> { parameters.iter().map(|p| bits(p.var.as_tensor())).collect() };
    let before = state()?;
    let mut attempts = Vec::new();
    for (name, tensor) in &stored {
        let with = |tensor: Result<Tensor>| -> Result<HashMap<String, Tensor>> {
            let mut all = stored.clone();
            all.insert(name.clone(), tensor?);
            Ok(all)
        };
        let parameters = &parameters;
        let mut lacking = stored.clone();
        lacking.remove(name);
        attempts.push(attempt(format!("no {name}"), move || parameters.assign(&lacking)));
        let cast = with(tensor.to_dtype(DType::I64));
        attempts.push(attempt(format!("{name} of whole numbers"), move || {
            parameters.assign(cast.as_ref().map_err(candle_core::Error::msg)?)
        }));
        let longer = with(Tensor::cat(&[tensor, tensor], 0));
        attempts.push(attempt(format!("a longer {name}"), move || {
            parameters.assign(longer.as_ref().map_err(candle_core::Error::msg)?)
        }));
        if tensor.dims().len() == 2 && tensor.dims()[1] > 1 {
            for other in [with(tensor.t()), with(tensor.flatten_all()), with(tensor.reshape((3, ())))] {
                attempts.push(attempt(format!("another shape of {name}"), move || {
                    parameters.assign(other.as_ref().map_err(candle_core::Error::msg)?)
                }));
            }
        }
    }
    all_refused(&attempts);
    assert_eq!(state()?, before);
    // A vector may be flat, a column or a row.
    let flat: HashMap<String, Tensor> = stored
        .iter()
        .map(|(name, tensor)| {
            let is_vector = name.ends_with("vector");
            Ok((name.clone(), if is_vector { tensor.flatten_all()?.unsqueeze(0)? } else { tensor.clone() }))
        })
        .collect::<Result<_>>()?;
    parameters.assign(&flat)?;
    assert_eq!(state()?, before);
    Ok(())
}

fn configs() -> Vec<ModelConfig> {
    vec![
        ModelConfig::Hannet(HanNetConfig::new(6, 4, vec![1, 3])),
        ModelConfig::Certified(HanNetConfig::new(6, 3, vec![1])),
        ModelConfig::Fcnet(FcNetConfig::new(6, 3)),
        ModelConfig::BoundedFcnet(BoundedFcNetConfig { width: 6, depth: 2, norm_product: 1.0 }),
        ModelConfig::Resnet(ResNetConfig { width: 6, blocks: 2 }),
    ]
}

fn build(config: &ModelConfig) -> Result<Model> {
    config.build(4, 3, Seed(1), &Device::Cpu)
}

#[test]
fn networks_refuse_impossible_sizes_and_inputs() -> Result<()> {
    let mut attempts = Vec::new();
    for config in configs() {
        for (inputs, outputs) in [(0, 3), (4, 0)] {
            let config = config.clone();
            attempts.push(attempt(format!("{config:?}, {inputs} to {outputs}"), move || {
                config.build(inputs, outputs, Seed(1), &Device::Cpu)
            }));
        }
        for size in [han_exp::model::Size { width: 0, depth: 2 }, han_exp::model::Size { width: 2, depth: 0 }] {
            let mut config = config.clone();
            config.resize(size);
            attempts.push(attempt(format!("{config:?}"), move || build(&config)));
        }
        let of_ints = config.clone();
        attempts.push(attempt(format!("{config:?} of whole numbers"), move || {
            of_ints.build_as(DType::I64, 4, 3, Seed(1), &Device::Cpu)
        }));
        let model = build(&config)?;
        attempts.push(attempt(format!("another input of {config:?}"), move || {
            for shape in [vec![], vec![4], vec![2, 5], vec![2, 0], vec![2, 3, 5]] {
                if model.frozen.forward(&ones(&shape), Mode::Eval).is_ok() && shape != [4] {
                    return Ok(());
                }
            }
            candle_core::bail!("all refused")
        }));
    }
    let dense_at = |places: &[usize]| ModelConfig::Hannet(HanNetConfig::new(6, 4, places.to_vec()));
    for places in [vec![], vec![2], vec![1, 1], vec![1, 9], vec![0, 1]] {
        attempts.push(attempt(format!("dense at {places:?}"), move || build(&dense_at(&places))));
    }
    for norm_product in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let config = ModelConfig::BoundedFcnet(BoundedFcNetConfig { width: 6, depth: 2, norm_product });
        attempts.push(attempt(format!("a bound of {norm_product}"), move || build(&config)));
    }
    let sound = PassThrough { folding: 1, offset: 3.0, rest: 0.5, pace: 0.1, length: 10.0 };
    for start in [
        PassThrough { folding: 0, ..sound.clone() },
        PassThrough { rest: 4.0, ..sound.clone() },
        PassThrough { offset: f64::NAN, ..sound.clone() },
        PassThrough { length: 0.0, ..sound },
    ] {
        let config = HanNetConfig { pass_through: Some(start), ..HanNetConfig::new(6, 4, vec![1]) };
        attempts.push(attempt(format!("{config:?}"), move || build(&ModelConfig::Hannet(config.clone()))));
    }
    let mixer = |channels, mixer_blocks, han_blocks| {
        ImageModelConfig::Mixer(MixerConfig::new(channels, mixer_blocks, han_blocks))
    };
    let of_images = |config: ImageModelConfig, image: [usize; 3], classes: usize| {
        attempt(format!("{config:?} for {image:?} and {classes} classes"), move || {
            config.build(image, classes, Seed(1), &Device::Cpu)
        })
    };
    for (channels, mixers, hans) in [(0, 1, 1), (9, 1, 1), (16, 0, 0), (8_192, 1, 0)] {
        attempts.push(of_images(mixer(channels, mixers, hans), [8, 8, 3], 10));
    }
    for image in [[0, 8, 3], [8, 0, 3], [1, 1, 3], [8, 8, 0]] {
        attempts.push(of_images(mixer(16, 1, 1), image, 10));
    }
    attempts.push(of_images(mixer(16, 1, 1), [8, 8, 3], 0));
    attempts.push(of_images(ImageModelConfig::Resnet32, [8, 8, 3], 0));
    attempts.push(of_images(ImageModelConfig::Resnet32, [8, 8, 0], 10));
    all_refused(&attempts);
    for config in configs() {
        let model = build(&config)?;
        assert_eq!(model.frozen.forward(&ones(&[0, 4]), Mode::Eval)?.dims(), [0, 3], "{config:?}");
        assert_eq!(model.frozen.forward(&ones(&[1, 4]), Mode::Eval)?.dims(), [1, 3], "{config:?}");
    }
    let images = mixer(16, 1, 1).build([8, 8, 3], 10, Seed(1), &Device::Cpu)?;
    assert_eq!(images.frozen.forward(&ones(&[0, 8, 8, 3]), Mode::Eval)?.dims(), [0, 10]);
    Ok(())
}

fn points(count: usize) -> Points {
    Points { inputs: ones(&[count, 4]), targets: ones(&[count, 3]) }
}

struct Nobody;

impl Observer for Nobody {
    fn report(&mut self, _report: Report, _model: &Model) -> Result<()> {
        Ok(())
    }
}

#[test]
fn a_row_that_is_not_there_is_refused() {
    // Of the largest number candle makes a row of zeros.
    for row in [3, u32::MAX] {
        let told = points(3).batch(0, &[0, row]).map(|_| ()).expect_err("no such row");
        assert_eq!(told.to_string().lines().next(), Some(&*format!("there is no row {row} of 3")));
    }
}

fn plain_fit() -> FitConfig {
    FitConfig {
        iterations: 3,
        batch_size: 4,
        report_every: 2,
        learning_rate: 0.01,
        optimizer: OptimizerConfig::Sgd { momentum: 0.0, weight_decay: 0.0 },
        schedule: ScheduleConfig::Cosine { warmup: 0.0, floor: 0.0 },
        input_noise: 0.0,
        sampling: Sampling::Fresh,
        loss: LossConfig::MeanSquaredError,
    }
}

fn train(points: &Points, config: &FitConfig) -> Result<han_exp::train::Outcome> {
    let model = build(&ModelConfig::Fcnet(FcNetConfig::new(5, 2)))?;
    let (batches, noise) = (&mut Seed(1).stream("batch"), &mut Seed(1).stream("noise"));
    fit(&model, points, config, Streams { batches, noise }, &mut Nobody)
}

#[test]
fn trainings_refuse_empty_sets_and_impossible_settings() -> Result<()> {
    let changed = |change: fn(&mut FitConfig)| {
        let mut config = plain_fit();
        change(&mut config);
        config
    };
    let mut attempts = Vec::new();
    for sampling in [Sampling::Fresh, Sampling::Epochs] {
        let config = FitConfig { sampling, ..plain_fit() };
        attempts.push(attempt(format!("no points, {sampling:?}"), move || train(&points(0), &config)));
    }
    for (what, config) in [
        ("no batch", changed(|fit| fit.batch_size = 0)),
        ("no iterations", changed(|fit| fit.iterations = 0)),
        ("no reports", changed(|fit| fit.report_every = 0)),
        ("a rate of NaN", changed(|fit| fit.learning_rate = f64::NAN)),
        ("negative noise", changed(|fit| fit.input_noise = -1.0)),
        ("a momentum of 1", changed(|fit| fit.optimizer = OptimizerConfig::Sgd { momentum: 1.0, weight_decay: 0.0 })),
        ("labels that are no labels", changed(|fit| fit.loss = LossConfig::CrossEntropy)),
    ] {
        attempts.push(attempt(what, move || train(&points(9), &config)));
    }
    let sgd = |momentum| OptimizerConfig::Sgd { momentum, weight_decay: 0.0 };
    attempts.extend([
        attempt("an optimizer of momentum 2", move || Optimizer::new(sgd(2.0), vec![var(&[3])])),
        attempt("a variable of whole numbers", move || Optimizer::new(sgd(0.0), vec![Var::from_tensor(&whole(&[3]))?])),
        attempt("a gradient of another shape", move || {
            let var = var(&[3]);
            let mut gradients = (var.as_tensor() * 2.0)?.sum_all()?.backward()?;
            gradients.insert(var.as_tensor(), ones(&[2]));
            Optimizer::new(sgd(0.0), vec![var])?.step(&gradients, 0.1)
        }),
        attempt("a gradient of another type", move || {
            let var = var(&[3]);
            let mut gradients = (var.as_tensor() * 2.0)?.sum_all()?.backward()?;
            gradients.insert(var.as_tensor(), ones(&[3]).to_dtype(DType::F64)?);
            Optimizer::new(sgd(0.0), vec![var])?.step(&gradients, 0.1)
        }),
        attempt("paces that do not divide", move || {
            let scope = scope();
            let stored = vec![Stored { name: "w".into(), shape: vec![3] }];
            scope.stacked_at(3, vec![Draw { init: Init::Zeros, stored }], Role::Trained, vec![1.0, 2.0])?;
            Optimizer::of(sgd(0.0), &scope.parameters())
        }),
    ]);
    all_refused(&attempts);
    for sampling in [Sampling::Fresh, Sampling::Epochs] {
        train(&points(9), &FitConfig { sampling, ..plain_fit() })?;
    }
    Ok(())
}

/// A network that is not what a classifier expects.
struct Odd(fn(&Tensor) -> Result<Tensor>);

impl Network for Odd {
    fn forward(&self, xs: &Tensor, _mode: Mode) -> Result<Tensor> {
        (self.0)(xs)
    }
}

#[test]
fn scores_attacks_and_certificates_refuse_what_they_cannot_judge() -> Result<()> {
    let model = build(&ModelConfig::Hannet(HanNetConfig::new(6, 3, vec![1])))?;
    let network = model.frozen.as_ref();
    let classifier = Classifier::new(network, 4)?;
    let examples = |pixels: Vec<f32>, labels: Vec<usize>| Examples::new(&classifier, pixels, labels);
    let some = examples(vec![0.5; 8], vec![0, 1])?;
    let image = ImageShape::grey(2, 2);
    let setting = Setting::new(Threat::linf(0.1), image);
    let attack = |change: fn(&mut Setting)| {
        let mut setting = setting;
        change(&mut setting);
        setting
    };
    let none = examples(vec![], vec![])?;
    let other = ModelConfig::Fcnet(FcNetConfig::new(4, 1)).build(2, 2, Seed(1), &Device::Cpu)?;
    let narrower = Classifier::new(other.frozen.as_ref(), 2)?;
    let certifier = Certifier::new(network)?;
    let head = Dense::new(ones(&[3, 4]), zeros(&[3]), Activation::Identity)?;
    let tanh = Chain::new(vec![Link::Dense(Dense::new(ones(&[4, 4]), zeros(&[4]), Activation::Tanh)?)], head);
    let mut attempts = vec![
        attempt("the score of no points", || accuracy::score(network, &points(0))),
        attempt("the outputs at no points", || accuracy::outputs(network, &ones(&[0, 4]))),
        attempt("the outputs at a scalar", || accuracy::outputs(network, &ones(&[]))),
        attempt("targets of other points", || {
            accuracy::score(network, &Points { inputs: ones(&[2, 4]), targets: ones(&[3, 3]) })
        }),
        attempt("no pixels", || Classifier::new(&Odd(|_| Ok(ones(&[128, 3]))), 0)),
        attempt("one class", || Classifier::new(&Odd(|_| Ok(ones(&[128, 1]))), 4)),
        attempt("too few rows", || Classifier::new(&Odd(|_| Ok(ones(&[1, 3]))), 4)),
        attempt("another width", || Classifier::new(network, 5)),
        attempt("half an image", || classifier.logits(&[0.5f32; 6])),
        attempt("cotangents of other images", || classifier.gradients(&[0.5; 8], &[1.0; 3])),
        attempt("gradients of half an image", || classifier.gradients(&[0.5; 6], &[1.0; 6])),
        attempt("pixels outside the box", || examples(vec![1.5; 4], vec![0])),
        attempt("pixels of NaN", || examples(vec![f32::NAN; 4], vec![0])),
        attempt("a label that is no class", || examples(vec![0.5; 4], vec![3])),
        attempt("labels of other images", || examples(vec![0.5; 4], vec![0, 1])),
        attempt("an image twice", || Examples::of_indices(&classifier, vec![0.5; 8], vec![0, 1], vec![7, 7])),
        attempt("a step of NaN", || {
            Pgd { step: StepRule::Length(f64::NAN), ..Pgd::new(setting.threat) }.run(&classifier, &some, Seed(1))
        }),
        attempt("an endless overshoot", || {
            DeepFool { overshoot: f64::INFINITY, ..DeepFool::new(Norm::L2) }.run(&classifier, &some)
        }),
        attempt("endless steps", || {
            Apgd { steps: usize::MAX, ..Apgd::dlr(setting.threat) }.run(&classifier, &some, Seed(1))
        }),
        attempt("endless runs", || {
            Pgd { restarts: usize::MAX, ..Pgd::new(setting.threat) }.run(&classifier, &some, Seed(1))
        }),
        attempt("images of another classifier", || Attack::Pgd.run(&narrower, &some, &setting)),
        attempt("differences of another classifier", || {
            masking::gradients_match_differences(&classifier, &narrower, &some, 1)
        }),
        attempt("a checklist without images", || masking::checklist(&classifier, None, &none, &setting)),
        attempt("images beyond memory", || Classifier::new(network, usize::MAX)),
        attempt("labels of other images to certify", || certifier.certify(&ones(&[2, 4]), &[0])),
        attempt("a label that is no class to certify", || certifier.certify(&ones(&[1, 4]), &[3])),
        attempt("images of another width to certify", || certifier.certify(&ones(&[1, 5]), &[0])),
        attempt("images of rank 1 to certify", || certifier.certify(&ones(&[4]), &[0])),
        attempt("a certificate of tanh", || Certifier::new(&tanh).map(drop)),
        attempt("a certificate of no chain", || Certifier::new(&Odd(|xs| Ok(xs.clone()))).map(drop)),
        attempt("a summary of nothing", || Summary::of(&[], &[], &[])),
    ];
    for (what, setting) in [
        ("no steps", attack(|setting| setting.steps = 0)),
        ("no runs", attack(|setting| setting.restarts = 0)),
        ("eps of NaN", attack(|setting| setting.threat.eps = f64::NAN)),
        ("negative eps", attack(|setting| setting.threat.eps = -0.1)),
    ] {
        let (classifier, some) = (&classifier, &some);
        attempts.push(attempt(what, move || Attack::Pgd.run(classifier, some, &setting)));
        attempts.push(attempt(format!("{what}, checklist"), move || match setting.steps * setting.restarts {
            0 => candle_core::bail!("the checklist has steps of its own"),
            _ => masking::checklist(classifier, None, some, &setting),
        }));
    }
    for setting in [attack(|setting| setting.queries = 0), attack(|setting| setting.image = ImageShape::grey(3, 3))] {
        let (classifier, some) = (&classifier, &some);
        attempts.push(attempt("Square", move || Attack::Square.run(classifier, some, &setting)));
    }
    all_refused(&attempts);

    // Of no images everything is nothing.
    for attack in Attack::ALL.into_iter().filter(|attack| attack.problem(setting.threat.norm, 3).is_none()) {
        let outcomes = attack.run(&classifier, &none, &setting)?;
        assert!(outcomes.is_empty() && Counts::of(&outcomes, setting.threat).robust_accuracy() == 0.0);
    }
    assert!(certifier.certify(&ones(&[0, 4]), &[])?.images.is_empty());
    // An image that is no number is classified as nothing and certified for nothing.
    let broken = certifier.certify(&(ones(&[1, 4]) * f64::NAN)?, &[0])?.images[0];
    assert!(broken.predicted.is_none() && !broken.correct && broken.radii.rounded == 0.0);
    // One pixel, one image.
    let tiny = ModelConfig::Fcnet(FcNetConfig::new(4, 1)).build(1, 2, Seed(1), &Device::Cpu)?;
    let tiny = Classifier::new(tiny.frozen.as_ref(), 1).map(|classifier| classifier.classes())?;
    assert_eq!(tiny, 2);
    Ok(())
}

#[test]
fn measurements_of_gradients_refuse_what_has_none() -> Result<()> {
    let same = |xs: &Tensor| Ok(xs.clone());
    let points = |dims: &[usize]| ones(dims).to_dtype(DType::F64).expect("f64");
    let mut stream = Seed(1).stream("test");
    all_refused(&[
        attempt("a plane of three axes", || extents(&same, &points(&[2, 3]))),
        attempt("extents at a vector", || extents(&same, &points(&[2]))),
        attempt("a function that loses rows", || extents(&|xs| xs.narrow(0, 0, 1), &points(&[2, 2]))),
        attempt("neighbours of other points", || likeness(&same, &points(&[2, 3]), &points(&[3, 3]))),
        attempt("a Jacobian of a scalar", || of_one_point(&same, &points(&[]), 2)),
        attempt("the deviation of nothing", || deviation(&points(&[0, 0]))),
        attempt("the deviation of a vector", || deviation(&points(&[3]))),
        attempt("no pairs", || {
            Ascent { pairs: 0, steps: 2 }.search(&same, 3, &mut Seed(1).stream("test"), &Device::Cpu)
        }),
        attempt("no inputs", || {
            Ascent { pairs: 2, steps: 2 }.search(&same, 0, &mut Seed(1).stream("test"), &Device::Cpu)
        }),
    ]);
    assert!(deviation(&(points(&[2, 2]) * f64::NAN)?)?.is_nan());
    let one_broken = Tensor::new(&[[1.0, f64::NAN], [0.0, 1.0]], &Device::Cpu)?;
    assert!(deviation(&one_broken)?.is_nan());
    assert_eq!(RandomLayer::draw(0, 0, &mut stream).width(), 1);
    assert_eq!(RandomLayer::draw(5, 2, &mut stream).width(), 5);
    Ok(())
}
