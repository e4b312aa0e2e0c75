//! `han-exp evaluate checkerboard`

use crate::cli::checkerboard::EXPERIMENT;
use crate::cli::{Exit, tell};
use crate::config::{DataFile, ExperimentFile};
use crate::data::checkerboard::{Board, Split};
use crate::device::DeviceChoice;
use crate::evaluate::accuracy::score;
use crate::experiment::checkerboard::{INPUTS, OUTPUTS};
use crate::model::{ModelConfig, Size, weights};
use crate::rng::Seed;
use anyhow::{Context, Result, bail};
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Which network the weights are of: hannet, fcnet, resnet
    #[arg(long, value_name = "MODEL")]
    model: String,
    /// Width of its hidden layers [default: that of the experiment]
    #[arg(long, value_name = "N")]
    width: Option<usize>,
    /// Number of its hidden layers, residual blocks in a ResNet [default: that of the experiment]
    #[arg(long, value_name = "N")]
    depth: Option<usize>,
    /// Which hidden layers of a HanNet are dense, counted from 1 [default: those of the experiment]
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
    /// Cells of the board along an axis [default: those of the experiment]
    #[arg(long, value_name = "N")]
    cells: Option<usize>,
    /// Where tensors live: auto, cpu or cuda:N
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    device: DeviceChoice,
}

impl Arguments {
    /// The network of the experiment file with the flags' sizes.
    fn model(&self, file: &ExperimentFile) -> Result<ModelConfig> {
        let known = file.arm.iter().map(|arm| arm.name.as_str()).collect::<Vec<_>>().join(", ");
        let Some(arm) = file.arm.iter().find(|arm| arm.name == self.model) else {
            bail!("--model {}: use one of {known}", self.model);
        };
        let mut model = arm.model.clone();
        let size = model.size();
        model.resize(Size { width: self.width.unwrap_or(size.width), depth: self.depth.unwrap_or(size.depth) });
        match (&mut model, &self.dense_at) {
            (_, None) => {}
            (ModelConfig::Hannet(hannet), Some(dense_at)) => hannet.dense_at.clone_from(dense_at),
            _ => bail!("--dense-at is for --model hannet alone"),
        }
        match model.problem() {
            Some(problem) => bail!("--model: {problem}"),
            None => Ok(model),
        }
    }
}

/// Tells accuracy and loss on training and test points.
pub(super) fn run(arguments: &Arguments) -> Result<Exit> {
    let file = ExperimentFile::parse(EXPERIMENT, "experiments/checkerboard.toml")?;
    let DataFile::Checkerboard(data) = &file.data;
    let board = Board { side: data.side, cells: arguments.cells.unwrap_or(data.cells) };
    if let Some(problem) = board.problem() {
        bail!("--{problem}");
    }
    let config = arguments.model(&file)?;
    let device = arguments.device.open()?.device;
    let split = match &arguments.split_file {
        Some(path) => Split::read(path, &board)?,
        None => Split::seeded(&board, data.train_fraction, Seed(arguments.seed)),
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
