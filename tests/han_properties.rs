//! What the mathematics of the Han-layer promises, on random stacks, and what the program promises about it: both ways
//! to run a stack agree, undefined directions are refused, and the number of threads does not show.

mod common;

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::Module;
use common::{assert_close, assert_close_at_scale, backward, bits, entries, gradient, largest, normal, variable};
use han_exp::nn::kernels::matmul::PARALLEL_WORK;
use han_exp::nn::{Activation, Axis, Dense, HanStack, IdentityStart, Scope, han_blocks};
use han_exp::rng::{Seed, Stream};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// The same cases on every run: a failure is a change of the program, not of the dice.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, rng_seed: RngSeed::Fixed(2106), failure_persistence: None, ..ProptestConfig::default() }
}

/// A random stack with its variables.
struct Random {
    u: Var,
    b: Var,
    stack: HanStack,
}

#[derive(Clone, Copy, PartialEq)]
enum Bias {
    Zero,
    Normal,
}

impl Random {
    fn stack(stream: &mut Stream, depth: usize, width: usize, bias: Bias) -> Result<Self> {
        let u = normal(stream, &[depth, width])?;
        let b = match bias {
            Bias::Zero => u.zeros_like()?,
            Bias::Normal => (normal(stream, &[depth, width])? * 0.3)?,
        };
        Self::of(&u, &b, DType::F64)
    }

    fn of(u: &Tensor, b: &Tensor, dtype: DType) -> Result<Self> {
        let (u, b) = (variable(u, dtype)?, variable(b, dtype)?);
        let stack = HanStack::new(u.as_tensor().clone(), b.as_tensor().clone())?;
        Ok(Self { u, b, stack })
    }

    fn along(self, axis: Axis) -> Self {
        Self { stack: self.stack.along(axis), ..self }
    }
}

/// Output and gradients of sum(y * gy) for x, u and b.
fn run(
    random: &Random,
    x: &Tensor,
    gy: &Tensor,
    forward: fn(&HanStack, &Tensor) -> Result<Tensor>,
) -> Result<[Tensor; 4]> {
    let x = Var::from_tensor(x)?;
    let y = forward(&random.stack, x.as_tensor())?;
    let gradients = backward(&y, gy)?;
    let of = |var: &Var, what: &str| gradient(&gradients, var, what).cloned();
    Ok([y.detach(), of(&x, "x")?, of(&random.u, "u")?, of(&random.b, "b")?])
}

/// The Euclidean norm of every row.
fn norms(rows: &Tensor) -> Result<Vec<f64>> {
    entries(&rows.sqr()?.sum(1)?.sqrt()?)
}

