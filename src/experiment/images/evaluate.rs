//! `han-exp evaluate mixer`

use super::check::made_of;
use super::file::{ImagesFile, dataset};
use super::parts::Parts;
use super::spec::ImageSpec;
use crate::console::answer;
use crate::data::{images, source::Dataset};
use crate::device::DeviceChoice;
use crate::engine::foreign::{Foreign, doubt, suspicious, weights_at};
use crate::engine::runs::{Exit, Spec};
use crate::engine::settings::{Given, keep, known};
use crate::engine::source::Source;
use crate::evaluate::classification::score;
use crate::files;
use crate::model::image::ImageModelConfig;
use crate::rng::Seed;
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use std::path::{Path, PathBuf};

/// What a network is shown.
const PIXELS: &str = "pixels from 0 to 1, minus the mean and divided by the deviation of ImageNet's channels";

/// Accuracy of a classifier of colour images on all test images
#[derive(Debug, Args)]
pub struct Arguments {
    /// Which network the weights are of: mixer-4, mixer-4-han-12, mixer-8, resnet32 [default: that of the run beside them]
    #[arg(long, value_name = "ARM", alias = "model")]
    arm: Option<String>,
    /// Channels of a mixer [default: those of the run beside the weights, or the paper's 256]
    #[arg(long, value_name = "N")]
    channels: Option<usize>,
    /// Number of mixer blocks [default: likewise]
    #[arg(long, value_name = "N")]
    mixer_blocks: Option<usize>,
    /// Number of Han blocks [default: likewise]
    #[arg(long, value_name = "N")]
    han_blocks: Option<usize>,
    /// .safetensors, a PyTorch state dict (.pt, .pth, .pkl) in the zip or the legacy format, or the directory of a run
    #[arg(long, value_name = "FILE|RUN")]
    weights: PathBuf,
    #[command(flatten)]
    foreign: Foreign,
    /// cifar10, cifar100, stl10 or imagenet32 [default: that of the run beside the weights, or cifar10]
    #[arg(long, value_parser = dataset, value_name = "NAME")]
    dataset: Option<Dataset>,
    #[command(flatten)]
    source: Source,
    /// Where tensors live: auto, cpu or cuda:N
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    device: DeviceChoice,
}

impl Arguments {
    /// Prints accuracy and loss on all test images.
    ///
    /// # Errors
    /// When a file cannot be read, or does not hold the network.
    pub fn run(&self) -> Result<Exit> {
        let mut file: ImagesFile = Given::base(super::TEXT)?;
        let weights = weights_at(&self.weights)?;
        let run = run_beside(&weights);
        let own = run.as_ref().filter(|run| self.arm.as_ref().is_none_or(|arm| *arm == run.arm));
        match (own, &self.arm) {
            (Some(_), _) => {}
            (None, Some(arm)) => keep(&mut file.arm, std::slice::from_ref(arm), "--arm")?,
            (None, None) => {
                bail!("--arm is missing: name the network of these weights, one of {}", known(&file.arm))
            }
        }
        let arm = file.arm.first_mut().context("the only arm is there")?;
        if let Some(run) = own {
            (arm.name, arm.model) = (run.arm.clone(), run.model.clone());
        }
        self.channels.map_or(Ok(()), |count| arm.set_channels(count)).context("--channels")?;
        self.mixer_blocks.map_or(Ok(()), |count| arm.set_mixer_blocks(count)).context("--mixer-blocks")?;
        self.han_blocks.map_or(Ok(()), |count| arm.set_han_blocks(count)).context("--han-blocks")?;

        let device = self.device.open()?.device;
        let dataset = self.dataset.or(run.as_ref().map(|run| run.data.dataset)).unwrap_or(file.data.dataset);
        let data = images::load(dataset, &self.source.options())?;
        let shape = data.test.shape;
        let image = [shape.height, shape.width, shape.channels];
        let model = arm.model.build(image, dataset.classes(), Seed(0), &device)?;
        let name = weights.display();
        self.foreign.load(&model.parameters, &weights, &self.foreign.hints()?)?;

        let score = score(model.frozen.as_ref(), &Parts::test(None, &data, &device))?;
        let finite = score.cross_entropy.is_finite();
        ensure!(finite, "--weights {name}: the outputs of the network are not finite numbers");
        answer(&format!(
            "{name}: {}; {} parameters; data {}, {PIXELS}\ntest  top-1 {:6.2} %   top-5 {:6.2} %   cross-entropy {:.6}   {} images\n",
            assumed(&arm.model),
            model.parameters.count(),
            data.name(),
            100.0 * score.accuracy,
            100.0 * score.top5,
            score.cross_entropy,
            score.images,
        ));
        doubt(&name.to_string(), score.accuracy, suspicious(dataset.classes()), PIXELS);
        Ok(Exit::Success)
    }
}

/// The run whose config.toml lies beside the weights, if there is one of these networks.
fn run_beside(weights: &Path) -> Option<ImageSpec> {
    let text = files::read_text(&files::parent(weights).join("config.toml")).ok()?;
    let run: ImageSpec = toml::from_str(&text).ok()?;
    run.problem().is_none().then_some(run)
}

fn assumed(model: &ImageModelConfig) -> String {
    match model {
        ImageModelConfig::Mixer(config) => format!(
            "convolutions with batch norm and ReLU, {} blocks of {} channels (GELU in mixer, |.| in Han blocks)",
            made_of(model),
            config.channels
        ),
        ImageModelConfig::Resnet32 => format!("{} (batch norm, ReLU)", made_of(model)),
    }
}
