//! Parameters and wall-clock time of Han-layers beside dense ones.

use super::rows::CostRow;
use super::{Bench, Cost};
use crate::engine::rows::Sample;
use crate::engine::runs::Record;
use crate::nn::{Activation, Dense, DenseStack, HanStack, Mode};
use crate::rng::{Seed, Stream};
use crate::train::Control;
use anyhow::Result;
use candle_core::{Device, Tensor, Var};
use candle_nn::Module;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Passes are repeated for this long: many times the resolution of the clock.
const SHORTEST: Duration = Duration::from_millis(4);

/// Takes all times, one after the other in every round, so that a slow moment of the machine is shared by all; None if it
/// was stopped.
pub(super) fn measure(bench: &Bench<'_>, plan: &Cost) -> Result<Option<Record>> {
    let device = bench.device;
    let mut subjects = Vec::new();
    let singles = plan.widths.iter().map(|width| (*width, 1));
    let timed = |depth: &usize| *depth == 1 && plan.widths.contains(&plan.depth_width);
    let stacks = plan.depths.iter().filter(|depth| !timed(depth)).map(|depth| (plan.depth_width, *depth));
    for (width, depth) in singles.chain(stacks) {
        for is_han in [true, false] {
            subjects.push(Subject::new(is_han, width, depth, plan.batch, device)?);
        }
    }
    let passes = [Mode::Eval, Mode::Train];
    let mut times = vec![[const { Vec::new() }; 2]; subjects.len()];
    for round in 1..=plan.rounds {
        for (subject, times) in subjects.iter().zip(&mut times) {
            for (pass, times) in passes.into_iter().zip(times) {
                times.push(bench.job.part("time", || subject.seconds(pass, device))?);
            }
            if bench.job.tick(round, &|| format!("round {round} of {}", plan.rounds)) == Control::Stop {
                return Ok(None);
            }
        }
    }
    let mut rows = Vec::new();
    for (subject, times) in subjects.iter().zip(&times) {
        for (pass, times) in passes.into_iter().zip(times) {
            rows.extend(Sample::of(times).map(|sample| subject.row(pass, sample)));
        }
    }
    let headline = format!("{} layers and stacks, {} rounds", subjects.len(), plan.rounds);
    Ok(Some(bench.record(0, headline).rows("cost.csv", &rows)?))
}

/// One layer or stack with its input.
struct Subject {
    is_han: bool,
    width: usize,
    depth: usize,
    batch: usize,
    parameters: usize,
    inputs: Tensor,
    /// As constants.
    frozen: Box<dyn Module>,
    /// As variables.
    trained: Box<dyn Module>,
}

impl Subject {
    fn new(is_han: bool, width: usize, depth: usize, batch: usize, device: &Device) -> Result<Self> {
        let mut stream = Seed(0).stream("cost");
        let inputs = normal(&mut stream, &[batch, width], 1.0, device)?;
        let bias = Var::from_tensor(&normal(&mut stream, &[depth, width], 0.1, device)?)?;
        // Kaiming's variance: values stay of the size of the inputs, so that no denormal numbers slow a stack down.
        let (rank, deviation) = if is_han { (2, 1.0) } else { (3, (2.0 / width as f64).sqrt()) };
        let shape = &[depth, width, width][..rank];
        let weights = Var::from_tensor(&normal(&mut stream, shape, deviation, device)?)?;
        let parameters = weights.elem_count() + bias.elem_count();
        let module = |weights: Tensor, bias: Tensor| -> candle_core::Result<Box<dyn Module>> {
            Ok(match (is_han, depth) {
                (true, _) => Box::new(HanStack::new(weights, bias)?),
                (false, 1) => Box::new(Dense::new(weights.squeeze(0)?, bias.squeeze(0)?, Activation::Relu)?),
                (false, _) => Box::new(DenseStack::new(weights, bias)?),
            })
        };
        let frozen = module(weights.as_detached_tensor(), bias.as_detached_tensor())?;
        let trained = module(weights.as_tensor().clone(), bias.as_tensor().clone())?;
        Ok(Self { is_han, width, depth, batch, parameters, inputs, frozen, trained })
    }

    /// Mean seconds of a pass over as many as fill the shortest time.
    fn seconds(&self, pass: Mode, device: &Device) -> Result<f64> {
        let mut passes = 1;
        loop {
            let begin = Instant::now();
            for _ in 0..passes {
                self.once(pass)?;
            }
            device.synchronize()?;
            let took = begin.elapsed();
            if took >= SHORTEST {
                return Ok(took.as_secs_f64() / f64::from(passes));
            }
            passes *= 2;
        }
    }

    fn once(&self, pass: Mode) -> candle_core::Result<()> {
        match pass {
            Mode::Eval => {
                black_box(self.frozen.forward(&self.inputs)?);
            }
            Mode::Train => {
                let inputs = Var::from_tensor(&self.inputs)?;
                black_box(self.trained.forward(&inputs)?.backward()?);
            }
        }
        Ok(())
    }

    fn row(&self, pass: Mode, sample: Sample) -> CostRow {
        CostRow {
            layer: if self.is_han { "han" } else { "dense" }.into(),
            width: self.width,
            depth: self.depth,
            batch: self.batch,
            pass: if pass == Mode::Eval { "forward" } else { "training" }.into(),
            parameters: self.parameters,
            seconds: sample.min,
            seconds_median: sample.median,
            rounds: sample.n,
        }
    }
}

fn normal(stream: &mut Stream, shape: &[usize], deviation: f64, device: &Device) -> candle_core::Result<Tensor> {
    let entries: Vec<f32> = (0..shape.iter().product()).map(|_| (deviation * stream.normal()) as f32).collect();
    Tensor::from_vec(entries, shape, device)
}