/// 1 to 3 samples take the kernel with the width in the lanes, more take the one with the samples there; more than 128
/// are cut into blocks.
fn batches() -> impl Strategy<Value = usize> {
    prop_oneof![1..4usize, 4..40usize, 120..300usize]
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn jacobians_are_orthogonal_at_any_depth(
        width in 1..70usize, depth in prop_oneof![1..10usize, 100..200usize], seed: u64, at_once: bool,
    ) {
        let mut stream = Seed(seed).stream("orthogonal");
        let random = Random::stack(&mut stream, depth, width, Bias::Normal)?;
        let x = normal(&mut stream, &[1, width])?;
        let identity = Tensor::eye(width, DType::F64, &Device::Cpu)?;
        // Row i of J is the gradient of y_i. All rows at once go through the kernel for many samples, each alone
        // through the one for few.
        let jacobian = if at_once {
            let copies = x.broadcast_as((width, width))?.contiguous()?;
            run(&random, &copies, &identity, HanStack::forward)?[1].clone()
        } else {
            let row = |i| Ok(run(&random, &x, &identity.narrow(0, i, 1)?, HanStack::forward)?[1].clone());
            Tensor::cat(&(0..width).map(row).collect::<Result<Vec<_>>>()?, 0)?
        };
        let deviation = largest(&(jacobian.matmul(&jacobian.t()?)? - identity)?)?;
        prop_assert!(deviation < 1e-10, "|J J^T - I| reaches {deviation:e}");
    }

    #[test]
    fn stacks_without_bias_keep_norms(width in 1..70usize, depth in 1..60usize, batch in batches(), seed: u64) {
        let mut stream = Seed(seed).stream("norms");
        let stack = Random::stack(&mut stream, depth, width, Bias::Zero)?.stack;
        let x = normal(&mut stream, &[batch, width])?;
        for (before, after) in norms(&x)?.into_iter().zip(norms(&stack.forward(&x)?)?) {
            prop_assert!((after - before).abs() <= 1e-12 * before, "a norm went from {before} to {after}");
        }
    }

    #[test]
    fn blocks_along_tokens_and_channels_keep_the_norms_of_gradients(
        tokens in 2..20usize, channels in 2..20usize, blocks in 1..14usize, batch in 1..6usize, from_identity: bool, seed: u64,
    ) {
        let mut stream = Seed(seed).stream("blocks");
        let scope = Scope::new(Seed(seed), DType::F64, &Device::Cpu);
        let names: Vec<String> = (0..blocks).map(|block| block.to_string()).collect();
        let start = from_identity.then_some(IdentityStart { lift: 4.0, pace: 1.0 });
        let blocks = han_blocks(tokens, channels, &names, start, &scope)?;
        let shape = [batch, tokens, channels];
        let (x, gy) = (Var::from_tensor(&normal(&mut stream, &shape)?)?, normal(&mut stream, &shape)?);
        let gradients = backward(&blocks.forward(x.as_tensor())?, &gy)?;
        let gx = gradient(&gradients, &x, "x")?;
        for (behind, before) in norms(&gy.flatten_from(1)?)?.into_iter().zip(norms(&gx.flatten_from(1)?)?) {
            prop_assert!((before - behind).abs() <= 1e-12 * behind, "a gradient's norm went from {behind} to {before}");
        }
    }

    #[test]
    fn stacks_are_one_lipschitz(
        width in 1..70usize, depth in 1..60usize, batch in batches(), distance in 1.0..20.0, seed: u64,
    ) {
        let mut stream = Seed(seed).stream("lipschitz");
        let stack = Random::stack(&mut stream, depth, width, Bias::Normal)?.stack;
        let x = normal(&mut stream, &[batch, width])?;
        // At least 1 apart, so that the rounding of outputs of size 10 is no part of the answer.
        let way = normal(&mut stream, &[batch, width])?;
        let unit = way.broadcast_div(&way.sqr()?.sum_keepdim(1)?.sqrt()?)?;
        let moved = x.add(&unit.affine(distance, 0.0)?)?;
        let after = (stack.forward(&moved)? - stack.forward(&x)?)?;
        for (before, after) in norms(&(&moved - &x)?)?.into_iter().zip(norms(&after)?) {
            prop_assert!(after <= before * (1.0 + 1e-12), "a distance went from {before} to {after}");
        }
    }

    #[test]
    fn directions_scaled_by_any_factor_give_the_same_outputs(
        width in 1..70usize, depth in 1..5usize, batch in batches(), exponent in -15..=15, seed: u64,
    ) {
        let mut stream = Seed(seed).stream("scale");
        let random = Random::stack(&mut stream, depth, width, Bias::Normal)?;
        let x = normal(&mut stream, &[batch, width])?;
        let factor = -1.5 * 10f64.powi(exponent);
        let scaled = Random::of(&(random.u.as_tensor() * factor)?, &random.b, DType::F64)?;
        for forward in [HanStack::forward, HanStack::forward_composed] {
            let expected = forward(&random.stack, &x)?;
            assert_close(&forward(&scaled.stack, &x)?, &expected, 1e-12, &format!("u times {factor}"))?;
        }
    }

    #[test]
    fn gradients_of_directions_are_orthogonal_to_them(
        width in 2..70usize, depth in 1..20usize, batch in batches(), seed: u64,
    ) {
        let mut stream = Seed(seed).stream("tangent");
        let random = Random::stack(&mut stream, depth, width, Bias::Normal)?;
        let [x, gy] = [(); 2].map(|()| normal(&mut stream, &[batch, width]));
        let gu = run(&random, &x?, &gy?, HanStack::forward)?[2].clone();
        let along = entries(&(random.u.as_tensor() * &gu)?.sum(1)?)?;
        let lengths = norms(random.u.as_tensor())?.into_iter().zip(norms(&gu)?);
        for (along, (u, gu)) in along.into_iter().zip(lengths) {
            // A pair of long batches can nearly cancel in gu, hence the room for sums over the batch.
            prop_assert!(along.abs() <= 1e-12 * u * gu + 1e-13 * batch as f64, "u.gu is {along:e} of {:e}", u * gu);
        }
    }

    #[test]
    fn kernels_agree_with_composed_operations_along_the_last_axis(
        width in 1..=70usize, depth in 1..6usize, batch in batches(), split: bool, seed: u64,
    ) {
        // A leading axis more makes no difference: (2, batch, width).
        let shape = if split { vec![2, batch, width] } else { vec![batch, width] };
        compare_paths(Axis::Last, &shape, width, depth, seed)?;
    }

    #[test]
    fn kernels_agree_with_composed_operations_along_tokens(
        width in 1..=70usize, depth in 1..6usize, batch in 1..6usize,
        // Multiples of 16 are copied register by register, and more than 128 fill a block by themselves.
        channels in prop_oneof![1..4usize, 4..70usize, (1..10usize).prop_map(|n| 16 * n), 125..150usize], seed: u64,
    ) {
        compare_paths(Axis::Tokens, &[batch, width, channels], width, depth, seed)?;
    }
}

