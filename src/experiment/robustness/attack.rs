//! One attack run: a trained network, the attacks in one norm, the certificates, and that neither contradicts the other.

use super::CLASSES;
use super::checklist::{self, Findings};
use super::export::Export;
use super::ledger::{Finder, Ledger, confidence};
use crate::config::robustness::{AttackSpec, Effort, Precision, TrainingSpec, WeightsSource};
use crate::data::images::{ImageData, Images, SIDE};
use crate::data::source;
use crate::evaluate::attack::{
    Attack, Bisection, Classifier, Counts, DISTRIBUTIONS, Examples, ImageShape, Noise, Norm, Outcome, Setting, Stop,
    Threat, worst_case,
};
use crate::evaluate::certificate::{Certificates, Certifier, Radii, Summary, check_sandwich};
use crate::experiment::halt::Halt;
use crate::experiment::scheduler::{Runner, Tick};
use crate::model::{Model, Network, weights};
use crate::record::robustness::{AttackRecord, RADII};
use crate::record::{Ending, EvaluationRow, Store};
use crate::rng::Seed;
use crate::train::Control;
use anyhow::{Context, Result, ensure};
use candle_core::{DType, Device, FloatDType, Tensor};
use std::collections::BTreeSet;
use std::time::Instant;

/// One of the radii of an image.
type Column = fn(&Radii) -> f64;

/// Draws of random noise for each distribution.
const DRAWS: usize = 30;
/// Images that are kept for the figure.
const SHOWN: usize = 6;
/// Steps of a run as the progress bar counts them.
const WHOLE: usize = 100;

/// Attacks networks on a data set.
pub struct Attacker<'a> {
    /// The data set, or the sample that stands in for it; the runs' configuration says which.
    pub data: &'a ImageData,
    /// Its hash.
    pub data_hash: &'a str,
    /// Where trained networks are.
    pub store: &'a Store,
    /// Images attacked at a time on each thread; changes no result.
    pub batch: usize,
    /// Gets images and weights, if somebody wants them.
    pub export: Option<&'a Export>,
}

impl Runner for Attacker<'_> {
    type Spec = AttackSpec;
    type Record = AttackRecord;

    fn run(
        &self,
        spec: &AttackSpec,
        device: &Device,
        tick: &mut Tick<'_>,
        halt: &Halt<'_>,
    ) -> Result<Option<AttackRecord>> {
        let started = (jiff::Timestamp::now(), Instant::now());
        let loaded = self.load(spec, device)?;
        let ending = |parameters, step: Option<usize>| Ending {
            diverged_at_step: step,
            parameters,
            data_hash: self.data_hash.into(),
            epoch_seconds: None,
            started,
        };
        let model = match loaded {
            Loaded::Model(model) => model,
            Loaded::Diverged { parameters, step } => {
                return Ok(Some(AttackRecord::empty(ending(parameters, Some(step)))));
            }
        };
        let ending = ending(model.parameters.count(), None);
        match spec.precision {
            Precision::F32 => {
                let subject = Subject { model: &model, attacked: &model, halt };
                self.attack::<f32>(spec, &subject, ending, device, tick)
            }
            Precision::F64 => {
                let precise = self.precise(spec, &model, device)?;
                let subject = Subject { model: &model, attacked: &precise, halt };
                self.attack::<f64>(spec, &subject, ending, device, tick)
            }
        }
    }
}

/// Random test images; fewer of them are always the first of more, so that networks have images in common.
fn attacked(of: usize, count: usize) -> Vec<usize> {
    let mut rows = Seed(0).stream("attacked").permutation(of);
    rows.truncate(count);
    rows
}

/// A network to attack, or why there is none.
enum Loaded {
    Model(Box<Model>),
    Diverged { parameters: usize, step: usize },
}

/// The network of a run.
struct Subject<'s> {
    /// As it was trained.
    model: &'s Model,
    /// The same in the numbers of the attack.
    attacked: &'s Model,
    halt: &'s Halt<'s>,
}

