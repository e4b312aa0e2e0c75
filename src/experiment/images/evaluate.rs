//! `han-exp evaluate mixer`

use super::Foreign;
use crate::cli::Exit;
use crate::cli::data::ImageSource;
use crate::cli::mixer::{EXPERIMENT, dataset};
use crate::config::ProfileName;
use crate::config::image::{Blocks, Flags, ImageFile};
use crate::console::answer;
use crate::data::images;
use crate::data::source::Dataset;
use crate::device::DeviceChoice;
use crate::evaluate::classification::score;
use crate::experiment::image::Parts;
use crate::model::weights;
use crate::rng::Seed;
use anyhow::{Context, Result, ensure};
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Which network the weights are of: mixer-4, mixer-4-han-12, mixer-8, resnet32
    #[arg(long, value_name = "ARM")]
    arm: String,
    /// Channels of a mixer [default: the paper's 256]
    #[arg(long, value_name = "N")]
    channels: Option<usize>,
    /// Number of mixer blocks [default: that of the arm]
    #[arg(long, value_name = "N")]
    mixer_blocks: Option<Blocks>,
    /// Number of Han blocks behind them [default: that of the arm]
    #[arg(long, value_name = "N")]
    han_blocks: Option<Blocks>,
    /// .safetensors, a PyTorch state dict (.pt, .pth, .pkl) in the zip or the legacy format, or the directory of a run
    #[arg(long, value_name = "FILE|RUN")]
    weights: PathBuf,
    #[command(flatten)]
    foreign: Foreign,
    /// cifar10, cifar100, stl10 or imagenet32 [default: cifar10]
    #[arg(long, value_parser = dataset, value_name = "NAME")]
    dataset: Option<Dataset>,
    #[command(flatten)]
    source: ImageSource,
    /// Where tensors live: auto, cpu or cuda:N
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    device: DeviceChoice,
}

/// Tells accuracy and loss on all test images.
pub(super) fn run(arguments: &Arguments) -> Result<Exit> {
    let flags = Flags {
        dataset: arguments.dataset,
        channels: arguments.channels,
        mixer_blocks: arguments.mixer_blocks.iter().cloned().collect(),
        han_blocks: arguments.han_blocks.iter().cloned().collect(),
        ..Flags::default()
    };
    let file = ImageFile::parse(EXPERIMENT, "experiments/mixer.toml")?;
    let arm = std::slice::from_ref(&arguments.arm);
    let experiment = file.with_profile(ProfileName::Paper, Some(arm))?.with_flags(&flags)?.check()?;
    let arm = experiment.arm(&arguments.arm).context("the only arm is there")?;
    let device = arguments.device.open()?.device;
    let data = images::load(experiment.dataset, &arguments.source.options())?;
    let shape = data.test.shape;
    let image = [shape.height, shape.width, shape.channels];
    let model = arm.model.build(image, experiment.dataset.classes(), Seed(0), &device)?;
    let weights = weights::file_at(&arguments.weights);
    let name = weights.display();
    arguments.foreign.load(&model.parameters, &weights, &arguments.foreign.hints()?)?;

    let test = Parts::test(&experiment.image_set(data.is_sample(), data.hash()), &data, &device);
    let score = score(model.frozen.as_ref(), &test)?;
    let finite = score.cross_entropy.is_finite();
    ensure!(finite, "--weights {name}: the outputs of the network are not finite numbers");
    answer(&format!(
        "{name}: {}, {} parameters, data {}\ntest  top-1 {:6.2} %   top-5 {:6.2} %   cross-entropy {:.6}   {} images\n",
        arm.label,
        model.parameters.count(),
        data.name(),
        100.0 * score.accuracy,
        100.0 * score.top5,
        score.cross_entropy,
        score.images,
    ));
    Ok(Exit::Success)
}
