//! `han-exp evaluate checkerboard`

use super::file::CheckerboardFile;
use super::run::{INPUTS, OUTPUTS};
use super::spec::TrainingSpec;
use crate::console::answer;
use crate::data::checkerboard::{Board, Split};
use crate::data::split::SplitSource;
use crate::device::DeviceChoice;
use crate::engine::foreign::{Foreign, doubt, weights_at};
use crate::engine::runs::{Exit, Spec};
use crate::engine::settings::{Given, refuse};
use crate::evaluate::accuracy::score;
use crate::files;
use crate::model::{ModelConfig, Size};
use crate::rng::Seed;
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use std::path::{Path, PathBuf};

/// Train and test accuracy on the checkerboard
#[derive(Debug, Args)]
pub struct Arguments {
    /// Which network the weights are of: hannet, fcnet, resnet [default: that of the run beside them]
    #[arg(long, value_name = "MODEL", alias = "arm")]
    model: Option<String>,
    /// Width of its hidden layers [default: that of the run beside the weights, or of the experiment]
    #[arg(long, value_name = "N")]
    width: Option<usize>,
    /// Number of its hidden layers, residual blocks in a ResNet [default: likewise]
    #[arg(long, value_name = "N")]
    depth: Option<usize>,
    /// Which hidden layers of a HanNet are dense, counted from 1 [default: likewise]
    #[arg(long, value_delimiter = ',', value_name = "LAYER,..")]
    dense_at: Option<Vec<usize>>,
    /// .safetensors, a PyTorch state dict (.pt, .pth, .pkl) in the zip or the legacy format, or the directory of a run
    #[arg(long, value_name = "FILE|RUN")]
    weights: PathBuf,
    #[command(flatten)]
    foreign: Foreign,
    /// The split: a CSV file (split,row,column,label), or the authors' directory with trainset.txt and testset.txt
    /// [default: that of the run whose config.toml lies beside the weights, or else a random one of the experiment's
    /// first seed]
    #[arg(long, value_name = "PATH", conflicts_with = "seed")]
    split_file: Option<PathBuf>,
    /// Seed of a random split
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Cells of the board along an axis [default: those of the run beside the weights, or of the experiment]
    #[arg(long, value_name = "N")]
    cells: Option<usize>,
    /// Where tensors live: auto, cpu or cuda:N
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    device: DeviceChoice,
}

impl Arguments {
    /// The network of the run or of the experiment file with the flags' sizes.
    fn network(&self, file: &CheckerboardFile, run: Option<&TrainingSpec>) -> Result<ModelConfig> {
        let known = file.arm.iter().map(|arm| arm.name.as_str()).collect::<Vec<_>>().join(", ");
        let of_run = run.filter(|run| self.model.as_ref().is_none_or(|name| *name == run.arm));
        let mut model = match (of_run, &self.model) {
            (Some(run), _) => run.model.clone(),
            (None, Some(name)) => {
                let arm = file.arm.iter().find(|arm| arm.name == *name);
                arm.with_context(|| format!("--model {name}: use one of {known}"))?.model.clone()
            }
            (None, None) => bail!("--model is missing: name the network of these weights, one of {known}"),
        };
        let size = model.size();
        model.resize(Size { width: self.width.unwrap_or(size.width), depth: self.depth.unwrap_or(size.depth) });
        match (&mut model, &self.dense_at) {
            (_, None) => {}
            (ModelConfig::Hannet(hannet), Some(dense_at)) => hannet.dense_at.clone_from(dense_at),
            _ => bail!("--dense-at works only with --model hannet; leave it out"),
        }
        refuse("--model: ", model.problem())?;
        Ok(model)
    }

    /// The board of the run or of the experiment file.
    fn board(&self, file: &CheckerboardFile, run: Option<&TrainingSpec>) -> Result<Board> {
        let data = &file.data.checkerboard;
        let Board { side, cells } = run.map_or(Board { side: data.side, cells: data.cells }, |run| run.board.clone());
        let board = Board { side, cells: self.cells.unwrap_or(cells) };
        refuse("--", board.problem())?;
        Ok(board)
    }

