//! The layer as other projects use it: parameters from candle's `VarBuilder`, its optimizers and files, and mistakes. Runs with
//! and without the features of the program.

mod common;

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::{AdamW, Module, ModuleT, Optimizer, VarBuilder, VarMap, linear, seq};
use common::{TYPES, assert_close, bits, largest, normal};
use han_exp::nn::{Axis, HanLayer, HanStack, Mode, Scope, batch_norm, han_layer, han_stack, scoped_han_stack};
use han_exp::rng::Seed;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

const WIDTH: usize = 7;
const DEPTH: usize = 5;

fn builder(vars: &VarMap, dtype: DType) -> VarBuilder<'static> {
    VarBuilder::from_varmap(vars, dtype, &Device::Cpu)
}

fn inputs(batch: usize, dtype: DType) -> Result<Tensor> {
    normal(&mut Seed(3).stream("inputs"), &[batch, WIDTH])?.to_dtype(dtype)
}

/// The variables of a map by name, in order.
fn sorted(vars: &VarMap) -> BTreeMap<String, Var> {
    vars.data().lock().expect("the map").iter().map(|(name, var)| (name.clone(), var.clone())).collect()
}

/// A stack of a seed, its variables (directions, biases), and what it is saved as.
fn scoped(seed: u64, dtype: DType) -> Result<(HanStack, Vec<Var>, HashMap<String, Tensor>)> {
    let scope = Scope::new(Seed(seed), dtype, &Device::Cpu);
    let names: Vec<String> = (0..DEPTH).map(|layer| layer.to_string()).collect();
    let stack = scoped_han_stack(WIDTH, &names, &scope)?;
    Ok((stack, scope.parameters().trained(), scope.parameters().to_stored()?.into_iter().collect()))
}

#[test]
fn keys_and_shapes_are_those_of_a_sequential_of_pytorch() -> Result<()> {
    let vars = VarMap::new();
    let stack = han_stack(WIDTH, DEPTH, builder(&vars, DType::F32))?;
    han_layer(WIDTH, builder(&vars, DType::F32).pp("a").pp("b"))?;
    let found: BTreeMap<String, Vec<usize>> =
        sorted(&vars).into_iter().map(|(name, var)| (name, var.dims().to_vec())).collect();
    let prefixes = (0..DEPTH).map(|layer| layer.to_string()).chain(["a.b".to_string()]);
    let expected: BTreeMap<String, Vec<usize>> = prefixes
        .flat_map(|prefix| [(format!("{prefix}.vector"), vec![WIDTH, 1]), (format!("{prefix}.bias"), vec![WIDTH])])
        .collect();
    assert_eq!(found, expected);
    assert_eq!((stack.depth(), stack.width(), stack.layers()?.len()), (DEPTH, WIDTH, DEPTH));
    Ok(())
}

#[test]
fn new_layers_start_as_in_the_paper() -> Result<()> {
    let vars = VarMap::new();
    let (width, depth) = (400, 3);
    let stack = han_stack(width, depth, builder(&vars, DType::F64))?;
    let bound = 1.0 / (width as f64).sqrt();
    let bias = largest(&stack.bias()?)?;
    assert!(bias <= bound && bias > 0.9 * bound, "{bias} of {bound}");
    // Of 400 normal numbers the length has a standard deviation of 0.035; candle's generator has no seed.
    for length in stack.direction()?.sqr()?.sum(1)?.sqrt()?.to_vec1::<f64>()? {
        assert!((length - 1.0).abs() < 0.35, "{length}");
    }
    let layers = stack.layers()?;
    assert_ne!(bits(layers[0].direction())?, bits(layers[1].direction())?);
    Ok(())
}

#[test]
fn layers_of_a_builder_compute_what_seeded_ones_of_the_same_parameters_do() -> Result<()> {
    for (dtype, tolerance) in TYPES {
        let (seeded, seeded_vars, stored) = scoped(1, dtype)?;
        let mut vars = VarMap::new();
        let stack = han_stack(WIDTH, DEPTH, builder(&vars, dtype))?;
        vars.set(stored.iter())?;
        let xs = inputs(9, dtype)?;
        let (expected, found) = (seeded.forward(&xs)?, stack.forward(&xs)?);
        assert_eq!(bits(&found)?, bits(&expected)?);
        let constants = han_stack(WIDTH, DEPTH, VarBuilder::from_tensors(stored, dtype, &Device::Cpu))?;
        assert_eq!(bits(&constants.forward(&xs)?)?, bits(&expected)?);
        let one_by_one = stack.layers()?.iter().try_fold(xs.clone(), |h, layer| layer.forward(&h))?;
        assert_close(&one_by_one, &expected, tolerance, "layers one by one")?;

        let weights = inputs(9, dtype)?;
        let (expected, found) = ((expected * &weights)?.backward()?, (found * &weights)?.backward()?);
        let vars = sorted(&vars);
        for (rows, part) in seeded_vars.iter().zip(["vector", "bias"]) {
            let expected = expected.get(rows).expect("a gradient");
            for layer in 0..DEPTH {
                let gradient = found.get(&vars[&format!("{layer}.{part}")]).expect("a gradient");
                assert_eq!(bits(gradient)?, bits(&expected.get(layer)?)?, "{layer}.{part}");
            }
        }
    }
    Ok(())
}

