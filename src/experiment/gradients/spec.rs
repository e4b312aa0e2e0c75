//! One measurement of a layer or a network.

use crate::data::checkerboard::Board;
use crate::data::split::SplitSource;
use crate::engine::runs::{Details, Spec, common_fields, fit_problem};
use crate::engine::settings::{MOST_STEPS, names_problem};
use crate::model::{ModelConfig, Size};
use crate::rng::Seed;
use crate::train::FitConfig;
use serde::{Deserialize, Serialize};

/// The deepest stack, as of networks.
const DEEPEST: usize = 10_000;
/// The widest layer, likewise.
pub(super) const WIDEST: usize = 16_384;
/// More samples, pairs, layers or rounds than anybody measures.
const MOST: usize = 1_000_000;
/// Numbers that a measurement may have in memory at once: the states of all its samples, or the weights of a stack. These
/// many take 16 GB.
const MOST_NUMBERS: usize = 1 << 32;

/// The resolved configuration of a measurement; `config.toml` in its directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeSpec {
    pub experiment: String,
    /// Which network or layer.
    pub arm: String,
    pub seed: Seed,
    pub device: String,
    pub probe: Probe,
}

/// What is measured. The depth of a network is the number of layers that its name on charts counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Probe {
    /// Jacobians of random Han-layers, and of Han-layers near a kink.
    Layers(Layers),
    /// The gradient's length at every layer of an untrained network on the checkerboard.
    Start {
        board: Board,
        model: ModelConfig,
        depth: usize,
        /// Points of the board.
        samples: usize,
    },
    /// Whether neighbouring points of the board have like gradients in an untrained network, one without batch norm.
    Neighbours {
        board: Board,
        model: ModelConfig,
        depth: usize,
        /// Pairs of points.
        pairs: usize,
    },
    /// A network through a training on the checkerboard.
    Course(Box<Course>),
    /// The Lipschitz constant of the hidden layers of an untrained network, from below.
    Stretch {
        /// It has as many inputs as it is wide.
        model: ModelConfig,
        depth: usize,
        /// Pairs of points that are followed.
        pairs: usize,
        /// Steps of each.
        steps: usize,
    },
    /// Time and parameters of single layers, and the time of stacks.
    Cost(Cost),
}

/// Random layers; also `[jacobian]` of the file.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layers {
    pub layers: usize,
    /// Least width.
    pub narrowest: usize,
    pub widest: usize,
    /// Layers for every distance from a kink.
    pub kinks: usize,
}

/// What is timed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// Widths of a single layer.
    pub widths: Vec<usize>,
    /// Samples of a pass.
    pub batch: usize,
    /// How often each time is taken.
    pub rounds: usize,
    /// Depths of stacks.
    pub depths: Vec<usize>,
    /// Their width.
    pub depth_width: usize,
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
    pub board: Board,
    pub split: SplitSource,
    pub model: ModelConfig,
    pub fit: FitConfig,
}

impl Probe {
    fn model(&self) -> Option<&ModelConfig> {
        match self {
            Self::Layers(_) | Self::Cost(_) => None,
            Self::Start { model, .. } | Self::Neighbours { model, .. } | Self::Stretch { model, .. } => Some(model),
            Self::Course(course) => Some(&course.model),
        }
    }

    fn board(&self) -> Option<&Board> {
        match self {
            Self::Layers(_) | Self::Cost(_) | Self::Stretch { .. } => None,
            Self::Start { board, .. } | Self::Neighbours { board, .. } => Some(board),
            Self::Course(course) => Some(&course.board),
        }
    }

