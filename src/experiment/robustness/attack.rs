//! One attack run: a trained network, the attacks in one norm, the certificates, the checklist.

use super::checklist::{self, Findings};
use super::ledger::Ledger;
use super::spec::{AttackSpec, Precision, TrainingSpec, WeightsSource};
use super::stages::{Number, Run, attacked};
use super::{CLASSES, Data};
use crate::engine::rows::{EvaluationRow, keyed};
use crate::engine::runs::{Ending, Job, Record, Runner, Store};
use crate::evaluate::attack::{Classifier, Examples, Setting, Stop};
use crate::evaluate::masking::Subject;
use crate::figure::significant;
use crate::files;
use crate::model::Model;
use crate::model::weights::{self, Hints};
use crate::rng::Seed;
use anyhow::{Context, Result, ensure};
use candle_core::{DType, Device, FloatDType};
use std::collections::BTreeSet;
use std::path::Path;

/// Steps of a run as the progress bar counts them.
const WHOLE: usize = 100;

/// Attacks networks on a data set.
pub struct Attacker<'a> {
    pub data: &'a Data,
    /// Where trained networks are.
    pub store: Store,
}

impl Runner for Attacker<'_> {
    type Spec = AttackSpec;

    fn data_hash(&self, _spec: &AttackSpec) -> Result<String> {
        Ok(self.data.hash.clone())
    }

    fn run(&self, spec: &AttackSpec, job: &Job<'_>) -> Result<Option<Record>> {
        let device = job.device;
        let (model, diverged_at_step) = match &spec.weights {
            WeightsSource::Trained(training) => self.trained(training, DType::F32, device)?,
            WeightsSource::File { path, sha256, hints } => (self.given(spec, path, sha256, hints, device)?, None),
        };
        let ending = Ending { diverged_at_step, parameters: model.parameters.count(), epoch_seconds: None };
        if diverged_at_step.is_some() {
            return Ok(Some(Record::new(ending, "")));
        }
        match spec.precision {
            Precision::F32 => self.attack::<f32>(spec, &model, &model, job, ending),
            Precision::F64 => {
                let precise = self.precise(spec, &model, device)?;
                self.attack::<f64>(spec, &model, &precise, job, ending)
            }
        }
    }
}

