//! The two kinds of runs: one trains a network, the other attacks and certifies it in one norm.

use crate::data::source::Dataset;
use crate::engine::runs::{Details, Spec, common_fields, fit_problem};
use crate::engine::settings::{MOST, MOST_STEPS, names_problem};
use crate::evaluate::attack::{Attack, Bisection, MOST_RUNS, Norm, Stop, Threat};
use crate::model::ModelConfig;
use crate::model::weights::Hints;
use crate::rng::Seed;
use crate::train::FitConfig;
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What becomes part of a path.
const NAMES: &str = "experiment and arm";

/// Which images, and how they are cut.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageSet {
    pub dataset: Dataset,
    /// Whether it is the small sample inside the program instead of the whole data set.
    pub sample: bool,
    /// Part of the training images that is kept for validation.
    pub validation_fraction: f64,
    /// SHA-256 of pixels and labels, in hexadecimal: not every data set is pinned, and two directories may differ.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sha256: String,
}

impl ImageSet {
    /// What was computed on, for every table: the data set's name, or `sample`.
    pub fn name(&self) -> &'static str {
        if self.sample { "sample" } else { self.dataset.name() }
    }
}

/// Which iterate of a training run is kept.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stopping {
    Last,
    /// Of those at which the validation images were scored, the one whose accuracy (0 to 1) is nearest to this; the
    /// last of equals. Networks that are compared stop at the same accuracy so.
    Nearest(f64),
}

/// The resolved configuration of a training run; `config.toml` in its directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingSpec {
    pub experiment: String,
    pub arm: String,
    pub seed: Seed,
    pub device: String,
    /// Which iterate is kept.
    pub stopping: Stopping,
    pub data: ImageSet,
    pub model: ModelConfig,
    pub fit: FitConfig,
}

/// Where an attacked network's weights are from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightsSource {
    Trained(Box<TrainingSpec>),
    /// A file that the user gave.
    File {
        path: PathBuf,
        /// What it holds, in hexadecimal.
        sha256: String,
        /// What it does not say about itself.
        #[serde(default, skip_serializing_if = "Hints::is_empty")]
        hints: Hints,
    },
}

/// The numbers in which a network computes while it is attacked, and those of the points that attacks visit. Certificates
/// are about the network in f32 either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// Those of the training.
    #[default]
    F32,
    /// Twice as exact: where rounding decides the sign of a gradient, an attack in f32 takes one of two paths, and another
    /// program may take the other.
    F64,
}

/// How hard the attacks try.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Effort {
    /// Steps of iterative attacks.
    pub steps: usize,
    /// Runs of PGD, APGD and FAB for each loss or class.
    pub restarts: usize,
    /// Wrong classes that targeted attacks try.
    pub targets: usize,
    /// Proposals of Square.
    pub queries: usize,
}

/// The resolved configuration of an attack run; `config.toml` in its directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttackSpec {
    pub experiment: String,
    pub arm: String,
    /// The root of the attacks' randomness, and of the training before.
    pub seed: Seed,
    pub device: String,
    pub norm: Norm,
    /// Sizes of the ball at which every attack is made, ascending.
    pub eps: Vec<f64>,
    /// Sizes of the ball at which the attacks of the sweep are made, ascending.
    pub sweep: Vec<f64>,
    pub attacks: Vec<Attack>,
    pub sweep_attacks: Vec<Attack>,
    /// Test images that are attacked, chosen at random; the same ones for every network and seed.
    pub images: usize,
    /// Of these, the images that the masking checklist is made on; 0 for no checklist.
    pub checklist_images: usize,
    pub certify: bool,
    pub effort: Effort,
    /// Whether attacks of a fixed size go on after their success, as other programs do. It changes last iterates and the
    /// number of passes, and nothing else.
    #[serde(default, skip_serializing_if = "crate::files::is_default")]
    pub stop: Stop,
    #[serde(default, skip_serializing_if = "crate::files::is_default")]
    pub precision: Precision,
    pub data: ImageSet,
    pub model: ModelConfig,
    pub weights: WeightsSource,
    /// Other networks, whose adversarial images are shown to this one by the checklist.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub surrogates: Vec<TrainingSpec>,
}

impl AttackSpec {
    /// All sizes of the ball at which some attack is made, ascending.
    pub fn sizes(&self) -> Vec<f64> {
        let mut sizes = [self.eps.as_slice(), &self.sweep].concat();
        sizes.sort_by(f64::total_cmp);
        sizes.dedup();
        sizes
    }

    /// The trainings of the attacked network, if it was trained here, and of those that the checklist compares with.
    fn trainings(&self) -> impl Iterator<Item = &TrainingSpec> {
        let own = match &self.weights {
            WeightsSource::Trained(training) => Some(training.as_ref()),
            WeightsSource::File { .. } => None,
        };
        own.into_iter().chain(&self.surrogates)
    }