impl Attacker<'_> {
    /// The stages of a run.
    fn attack<T: FloatDType>(
        &self,
        spec: &AttackSpec,
        subject: &Subject<'_>,
        ending: Ending,
        device: &Device,
        tick: &mut Tick<'_>,
    ) -> Result<Option<AttackRecord>> {
        let &Subject { model, attacked, halt } = subject;
        let network = halt.network(attacked.frozen.as_ref());
        let classifier = Classifier::<T>::on(&network, self.data.test.features(), device)?;
        let classifier = classifier.with_batch(self.batch);
        let examples = self.examples(spec, &classifier)?;
        let mut run = Run {
            spec,
            classifier: &classifier,
            ledger: Ledger::new(&examples, spec.norm),
            examples: &examples,
            evaluations: Vec::new(),
            export: self.export,
        };
        run.clean();
        if let Some(export) = self.export {
            run.export_network(model, export)?;
        }
        // Attacks in the order of the specification, then what needs their findings.
        let stages = spec.attacks.len() + 4;
        let mut made = 0;
        let mut go_on = |what: &str| {
            made += 1;
            tick(WHOLE * made / (stages + 1), &|| what.to_string()) == Control::Continue
        };
        for attack in &spec.attacks {
            if !go_on(attack.name()) {
                return Ok(None);
            }
            run.attack(*attack)?;
        }
        if !go_on("sweep") {
            return Ok(None);
        }
        run.sweep()?;
        if !go_on("bisection") {
            return Ok(None);
        }
        run.bisect()?;
        run.worst_case();
        if !go_on("certificates") {
            return Ok(None);
        }
        let certificates = if spec.certify {
            Some(run.certify(&halt.network(model.frozen.as_ref()), &self.data.test, device)?)
        } else {
            None
        };
        if !go_on("checklist") {
            return Ok(None);
        }
        let Findings { checks, effort } = self.checklist(spec, model, &run, device, halt)?;
        let images = run.shown(self.data.test.len())?;
        if let Some(export) = self.export {
            run.export_results(certificates.as_ref(), export)?;
        }
        Ok(Some(AttackRecord {
            ending,
            examples: run.ledger.rows(certificates.as_ref()),
            evaluations: run.evaluations,
            checks,
            effort,
            images,
        }))
    }

    fn load(&self, spec: &AttackSpec, device: &Device) -> Result<Loaded> {
        let model = spec.model.build(self.data.test.features(), CLASSES, Seed(0), device)?;
        let path = match &spec.weights {
            WeightsSource::File { path, sha256 } => {
                let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
                let found = source::sha256(&bytes);
                ensure!(found == *sha256, "{} has changed: its SHA-256 is {found}, was {sha256}", path.display());
                path.clone()
            }
            WeightsSource::Trained(training) => {
                let run = self.store.find(training.as_ref())?;
                let run = run.with_context(|| {
                    format!("the network of {} is not trained; run the experiment's command", training.arm)
                })?;
                if let Some(step) = run.manifest.diverged_at_step {
                    return Ok(Loaded::Diverged { parameters: model.parameters.count(), step });
                }
                run.directory.join("weights.safetensors")
            }
        };
        let read = weights::read(&path)?;
        weights::load(&model.parameters, read).with_context(|| format!("weights of {}", path.display()))?;
        Ok(Loaded::Model(Box::new(model)))
    }

    /// The network in f64, with the same parameters.
    fn precise(&self, spec: &AttackSpec, model: &Model, device: &Device) -> Result<Model> {
        let precise = spec.model.build_as(DType::F64, self.data.test.features(), CLASSES, Seed(0), device)?;
        precise.parameters.assign(&model.parameters.to_stored()?.into_iter().collect())?;
        Ok(precise)
    }

    /// The images that are attacked: the same for every network and seed, so that networks can be compared in pairs.
    fn examples<T: FloatDType>(&self, spec: &AttackSpec, classifier: &Classifier<'_, T>) -> Result<Examples<T>> {
        let test = &self.data.test;
        let mut rows = attacked(test.len(), spec.images);
        rows.sort_unstable();
        let images = test.inputs(&rows, &Device::Cpu)?.to_dtype(T::DTYPE)?.flatten_all()?.to_vec1()?;
        let labels = rows.iter().map(|row| usize::from(test.labels[*row])).collect();
        Ok(Examples::of_indices(classifier, images, labels, rows)?)
    }

    fn checklist<T: FloatDType>(
        &self,
        spec: &AttackSpec,
        model: &Model,
        run: &Run<'_, T>,
        device: &Device,
        halt: &Halt<'_>,
    ) -> Result<Findings> {
        let (Some(eps), 1..) = (spec.eps.last(), spec.checklist_images) else { return Ok(Findings::default()) };
        let chosen: BTreeSet<usize> = attacked(self.data.test.len(), spec.checklist_images).into_iter().collect();
        let examples = run.examples.filter(|example| chosen.contains(&example.index));
        let precise = self.precise(spec, model, device)?;
        let mut surrogates = Vec::new();
        for training in &spec.surrogates {
            surrogates.extend(self.surrogate(training, T::DTYPE, device)?.map(|model| (training.arm.clone(), model)));
        }
        let setting = run.setting(*eps);
        let subject = checklist::Subject { classifier: run.classifier, precise: &precise, examples: &examples, halt };
        checklist::make(&subject, &setting, &surrogates, device)
    }

    /// Another trained network, in numbers of that type; None if its training diverged.
    fn surrogate(&self, training: &TrainingSpec, dtype: DType, device: &Device) -> Result<Option<Model>> {
        let run = self.store.find(training)?;
        let run = run.with_context(|| format!("{} of seed {} is not trained", training.arm, training.seed.0))?;
        if run.manifest.diverged_at_step.is_some() {
            return Ok(None);
        }
        let model = training.model.build_as(dtype, self.data.test.features(), CLASSES, Seed(0), device)?;
        weights::load(&model.parameters, weights::read(&run.directory.join("weights.safetensors"))?)?;
        Ok(Some(model))
    }
}

