//! The runs that follow from a checked experiment.

use super::file::{ArmFile, ClaimsFile, Part};
use super::spec::{Cost, Course, Probe, ProbeSpec, layers_of, resized};
use crate::data::checkerboard::Board;
use crate::engine::settings::File;
use crate::experiment::checkerboard::{Phase, TrainingSpec};
use crate::model::ModelConfig;
use crate::rng::Seed;
use crate::train::{FitConfig, LossConfig, Sampling};

/// The name under which the way to train stands in run directories.
const RECIPE: &str = "depth";

/// Can run.
#[derive(Debug, Clone)]
pub struct Claims {
    pub(super) file: ClaimsFile,
}

/// All runs that are known before any is made.
#[derive(Default)]
pub(super) struct Runs {
    /// Times are taken with nothing else going on.
    pub timings: Vec<ProbeSpec>,
    /// The other measurements.
    pub probes: Vec<ProbeSpec>,
    /// Trainings on a part of the training points, one for every learning rate, to choose the rate.
    pub selections: Vec<TrainingSpec>,
}

impl Claims {
    /// The name of a network or layer on charts.
    pub(super) fn label(&self, arm: &str) -> String {
        match arm {
            "layer-han" => "Han-layer".into(),
            "layer-dense" => "dense layer".into(),
            _ => self.file.label(arm),
        }
    }

    fn board(&self) -> Board {
        self.file.data.checkerboard.board()
    }

    pub(super) fn runs(&self, device: &str) -> Runs {
        let file = &self.file;
        let wants = |part: Part| file.parts.contains(&part);
        let probe = |arm: &str, seed: Seed, probe: Probe| {
            let (experiment, arm, device) = (file.experiment.name.clone(), arm.into(), device.into());
            ProbeSpec { experiment, arm, seed, device, probe }
        };
        // One seed: the many layers and rounds are the sample.
        let alone = |arm: &str, what: Probe| probe(arm, Seed(file.first_seed), what);
        let mut runs = Runs::default();
        if wants(Part::Cost) {
            runs.timings.push(alone("layer-cost", self.cost()));
        }
        if wants(Part::Jacobian) {
            runs.probes.push(alone("layer-han", Probe::Layers(file.jacobian)));
        }
        let seeds = file.first_seed..file.first_seed + file.seeds as u64;
        for arm in &file.arm {
            let mut probes = Vec::new();
            if arm.course && [Part::Jacobian, Part::Norms, Part::Lipschitz].into_iter().any(wants) {
                probes.push(self.course(arm));
            }
            let takes_part = |part: Part| wants(part) && arm.parts.contains(&part);
            if takes_part(Part::Norms) {
                let samples = file.norms.samples;
                let start = |model| Probe::Start { board: self.board(), depth: layers_of(&model), model, samples };
                probes.extend(of_depths(arm, file.norms.width, &file.norms.depths).map(start));
            }
            if takes_part(Part::Lipschitz) {
                let (pairs, steps) = (file.lipschitz.pairs, file.lipschitz.steps);
                let stretch = |model| Probe::Stretch { depth: layers_of(&model), model, pairs, steps };
                probes.extend(of_depths(arm, file.lipschitz.width, &file.lipschitz.depths).map(stretch));
            }
            if takes_part(Part::Depth) {
                if !matches!(arm.model, ModelConfig::Resnet(_)) {
                    let pairs = file.course.points;
                    let neighbours =
                        |model| Probe::Neighbours { board: self.board(), depth: layers_of(&model), model, pairs };
                    probes.extend(self.trained(arm).map(neighbours));
                }
                runs.selections.extend(self.selections(arm, device));
            }
            for what in probes {
                runs.probes.extend(seeds.clone().map(|seed| probe(&arm.name, Seed(seed), what.clone())));
            }
        }
        runs
    }

    fn cost(&self) -> Probe {
        let file = self.file.cost.clone();
        let (widths, batch, rounds) = (file.widths, file.batch, file.rounds);
        Probe::Cost(Cost { widths, batch, rounds, depths: file.depths, depth_width: file.depth_width })
    }

    fn course(&self, arm: &ArmFile) -> Probe {
        let file = &self.file;
        let iterations = file.course.iterations;
        let rate = arm.learning_rates.first().copied().unwrap_or(0.0);
        Probe::Course(Box::new(Course {
            moments: file.course.moments.clone(),
            samples: file.norms.samples,
            points: file.course.points,
            pairs: file.lipschitz.pairs,
            steps: file.lipschitz.steps,
            board: self.board(),
            split: file.data.checkerboard.seeded(),
            model: arm.model.clone(),
            // Every hundredth is a moment at which gradients may be followed.
            fit: self.fit(iterations, (iterations / 100).max(1), rate),
        }))
    }

    /// The networks of an arm that are trained, one for each depth.
    fn trained(&self, arm: &ArmFile) -> impl Iterator<Item = ModelConfig> {
        let deepest = arm.deepest.unwrap_or(usize::MAX);
        let models = of_depths(arm, arm.model.size().width, &self.file.depth.depths);
        models.filter(move |model| layers_of(model) <= deepest)
    }

    /// Trainings of a network at every depth and learning rate on a part of the training points.
    fn selections(&self, arm: &ArmFile, device: &str) -> Vec<TrainingSpec> {
        let (file, data) = (&self.file, &self.file.data.checkerboard);
        let iterations = file.depth.iterations;
        let mut runs = Vec::new();
        for model in self.trained(arm) {
            for &learning_rate in &arm.learning_rates {
                runs.extend(file.seeds(arm).map(|seed| TrainingSpec {
                    experiment: file.experiment.name.clone(),
                    arm: arm.name.clone(),
                    recipe: RECIPE.into(),
                    phase: Phase::Selection,
                    seed: Seed(seed),
                    device: device.into(),
                    validation_fraction: data.validation_fraction,
                    board: data.board(),
                    split: data.seeded(),
                    model: model.clone(),
                    // Accuracy in between is not looked at.
                    fit: self.fit(iterations, iterations.div_ceil(20).max(1), learning_rate),
                }));
            }
        }
        runs
    }

    fn fit(&self, iterations: usize, report_every: usize, learning_rate: f64) -> FitConfig {
        let file = &self.file.depth;
        FitConfig {
            iterations,
            batch_size: file.batch_size,
            report_every,
            learning_rate,
            optimizer: file.optimizer.clone(),
            schedule: file.schedule.clone(),
            input_noise: file.input_noise,
            sampling: Sampling::Fresh,
            loss: LossConfig::MeanSquaredError,
        }
    }
}

/// The networks of an arm at several depths; two depths at which it is the same network (a ResNet has layers by twos) are
/// one.
fn of_depths(arm: &ArmFile, width: usize, depths: &[usize]) -> impl Iterator<Item = ModelConfig> + use<> {
    let mut models: Vec<ModelConfig> = depths.iter().map(|depth| resized(&arm.model, width, *depth)).collect();
    models.dedup();
    models.into_iter()
}