fn compare_paths(axis: Axis, shape: &[usize], width: usize, depth: usize, seed: u64) -> Result<()> {
    let mut stream = Seed(seed).stream("paths");
    let random = Random::stack(&mut stream, depth, width, Bias::Normal)?.along(axis);
    let [x, gy] = [(); 2].map(|()| normal(&mut stream, shape));
    let (x, gy) = (x?, gy?);
    let kernel = run(&random, &x, &gy, HanStack::forward)?;
    let composed = run(&random, &x, &gy, HanStack::forward_composed)?;
    // Inference takes another arm of the kernel; its outputs have the same bits.
    let inference = HanStack::new(random.u.as_detached_tensor(), random.b.as_detached_tensor())?.along(axis);
    assert_eq!(bits(&inference.forward(&x)?)?, bits(&kernel[0])?, "inference, {axis:?}, {shape:?}");
    for ((name, kernel), composed) in ["y", "gx", "gu", "gb"].into_iter().zip(&kernel).zip(&composed) {
        let mut scale = largest(composed)?;
        if name == "gu" {
            // What is left of gu after the part along u cancels can be as small as rounding: measure the whole.
            let shortest = norms(random.u.as_tensor())?.into_iter().fold(f64::INFINITY, f64::min);
            scale = scale.max(largest(&x)? * largest(&gy)? / shortest);
        }
        assert_close_at_scale(kernel, composed, scale, 1e-11, &format!("{name}, {axis:?}, {shape:?}, {depth} layers"))?;
    }
    Ok(())
}

#[test]
fn inputs_that_are_rebuilt_give_the_gradients_of_the_composed_layers_at_any_depth() -> Result<()> {
    // The composed layers keep every input; the kernels rebuild it from the output. Widths around a register and a chunk
    // of signs, batches around a register, a panel and a block.
    let mut cases = Vec::new();
    for (place, width) in [1, 3, 5, 17, 65, 130].into_iter().enumerate() {
        for (other, batch) in [1, 3, 4, 5, 17, 64, 65, 130].into_iter().enumerate() {
            let depth = [1, 2, 50][(place + other) % 3];
            cases.push((Axis::Last, vec![batch, width], width, depth));
        }
        for channels in [1, 5, 16, 65] {
            let (batch, depth) = (1 + place % 3, [2, 50, 1][place % 3]);
            cases.push((Axis::Tokens, vec![batch, width, channels], width, depth));
        }
    }
    cases.extend([3, 17].map(|batch| (Axis::Last, vec![batch, 33], 33, 1_000)));
    cases.push((Axis::Tokens, vec![2, 30, 9], 30, 1_000));
    for (seed, (axis, shape, width, depth)) in (0..).zip(cases) {
        compare_paths(axis, &shape, width, depth, seed)?;
    }
    Ok(())
}

