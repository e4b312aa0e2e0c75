//! The stages of an attack run, and that attacks and certificates do not contradict each other.

use super::export::Export;
use super::ledger::{Ledger, confidence};
use super::rows::RADII;
use super::spec::{AttackSpec, Effort};
use crate::data::images::{Images, SIDE};
use crate::engine::rows::EvaluationRow;
use crate::engine::runs::Job;
use crate::evaluate::attack::{
    Attack, Bisection, Classifier, Counts, DISTRIBUTIONS, Examples, ImageShape, Noise, Norm, Outcome, ROWS, Setting,
    Stop, Threat, worst_case,
};
use crate::evaluate::certificate::{Certificates, Certifier, Radii, Summary, check_sandwich};
use crate::evaluate::masking::Attempt;
use crate::model::Network;
use crate::rng::Seed;
use anyhow::{Context, Result};
use candle_core::{Device, FloatDType, Tensor};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// One of the radii of an image.
type Column = fn(&Radii) -> f64;

/// Draws of random noise for each distribution.
const DRAWS: usize = 30;
/// Images that are kept for the figure.
const SHOWN: usize = 6;

/// The numbers of an attack, which a checkpoint keeps.
pub(super) trait Number: FloatDType + Serialize + DeserializeOwned {}

impl<T: FloatDType + Serialize + DeserializeOwned> Number for T {}

/// Random test images; fewer of them are always the first of more, so that networks have images in common.
pub(super) fn attacked(of: usize, count: usize) -> Vec<usize> {
    let mut rows = Seed(0).stream("attacked").permutation(of);
    rows.truncate(count);
    rows
}

/// Makes an attack on slices of the images, which are parts of the job; `shorten` leaves out what need not be kept.
pub(super) fn sliced<T: Number>(
    job: &Job<'_>,
    name: &str,
    examples: &Examples<T>,
    attempt: &Attempt<'_, T>,
    shorten: &dyn Fn(&mut Outcome<T>),
) -> Result<Vec<Outcome<T>>> {
    job.list(name, (examples.len(), ROWS), |range| {
        let mut made = attempt(&examples.slice(range))?;
        made.iter_mut().for_each(shorten);
        Ok(made)
    })
}

/// The stages of a run, and what they have found so far.
pub(super) struct Run<'r, T> {
    pub(super) spec: &'r AttackSpec,
    pub(super) classifier: &'r Classifier<'r, T>,
    pub(super) examples: &'r Examples<T>,
    pub(super) ledger: Ledger<T>,
    pub(super) evaluations: Vec<EvaluationRow>,
    pub(super) job: &'r Job<'r>,
    pub(super) export: Option<&'r Export>,
}