impl Attacker<'_> {
    /// The stages of a run, on the network as it was trained and the same in the numbers of the attack.
    fn attack<T: Number>(
        &self,
        spec: &AttackSpec,
        model: &Model,
        attacked: &Model,
        job: &Job<'_>,
        ending: Ending,
    ) -> Result<Option<Record>> {
        let (halt, device) = (job.halt, job.device);
        let network = halt.network(attacked.frozen.as_ref());
        let classifier = Classifier::<T>::on(&network, self.data.images.test.features(), device)?;
        let classifier = &classifier.with_batch(self.data.batch);
        let examples = &self.examples(spec, classifier)?;
        let (ledger, export) = (Ledger::new(examples, spec.norm), self.data.export.as_ref());
        let mut run = Run { spec, classifier, examples, ledger, evaluations: Vec::new(), job, export };
        run.clean();
        if let Some(export) = export {
            export.network(spec, examples, model)?;
        }
        // Attacks in the order of the specification, then what needs their findings.
        let stages = spec.attacks.len() + 4;
        let mut made = 0;
        let mut begin = |what: &str| {
            made += 1;
            job.tick(WHOLE * made / (stages + 1), &|| what.to_string());
            halt.check()
        };
        for attack in &spec.attacks {
            begin(attack.name())?;
            run.attack(*attack)?;
        }
        begin("sweep")?;
        run.sweep()?;
        begin("bisection")?;
        run.bisect()?;
        run.worst_case();
        begin("certificates")?;
        let certificates = if spec.certify {
            Some(run.certify(&halt.network(model.frozen.as_ref()), &self.data.images.test, device)?)
        } else {
            None
        };
        begin("checklist")?;
        let Findings { checks, effort } = self.checklist(spec, model, &run, job)?;
        let images = run.shown(self.data.images.test.len())?;
        if let Some(export) = export {
            export.results(spec, examples, &run.ledger, certificates.as_ref())?;
        }
        let record = Record::new(ending, headline(&run.evaluations))
            .rows("per_example.csv", &run.ledger.rows(certificates.as_ref()))?
            .rows("evaluations.csv", &keyed(spec, &run.evaluations))?
            .rows("checklist.csv", &checks)?
            .rows("effort.csv", &effort)?;
        Ok(Some(record.tensors("images.safetensors", images)))
    }

    /// A network of a file that the user gave.
    fn given(&self, spec: &AttackSpec, path: &Path, sha256: &str, hints: &Hints, device: &Device) -> Result<Model> {
        let model = spec.model.build(self.data.images.test.features(), CLASSES, Seed(0), device)?;
        let bytes = files::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let found = files::sha256(&bytes);
        ensure!(found == sha256, "{} has changed: its SHA-256 is {found}, was {sha256}", path.display());
        let loaded = weights::load_with(&model.parameters, weights::parse(&bytes, path)?, hints);
        loaded.with_context(|| format!("weights of {}", path.display()))?;
        Ok(model)
    }

    /// A network that was trained here, in numbers of that type, and the step at which its training diverged, if so.
    fn trained(&self, training: &TrainingSpec, dtype: DType, device: &Device) -> Result<(Model, Option<usize>)> {
        let (arm, seed) = (&training.arm, training.seed.0);
        let run = self.store.find(training)?.finished();
        let run = run.with_context(|| format!("{arm} of seed {seed} is not trained; run the experiment's command"))?;
        let model = training.model.build_as(dtype, self.data.images.test.features(), CLASSES, Seed(0), device)?;
        if !run.diverged() {
            weights::load(&model.parameters, weights::read(&run.directory.join("weights.safetensors"))?)?;
        }
        Ok((model, run.manifest.diverged_at_step))
    }

    /// The network in f64, with the same parameters.
    fn precise(&self, spec: &AttackSpec, model: &Model, device: &Device) -> Result<Model> {
        let precise = spec.model.build_as(DType::F64, self.data.images.test.features(), CLASSES, Seed(0), device)?;
        precise.parameters.assign(&model.parameters.to_stored()?.into_iter().collect())?;
        Ok(precise)
    }

    /// The images that are attacked: the same for every network and seed, so that networks can be compared in pairs.
    fn examples<T: FloatDType>(&self, spec: &AttackSpec, classifier: &Classifier<'_, T>) -> Result<Examples<T>> {
        let test = &self.data.images.test;
        let mut rows = attacked(test.len(), spec.images);
        rows.sort_unstable();
        let images = test.inputs(&rows, &Device::Cpu)?.to_dtype(T::DTYPE)?.flatten_all()?.to_vec1()?;
        let labels = rows.iter().map(|row| usize::from(test.labels[*row])).collect();
        Ok(Examples::of_indices(classifier, images, labels, rows)?)
    }

    fn checklist<T: Number>(
        &self,
        spec: &AttackSpec,
        model: &Model,
        run: &Run<'_, T>,
        job: &Job<'_>,
    ) -> Result<Findings> {
        let (Some(eps), 1..) = (spec.eps.last(), spec.checklist_images) else { return Ok(Findings::default()) };
        let chosen: BTreeSet<usize> =
            attacked(self.data.images.test.len(), spec.checklist_images).into_iter().collect();
        let examples = run.examples.filter(|example| chosen.contains(&example.index));
        let precise = self.precise(spec, model, job.device)?;
        let mut surrogates = Vec::new();
        for training in &spec.surrogates {
            let (model, diverged_at_step) = self.trained(training, T::DTYPE, job.device)?;
            surrogates.extend(diverged_at_step.is_none().then(|| (training.arm.clone(), model)));
        }
        let setting = run.setting(*eps);
        let setting = Setting { stop: Stop::AtSuccess, ..setting };
        let subject = Subject { classifier: run.classifier, examples: &examples, setting: &setting };
        checklist::make(&subject, &precise, &surrogates, job)
    }
}

/// Clean and worst-case accuracy.
fn headline(rows: &[EvaluationRow]) -> String {
    let clean = rows.iter().find(|row| row.split == "attacked" && row.metric == "accuracy" && row.attack == "none");
    let worst = rows.iter().filter(|row| row.attack == "worst_case" && row.epsilon > Some(0.0));
    let at = worst.map(|row| format!("{:.1} % at {}", 100.0 * row.value, significant(row.epsilon.unwrap_or_default())));
    let clean = 100.0 * clean.map_or(f64::NAN, |row| row.value);
    format!("clean {clean:.2} %, worst case {}", at.take(3).collect::<Vec<_>>().join(", "))
}