#[test]
fn a_backward_pass_can_be_repeated() -> Result<()> {
    let mut stream = Seed(8).stream("twice");
    for batch in BATCHES {
        // Zeros in the first layer: their list is read again as well.
        let random = Random::stack(&mut stream, 3, 10, Bias::Zero)?;
        let x = Var::from_tensor(&Tensor::zeros((batch, 10), DType::F64, &Device::Cpu)?)?;
        random.b.set(&Tensor::cat(
            &[&Tensor::zeros((1, 10), DType::F64, &Device::Cpu)?, &normal(&mut stream, &[2, 10])?],
            0,
        )?)?;
        let loss = random.stack.forward(&x)?.sqr()?.sum_all()?;
        let [once, twice] = [loss.backward()?, loss.backward()?];
        for (var, what) in [(&x, "x"), (&random.u, "u"), (&random.b, "b")] {
            assert_eq!(bits(gradient(&once, var, what)?)?, bits(gradient(&twice, var, what)?)?);
        }
    }
    Ok(())
}

#[test]
fn zeros_inside_a_stack_have_no_slope() -> Result<()> {
    // The direction along the first axis leaves the others as they are: entry i grows by 1/8 a layer, and becomes 0 in
    // layer i. No rounding of a rebuilt input may turn that into a small number with a slope.
    let width = 70;
    let mut b = vec![vec![0.125f64; width]; width];
    for (layer, row) in b.iter_mut().enumerate() {
        row[layer] = -(1.0 + 0.125 * layer as f64);
        row[0] = 0.3;
    }
    let b = Tensor::new(b, &Device::Cpu)?;
    let u = Tensor::eye(width, DType::F64, &Device::Cpu)?.narrow(0, 0, 1)?.broadcast_as((width, width))?;
    for (batch, dtype) in BATCHES.into_iter().flat_map(|batch| [DType::F32, DType::F64].map(|dtype| (batch, dtype))) {
        let x = Tensor::ones((batch, width), dtype, &Device::Cpu)?;
        let random = Random::of(&u.contiguous()?, &b, dtype)?;
        let [_, gx, ..] = run(&random, &x, &x.ones_like()?, HanStack::forward)?;
        for row in 0..batch {
            let gx = entries(&gx.get(row)?)?;
            assert!(gx[0].abs() == 1.0 && gx[1..].iter().all(|g| *g == 0.0), "{dtype:?}, batch {batch}: {gx:?}");
        }
    }
    Ok(())
}

/// One batch for each of the two kernels.
const BATCHES: [usize; 2] = [2, 9];
const FORWARDS: [fn(&HanStack, &Tensor) -> Result<Tensor>; 2] = [HanStack::forward, HanStack::forward_composed];

#[test]
fn gradients_are_zero_where_z_is_zero() -> Result<()> {
    // x = 0 and b = 0 give z = 0 everywhere, and the sub-gradient of |z| at 0 is 0.
    for (batch, forward) in BATCHES.into_iter().flat_map(|batch| FORWARDS.map(|forward| (batch, forward))) {
        let random = Random::stack(&mut Seed(1).stream("kink"), 3, 10, Bias::Zero)?;
        let x = Tensor::zeros((batch, 10), DType::F64, &Device::Cpu)?;
        for result in run(&random, &x, &x.ones_like()?, forward)? {
            assert_eq!(largest(&result)?, 0.0);
        }
    }
    Ok(())
}

#[test]
fn gradients_are_zero_in_just_those_entries_where_z_is_zero() -> Result<()> {
    // u = e_0 leaves entries 1 and 2 as they are; entry 1 is cancelled by its bias.
    for (batch, forward) in BATCHES.into_iter().flat_map(|batch| FORWARDS.map(|forward| (batch, forward))) {
        let random = Random::of(
            &Tensor::new(&[[1f64, 0.0, 0.0]], &Device::Cpu)?,
            &Tensor::new(&[[0f64, -2.0, 1.0]], &Device::Cpu)?,
            DType::F64,
        )?;
        let x = Tensor::new(&[3f64, 2.0, -4.0], &Device::Cpu)?.broadcast_as((batch, 3))?.contiguous()?;
        let [y, gx, _, gb] = run(&random, &x, &x.ones_like()?, forward)?;
        assert_eq!(entries(&y.get(0)?)?, [3.0, 0.0, 3.0]);
        assert_eq!(entries(&gx.get(0)?)?, [1.0, 0.0, -1.0]);
        assert_eq!(entries(&gb)?, [-(batch as f64), 0.0, -(batch as f64)]);
    }
    Ok(())
}

