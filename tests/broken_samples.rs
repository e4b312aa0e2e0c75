//! A sample with NaN or infinite entries is broken; the others of its batch come out as they would without it, bit for
//! bit, and so do the gradients of their inputs.

mod common;

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::Module;
use common::{bits, normal};
use han_exp::nn::kernels::dense::Wanted;
use han_exp::nn::kernels::han::{Geometry, Record, Stack, panel, row};
use han_exp::nn::kernels::lanes::Element;
use han_exp::nn::{
    Activation, Axis, ConvBias, ConvConfig, DenseInit, Mode, Scope, activate, batch_norm, conv_norm, conv2d, dense,
    dense_stack, han_blocks, layer_norm, mean_of_tokens, mixer_stack, residual_block, scoped_han_stack,
};
use han_exp::rng::Seed;

const DEPTH: usize = 3;
/// What breaks a sample: the last leaves the range of f32 in the first dot product.
const BROKEN: [f64; 4] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 3e38];

/// One of the two kernels of a Han stack: output and input gradient.
type Kernel<T> = fn(&Stack<T>, Geometry, &[T], &[T]) -> (Vec<T>, Vec<T>);

fn by_row<T: Element>(stack: &Stack<T>, geometry: Geometry, x: &[T], g: &[T]) -> (Vec<T>, Vec<T>) {
    let (y, tape) = row::forward(stack, geometry, x, Record::Tape);
    let (dx, ..) = row::backward(stack, geometry, &y, &tape.expect("a tape"), g);
    (y, dx)
}

fn by_panel<T: Element>(stack: &Stack<T>, geometry: Geometry, x: &[T], g: &[T]) -> (Vec<T>, Vec<T>) {
    let (y, tape) = panel::forward(stack, geometry, x, Record::Tape);
    let wanted = Wanted { input: true, parameters: true };
    let (dx, ..) = panel::backward(stack, geometry, &y, &tape.expect("a tape"), g, wanted);
    (y, dx)
}

fn numbers<T: Element>(len: usize, name: &str) -> Vec<T> {
    let mut stream = Seed(1).stream(name);
    (0..len).map(|_| T::from_f64(stream.normal())).collect()
}

fn bits_of<T: Element>(values: &[T]) -> Vec<u64> {
    values.iter().map(|value| value.to_f64().to_bits()).collect()
}

