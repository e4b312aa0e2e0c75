//! A checked experiment about the layer's claims, and the runs that follow from it.

use super::claim::{Limit, Part};
use super::file::{ArmFile, ClaimsFile, DepthFile};
use super::probe::{Course, Probe, ProbeSpec};
use crate::config::file::DataFile;
use crate::config::{Phase, RunSpec};
use crate::data::checkerboard::{Board, SplitSource};
use crate::model::{Activation, DenseInit, FcNetConfig, ModelConfig, Size};
use crate::rng::Seed;
use crate::train::{FitConfig, LossConfig, Sampling};
use std::collections::BTreeSet;

/// The name under which the way to train stands in run directories.
const RECIPE: &str = "depth";

/// Can run.
#[derive(Debug, Clone)]
pub struct Claims {
    /// The command's name.
    pub name: String,
    /// For charts and reports.
    pub title: String,
    /// The paper's claim in a sentence.
    pub claim: String,
    /// What is measured.
    pub parts: Vec<Part>,
    /// Networks.
    pub arms: Vec<Arm>,
    /// What ought to come out.
    pub expectations: Vec<Limit>,
    pub(super) file: ClaimsFile,
}

/// A network.
#[derive(Debug, Clone)]
pub struct Arm {
    /// Key in files and flags.
    pub name: String,
    /// Name on charts.
    pub label: String,
    /// What kind of network it is.
    pub family: Family,
}

/// Networks that are drawn together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Dense layers.
    Dense {
        /// What follows every layer.
        activation: &'static str,
        /// How the weights start.
        init: &'static str,
    },
    /// Han-layers, or residual blocks.
    Other,
}

impl Family {
    /// The activations of dense networks, in the order in which they are drawn.
    pub const ACTIVATIONS: [&'static str; 3] = ["ReLU", "|.|", "tanh"];

    pub(super) fn of(model: &ModelConfig) -> Self {
        let ModelConfig::Fcnet(FcNetConfig { activation, init, .. }) = model else { return Self::Other };
        let activation = match activation {
            Activation::Identity => "nothing",
            Activation::Relu => Self::ACTIVATIONS[0],
            Activation::Abs => Self::ACTIVATIONS[1],
            Activation::Tanh => Self::ACTIVATIONS[2],
        };
        let init = match init {
            DenseInit::KaimingNormal => "Kaiming",
            DenseInit::XavierNormal => "Xavier",
            DenseInit::Orthogonal => "orthogonal",
        };
        Self::Dense { activation, init }
    }
}

/// Everything to be run.
#[derive(Debug, Clone, Default)]
pub struct Runs {
    /// Times are taken with nothing else going on.
    pub timings: Vec<ProbeSpec>,
    /// The other measurements.
    pub probes: Vec<ProbeSpec>,
    /// Trainings on a part of the training points, one for every learning rate: they choose the rate of
    /// [`Claims::final_training`].
    pub selections: Vec<RunSpec>,
}

impl Runs {
    /// Their number, final trainings among them.
    pub fn len(&self) -> usize {
        self.timings.len() + self.probes.len() + self.selections.len() + self.final_trainings()
    }