#[test]
fn gradients_are_those_of_candles_own_operations() -> Result<()> {
    for (dtype, tolerance) in TYPES {
        let vars = VarMap::new();
        let stack = han_stack(WIDTH, DEPTH, builder(&vars, dtype))?;
        let xs = Var::from_tensor(&inputs(9, dtype)?)?;
        let (fused, composed) = (stack.forward(&xs)?, stack.forward_composed(&xs)?);
        assert_close(&fused, &composed, tolerance, "outputs")?;
        let weights = normal(&mut Seed(4).stream("weights"), &[9, WIDTH])?.to_dtype(dtype)?;
        let (fused, composed) = ((fused * &weights)?.backward()?, (composed * &weights)?.backward()?);
        for (name, var) in sorted(&vars).into_iter().chain([("input".to_string(), xs)]) {
            let (found, expected) = (fused.get(&var).expect("a gradient"), composed.get(&var).expect("a gradient"));
            assert_close(found, expected, tolerance, &name)?;
        }
    }
    Ok(())
}

#[test]
fn steps_of_adamw_lower_the_loss() -> Result<()> {
    let mut vars = VarMap::new();
    let stack = han_stack(WIDTH, DEPTH, builder(&vars, DType::F32))?;
    let ((_, _, start), (target, _, _)) = (scoped(1, DType::F32)?, scoped(2, DType::F32)?);
    vars.set(start.iter())?;
    let xs = inputs(50, DType::F32)?;
    let ys = target.forward(&xs)?.detach();
    let loss = || (stack.forward(&xs)? - &ys)?.sqr()?.mean_all();
    let before = loss()?.to_scalar::<f32>()?;
    let start: Vec<_> = sorted(&vars).values().map(|var| bits(var)).collect::<Result<_>>()?;
    let mut optimizer = AdamW::new_lr(vars.all_vars(), 1e-3)?;
    for _ in 0..20 {
        optimizer.backward_step(&loss()?)?;
    }
    let after = loss()?.to_scalar::<f32>()?;
    assert!(after < before, "{after} after 20 steps, {before} before");
    for ((name, var), start) in sorted(&vars).into_iter().zip(start) {
        assert_ne!(bits(&var)?, start, "{name} did not learn");
    }
    Ok(())
}

#[test]
fn a_map_that_was_saved_and_loaded_gives_the_same_outputs() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("weights.safetensors");
    let build = |vars: &VarMap| han_stack(WIDTH, DEPTH, builder(vars, DType::F32).pp("han"));
    let (saved, mut loaded) = (VarMap::new(), VarMap::new());
    let (stack, again) = (build(&saved)?, build(&loaded)?);
    let xs = inputs(9, DType::F32)?;
    assert_ne!(bits(&again.forward(&xs)?)?, bits(&stack.forward(&xs)?)?);
    saved.save(&path)?;
    loaded.load(&path)?;
    assert_eq!(bits(&again.forward(&xs)?)?, bits(&stack.forward(&xs)?)?);
    let bytes = std::fs::read(&path)?;
    let constants = VarBuilder::from_slice_safetensors(&bytes, DType::F32, &Device::Cpu)?.pp("han");
    assert_eq!(bits(&han_stack(WIDTH, DEPTH, constants)?.forward(&xs)?)?, bits(&stack.forward(&xs)?)?);
    Ok(())
}

#[test]
fn layers_take_empty_batches_any_strides_and_any_number_of_axes() -> Result<()> {
    for (dtype, tolerance) in TYPES {
        let vars = VarMap::new();
        let stack = han_stack(WIDTH, DEPTH, builder(&vars, dtype))?;
        let empty = stack.forward(&inputs(0, dtype)?)?;
        assert_eq!(empty.dims(), [0, WIDTH]);
        empty.sum_all()?.backward()?;
        let xs = inputs(6, dtype)?;
        let expected = bits(&stack.forward(&xs)?)?;
        let strided = xs.t()?.contiguous()?.t()?;
        assert!(!strided.is_contiguous());
        assert_eq!(bits(&stack.forward(&strided)?)?, expected);
        assert_eq!(bits(&stack.forward(&xs.reshape((2, 1, 3, WIDTH))?)?)?, expected);
        let first = stack.forward(&xs)?.get(0)?;
        assert_close(&stack.forward(&xs.get(0)?)?, &first, tolerance, "a vector")?;
        let tokens = stack.along(Axis::Tokens).forward(&xs.t()?)?;
        assert_eq!(tokens.dims(), [WIDTH, 6]);
    }
    Ok(())
}

