//! One measurement of a layer or a network.

use crate::config::Spec;
use crate::config::arms::names_problem;
use crate::config::run::fit_problem;
use crate::data::checkerboard::{Board, SplitSource};
use crate::model::ModelConfig;
use crate::rng::Seed;
use crate::train::FitConfig;
use serde::{Deserialize, Serialize};

/// The deepest stack, as of networks.
const DEEPEST: usize = 10_000;

/// The resolved configuration of a measurement; `config.toml` in its directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeSpec {
    /// The experiment's name.
    pub experiment: String,
    /// Which network or layer.
    pub arm: String,
    /// The root of its randomness.
    pub seed: Seed,
    /// Kind of device, cpu or cuda.
    pub device: String,
    /// What is measured.
    pub probe: Probe,
}

/// What is measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Probe {
    /// Jacobians of random Han-layers, and of Han-layers near a kink.
    Layers {
        /// Number of random layers.
        layers: usize,
        /// Least width.
        narrowest: usize,
        /// Largest width.
        widest: usize,
        /// Layers for every distance from a kink.
        kinks: usize,
    },
    /// The gradient's length at every layer of an untrained network on the checkerboard.
    Start {
        /// The board.
        board: Board,
        /// The network.
        model: ModelConfig,
        /// Number of layers that its name on charts counts.
        depth: usize,
        /// Points of the board.
        samples: usize,
    },
    /// Whether neighbouring points of the board have like gradients in an untrained network.
    Neighbours {
        /// The board.
        board: Board,
        /// The network, without batch norm.
        model: ModelConfig,
        /// Number of layers that its name on charts counts.
        depth: usize,
        /// Pairs of points.
        pairs: usize,
    },
    /// A network through a training on the checkerboard.
    Course(Box<Course>),
    /// The Lipschitz constant of the hidden layers of an untrained network, from below.
    Stretch {
        /// The network, with as many inputs as it is wide.
        model: ModelConfig,
        /// Number of layers that its name on charts counts.
        depth: usize,
        /// Pairs of points that are followed.
        pairs: usize,
        /// Steps of each.
        steps: usize,
    },
    /// Time and parameters of single layers, and the time of stacks.
    Cost {
        /// Widths of a single layer.
        widths: Vec<usize>,
        /// Samples of a pass.
        batch: usize,
        /// How often each time is taken.
        rounds: usize,
        /// Depths of stacks.
        depths: Vec<usize>,
        /// Their width.
        depth_width: usize,
    },
}

/// A network through a training on the checkerboard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Course {
    /// Parts of the training after which gradients are followed, in growing order.
    pub moments: Vec<f64>,
    /// Points of the board whose gradients are followed.
    pub samples: usize,
    /// Points of the board at which Jacobians are taken.
    pub points: usize,
    /// Pairs of points that the Lipschitz search follows.
    pub pairs: usize,
    /// Steps of each.
    pub steps: usize,
    /// The board.
    pub board: Board,
    /// How it is split.
    pub split: SplitSource,
    /// The network.
    pub model: ModelConfig,
    /// Its training.
    pub fit: FitConfig,
}

impl ProbeSpec {
    /// Why the measurement cannot be made, if so; those of a checked experiment can.
    pub fn problem(&self) -> Option<String> {
        let names = names_problem("experiment and arm", &[&self.experiment, &self.arm]);
        names.or_else(|| self.probe.problem())
    }
}

impl Probe {
    /// Why it cannot be measured, if so.
    pub fn problem(&self) -> Option<String> {
        let at_least_one = |numbers: &[usize]| {
            numbers.contains(&0).then(|| "a measurement needs at least one of everything it counts".to_string())
        };
        match self {
            &Self::Layers { layers, narrowest, widest, kinks } => at_least_one(&[layers, narrowest, kinks])
                .or_else(|| (narrowest > widest).then(|| format!("narrowest is {narrowest}, widest is {widest}"))),
            Self::Start { samples: 1, .. } => Some("a gradient needs 2 samples or more, batch norm a spread".into()),
            Self::Start { board, model, samples, .. } => {
                at_least_one(&[*samples]).or_else(|| board.problem()).or_else(|| model.problem())
            }
            Self::Neighbours { board, model, pairs, .. } => {
                at_least_one(&[*pairs]).or_else(|| board.problem()).or_else(|| model.problem())
            }
            Self::Course(course) => course.problem(),
            Self::Stretch { model, pairs, .. } => at_least_one(&[*pairs]).or_else(|| model.problem()),
            Self::Cost { widths, batch, rounds, depths, depth_width } => at_least_one(widths)
                .or_else(|| at_least_one(depths))
                .or_else(|| {
                    let deepest = depths.iter().find(|depth| **depth > DEEPEST)?;
                    Some(format!("depth is {deepest}; use 1 to {DEEPEST}"))
                })
                .or_else(|| at_least_one(&[*batch, *rounds, *depth_width])),
        }
    }
}

impl Course {
    /// Whether the product of its layers' spectral norms is known; batch norm and skip connections have none.
    pub fn has_product_of_norms(&self) -> bool {
        !matches!(self.model, ModelConfig::Resnet(_))
    }

    fn problem(&self) -> Option<String> {
        let ordered =
            self.moments.is_sorted_by(|a, b| a < b) && self.moments.iter().all(|moment| (0.0..=1.0).contains(moment));
        if self.moments.is_empty() || !ordered {
            return Some(format!("moments is {:?}; use growing parts of a training, from 0 to 1", self.moments));
        }
        if self.samples < 2 || self.points == 0 || self.pairs == 0 {
            return Some("course needs at least 2 samples (batch norm needs a spread), a point and a pair".into());
        }
        self.board.problem().or_else(|| self.model.problem()).or_else(|| fit_problem(&self.fit))
    }
}

impl Spec for ProbeSpec {
    fn experiment(&self) -> &str {
        &self.experiment
    }

    fn arm(&self) -> &str {
        &self.arm
    }

    fn point(&self) -> String {
        match &self.probe {
            Probe::Layers { .. } => "layers".into(),
            Probe::Start { depth, .. } => format!("start-depth{depth}"),
            Probe::Neighbours { depth, .. } => format!("neighbours-depth{depth}"),
            Probe::Course(_) => "course".into(),
            Probe::Stretch { depth, .. } => format!("stretch-depth{depth}"),
            Probe::Cost { .. } => "cost".into(),
        }
    }

    fn seed(&self) -> Seed {
        self.seed
    }

    fn steps(&self) -> usize {
        match &self.probe {
            Probe::Layers { layers, .. } => *layers,
            Probe::Start { .. } | Probe::Neighbours { .. } => 1,
            Probe::Course(course) => course.fit.iterations,
            Probe::Stretch { .. } => 1,
            Probe::Cost { rounds, .. } => *rounds,
        }
    }

    fn cost(&self) -> usize {
        match &self.probe {
            Probe::Layers { layers, widest, .. } => layers.saturating_mul(widest * widest / 16),
            Probe::Start { model, samples, .. } => model.cost().saturating_mul(*samples),
            Probe::Neighbours { model, pairs, .. } => model.cost().saturating_mul(*pairs),
            Probe::Course(course) => course.model.cost().saturating_mul(course.fit.iterations),
            Probe::Stretch { model, pairs, steps, .. } => {
                model.cost().saturating_mul(*pairs).saturating_mul(*steps) / 50
            }
            Probe::Cost { .. } => usize::MAX,
        }
    }
}