/// The stages of a run, and what they have found so far.
pub(super) struct Run<'r, T> {
    pub(super) spec: &'r AttackSpec,
    pub(super) classifier: &'r Classifier<'r, T>,
    pub(super) examples: &'r Examples<T>,
    pub(super) ledger: Ledger<T>,
    evaluations: Vec<EvaluationRow>,
    export: Option<&'r Export>,
}

impl<T: FloatDType> Run<'_, T> {
    fn threat(&self, eps: f64) -> Threat {
        Threat { norm: self.spec.norm, eps }
    }

    fn setting(&self, eps: f64) -> Setting {
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

    /// A score of all test images.
    fn of_all(&mut self, metric: &str, epsilon: Option<f64>, value: f64, n: usize) {
        self.push("test", metric, "none", epsilon, value, n);
    }

    fn push(&mut self, split: &str, metric: &str, attack: &str, epsilon: Option<f64>, value: f64, n: usize) {
        let spec = self.spec;
        self.evaluations.push(EvaluationRow {
            attack: attack.into(),
            norm: (attack != "none" || epsilon.is_some()).then(|| spec.norm.name().into()),
            epsilon,
            ..EvaluationRow::of(spec, split, metric, value, n)
        });
    }

    fn part(&self, count: usize) -> f64 {
        count as f64 / self.examples.len() as f64
    }

    fn clean(&mut self) {
        self.row("accuracy", "none", None, self.examples.accuracy());
    }

    /// An attack at every size of the ball, or once if it looks for the nearest image.
    fn attack(&mut self, attack: Attack) -> Result<()> {
        let finder = Finder::Attack(attack);
        if attack.is_minimum_norm() {
            let sizes = self.spec.sizes();
            let eps = sizes.last().copied().unwrap_or(1.0);
            let outcomes = attack.run(self.classifier, self.examples, &self.setting(eps))?;
            self.ledger.absorb(finder, &outcomes)?;
            for eps in sizes {
                let left = self.ledger.robust_against(finder, eps)?;
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
        let outcomes = attack.run(self.classifier, self.examples, &self.setting(eps))?;
        self.ledger.absorb(Finder::Attack(attack), &outcomes)?;
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
            self.export_last(attack, eps, &outcomes, export)?;
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
    fn sweep(&mut self) -> Result<()> {
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
                Noise { draws: DRAWS, ..Noise::new(threat, distribution) }.run(
                    self.classifier,
                    self.examples,
                    self.spec.seed,
                )
            };
            let runs = DISTRIBUTIONS.into_iter().map(run).collect::<candle_core::Result<Vec<_>>>()?;
            let worst = worst_case(threat, &runs.iter().map(Vec::as_slice).collect::<Vec<_>>());
            self.row("accuracy", "noise", Some(eps), Counts::of(&worst, threat).robust_accuracy());
        }
        Ok(())
    }

    /// Sharpens the distances that the attacks found, whatever sizes of the ball the command asks for.
    fn bisect(&mut self) -> Result<()> {
        // Everything is within reach: the side of the box, and its diagonal.
        let eps = match self.spec.norm {
            Norm::Linf => 1.0,
            Norm::L2 => (self.classifier.inputs() as f64).sqrt(),
        };
        let known = self.ledger.known();
        let outcomes = Bisection::new(self.threat(eps)).run(self.classifier, self.examples, &known, self.spec.seed)?;
        self.ledger.absorb(Finder::Bisection, &outcomes)?;
        self.passes("bisection", None, &outcomes);
        Ok(())
    }

    fn worst_case(&mut self) {
        for eps in self.spec.sizes() {
            self.row("accuracy", "worst_case", Some(eps), self.part(self.ledger.robust(eps)));
        }
    }

    /// Certified radii of all test images; those of the attacked ones are held against every misclassified image that was
    /// found.
    fn certify(&mut self, network: &dyn Network, test: &Images, device: &Device) -> Result<Certificates> {
        let certifier = Certifier::new(network)?;
        let rows: Vec<usize> = (0..test.len()).collect();
        let labels: Vec<u32> = test.labels.iter().map(|label| u32::from(*label)).collect();
        let all = certifier.certify(&test.inputs(&rows, device)?, &labels)?;
        let attacked = self.ledger.entries().iter().map(|entry| all.images[entry.index]).collect();
        let attacked = Certificates { images: attacked, ..all.clone() };
        let rounded = attacked.radii(|radii| radii.rounded);
        let distances: Vec<f64> = self.ledger.entries().iter().map(|entry| entry.distance_l2).collect();
        // The bound of the rounding is about the CPU kernels; elsewhere an attack may come inside by a rounding.
        if device.is_cpu() {
            check_sandwich(&rounded, &distances).context("a certificate is contradicted by an attack")?;
        }

        let (sizes, norm) = (self.spec.sizes(), self.spec.norm);
        let mut row = |metric: &str, epsilon, value| self.of_all(metric, epsilon, value, test.len());
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
    fn shown(&self, test_images: usize) -> Result<Vec<(String, Tensor)>> {
        let chosen = attacked(test_images, SHOWN);
        let of_index = |index: &usize| self.ledger.entries().iter().position(|entry| entry.index == *index);
        let places: Vec<usize> = chosen.iter().filter_map(of_index).collect();
        let (mut clean, mut nearest, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
        for place in &places {
            let (example, entry) = (self.examples.get(*place), &self.ledger.entries()[*place]);
            let found = entry.image.as_deref().unwrap_or(example.image);
            let class = entry.class.unwrap_or(entry.prediction);
            numbers.extend([
                entry.index as f64,
                confidence(self.classifier, example.image, entry.prediction)?,
                confidence(self.classifier, found, class)?,
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

impl AttackRecord {
    fn empty(ending: Ending) -> Self {
        let (examples, evaluations, checks, effort) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { ending, examples, evaluations, checks, effort, images: Vec::new() }
    }
}