    /// The split, and where it is from. Weights may not be scored on the points that they were trained on.
    fn split(&self, file: &CheckerboardFile, run: Option<&TrainingSpec>, board: &Board) -> Result<(Split, String)> {
        let data = &file.data.checkerboard;
        // With another fraction the run's own seed would test on points that it was trained on.
        let train_fraction = match run.map(|run| &run.split) {
            Some(SplitSource::Seeded { train_fraction }) => *train_fraction,
            _ => data.train_fraction,
        };
        let seeded = |seed: u64| Split::seeded(board, train_fraction, Seed(seed));
        if let Some(path) = &self.split_file {
            return Ok((Split::read(path, board)?, format!("split of {}", path.display())));
        }
        if let Some(seed) = self.seed {
            return Ok((seeded(seed), format!("random split of seed {seed}")));
        }
        let Some(run) = run else {
            let seed = file.first_seed;
            let told = format!("random split of seed {seed}, the experiment's first (see --seed and --split-file)");
            return Ok((seeded(seed), told));
        };
        ensure!(*board == run.board, "--cells: the run was made on another board; pass --seed or --split-file as well");
        let split =
            Split::of(&run.split, board, run.seed).context("the split of the run; pass --seed or --split-file")?;
        let told = match &run.split {
            SplitSource::Seeded { .. } => format!("the run's random split of seed {}", run.seed.0),
            SplitSource::File { path, .. } => format!("the run's split of {}", path.display()),
        };
        Ok((split, told))
    }

    /// The run whose config.toml lies beside the weights, if there is such a file. Another program's is not asked when the
    /// split is given.
    fn run_beside(&self, weights: &Path) -> Result<Option<TrainingSpec>> {
        let path = files::parent(weights).join("config.toml");
        let name = path.display();
        let read = files::if_there(files::read_text(&path)).with_context(|| format!("cannot read {name}"))?;
        let Some(text) = read else { return Ok(None) };
        let run: TrainingSpec = match toml::from_str(&text) {
            Ok(run) => run,
            Err(_) if self.seed.is_some() || self.split_file.is_some() => return Ok(None),
            Err(_) => {
                bail!("{name} is not a run of the checkerboard, so the split is not known; pass --seed or --split-file")
            }
        };
        refuse(&format!("{name}: "), run.problem())?;
        Ok(Some(run))
    }

    /// Prints accuracy and loss on training and test points.
    ///
    /// # Errors
    /// When a file cannot be read, or does not hold the network.
    pub fn run(&self) -> Result<Exit> {
        let arguments = self;
        let file: CheckerboardFile = Given::base(super::TEXT)?;
        let weights = weights_at(&arguments.weights)?;
        let run = arguments.run_beside(&weights)?;
        let board = arguments.board(&file, run.as_ref())?;
        let config = arguments.network(&file, run.as_ref())?;
        let device = arguments.device.open()?.device;
        let (split, source) = arguments.split(&file, run.as_ref(), &board)?;
        let model = config.build(INPUTS, OUTPUTS, Seed(0), &device)?;
        arguments.foreign.load(&model.parameters, &weights, &arguments.foreign.hints()?)?;

        let name = weights.display();
        let (layers, parameters) = (model.frozen.in_words()?, model.parameters.count());
        let mut text = format!("{name}: {layers}; {parameters} parameters; {source}\n");
        for (part, points) in [("train", &split.train), ("test", &split.test)] {
            let score = score(model.frozen.as_ref(), &board.select(points, &device)?)?;
            let (accuracy, loss, n) = (100.0 * score.accuracy, score.loss, score.points);
            ensure!(loss.is_finite(), "--weights {name}: the outputs of the network are not finite numbers");
            text += &format!("{part:5} accuracy {accuracy:6.2} %   mean squared error {loss:.6}   {n} points\n");
            if part == "test" {
                let zeros = points.iter().filter(|point| board.label(**point) == 0).count();
                if zeros < n {
                    doubt(&name.to_string(), score.accuracy, zeros as f64 / n as f64, "x0 and x1 from -1 to 1");
                }
            }
        }
        answer(&text);
        Ok(Exit::Success)
    }
}