fn check_kernel<T: Element>(kernel: Kernel<T>, what: &str) {
    for width in 1..=40 {
        let stack = Stack::new(&numbers::<T>(DEPTH * width, "u"), &numbers(DEPTH * width, "b"), width);
        for samples in 1..=9 {
            let geometry = Geometry { outer: samples, width, inner: 1 };
            let (x, g) = (numbers::<T>(samples * width, "x"), numbers::<T>(samples * width, "g"));
            let (y, dx) = kernel(&stack, geometry, &x, &g);
            for (broken, value) in (0..samples).flat_map(|broken| BROKEN.map(|value| (broken, T::from_f64(value)))) {
                let (mut bad_x, mut bad_g) = (x.clone(), g.clone());
                bad_x[broken * width..][..width].fill(value);
                bad_g[broken * width..][..width].fill(value);
                for (x, g) in [(&bad_x, &g), (&x, &bad_g), (&bad_x, &bad_g)] {
                    let (bad_y, bad_dx) = kernel(&stack, geometry, x, g);
                    for sound in (0..samples).filter(|sample| *sample != broken) {
                        let piece = sound * width..(sound + 1) * width;
                        let case = format!(
                            "{what}: width {width}, sample {sound} of {samples}, {broken} is {}",
                            value.to_f64()
                        );
                        assert_eq!(bits_of(&bad_y[piece.clone()]), bits_of(&y[piece.clone()]), "output, {case}");
                        assert_eq!(bits_of(&bad_dx[piece.clone()]), bits_of(&dx[piece]), "input gradient, {case}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_broken_sample_does_not_touch_the_next_in_the_kernel_for_few_samples() {
    check_kernel::<f32>(by_row, "rows in f32");
    check_kernel::<f64>(by_row, "rows in f64");
}

#[test]
fn a_broken_sample_does_not_touch_the_others_in_the_kernel_for_many_samples() {
    check_kernel::<f32>(by_panel, "panels in f32");
    check_kernel::<f64>(by_panel, "panels in f64");
}

/// A layer that treats every sample of a batch by itself, and the shape of a sample.
type Layer = (&'static str, Vec<usize>, Box<dyn Fn(&Tensor) -> Result<Tensor>>);

fn module(name: &'static str, sample: &[usize], layer: impl Module + 'static) -> Layer {
    (name, sample.to_vec(), Box::new(move |xs| layer.forward(xs)))
}

/// Of parameters that learn, or that are constants.
fn layers(scope: &Scope) -> Result<Vec<Layer>> {
    let names: Vec<String> = (0..2).map(|place| format!("layer{place}")).collect();
    let conv = ConvConfig { stride: 2, padding: 1 };
    let mut layers = vec![
        module("activation", &[9], |xs: &Tensor| activate(Activation::Abs, xs)),
        module("mean of tokens", &[3, 5], mean_of_tokens),
    ];
    for width in [1, 5, 16, 33] {
        let scope = scope.enter(format!("w{width}"));
        let (stack, tokens) = (scope.enter("han"), scope.enter("tokens"));
        layers.extend([
            module("dense", &[width], dense(width, 7, Activation::Relu, DenseInit::Orthogonal, &scope.enter("d"))?),
            module("dense stack", &[width], dense_stack(width, &names, DenseInit::Orthogonal, &scope.enter("s"))?),
            module("Han stack", &[width], scoped_han_stack(width, &names, &stack)?),
            module(
                "Han stack along tokens",
                &[width, 3],
                scoped_han_stack(width, &names, &tokens)?.along(Axis::Tokens),
            ),
            module("Han blocks", &[4, width], han_blocks(4, width, &names, None, &scope.enter("blocks"))?),
            module("mixer", &[4, width], mixer_stack(4, width, &names, &scope.enter("mixer"))?),
            module("layer norm", &[width], layer_norm(width, &scope.enter("ln"))?),
            module("convolution", &[5, 6, width], conv2d(width, 3, 3, conv, &scope.enter("conv"))?),
        ]);
        let residual = residual_block(width, DenseInit::Orthogonal, &scope.enter("residual"))?;
        let norm = batch_norm(width, &scope.enter("bn"))?.then_relu();
        let conv = conv_norm([width, 3, 3], conv, ConvBias::With, ["c", "n"], &scope.enter("conv-norm"))?.then_relu();
        let eval: [Layer; 3] = [
            ("residual block", vec![width], Box::new(move |xs| residual.forward(xs, Mode::Eval))),
            ("batch norm", vec![width], Box::new(move |xs| norm.forward(xs, Mode::Eval))),
            ("convolution and batch norm", vec![5, 6, width], Box::new(move |xs| conv.forward(xs, Mode::Eval))),
        ];
        layers.extend(eval);
    }
    Ok(layers)
}

/// Bits of the output and of the gradient of the input, sample by sample.
fn by_sample(layer: &dyn Fn(&Tensor) -> Result<Tensor>, xs: &Tensor) -> Result<Vec<[Vec<u64>; 2]>> {
    let xs = Var::from_tensor(xs)?;
    let y = layer(xs.as_tensor())?;
    let gradients = y.sum_all()?.backward()?;
    let dx = gradients.get(xs.as_tensor()).expect("a gradient of the input");
    (0..xs.dims()[0]).map(|sample| Ok([bits(&y.get(sample)?)?, bits(&dx.get(sample)?)?])).collect()
}

#[test]
fn a_broken_sample_does_not_touch_the_others_in_any_layer() -> Result<()> {
    let mut stream = Seed(2).stream("layers");
    for dtype in [DType::F32, DType::F64] {
        let scope = Scope::new(Seed(3), dtype, &Device::Cpu);
        let (trained, frozen) = (layers(&scope)?, layers(&scope.frozen())?);
        for (name, sample, layer) in trained.iter().chain(&frozen) {
            for batch in [1, 2, 3, 4, 5, 9] {
                let xs = normal(&mut stream, &[&[batch], sample.as_slice()].concat())?.to_dtype(dtype)?;
                let expected = by_sample(layer, &xs)?;
                for (broken, value) in (0..batch).flat_map(|broken| BROKEN.map(|value| (broken, value))) {
                    let keep: Vec<f64> = (0..batch).map(|at| if at == broken { 0.0 } else { 1.0 }).collect();
                    let mut ones = vec![1; xs.rank()];
                    ones[0] = batch;
                    let keep = Tensor::new(keep, &Device::Cpu)?.reshape(ones)?.broadcast_as(xs.shape())?;
                    let bad = (xs.ones_like()? * value)?;
                    let bad = keep.ne(0.0)?.where_cond(&xs, &bad)?;
                    let found = by_sample(layer, &bad)?;
                    for sound in (0..batch).filter(|at| *at != broken) {
                        let case = format!("{name} of {sample:?}: sample {sound} of {batch}, {broken} is {value}");
                        assert_eq!(found[sound], expected[sound], "{case}");
                    }
                }
            }
        }
    }
    Ok(())
}
