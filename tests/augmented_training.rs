//! Training on augmented images: batches that are prepared ahead change nothing, however the training ends.

#![cfg(feature = "program")]

use candle_core::{Device, Result, Tensor};
use han_exp::data::TrainingSet;
use han_exp::data::augment::{Augment, Augmented};
use han_exp::data::images::{Dataset, ImageData, Network, Options, load};
use han_exp::model::{FcNetConfig, ModelConfig};
use han_exp::rng::Seed;
use han_exp::train::{
    Control, FitConfig, LossConfig, Observer, OptimizerConfig, Outcome, Sampling, ScheduleConfig, StepReport, Streams,
    fit,
};

/// Images as rows of numbers, for a network of dense layers.
struct Flat<'a>(Augmented<'a>);

impl TrainingSet for Flat<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn workers(&self) -> usize {
        self.0.workers
    }

    fn batch(&self, epoch: usize, rows: &[u32]) -> Result<(Tensor, Tensor)> {
        let (images, labels) = self.0.batch(epoch, rows)?;
        Ok((images.flatten_from(1)?, labels))
    }
}

/// Keeps the losses, and stops at a step.
struct Watch {
    losses: Vec<f64>,
    stop_at: usize,
}

impl Observer for Watch {
    fn step(&mut self, report: StepReport) -> Control {
        self.losses.push(report.loss);
        if report.step == self.stop_at { Control::Stop } else { Control::Continue }
    }
}

fn sample() -> ImageData {
    let options = Options { cache: None, network: Network::Forbidden, ..Options::default() };
    load(Dataset::Cifar10, &options).expect("the sample")
}

fn train(data: &ImageData, workers: usize, rate: f64, stop_at: usize) -> (Result<Outcome>, Vec<f64>) {
    let seed = Seed(5);
    let network = ModelConfig::Fcnet(FcNetConfig::new(16, 2));
    let model = network.build(3072, 10, seed, &Device::Cpu).expect("a network");
    let rows = (0..200).collect();
    let images = Augmented::plain(&data.train, rows, &Device::Cpu);
    let set = Flat(Augmented { augment: Augment::Autoaugment, seed, workers, ..images });
    let config = FitConfig {
        iterations: 20,
        batch_size: 32,
        report_every: 10,
        learning_rate: rate,
        optimizer: OptimizerConfig::Sgd { momentum: 0.9, weight_decay: 0.0 },
        schedule: ScheduleConfig::MultiStep { at: vec![0.5], factor: 0.5 },
        input_noise: 0.0,
        sampling: Sampling::Epochs,
        loss: LossConfig::CrossEntropy,
    };
    let mut watch = Watch { losses: Vec::new(), stop_at };
    let (batches, noise) = (&mut seed.stream("batch"), &mut seed.stream("noise"));
    let outcome = fit(&model, &set, &config, Streams { batches, noise }, &mut watch);
    (outcome, watch.losses)
}

#[test]
fn any_number_of_workers_gives_the_same_training() {
    let data = sample();
    let (outcome, alone) = train(&data, 0, 0.01, 0);
    assert_eq!(outcome.expect("a training"), Outcome::Finished);
    assert_eq!(alone.len(), 20);
    for workers in [1, 3] {
        let (outcome, losses) = train(&data, workers, 0.01, 0);
        assert_eq!((outcome.expect("a training"), &losses), (Outcome::Finished, &alone), "{workers} workers");
    }
}

#[test]
fn a_training_that_ends_early_ends() {
    let data = sample();
    for workers in [0, 2] {
        let (outcome, losses) = train(&data, workers, 0.01, 3);
        assert_eq!((outcome.expect("a training"), losses.len()), (Outcome::Stopped, 3));
        let (outcome, _) = train(&data, workers, 1e30, 0);
        assert!(matches!(outcome.expect("a training"), Outcome::Diverged { .. }));
    }
    let mut grey = sample();
    grey.train.shape.channels = 1;
    let (outcome, losses) = train(&grey, 2, 0.01, 0);
    assert!(outcome.expect_err("grey images").to_string().contains("1 channels") && losses.is_empty());
}