    /// Number of trainings that follow when the rates are chosen: one for every network, depth and seed.
    pub fn final_trainings(&self) -> usize {
        let key = |run: &RunSpec| (run.arm.clone(), layers_of(&run.model), run.seed);
        self.selections.iter().map(key).collect::<BTreeSet<_>>().len()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Claims {
    /// The network of an arm by name.
    pub fn arm(&self, name: &str) -> Option<&Arm> {
        self.arms.iter().find(|arm| arm.name == name)
    }

    /// The file that it was made from, profile and flags applied.
    pub fn file(&self) -> &ClaimsFile {
        &self.file
    }

    /// Part of the board's points whose class is 0: what answering 0 everywhere scores.
    pub fn zeros(&self) -> f64 {
        let board = self.file.board();
        let zeros = (0..board.points()).filter(|point| board.label(*point) == 0).count();
        zeros as f64 / board.points() as f64
    }

    /// Every run.
    pub fn runs(&self, device: &str) -> Runs {
        let wants = |part: Part| self.parts.contains(&part);
        let mut runs = Runs::default();
        if wants(Part::Cost) {
            runs.timings.push(self.probe("layer-cost", Seed(self.file.first_seed), device, self.cost()));
        }
        let of_seeds = |arm: &str, probe: &Probe| -> Vec<ProbeSpec> {
            self.seeds(self.file.seeds).map(|seed| self.probe(arm, seed, device, probe.clone())).collect()
        };
        if wants(Part::Jacobian) {
            // One seed: its many layers are the sample.
            runs.probes.push(self.probe("layer-han", Seed(self.file.first_seed), device, self.layers()));
        }
        for arm in &self.file.arm {
            if arm.course && [Part::Jacobian, Part::Norms, Part::Lipschitz].into_iter().any(wants) {
                runs.probes.extend(of_seeds(&arm.name, &self.course(arm)));
            }
            let takes_part = |part: Part| wants(part) && arm.parts.contains(&part);
            if takes_part(Part::Norms) {
                let starts = of_depths(arm, self.file.norms.width, &self.file.norms.depths);
                runs.probes.extend(starts.flat_map(|model| of_seeds(&arm.name, &self.start(model))));
            }
            if takes_part(Part::Lipschitz) {
                let stretches = of_depths(arm, self.file.lipschitz.width, &self.file.lipschitz.depths);
                runs.probes.extend(stretches.flat_map(|model| of_seeds(&arm.name, &self.stretch(model))));
            }
            if takes_part(Part::Depth) {
                if !matches!(arm.model, ModelConfig::Resnet(_)) {
                    let trained = self.trained(arm).map(|model| self.neighbours(model));
                    runs.probes.extend(trained.flat_map(|probe| of_seeds(&arm.name, &probe)));
                }
                runs.selections.extend(self.selections(arm, device));
            }
        }
        runs
    }

    fn seeds(&self, count: usize) -> impl Iterator<Item = Seed> {
        (self.file.first_seed..self.file.first_seed + count as u64).map(Seed)
    }

    fn probe(&self, arm: &str, seed: Seed, device: &str, probe: Probe) -> ProbeSpec {
        ProbeSpec { experiment: self.name.clone(), arm: arm.into(), seed, device: device.into(), probe }
    }

    fn layers(&self) -> Probe {
        let file = &self.file.jacobian;
        Probe::Layers { layers: file.layers, narrowest: file.narrowest, widest: file.widest, kinks: file.kinks }
    }

    fn cost(&self) -> Probe {
        let file = self.file.cost.clone();
        Probe::Cost {
            widths: file.widths,
            batch: file.batch,
            rounds: file.rounds,
            depths: file.depths,
            depth_width: file.depth_width,
        }
    }

    fn start(&self, model: ModelConfig) -> Probe {
        let (depth, samples) = (layers_of(&model), self.file.norms.samples);
        Probe::Start { board: self.file.board(), model, depth, samples }
    }

    fn neighbours(&self, model: ModelConfig) -> Probe {
        Probe::Neighbours { board: self.file.board(), depth: layers_of(&model), model, pairs: self.file.course.points }
    }

    fn stretch(&self, model: ModelConfig) -> Probe {
        let file = &self.file.lipschitz;
        Probe::Stretch { depth: layers_of(&model), model, pairs: file.pairs, steps: file.steps }
    }

    fn course(&self, arm: &ArmFile) -> Probe {
        let file = &self.file;
        Probe::Course(Box::new(Course {
            moments: file.course.moments.clone(),
            samples: file.norms.samples,
            points: file.course.points,
            pairs: file.lipschitz.pairs,
            steps: file.lipschitz.steps,
            board: file.board(),
            split: file.split(),
            model: arm.model.clone(),
            fit: FitConfig {
                // Every hundredth is a moment at which gradients may be followed.
                report_every: (file.course.iterations / 100).max(1),
                ..fit(&file.depth, file.course.iterations, arm.learning_rates.first().copied().unwrap_or(0.0))
            },
        }))
    }

    /// The networks of an arm that are trained, one for each depth.
    fn trained(&self, arm: &ArmFile) -> impl Iterator<Item = ModelConfig> {
        let deepest = arm.deepest;
        let models = of_depths(arm, arm.model.size().width, &self.file.depth.depths);
        models.filter(move |model| deepest.is_none_or(|deepest| layers_of(model) <= deepest))
    }

    /// The training on all training points at the rate that a selection has shown to be the best.
    pub fn final_training(chosen: &RunSpec) -> RunSpec {
        RunSpec { phase: Phase::Full, ..chosen.clone() }
    }

    /// Trainings of a network at every depth and learning rate on a part of the training points.
    fn selections(&self, arm: &ArmFile, device: &str) -> Vec<RunSpec> {
        let file = &self.file;
        let DataFile::Checkerboard(board) = &file.data;
        let seeds = arm.seeds.unwrap_or(file.seeds).min(file.seeds);
        let mut runs = Vec::new();
        for model in self.trained(arm) {
            for &learning_rate in &arm.learning_rates {
                runs.extend(self.seeds(seeds).map(|seed| RunSpec {
                    experiment: self.name.clone(),
                    arm: arm.name.clone(),
                    recipe: RECIPE.into(),
                    phase: Phase::Selection,
                    seed,
                    device: device.into(),
                    validation_fraction: board.validation_fraction,
                    board: board.board(),
                    split: file.split(),
                    model: model.clone(),
                    fit: fit(&file.depth, file.depth.iterations, learning_rate),
                }));
            }
        }
        runs
    }
}

/// The networks of an arm at several depths; two depths at which it is the same network (a ResNet has layers by twos) are
/// one.
fn of_depths(arm: &ArmFile, width: usize, depths: &[usize]) -> impl Iterator<Item = ModelConfig> {
    let mut models: Vec<ModelConfig> = depths.iter().map(|depth| resized(&arm.model, width, *depth)).collect();
    models.dedup();
    models.into_iter()
}

/// A network of that width and number of layers. Every block of a ResNet has two.
pub(super) fn resized(model: &ModelConfig, width: usize, depth: usize) -> ModelConfig {
    let mut model = model.clone();
    let depth = if matches!(model, ModelConfig::Resnet(_)) { (depth / 2).max(1) } else { depth };
    model.resize(Size { width, depth });
    model
}

/// Number of layers of a network; every block of a ResNet has two.
pub fn layers_of(model: &ModelConfig) -> usize {
    model.size().depth * if matches!(model, ModelConfig::Resnet(_)) { 2 } else { 1 }
}

fn fit(file: &DepthFile, iterations: usize, learning_rate: f64) -> FitConfig {
    FitConfig {
        iterations,
        batch_size: file.batch_size,
        // Accuracy in between is not looked at.
        report_every: iterations.div_ceil(20).max(1),
        learning_rate,
        optimizer: file.optimizer.clone(),
        schedule: file.schedule.clone(),
        input_noise: file.input_noise,
        sampling: Sampling::Fresh,
        loss: LossConfig::MeanSquaredError,
    }
}

impl ClaimsFile {
    fn board(&self) -> Board {
        let DataFile::Checkerboard(file) = &self.data;
        file.board()
    }

    pub(super) fn split(&self) -> SplitSource {
        let DataFile::Checkerboard(file) = &self.data;
        SplitSource::Seeded { train_fraction: file.train_fraction }
    }
}
