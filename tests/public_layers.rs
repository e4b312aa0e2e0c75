//! What a library user may get wrong with layers: every public constructor and forward pass, with sizes 0 and 1, the wrong rank,
//! the wrong width, an empty batch, a view that is not contiguous, whole numbers, NaN. The answer is an error or the right value,
//! never a panic and never a wrong shape.

#[path = "common/attempts.rs"]
mod attempts;
mod common;

use attempts::{all_refused, attempt, ones, scope, var, whole, zeros};
use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::Module;
use common::{bits, entries, normal};
use han_exp::nn::params::{Draw, Stored, check_directions};
use han_exp::nn::{
    Activation, Axis, BatchNorm, Conv2d, ConvBias, ConvConfig, Dense, DenseInit, DenseStack, HanBlocks, HanLayer,
    HanStack, Init, LayerNorm, Mode, OrthogonalDense, Role, Scope, activate, add_relu, batch_norm, bounded_dense,
    conv_norm, conv2d, dense, dense_stack, han_blocks, init, layer_norm, loss, mean_of_tokens, mixer_stack,
    orthogonal_dense, residual_block, scoped_han_stack,
};
use han_exp::rng::Seed;
use std::panic::{AssertUnwindSafe, catch_unwind};

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