impl<T: Number> Run<'_, T> {
    /// Makes an attack, and keeps what it found now and then. What happens to an image does not depend on the others, so that
    /// slices change nothing.
    fn outcomes(&self, name: &str, attempt: &Attempt<'_, T>) -> Result<Vec<Outcome<T>>> {
        let shorten = |outcome: &mut Outcome<T>| {
            if self.export.is_none() {
                self.shorten(outcome);
            }
        };
        sliced(self.job, name, self.examples, attempt, &shorten)
    }

    /// Leaves out images that nobody will look at: they are nearly all of what a checkpoint would have to keep.
    fn shorten(&self, outcome: &mut Outcome<T>) {
        outcome.last = Vec::new();
        let norm = self.spec.norm;
        if let Some(found) = &mut outcome.adversarial
            && found.distance.in_norm(norm) >= self.ledger.distance(outcome.index)
        {
            found.image = Vec::new();
        }
    }

    fn threat(&self, eps: f64) -> Threat {
        Threat { norm: self.spec.norm, eps }
    }

    pub(super) fn setting(&self, eps: f64) -> Setting {
        let Effort { steps, restarts, targets, queries } = self.spec.effort;
        let image = ImageShape::grey(SIDE, SIDE);
        let (threat, seed) = (self.threat(eps), self.spec.seed);
        let stop = self.spec.stop;
        Setting { seed, steps, restarts, targets, queries, stop, ..Setting::new(threat, image) }
    }

    /// A score of the attacked images.
    fn row(&mut self, metric: &str, attack: &str, epsilon: Option<f64>, value: f64) {
        let n = self.examples.len();
        self.push("attacked", metric, attack, epsilon, value, n);
    }

    fn push(&mut self, split: &str, metric: &str, attack: &str, epsilon: Option<f64>, value: f64, n: usize) {
        let norm = self.spec.norm.name();
        self.evaluations.push(EvaluationRow {
            attack: attack.into(),
            norm: (attack != "none" || epsilon.is_some()).then(|| norm.into()),
            epsilon,
            ..EvaluationRow::of(split, metric, value, n)
        });
    }

    fn part(&self, count: usize) -> f64 {
        count as f64 / self.examples.len() as f64
    }

    pub(super) fn clean(&mut self) {
        self.row("accuracy", "none", None, self.examples.accuracy());
    }

    /// An attack at every size of the ball, or once if it looks for the nearest image.
    pub(super) fn attack(&mut self, attack: Attack) -> Result<()> {
        if attack.is_minimum_norm() {
            let sizes = self.spec.sizes();
            let eps = sizes.last().copied().unwrap_or(1.0);
            let setting = self.setting(eps);
            let outcomes = self.outcomes(attack.name(), &|examples| attack.run(self.classifier, examples, &setting))?;
            self.ledger.absorb(attack.name(), &outcomes)?;
            for eps in sizes {
                let left = self.ledger.robust_against(attack.name(), eps)?;
                self.row("accuracy", attack.name(), Some(eps), self.part(left));
            }
            self.passes(attack.name(), None, &outcomes);
            return Ok(());
        }
        for eps in self.spec.eps.clone() {
            self.attack_at(attack, eps)?;
        }
        Ok(())
    }

    fn attack_at(&mut self, attack: Attack, eps: f64) -> Result<()> {
        let setting = self.setting(eps);
        let outcomes = self.outcomes(attack.name(), &|examples| attack.run(self.classifier, examples, &setting))?;
        self.ledger.absorb(attack.name(), &outcomes)?;
        let counts = Counts::of(&outcomes, self.threat(eps));
        self.row("accuracy", attack.name(), Some(eps), counts.robust_accuracy());
        // An attack that stops with its success has that as its last iterate, which says nothing more.
        if self.spec.stop == Stop::Never {
            self.row("accuracy_at_end", attack.name(), Some(eps), counts.accuracy_at_end());
        }
        self.row("success_rate", attack.name(), Some(eps), counts.success_rate());
        for (metric, count) in [("ties", counts.ties), ("not_finite", counts.not_finite)] {
            if count > 0 {
                self.row(metric, attack.name(), Some(eps), count as f64);
            }
        }
        self.passes(attack.name(), Some(eps), &outcomes);
        if let Some(export) = self.export {
            export.last(self.spec, self.examples, (attack, eps), &outcomes)?;
        }
        Ok(())
    }

    /// Mean passes through the network for each image.
    fn passes(&mut self, attack: &str, eps: Option<f64>, outcomes: &[Outcome<T>]) {
        let n = outcomes.len().max(1) as f64;
        let forward = outcomes.iter().map(|outcome| outcome.passes.forward).sum::<usize>() as f64 / n;
        let backward = outcomes.iter().map(|outcome| outcome.passes.backward).sum::<usize>() as f64 / n;
        self.row("forward_passes", attack, eps, forward);
        self.row("backward_passes", attack, eps, backward);
    }

    /// The cheap attacks and random noise at every size of the sweep. What was made for the table is not made again.
    pub(super) fn sweep(&mut self) -> Result<()> {
        for eps in self.spec.sweep.clone() {
            for attack in self.spec.sweep_attacks.clone() {
                let made = self.spec.eps.contains(&eps) && self.spec.attacks.contains(&attack);
                if !made && !attack.is_minimum_norm() {
                    self.attack_at(attack, eps)?;
                }
            }
        }
        for eps in self.spec.sizes() {
            let threat = self.threat(eps);
            let run = |distribution| {
                Noise { draws: DRAWS, ..Noise::new(threat, distribution) }
                    .run(self.classifier, self.examples, self.spec.seed)
            };
            let counts = self.job.part("noise", || {
                let runs = DISTRIBUTIONS.into_iter().map(run).collect::<candle_core::Result<Vec<_>>>()?;
                let worst = worst_case(threat, &runs.iter().map(Vec::as_slice).collect::<Vec<_>>());
                Ok(Counts::of(&worst, threat))
            })?;
            self.row("accuracy", "noise", Some(eps), counts.robust_accuracy());
        }
        Ok(())
    }

    /// Sharpens the distances that the attacks found, whatever sizes of the ball the command asks for.
    pub(super) fn bisect(&mut self) -> Result<()> {
        // Everything is within reach: the side of the box, and its diagonal.
        let eps = match self.spec.norm {
            Norm::Linf => 1.0,
            Norm::L2 => (self.classifier.inputs() as f64).sqrt(),
        };
        let known = self.ledger.known();
        let bisection = Bisection::new(self.threat(eps));
        let attempt = |examples: &Examples<T>| bisection.run(self.classifier, examples, &known, self.spec.seed);
        let outcomes = self.outcomes("bisection", &attempt)?;
        self.ledger.absorb("bisection", &outcomes)?;
        self.passes("bisection", None, &outcomes);
        Ok(())
    }

    pub(super) fn worst_case(&mut self) {
        for eps in self.spec.sizes() {
            self.row("accuracy", "worst_case", Some(eps), self.part(self.ledger.robust(eps)));
        }
    }

    /// Certified radii of all test images; those of the attacked ones are compared with every misclassified image that
    /// was found.
    pub(super) fn certify(&mut self, network: &dyn Network, test: &Images, device: &Device) -> Result<Certificates> {
        let certifier = Certifier::new(network)?;
        let rows: Vec<usize> = (0..test.len()).collect();
        let labels: Vec<u32> = test.labels.iter().map(|label| u32::from(*label)).collect();
        let all = self.job.part("certificates", || Ok(certifier.certify(&test.inputs(&rows, device)?, &labels)?))?;
        let attacked = self.ledger.entries().iter().map(|entry| all.images[entry.row.index]).collect();
        let attacked = Certificates { images: attacked, ..all.clone() };
        let rounded = attacked.radii(|radii| radii.rounded);
        let distances: Vec<f64> = self.ledger.entries().iter().map(|entry| entry.row.distance_l2).collect();
        // The bound of the rounding is about the CPU kernels; elsewhere an attack may come inside by a rounding.
        if device.is_cpu() {
            check_sandwich(&rounded, &distances).context("a certificate is contradicted by an attack")?;
        }

        let (sizes, norm) = (self.spec.sizes(), self.spec.norm);
        let mut row = |metric: &str, epsilon, value| self.push("test", metric, "none", epsilon, value, test.len());
        row("lipschitz", None, certifier.lipschitz());
        row("head_norm", None, certifier.head_norm());
        row("rounding_measured", None, all.measured_error);
        row("rounding_bound", None, all.error_bound);
        // In L2 the usual radii; in Linf what an L2 radius says of a ball in Linf.
        let (at, scale) = match norm {
            Norm::L2 => {
                let mut radii = [sizes.as_slice(), &RADII].concat();
                radii.sort_by(f64::total_cmp);
                radii.dedup();
                (radii, 1.0)
            }
            Norm::Linf => (sizes, (test.features() as f64).sqrt()),
        };
        let scaled: Vec<f64> = at.iter().map(|radius| radius * scale).collect();
        let correct = all.correct();
        let columns: [(&str, Column); 3] = [
            ("certified_accuracy", |radii| radii.pair),
            ("certified_accuracy_global", |radii| radii.global),
            ("certified_accuracy_rounded", |radii| radii.rounded),
        ];
        for (metric, column) in columns {
            let summary = Summary::of(&all.radii(column), &correct, &scaled)?;
            for (radius, certified) in at.iter().zip(&summary.certified) {
                row(metric, Some(*radius), certified.certified as f64 / test.len() as f64);
            }
        }
        let summary = Summary::of(&all.radii(|radii| radii.pair), &correct, &[])?;
        row("mean_radius", None, summary.mean_radius);
        row("median_radius_of_correct", None, summary.median_correct.unwrap_or(0.0));
        Ok(attacked)
    }

    /// The first of the images that are attacked, for the figure: clean, and the nearest misclassified one. The order is
    /// that of a seed, and the same for all networks.
    pub(super) fn shown(&self, test_images: usize) -> Result<Vec<(String, Tensor)>> {
        let chosen = attacked(test_images, SHOWN);
        let of_index = |index: &usize| self.ledger.entries().iter().position(|entry| entry.row.index == *index);
        let places: Vec<usize> = chosen.iter().filter_map(of_index).collect();
        let (mut clean, mut nearest, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
        for place in &places {
            let (example, entry) = (self.examples.get(*place), &self.ledger.entries()[*place]);
            let found = entry.image.as_deref().unwrap_or(example.image);
            let (row, prediction) = (&entry.row, entry.row.prediction);
            numbers.extend([
                row.index as f64,
                confidence(self.classifier, example.image, prediction)?,
                confidence(self.classifier, found, row.adversarial_class.unwrap_or(prediction))?,
            ]);
            clean.extend_from_slice(example.image);
            nearest.extend_from_slice(found);
        }
        let count = places.len();
        let numbers = Tensor::from_vec(numbers, (count, 3), &Device::Cpu)?;
        let pixels = |values: Vec<T>| Tensor::from_vec(values, (count, self.classifier.inputs()), &Device::Cpu);
        // Of each image: its place in the test set, and the network's confidence in its answer before and after.
        Ok(vec![("numbers".into(), numbers), ("clean".into(), pixels(clean)?), ("nearest".into(), pixels(nearest)?)])
    }
}