#[test]
fn directions_without_direction_are_refused() -> Result<()> {
    let bias = Tensor::zeros((2, 3), DType::F64, &Device::Cpu)?;
    for (row, problem) in
        [([0.0, 0.0, 0.0], "is zero"), ([1.0, f64::NAN, 0.0], "not finite"), ([1.0, 2.0, f64::INFINITY], "not finite")]
    {
        for dtype in [DType::F64, DType::F32] {
            let u = Tensor::new(&[[1.0, 2.0, 3.0], row], &Device::Cpu)?.to_dtype(dtype)?;
            let message = HanStack::new(u, bias.to_dtype(dtype)?).map_err(|error| error.to_string()).unwrap_err();
            assert!(message.contains("Han-layer 1") && message.contains(problem), "{message}");
        }
    }
    Ok(())
}

#[test]
fn a_direction_that_becomes_zero_leaves_the_shift_and_gets_no_gradient() -> Result<()> {
    for (batch, forward) in BATCHES.into_iter().flat_map(|batch| FORWARDS.map(|forward| (batch, forward))) {
        for dtype in [DType::F64, DType::F32] {
            let mut stream = Seed(2).stream("zero");
            // Far below any length that training meets, a direction counts as zero: its square is no number any more.
            for rest in [0.0, 1e-30] {
                let random = Random::of(&normal(&mut stream, &[1, 10])?, &normal(&mut stream, &[1, 10])?, dtype)?;
                let [x, gy] = [(); 2].map(|()| normal(&mut stream, &[batch, 10])?.to_dtype(dtype));
                let (x, gy) = (x?, gy?);
                random.u.set(&(random.u.ones_like()? * rest)?)?;
                let [y, gx, gu, gb] = run(&random, &x, &gy, forward)?;
                let z = x.broadcast_add(&random.b.as_detached_tensor().get(0)?)?;
                assert_close(&y, &z.abs()?, 1e-7, "y = |x + b|")?;
                let g = (gy * z.sign()?)?;
                assert_close(&gx, &g, 1e-7, "gx")?;
                assert_close(&gb, &g.sum_keepdim(0)?, 1e-6, "gb")?;
                assert_eq!(largest(&gu)?, 0.0, "gradient of u in {dtype:?} with u = {rest:e}");
            }
        }
    }
    Ok(())
}

#[test]
fn one_zero_direction_inside_a_stack_stops_neither_values_nor_gradients() -> Result<()> {
    for (batch, forward) in BATCHES.into_iter().flat_map(|batch| FORWARDS.map(|forward| (batch, forward))) {
        for dtype in [DType::F64, DType::F32] {
            let mut stream = Seed(3).stream("zero inside");
            let [u, b] = [(); 2].map(|()| normal(&mut stream, &[3, 10]));
            let random = Random::of(&u?, &b?, dtype)?;
            let [x, gy] = [(); 2].map(|()| normal(&mut stream, &[batch, 10])?.to_dtype(dtype));
            let keep = Tensor::new(&[[1f64], [0.0], [1.0]], &Device::Cpu)?.to_dtype(dtype)?;
            random.u.set(&random.u.as_detached_tensor().broadcast_mul(&keep)?)?;
            let [y, gx, gu, gb] = run(&random, &x?, &gy?, forward)?;
            for (result, name) in [(&y, "y"), (&gx, "gx"), (&gb, "gb")] {
                assert!(largest(result)?.is_finite(), "{name} in {dtype:?}");
            }
            let sizes: Vec<f64> = (0..3).map(|layer| largest(&gu.get(layer)?)).collect::<Result<_>>()?;
            assert!(sizes[0] > 0.0 && sizes[1] == 0.0 && sizes[2] > 0.0, "gradients of u in {dtype:?}: {sizes:?}");
        }
    }
    Ok(())
}