#[test]
fn layers_are_modules_of_candle() -> Result<()> {
    let (vars, xs) = (VarMap::new(), inputs(6, DType::F32)?);
    let first = linear(WIDTH, 4, builder(&vars, DType::F32).pp("first"))?;
    let network = seq().add(first).add(han_stack(4, 2, builder(&vars, DType::F32).pp("han"))?);
    assert_eq!(network.forward(&xs)?.dims(), [6, 4]);
    let norm = || batch_norm(WIDTH, &Scope::new(Seed(1), DType::F32, &Device::Cpu));
    for (train, mode) in [(true, Mode::Train), (false, Mode::Eval)] {
        assert_eq!(bits(&norm()?.forward_t(&xs, train)?)?, bits(&norm()?.forward(&xs, mode)?)?);
    }
    Ok(())
}

/// The message of a mistake.
fn message<T: Debug>(result: Result<T>) -> String {
    result.expect_err("a mistake").to_string()
}

#[test]
fn mistakes_are_errors_that_say_what_was_expected() -> Result<()> {
    let (device, float) = (Device::Cpu, DType::F32);
    let new = || builder(&VarMap::new(), float);
    let of = |vector: &[f32], dims: &[usize]| {
        let tensors =
            [("vector", Tensor::from_slice(vector, dims, &device)?), ("bias", Tensor::zeros(2, float, &device)?)];
        let tensors = tensors.map(|(name, tensor)| (name.to_string(), tensor)).into();
        han_layer(2, VarBuilder::from_tensors(tensors, float, &device))
    };
    let layer = han_layer(4, new())?;
    let tokens = layer.clone().along(Axis::Tokens);
    let wide = Tensor::ones((2, 4), DType::F64, &device)?;
    let direction = |values: &[f32]| HanLayer::new(Tensor::new(values, &device)?, Tensor::zeros(2, float, &device)?);
    let longest = Tensor::new(&[f64::MAX, f64::MAX], &device)?;
    let cases = [
        (message(HanLayer::new(longest.clone(), longest.zeros_like()?)), "is too long: its length overflows"),
        (message(han_layer(0, new())), "at least one layer and one entry, got 1 x 0"),
        (message(han_stack(0, 3, new())), "at least one layer and one entry, got 3 x 0"),
        (message(han_stack(4, 0, new())), "at least one layer and one entry, got 0 x 4"),
        (
            message(han_layer(4, builder(&VarMap::new(), DType::U32))),
            "floating-point numbers, not with entries of type u32",
        ),
        (message(han_layer(4, VarBuilder::zeros(float, &device))), "is zero: its reflection is undefined"),
        (message(han_stack(4, 2, VarBuilder::zeros(float, &device))), "the Han-layer \"0\""),
        (message(of(&[1.0, f32::NAN], &[2, 1])), "is not finite"),
        (message(of(&[1.0, 2.0], &[2])), "expected: [2, 1], got: [2]"),
        (message(han_layer(4, VarBuilder::from_tensors(HashMap::new(), float, &device).pp("a"))), "a.vector"),
        (message(direction(&[0.0, 0.0])), "is zero: its reflection is undefined"),
        (message(direction(&[1.0, 0.0, 0.0])), "biases of the shape of its directions, [1, 3], got [1, 2]"),
        (message(layer.forward(&Tensor::ones((2, 5), float, &device)?)), "takes tensors of shape [.., 4], got [2, 5]"),
        (message(layer.forward(&Tensor::ones((), float, &device)?)), "takes tensors of shape [.., 4], got []"),
        (message(layer.forward(&Tensor::ones((4, 0), float, &device)?)), "takes tensors of shape [.., 4], got [4, 0]"),
        (message(tokens.forward(&Tensor::ones(4, float, &device)?)), "of shape [.., 4, channels], got [4]"),
        (message(layer.forward(&wide)), "parameters of type f32 takes tensors of that type, got f64"),
        (message(layer.forward(&wide.to_dtype(DType::I64)?)), "not with entries of type i64"),
    ];
    for (message, expected) in cases {
        assert!(message.contains(expected), "{message:?} does not say {expected:?}");
    }
    Ok(())
}