    /// Passes of an image through the network, forward and back, nearly: for an estimate of the time.
    fn passes(&self) -> usize {
        let Effort { steps, restarts, targets, queries } = self.effort;
        let runs = steps.saturating_mul(restarts);
        let to_targets = runs.saturating_mul(targets);
        let of = |attack: &Attack| match attack {
            Attack::Fgsm => 1,
            Attack::Pgd | Attack::ApgdCe | Attack::ApgdDlr => runs,
            Attack::MtPgd | Attack::ApgdT | Attack::FabT => to_targets,
            // Forward alone.
            Attack::Square => queries / 2,
            // On what each of the four leaves.
            Attack::Auto => steps.saturating_mul(2 * targets + 1).saturating_add(queries / 2) / 2,
            Attack::DeepFool => 50,
            Attack::Ddn => steps,
            // To any class, to each, and from four random points.
            Attack::Fmn => steps.saturating_mul(targets + 5),
        };
        let all = |attacks: &[Attack], sizes: usize| {
            let times = |attack: &Attack| if attack.is_minimum_norm() { 1 } else { sizes };
            attacks.iter().map(|attack| of(attack).saturating_mul(times(attack))).fold(0, usize::saturating_add)
        };
        let bisection = Bisection::PASSES;
        let swept = self.sweep.iter().filter(|eps| !self.eps.contains(eps)).count();
        all(&self.attacks, self.eps.len()).saturating_add(all(&self.sweep_attacks, swept)).saturating_add(bisection)
    }
}

/// Multiplications of a pass of an image, nearly: the first layer of a classifier of images is most of it.
fn pass(model: &ModelConfig) -> usize {
    model.cost().saturating_add(model.size().width.saturating_mul(784))
}

fn details(phase: &str, model: &ModelConfig, work: String) -> Details {
    let size = model.size();
    let (width, depth) = (Some(size.width), Some(size.depth));
    Details { phase: Some(phase.into()), width, depth, work, ..Details::default() }
}

impl Spec for TrainingSpec {
    const REVISION: &'static str = "0.11.0";
    const SCHEMA: u32 = 3;
    const KEY: &'static str = "stopping";
    const SECONDS: f64 = 3e-8;

    common_fields!();

    fn point(&self) -> String {
        "training".into()
    }

    fn details(&self) -> Details {
        let work = format!("{} iterations", self.fit.iterations);
        Details { learning_rate: Some(self.fit.learning_rate), ..details("training", &self.model, work) }
    }

    fn problem(&self) -> Option<String> {
        let fraction = self.data.validation_fraction;
        if !(fraction > 0.0 && fraction < 1.0) {
            return Some(format!("validation_fraction is {fraction}; use a fraction between 0 and 1"));
        }
        let names = names_problem(NAMES, &[&self.experiment, &self.arm]);
        names.or_else(|| self.model.problem()).or_else(|| fit_problem(&self.fit))
    }

    fn steps(&self) -> usize {
        self.fit.iterations
    }

    fn cost(&self) -> usize {
        pass(&self.model).saturating_mul(self.fit.iterations)
    }
}

impl Spec for AttackSpec {
    const REVISION: &'static str = "0.11.0";
    const SCHEMA: u32 = 3;
    const KEY: &'static str = "weights";
    const SECONDS: f64 = 1.5e-10;

    common_fields!();

    fn point(&self) -> String {
        format!("attack-{}", self.norm.name())
    }

    fn details(&self) -> Details {
        details("attack", &self.model, format!("{} attacks on {} images", self.attacks.len(), self.images))
    }

    fn problem(&self) -> Option<String> {
        let Effort { steps, restarts, targets, queries } = self.effort;
        for (key, value, most) in [
            ("images", self.images, MOST),
            ("steps", steps, MOST_STEPS),
            ("restarts", restarts, MOST_RUNS),
            ("targets", targets, MOST_RUNS),
            ("queries", queries, MOST),
        ] {
            if !(1..=most).contains(&value) {
                return Some(format!("{key} is {value}; use 1 to {most}"));
            }
        }
        if self.eps.is_empty() || self.attacks.is_empty() {
            return Some("eps and attacks must not be empty".into());
        }
        names_problem(NAMES, &[&self.experiment, &self.arm])
            .or_else(|| self.model.problem())
            .or_else(|| self.sizes().into_iter().find_map(|eps| Threat { norm: self.norm, eps }.problem()))
            .or_else(|| self.trainings().find_map(TrainingSpec::problem))
    }

    fn steps(&self) -> usize {
        100
    }

    fn cost(&self) -> usize {
        pass(&self.model).saturating_mul(self.images).saturating_mul(self.passes())
    }

    /// Weights of other runs.
    fn inputs(&self) -> Result<Vec<PathBuf>> {
        self.trainings().map(|training| Ok(training.directory()?.join("weights.safetensors"))).collect()
    }

    fn essence(&self) -> Self {
        let mut place_free = self.clone();
        if let WeightsSource::File { path, .. } = &mut place_free.weights {
            path.clear();
        }
        place_free
    }
}
