//! Trains a certified network on MNIST and prints what is proved about it.
//!
//! `cargo run --release --example certified_mnist -- --data DIR`, where DIR holds the four IDX files of MNIST
//! (`train-images-idx3-ubyte` and so on), not compressed.
//!
//! Expected of 366,346 parameters after 40 epochs, four minutes of one core: 98.1 % of the test images right, 96.4 %
//! certified at an L2 radius of 0.3 and 64 % at 1.58 in real arithmetic, 61.5 % for the f32 program. The setting was
//! found with `--validation`, without the test images.

use anyhow::{Context, Result, ensure};
use candle_core::{Device, Tensor};
use clap::Parser;
use han_exp::evaluate::certificate::{Certificates, Certifier, Radii, Summary};
use han_exp::model::{HanNetConfig, Model, ModelConfig};
use han_exp::nn::Mode;
use han_exp::nn::loss::{self, Margin};
use han_exp::rng::{Seed, Stream};
use han_exp::train::{Optimizer, OptimizerConfig, ScheduleConfig};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SIDE: usize = 28;
const PIXELS: usize = SIDE * SIDE;
const CLASSES: usize = 10;
/// Radii (L2) of the printed table.
const RADII: [f64; 7] = [36.0 / 255.0, 72.0 / 255.0, 0.3, 0.5, 1.0, 1.58, 2.0];

#[derive(Debug, Parser)]
struct Arguments {
    /// Directory with the IDX files
    #[arg(long)]
    data: PathBuf,
    /// Train on 50,000 images and score on the 10,000 others of the training set, to choose a setting
    #[arg(long)]
    validation: bool,
    /// Width of the hidden layers
    #[arg(long, default_value_t = 256)]
    width: usize,
    /// Hidden layers, dense ones included
    #[arg(long, default_value_t = 64)]
    depth: usize,
    /// Which of them are dense
    #[arg(long, value_delimiter = ',', default_value = "1,22,43")]
    dense_at: Vec<usize>,
    /// Passes over the training images
    #[arg(long, default_value_t = 40)]
    epochs: usize,
    /// Images a step
    #[arg(long, default_value_t = 256)]
    batch: usize,
    /// The highest one, after the rise
    #[arg(long, default_value_t = 3e-3)]
    learning_rate: f64,
    /// Radius (L2) that the loss asks for
    #[arg(long, default_value_t = 1.3)]
    margin: f64,
    /// Radius (L2) over which the loss fades
    #[arg(long, default_value_t = 0.2)]
    temperature: f64,
    /// Largest shift of a training image along each axis, in pixels
    #[arg(long, default_value_t = 0)]
    shift: usize,
    /// Seed of initial values, batches and shifts
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// File for the trained weights (safetensors)
    #[arg(long)]
    save: Option<PathBuf>,
    /// Epochs between two scores
    #[arg(long, default_value_t = 10)]
    report_every: usize,
}

struct Images {
    pixels: Vec<u8>,
    labels: Vec<u32>,
}

impl Images {
    fn read(directory: &Path, part: &str) -> Result<Self> {
        let body = |name: String, header: usize| -> Result<Vec<u8>> {
            let path = directory.join(name);
            let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            ensure!(bytes.len() > header, "{} is too short", path.display());
            Ok(bytes[header..].to_vec())
        };
        let pixels = body(format!("{part}-images-idx3-ubyte"), 16)?;
        let labels: Vec<u32> = body(format!("{part}-labels-idx1-ubyte"), 8)?.into_iter().map(u32::from).collect();
        ensure!(pixels.len() == labels.len() * PIXELS, "images and labels of {part} differ in number");
        Ok(Self { pixels, labels })
    }

    fn split(mut self, at: usize) -> (Self, Self) {
        let rest = Self { pixels: self.pixels.split_off(at * PIXELS), labels: self.labels.split_off(at) };
        (self, rest)
    }

    /// (images, pixels) in [0, 1], and (images)
    fn batch(&self, rows: &[usize], shift: usize, stream: &mut Stream) -> Result<(Tensor, Tensor)> {
        let mut pixels = vec![0f32; rows.len() * PIXELS];
        for (target, row) in pixels.chunks_exact_mut(PIXELS).zip(rows) {
            let source = &self.pixels[row * PIXELS..][..PIXELS];
            let [dy, dx] = [(); 2].map(|()| stream.index(2 * shift + 1) as isize - shift as isize);
            for (place, pixel) in target.iter_mut().enumerate() {
                let (y, x) = ((place / SIDE) as isize + dy, (place % SIDE) as isize + dx);
                let inside = |at: isize| (0..SIDE as isize).contains(&at);
                if inside(y) && inside(x) {
                    *pixel = f32::from(source[y as usize * SIDE + x as usize]) / 255.0;
                }
            }
        }
        let labels: Vec<u32> = rows.iter().map(|row| self.labels[*row]).collect();
        let device = Device::Cpu;
        Ok((Tensor::from_vec(pixels, (rows.len(), PIXELS), &device)?, Tensor::new(labels, &device)?))
    }
}

