//! One attack run: a trained network, the attacks in one norm, the certificates, the checklist.

use super::CLASSES;
use super::checklist::{self, Findings};
use super::export::Export;
use super::stages::{Run, attacked};
use crate::config::robustness::{AttackSpec, Precision, TrainingSpec, WeightsSource};
use crate::data::images::ImageData;
use crate::data::source;
use crate::evaluate::attack::{Classifier, Examples};
use crate::experiment::halt::Halt;
use crate::experiment::scheduler::{Runner, Tick};
use crate::files;
use crate::model::Model;
use crate::model::weights::{self, Hints};
use crate::record::robustness::AttackRecord;
use crate::record::{Ending, Store};
use crate::rng::Seed;
use crate::train::Control;
use anyhow::{Context, Result, ensure};
use candle_core::{DType, Device, FloatDType};
use std::collections::BTreeSet;
use std::time::Instant;

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
        let mut run = Run::new(spec, &classifier, &examples, self.export);
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
        let (path, hints) = match &spec.weights {
            WeightsSource::File { path, hints, .. } => (path.clone(), hints.clone()),
            WeightsSource::Trained(training) => {
                let run = self.store.find(training.as_ref())?.finished();
                let run = run.with_context(|| {
                    format!("the network of {} is not trained; run the experiment's command", training.arm)
                })?;
                if let Some(step) = run.manifest.diverged_at_step {
                    return Ok(Loaded::Diverged { parameters: model.parameters.count(), step });
                }
                (run.directory.join("weights.safetensors"), Hints::default())
            }
        };
        let bytes = files::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        if let WeightsSource::File { sha256, .. } = &spec.weights {
            let found = source::sha256(&bytes);
            ensure!(found == *sha256, "{} has changed: its SHA-256 is {found}, was {sha256}", path.display());
        }
        let read = weights::parse(&bytes, &path)?;
        weights::load_with(&model.parameters, read, &hints)
            .with_context(|| format!("weights of {}", path.display()))?;
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
        let run = self.store.find(training)?.finished();
        let run = run.with_context(|| format!("{} of seed {} is not trained", training.arm, training.seed.0))?;
        if run.manifest.diverged_at_step.is_some() {
            return Ok(None);
        }
        let model = training.model.build_as(dtype, self.data.test.features(), CLASSES, Seed(0), device)?;
        weights::load(&model.parameters, weights::read(&run.directory.join("weights.safetensors"))?)?;
        Ok(Some(model))
    }
}

impl AttackRecord {
    fn empty(ending: Ending) -> Self {
        let (examples, evaluations, checks, effort) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { ending, examples, evaluations, checks, effort, images: Vec::new() }
    }
}