    /// Why it cannot be measured, whatever the network and the board, if so.
    fn problem(&self) -> Option<String> {
        match self {
            &Self::Layers(Layers { layers, narrowest, widest, kinks }) => {
                let counts = beyond("layers", layers, MOST).or_else(|| beyond("kinks", kinks, MOST));
                let widths = || beyond("narrowest", narrowest, WIDEST).or_else(|| beyond("widest", widest, WIDEST));
                let ordered = || (narrowest > widest).then(|| format!("narrowest is {narrowest}, widest is {widest}"));
                counts.or_else(widths).or_else(ordered)
            }
            Self::Start { samples: 1, .. } => Some("a gradient needs 2 samples or more, batch norm a spread".into()),
            Self::Start { model, samples, .. } => too_many("samples", *samples, model),
            Self::Neighbours { model, pairs, .. } => too_many("pairs", *pairs, model),
            Self::Stretch { model, pairs, steps, .. } => {
                too_many("pairs", *pairs, model).or_else(|| beyond("steps", *steps, MOST_STEPS))
            }
            Self::Course(course) => course.problem(),
            Self::Cost(cost) => cost.problem(),
        }
    }
}

/// Why nothing can be measured with a count, if so.
fn beyond(key: &str, count: usize, most: usize) -> Option<String> {
    (!(1..=most).contains(&count)).then(|| format!("{key} is {count}; use 1 to {most}"))
}

/// Why the states of so many samples in all layers of a network cannot be kept, if so.
fn too_many(key: &str, samples: usize, model: &ModelConfig) -> Option<String> {
    let Size { width, depth } = model.size();
    let numbers = [width, depth].iter().fold(samples, |numbers, size| numbers.saturating_mul(*size));
    let told = || format!("{key} is {samples}; use fewer with {depth} layers of width {width}");
    beyond(key, samples, MOST).or_else(|| (numbers > MOST_NUMBERS).then(told))
}

impl Cost {
    fn problem(&self) -> Option<String> {
        let &Self { ref widths, batch, rounds, ref depths, depth_width } = self;
        let of_width = |width: &usize| beyond("one of widths", *width, WIDEST);
        let of_depth = |depth: &usize| {
            // The states of all samples, and the weights if these layers are dense.
            let numbers = depth.saturating_mul(depth_width).saturating_mul(batch.max(depth_width));
            let told = || format!("depth is {depth}; use fewer with batch {batch} and depth_width {depth_width}");
            beyond("depth", *depth, DEEPEST).or_else(|| (numbers > MOST_NUMBERS).then(told))
        };
        let counts = beyond("batch", batch, MOST).or_else(|| beyond("rounds", rounds, MOST));
        let widths = || widths.iter().find_map(of_width).or_else(|| beyond("depth_width", depth_width, WIDEST));
        counts.or_else(widths).or_else(|| depths.iter().find_map(of_depth))
    }
}

impl Course {
    fn problem(&self) -> Option<String> {
        let fits = |moment: &f64| (0.0..=1.0).contains(moment);
        let ordered = self.moments.is_sorted_by(|a, b| a < b) && self.moments.iter().all(fits);
        if self.moments.is_empty() || !ordered {
            return Some(format!(
                "moments is {:?}; use increasing fractions of the training, from 0 to 1",
                self.moments
            ));
        }
        if self.samples < 2 || self.points == 0 || self.pairs == 0 {
            return Some("course needs at least 2 samples (batch norm needs a spread), a point and a pair".into());
        }
        let counts = [("samples", self.samples), ("points", self.points), ("pairs", self.pairs)];
        let counts = counts.iter().find_map(|(key, count)| too_many(key, *count, &self.model));
        counts.or_else(|| beyond("steps", self.steps, MOST_STEPS)).or_else(|| fit_problem(&self.fit))
    }
}

impl Spec for ProbeSpec {
    const REVISION: &'static str = "0.10.0";
    const SCHEMA: u32 = 3;
    const KEY: &'static str = "probe";
    const SECONDS: f64 = 2e-9;

    common_fields!();