#[test]
fn a_broken_direction_shows_in_the_outputs() -> Result<()> {
    // NaN must reach the loss, where training notices it, instead of turning into an identity.
    for (batch, forward) in BATCHES.into_iter().flat_map(|batch| FORWARDS.map(|forward| (batch, forward))) {
        let random = Random::stack(&mut Seed(4).stream("broken"), 2, 5, Bias::Normal)?;
        random.u.set(&(random.u.zeros_like()? * f64::NAN)?)?;
        let y = forward(&random.stack, &normal(&mut Seed(4).stream("x"), &[batch, 5])?)?;
        assert!(entries(&y)?.iter().all(|y| y.is_nan()));
    }
    Ok(())
}

/// Runs `work` in pools of one and of two threads and compares the bits of all that it returns.
fn assert_same_on_one_and_two_threads(work: impl Fn() -> Result<Vec<Tensor>> + Sync) -> anyhow::Result<()> {
    let on = |threads: usize| -> anyhow::Result<Vec<Vec<u64>>> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        let run = || {
            assert_eq!(rayon::current_num_threads(), threads);
            work()?.iter().map(bits).collect::<Result<_>>()
        };
        Ok(pool.install(run)?)
    };
    let (one, two) = (on(1)?, on(2)?);
    for (place, (one, two)) in one.iter().zip(&two).enumerate() {
        let differing = one.iter().zip(two).filter(|(a, b)| a != b).count();
        assert!(one.len() == two.len() && differing == 0, "{differing} entries of result {place} differ");
    }
    Ok(())
}

#[test]
fn stacks_have_the_same_bits_on_one_and_two_threads() -> anyhow::Result<()> {
    // Each has more than the 2^20 scalars from which the kernel goes parallel; none is a whole number of blocks.
    let sizes = [
        (Axis::Last, vec![1_001, 67], 67, 17),
        (Axis::Tokens, vec![37, 64, 48], 64, 11),
        (Axis::Tokens, vec![9, 50, 199], 50, 13),
    ];
    for (axis, shape, width, depth) in sizes {
        assert!(shape.iter().product::<usize>() * depth > 1 << 20);
        for dtype in [DType::F32, DType::F64] {
            assert_same_on_one_and_two_threads(|| {
                let mut stream = Seed(5).stream("threads");
                let (u, b) = (normal(&mut stream, &[depth, width])?, normal(&mut stream, &[depth, width])?);
                let random = Random::of(&u, &b, dtype)?.along(axis);
                let [x, gy] = [(); 2].map(|()| normal(&mut stream, &shape)?.to_dtype(dtype));
                Ok(run(&random, &x?, &gy?, HanStack::forward)?.to_vec())
            })?;
        }
    }
    Ok(())
}

#[test]
fn dense_layers_have_the_same_bits_on_one_and_two_threads() -> anyhow::Result<()> {
    // Wide, tall and long products: each has enough multiply-adds to go parallel, in the forward pass as in both
    // products of the backward pass.
    for (batch, inputs, outputs) in [(1_290, 131, 101), (8_099, 33, 65), (229, 784, 101), (65, 300, 1_001)] {
        assert!(batch * inputs * outputs > PARALLEL_WORK);
        for dtype in [DType::F32, DType::F64] {
            assert_same_on_one_and_two_threads(|| {
                let mut stream = Seed(6).stream("threads");
                let mut random = |shape: &[usize]| variable(&normal(&mut stream, shape)?, dtype);
                let (x, w, b) = (random(&[batch, inputs])?, random(&[outputs, inputs])?, random(&[outputs])?);
                let gy = random(&[batch, outputs])?.as_detached_tensor();
                let layer = Dense::new(w.as_tensor().clone(), b.as_tensor().clone(), Activation::Abs)?;
                let y = layer.forward(&x)?;
                let gradients = backward(&y, &gy)?;
                let of = |var: &Var, what: &str| gradient(&gradients, var, what).cloned();
                Ok(vec![y, of(&x, "x")?, of(&w, "w")?, of(&b, "b")?])
            })?;
        }
    }
    Ok(())
}