fn train(model: &Model, data: &Images, test: &Images, arguments: &Arguments) -> Result<()> {
    let mut optimizer = Optimizer::new(
        OptimizerConfig::Adam { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weight_decay: 0.0 },
        model.parameters.trained(),
    )?;
    let schedule = ScheduleConfig::Trapezoid { warmup: 0.05, decay: 0.7 };
    let steps = data.labels.len() / arguments.batch;
    let seed = Seed(arguments.seed);
    let (mut batches, mut shifts) = (seed.stream("batch"), seed.stream("augment"));
    let margin = Margin { radius: arguments.margin, temperature: arguments.temperature };
    let mut seconds = 0.0;
    for epoch in 0..arguments.epochs {
        let (start, mut sum) = (Instant::now(), 0.0);
        let order = batches.permutation(data.labels.len());
        for (step, rows) in order.chunks_exact(arguments.batch).enumerate() {
            let (xs, labels) = data.batch(rows, arguments.shift, &mut shifts)?;
            let logits = model.network.forward(&xs, Mode::Train)?;
            let distances = loss::row_distances(model.network.chain()?.head().weight())?;
            let loss = loss::margin(&logits, &labels, &distances, margin)?;
            sum += f64::from(loss.to_scalar::<f32>()?);
            let rate = arguments.learning_rate * schedule.factor(epoch * steps + step, arguments.epochs * steps);
            optimizer.step(&loss.backward()?, rate)?;
            model.parameters.retract()?;
        }
        seconds += start.elapsed().as_secs_f64();
        if (epoch + 1) % arguments.report_every == 0 || epoch + 1 == arguments.epochs {
            print!("epoch {:3}  {seconds:6.1} s  loss {:.4}  ", epoch + 1, sum / steps as f64);
            let (_, certificates) = certify(model, test)?;
            print_row(&certificates, |radii| radii.pair)?;
        }
    }
    Ok(())
}

fn certify(model: &Model, images: &Images) -> Result<(f64, Certificates)> {
    let rows: Vec<usize> = (0..images.labels.len()).collect();
    let (xs, _) = images.batch(&rows, 0, &mut Seed(0).stream("unused"))?;
    let certifier = Certifier::new(model.frozen.as_ref())?;
    Ok((certifier.lipschitz(), certifier.certify(&xs, &images.labels)?))
}

type Column = fn(&Radii) -> f64;

fn print_row(certificates: &Certificates, column: Column) -> Result<()> {
    let summary = Summary::of(&certificates.radii(column), &certificates.correct(), &RADII)?;
    let percent = |count: usize| 100.0 * count as f64 / summary.images as f64;
    print!("clean {:.2}", percent(summary.correct));
    for at in &summary.certified {
        print!("  {:.3}: {:.2}", at.radius, percent(at.certified));
    }
    println!("  mean {:.4}  median {:.4}", summary.mean_radius, summary.median_correct.unwrap_or(f64::NAN));
    Ok(())
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    println!("{arguments:?}");
    let train_set = Images::read(&arguments.data, "train")?;
    let (train_set, test_set) = match arguments.validation {
        true => train_set.split(50_000),
        false => (train_set, Images::read(&arguments.data, "t10k")?),
    };
    let &Arguments { width, depth, .. } = &arguments;
    let config = ModelConfig::Certified(HanNetConfig { width, depth, dense_at: arguments.dense_at.clone() });
    if let Some(problem) = config.problem() {
        anyhow::bail!(problem);
    }
    let model = config.build(PIXELS, CLASSES, Seed(arguments.seed), &Device::Cpu)?;
    println!("{} parameters", model.parameters.count());
    train(&model, &train_set, &test_set, &arguments)?;
    if let Some(path) = &arguments.save {
        let tensors: HashMap<String, Tensor> = model.parameters.to_stored()?.into_iter().collect();
        candle_core::safetensors::save(&tensors, path)?;
    }
    let (lipschitz, certificates) = certify(&model, &test_set)?;
    println!(
        "L {lipschitz:.9}  rounding seen {:.1e}, bound {:.1e}",
        certificates.measured_error, certificates.error_bound
    );
    let columns: [(&str, Column); 4] =
        [("pair", |r| r.pair), ("global", |r| r.global), ("measured", |r| r.measured), ("rounded", |r| r.rounded)];
    for (name, column) in columns {
        print!("{name:9}");
        print_row(&certificates, column)?;
    }
    Ok(())
}