    fn point(&self) -> String {
        match &self.probe {
            Probe::Layers(_) => "layers".into(),
            Probe::Start { depth, .. } => format!("start-depth{depth}"),
            Probe::Neighbours { depth, .. } => format!("neighbours-depth{depth}"),
            Probe::Course(_) => "course".into(),
            Probe::Stretch { depth, .. } => format!("stretch-depth{depth}"),
            Probe::Cost(_) => "cost".into(),
        }
    }

    fn details(&self) -> Details {
        let size = self.probe.model().map(ModelConfig::size);
        let (learning_rate, work) = match &self.probe {
            Probe::Layers(file) => (None, format!("{} layers", file.layers)),
            Probe::Start { samples, .. } => (None, format!("{samples} gradients")),
            Probe::Neighbours { pairs, .. } => (None, format!("{pairs} pairs of gradients")),
            Probe::Course(course) => (Some(course.fit.learning_rate), format!("{} iterations", course.fit.iterations)),
            Probe::Stretch { pairs, steps, .. } => (None, format!("{pairs} x {steps} steps")),
            Probe::Cost(file) => (None, format!("{} rounds", file.rounds)),
        };
        let (width, depth) = (size.map(|size| size.width), size.map(|size| size.depth));
        // Of what has no recipe it alone is trained, and can diverge.
        let phase = matches!(self.probe, Probe::Course(_)).then(|| "course".to_string());
        Details { phase, learning_rate, width, depth, work, ..Details::default() }
    }

    fn problem(&self) -> Option<String> {
        names_problem("experiment and arm", &[&self.experiment, &self.arm])
            .or_else(|| self.probe.problem())
            .or_else(|| self.probe.board()?.problem())
            .or_else(|| self.probe.model()?.problem())
    }

    fn steps(&self) -> usize {
        match &self.probe {
            Probe::Layers(file) => file.layers,
            Probe::Start { .. } | Probe::Neighbours { .. } | Probe::Stretch { .. } => 1,
            Probe::Course(course) => course.fit.iterations,
            Probe::Cost(file) => file.rounds,
        }
    }

    /// In passes of a sample through a weight.
    fn cost(&self) -> usize {
        let passes = |model: &ModelConfig, counts: &[usize]| {
            counts.iter().fold(model.cost(), |passes, count| passes.saturating_mul(*count))
        };
        match &self.probe {
            Probe::Layers(file) => file.layers.saturating_mul(8 * file.widest * file.widest),
            Probe::Start { model, samples: count, .. } | Probe::Neighbours { model, pairs: count, .. } => {
                passes(model, &[*count])
            }
            Probe::Course(course) => passes(&course.model, &[course.fit.iterations, course.fit.batch_size / 2]),
            Probe::Stretch { model, pairs, steps, .. } => passes(model, &[*pairs, *steps]),
            Probe::Cost(Cost { widths, batch, rounds, depths, depth_width }) => {
                // No time is taken of less than some milliseconds.
                let least = 16_000_000;
                let of_size = |(width, depth): (usize, usize)| least + batch.saturating_mul(depth * width * width / 2);
                let sizes =
                    widths.iter().map(|width| (*width, 1)).chain(depths.iter().map(|depth| (*depth_width, *depth)));
                rounds.saturating_mul(sizes.map(of_size).fold(0, usize::saturating_add))
            }
        }
    }
}

/// A network of that width and number of layers.
pub(super) fn resized(model: &ModelConfig, width: usize, depth: usize) -> ModelConfig {
    let mut model = model.clone();
    // One block at least.
    let depth = (depth / layers_of_one(&model)).max(depth.min(1));
    model.resize(Size { width, depth });
    model
}

/// Number of layers of a network.
pub(super) fn layers_of(model: &ModelConfig) -> usize {
    model.size().depth * layers_of_one(model)
}

/// Every block of a ResNet has two layers.
fn layers_of_one(model: &ModelConfig) -> usize {
    if matches!(model, ModelConfig::Resnet(_)) { 2 } else { 1 }
}
