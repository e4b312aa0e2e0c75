//! `han-exp evaluate`

use super::{Exit, tell};
use crate::data::checkerboard::{Board, Split};
use crate::device::DeviceChoice;
use crate::evaluate::accuracy::score;
use crate::experiment::checkerboard::{INPUTS, OUTPUTS};
use crate::model::weights;
use crate::model::{FcNetConfig, HanNetConfig, ModelConfig, ResNetConfig};
use crate::rng::Seed;
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    experiment: Evaluated,
}

#[derive(Debug, Subcommand)]
enum Evaluated {
    /// Train and test accuracy on the checkerboard
    Checkerboard(Checkerboard),
}

#[derive(Debug, Args)]
struct Checkerboard {
    /// Which network the weights are of
    #[arg(long, value_enum)]
    model: Network,
    /// Width of its hidden layers [default: the paper's: 30 for hannet, 100 for the others]
    #[arg(long, value_name = "N")]
    width: Option<usize>,
    /// Number of its hidden layers, residual blocks in a ResNet [default: the paper's: 20, 6, 10]
    #[arg(long, value_name = "N")]
    depth: Option<usize>,
    /// Which hidden layers of a HanNet are dense, counted from 1 [default: 1, 2 and the last]
    #[arg(long, value_delimiter = ',', value_name = "LAYER,..")]
    dense_at: Option<Vec<usize>>,
    /// .safetensors, or a PyTorch state dict (.pt, .pth, .pkl) in the zip or the legacy format
    #[arg(long, value_name = "FILE")]
    weights: PathBuf,
    /// The split (CSV: split,row,column,label) [default: the random one of --seed]
    #[arg(long, value_name = "FILE")]
    split_file: Option<PathBuf>,
    /// Seed of the random split
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
    /// Cells of the board along an axis
    #[arg(long, default_value_t = 12, value_name = "N")]
    cells: usize,
    /// Where tensors live: auto, cpu or cuda:N
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    device: DeviceChoice,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Network {
    Hannet,
    Fcnet,
    Resnet,
}

impl Checkerboard {
    fn model(&self) -> Result<ModelConfig> {
        let (width, depth) = match self.model {
            Network::Hannet => (30, 20),
            Network::Fcnet => (100, 6),
            Network::Resnet => (100, 10),
        };
        let (width, depth) = (self.width.unwrap_or(width), self.depth.unwrap_or(depth));
        if self.dense_at.is_some() && !matches!(self.model, Network::Hannet) {
            bail!("--dense-at is for --model hannet alone");
        }
        let model = match self.model {
            Network::Hannet => {
                let mut dense_at = self.dense_at.clone().unwrap_or_else(|| vec![1, 2, depth]);
                dense_at.retain(|layer| self.dense_at.is_some() || *layer <= depth);
                dense_at.dedup();
                ModelConfig::Hannet(HanNetConfig { width, depth, dense_at })
            }
            Network::Fcnet => ModelConfig::Fcnet(FcNetConfig { width, depth }),
            Network::Resnet => ModelConfig::Resnet(ResNetConfig { width, blocks: depth }),
        };
        match model.problem() {
            Some(problem) => bail!("--model: {problem}"),
            None => Ok(model),
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit> {
    let Evaluated::Checkerboard(arguments) = &arguments.experiment;
    let board = Board { side: 81, cells: arguments.cells };
    if let Some(problem) = board.problem() {
        bail!("--{problem}");
    }
    let config = arguments.model()?;
    let device = arguments.device.open()?.device;
    let split = match &arguments.split_file {
        Some(path) => Split::read(path, &board)?,
        None => Split::seeded(&board, 0.25, Seed(arguments.seed)),
    };
    let model = config.build(INPUTS, OUTPUTS, Seed(0), &device)?;
    let file = arguments.weights.display();
    let tensors = weights::read(&arguments.weights)?;
    weights::load(&model.parameters, tensors).with_context(|| format!("--weights {file}"))?;

    let source = match &arguments.split_file {
        Some(path) => format!("split of {}", path.display()),
        None => format!("random split of seed {} (see --split-file)", arguments.seed),
    };
    let mut text = format!("{file}: {} parameters, {source}\n", model.parameters.count());
    for (name, points) in [("train", &split.train), ("test", &split.test)] {
        let score = score(model.frozen.as_ref(), &board.select(points, &device)?)?;
        let (accuracy, loss, n) = (100.0 * score.accuracy, score.loss, score.points);
        text += &format!("{name:5} accuracy {accuracy:6.2} %   mean squared error {loss:.6}   {n} points\n");
    }
    tell(&text);
    Ok(Exit::Success)
}
