//! Attacks on a classifier of images: how little has to change for it to fail.
//!
//! Images are flat, with pixels in [0, 1]; if the network wants other inputs, the scaling is part of the network. An
//! attack gets a [`Classifier`], [`Examples`] and a seed and returns an [`Outcome`] for every example. All of them share
//! these rules:
//!
//! - A classification is broken where the margin z_y - max z_j is 0 or below, or is not a finite number.
//! - Every point counts that an attack evaluates, in all runs. What libraries judge by, the last iterate, is told beside
//!   it ([`Outcome::broken_at_end`]).
//! - Points are in the numbers in which the network computes, f32 or f64, from the image to what is told of an attack:
//!   the point that was judged is the point that is kept.
//! - Distances are measured in f64 on the pixels as they are, and compared with eps with a slack of 1e-6 ([`TOLERANCE`]).
//! - Images that are classified wrong as they are count as broken at distance 0 and are not attacked.
//! - Random numbers are keyed by seed, attack, the example's place in the data set, and run. What happens to an example
//!   depends on nothing else: not on the other examples, on the batch, or on the number of threads.
//!
//! Every thread of rayon's pool attacks its own images. candle's own threads wait busily for each other in every
//! addition of gradients and make that several times slower; another program than `han-exp`, which sees to it itself,
//! should set `CANDLE_NUM_THREADS=1`.
//!
//! ```
//! use candle_core::{Device, Result, Tensor};
//! use han_exp::evaluate::attack::{Attack, Classifier, Counts, Examples, ImageShape, Setting, Threat};
//! use han_exp::model::{FcNetConfig, ModelConfig};
//! use han_exp::rng::Seed;
//!
//! let model = ModelConfig::Fcnet(FcNetConfig::new(16, 2)).build(16, 4, Seed(1), &Device::Cpu)?;
//! let classifier = Classifier::new(model.frozen.as_ref(), 16)?;
//! let examples = Examples::new(&classifier, vec![0.5; 3 * 16], vec![0, 1, 2])?;
//! let threat = Threat::linf(0.1);
//! let outcomes = Attack::Pgd.run(&classifier, &examples, &Setting::new(threat, ImageShape::grey(4, 4)))?;
//! let counts = Counts::of(&outcomes, threat);
//! assert!(counts.robust_accuracy() <= counts.clean_accuracy());
//! # Ok::<(), candle_core::Error>(())
//! ```

mod apgd;
mod ball;
mod bisection;
mod bump;
mod cascade;
mod classifier;
mod ddn;
mod deepfool;
mod examples;
mod fab;
mod fgsm;
mod fmn;
mod goal;
mod hyperplane;
mod loss;
mod multi_target;
mod noise;
mod outcome;
mod pgd;
mod random;
mod record;
mod search;
mod shape;
mod square;
#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;
mod threat;

pub use apgd::{Apgd, Direction, checkpoints};
pub use bisection::Bisection;
pub use cascade::{Cascade, Stage};
pub use classifier::{Classifier, ROWS};
pub use ddn::Ddn;
pub use deepfool::DeepFool;
pub use examples::{Example, Examples};
pub use fab::Fab;
pub use fgsm::Fgsm;
pub use fmn::Fmn;
pub use goal::{Aim, Stop, Target};
pub use loss::{Loss, Objective, margin};
pub use multi_target::MultiTarget;
pub use noise::{DISTRIBUTIONS, Distribution, Noise};
pub use outcome::{Adversarial, Break, Counts, Outcome, Passes, worst_case};
pub use pgd::{MOST_RUNS, Pgd, Start, StepRule};
pub use shape::ImageShape;
pub use square::Square;
pub use threat::{Distance, Norm, TOLERANCE, Threat, in_box};

use crate::rng::Seed;
use candle_core::{FloatDType, Result, bail};
use serde::{Deserialize, Serialize};

/// The attacks by name, with the settings that are usual for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "program", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum Attack {
    /// One step of the gradient's sign.
    ///
    /// See [`Fgsm`].
    Fgsm,
    /// Projected gradient descent on the cross-entropy.
    ///
    /// See [`Pgd`].
    Pgd,
    /// Projected gradient descent towards one wrong class after the other.
    ///
    /// See [`MultiTarget`].
    MtPgd,
    /// APGD on the cross-entropy.
    ///
    /// See [`Apgd`].
    ApgdCe,
    /// APGD on the difference of logits ratio.
    ///
    /// See [`Apgd`].
    ApgdDlr,
    /// APGD on the targeted ratio.
    ///
    /// See [`Apgd`].
    ApgdT,
    /// Nearest boundary, one wrong class after the other.
    ///
    /// See [`Fab`].
    FabT,
    /// Random search without gradients.
    ///
    /// See [`Square`].
    Square,
    /// Steps to the nearest linearised boundary.
    ///
    /// See [`DeepFool`].
    #[cfg_attr(feature = "program", value(name = "deepfool"))]
    #[serde(rename = "deepfool")]
    DeepFool,
    /// Ascent on a sphere of changing radius, L2 alone.
    ///
    /// See [`Ddn`].
    Ddn,
    /// Ascent in a ball that shrinks and grows, from several points.
    ///
    /// See [`Fmn`].
    Fmn,
    /// The standard cascade of AutoAttack.
    ///
    /// See [`Cascade`].
    Auto,
}

/// What the attacks by name have in common.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Setting {
    /// The ball.
    pub threat: Threat,
    /// How pixels lie, for Square.
    pub image: ImageShape,
    /// Root of all random numbers.
    pub seed: Seed,
    /// Steps of iterative attacks, at least 1; DeepFool has its own.
    pub steps: usize,
    /// Runs of PGD, APGD and FAB for each loss or class, at least 1; FMN has its own, and the cascade makes one.
    pub restarts: usize,
    /// How many wrong classes targeted attacks try.
    pub targets: usize,
    /// Proposals of Square, at least 1.
    pub queries: usize,
    /// When to leave an example alone. Attacks that look for the nearest image, and the cascade, have their own rule.
    pub stop: Stop,
}

impl Setting {
    /// 100 steps, one run, nine wrong classes, 5,000 proposals, seed 0.
    pub fn new(threat: Threat, image: ImageShape) -> Self {
        Self { threat, image, seed: Seed(0), steps: 100, restarts: 1, targets: 9, queries: 5000, stop: Stop::AtSuccess }
    }
}

impl Attack {
    /// All attacks, the cheapest first.
    pub const ALL: [Self; 12] = [
        Self::Fgsm,
        Self::Pgd,
        Self::MtPgd,
        Self::DeepFool,
        Self::Ddn,
        Self::Fmn,
        Self::ApgdCe,
        Self::ApgdDlr,
        Self::ApgdT,
        Self::FabT,
        Self::Square,
        Self::Auto,
    ];

    /// Its name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fgsm => "fgsm",
            Self::Pgd => "pgd",
            Self::MtPgd => "mt-pgd",
            Self::ApgdCe => "apgd-ce",
            Self::ApgdDlr => "apgd-dlr",
            Self::ApgdT => "apgd-t",
            Self::FabT => "fab-t",
            Self::Square => "square",
            Self::DeepFool => "deepfool",
            Self::Ddn => "ddn",
            Self::Fmn => "fmn",
            Self::Auto => "auto",
        }
    }

    /// Why the attack cannot be made on a network with that many classes under that norm, if so.
    pub fn problem(self, norm: Norm, classes: usize) -> Option<String> {
        let fewest = match self {
            Self::ApgdDlr => Loss::away(Objective::Dlr).fewest_classes(),
            Self::ApgdT => Loss::toward(Objective::Dlr, 0).fewest_classes(),
            Self::Ddn if norm != Norm::L2 => return Some("ddn is an attack for l2; use fmn, fab-t or deepfool".into()),
            Self::Fgsm
            | Self::Pgd
            | Self::MtPgd
            | Self::ApgdCe
            | Self::FabT
            | Self::Square
            | Self::DeepFool
            | Self::Ddn
            | Self::Fmn
            | Self::Auto => 2,
        };
        let name = self.name();
        (classes < fewest).then(|| format!("{name} needs at least {fewest} classes, the network has {classes}"))
    }

    /// Whether it looks for the nearest misclassified image rather than for any in the ball.
    pub fn is_minimum_norm(self) -> bool {
        match self {
            Self::FabT | Self::DeepFool | Self::Ddn | Self::Fmn => true,
            Self::Fgsm
            | Self::Pgd
            | Self::MtPgd
            | Self::ApgdCe
            | Self::ApgdDlr
            | Self::ApgdT
            | Self::Square
            | Self::Auto => false,
        }
    }

    /// Attacks every example that is classified right. For [`Attack::Auto`] the outcomes are the worst case of its
    /// stages.
    ///
    /// # Errors
    /// When the attack has a [`Attack::problem`], a setting is out of range, or the network fails.
    pub fn run<T: FloatDType>(
        self,
        classifier: &Classifier<'_, T>,
        examples: &Examples<T>,
        setting: &Setting,
    ) -> Result<Vec<Outcome<T>>> {
        let &Setting { threat, image, seed, steps, restarts, targets, queries, stop } = setting;
        if let Some(problem) = self.problem(threat.norm, classifier.classes()) {
            bail!("{problem}");
        }
        let apgd = |apgd: Apgd| Apgd { steps, restarts, stop, ..apgd };
        match self {
            Self::Fgsm => Fgsm::new(threat).run(classifier, examples, seed),
            Self::Pgd => Pgd { steps, restarts, stop, ..Pgd::new(threat) }.run(classifier, examples, seed),
            Self::MtPgd => MultiTarget { steps, restarts, targets, stop, ..MultiTarget::new(threat) }
                .run(classifier, examples, seed),
            Self::ApgdCe => apgd(Apgd::cross_entropy(threat)).run(classifier, examples, seed),
            Self::ApgdDlr => apgd(Apgd::dlr(threat)).run(classifier, examples, seed),
            Self::ApgdT => {
                let direction = Direction::Targets(targets);
                Apgd { direction, ..apgd(Apgd::targeted(threat)) }.run(classifier, examples, seed)
            }
            Self::FabT => Fab { steps, restarts, targets, ..Fab::new(threat) }.run(classifier, examples, seed),
            Self::Square => Square { queries, stop, ..Square::new(threat, image) }.run(classifier, examples, seed),
            Self::DeepFool => DeepFool::new(threat.norm).run(classifier, examples),
            Self::Ddn => Ddn { steps, ..Ddn::default() }.run(classifier, examples, seed),
            Self::Fmn => Fmn { steps, targets, ..Fmn::new(threat.norm) }.run(classifier, examples, seed),
            Self::Auto => {
                let cascade = Cascade { threat, image, steps, targets, queries };
                Ok(cascade.worst_case(&cascade.run(classifier, examples, seed)?))
            }
        }
    }
}
