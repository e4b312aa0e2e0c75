//! Images, attacks and weights of a command in one file, for other programs to check.

use super::CLASSES;
use super::ledger::{Entry, Ledger};
use super::spec::AttackSpec;
use crate::evaluate::attack::{Attack, Example, Examples, Outcome, TOLERANCE};
use crate::evaluate::certificate::Certificates;
use crate::files;
use crate::model::Model;
use anyhow::{Context, Result, ensure};
use candle_core::{Device, FloatDType, Tensor};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Collects named tensors from runs, and writes them at the end.
#[derive(Debug)]
pub struct Export {
    path: PathBuf,
    tensors: Mutex<Vec<(String, Tensor)>>,
}

impl Export {
    /// To a `.npz` or a `.safetensors` file.
    ///
    /// # Errors
    /// When the name ends otherwise, or no file can be made there: told before the hours that the attacks take.
    pub fn new(path: &Path) -> Result<Self> {
        let end = path.extension().and_then(|end| end.to_str());
        let fits = matches!(end, Some("npz" | "safetensors"));
        ensure!(fits, "--export-adversarial {}: use a name that ends in .npz or .safetensors", path.display());
        let parent = files::parent(path);
        ensure!(parent.is_dir(), "--export-adversarial {}: there is no directory {}", path.display(), parent.display());
        ensure!(
            !path.exists() || path.is_file(),
            "--export-adversarial {}: it is not a regular file; use another name",
            path.display()
        );
        let trial = tempfile::Builder::new().prefix(files::PARTIAL).tempfile_in(parent);
        trial.with_context(|| {
            format!("--export-adversarial {}: cannot write to {}", path.display(), parent.display())
        })?;
        Ok(Self { path: path.into(), tensors: Mutex::default() })
    }

    /// Takes in tensors; of two with one name the first is kept.
    pub fn add(&self, tensors: impl IntoIterator<Item = (String, Tensor)>) {
        let mut all = self.tensors.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (name, tensor) in tensors {
            if all.iter().all(|(other, _)| *other != name) {
                all.push((name, tensor));
            }
        }
    }

    /// Writes the file, whole or not at all.
    pub fn write(&self) -> Result<()> {
        let mut all = self.tensors.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        let written = files::write_with(&self.path, |path| -> candle_core::Result<()> {
            match path.extension().is_some_and(|end| end == "npz") {
                true => Tensor::write_npz(&all, path),
                false => files::write_tensors(path, &all),
            }
        });
        written.with_context(|| format!("--export-adversarial: cannot write {}", self.path.display()))
    }
}

/// What an attack run gives to an export.
impl Export {
    pub(super) fn network<T: FloatDType>(
        &self,
        spec: &AttackSpec,
        examples: &Examples<T>,
        model: &Model,
    ) -> Result<()> {
        let numbers = |of: fn(&Example<'_, T>) -> i64| -> Result<Tensor> {
            let values: Vec<i64> = examples.iter().map(|example| of(&example)).collect();
            Ok(Tensor::new(values, &Device::Cpu)?)
        };
        self.add([
            ("images".into(), pixels(examples, examples.images().to_vec())?),
            ("labels".into(), numbers(|example| example.label as i64)?),
            ("indices".into(), numbers(|example| example.index as i64)?),
            ("settings/steps".into(), Tensor::new(&[spec.effort.steps as i64], &Device::Cpu)?),
            ("settings/bits".into(), Tensor::new(&[8 * T::DTYPE.size_in_bytes() as i64], &Device::Cpu)?),
        ]);
        let network = format!("{}/seed{}", spec.arm, spec.seed.0);
        let logits: Vec<T> = examples.iter().flat_map(|e| e.logits.iter().map(|z| T::from_f64(*z))).collect();
        self.add([(format!("{network}/logits"), Tensor::from_vec(logits, (examples.len(), CLASSES), &Device::Cpu)?)]);
        let prefix = format!("{network}/weights");
        for (name, tensor) in model.parameters.to_stored()? {
            self.add([(format!("{prefix}/{name}"), tensor.to_device(&Device::Cpu)?)]);
        }
        Ok(())
    }

    /// The last iterates of an attack in a ball.
    pub(super) fn last<T: FloatDType>(
        &self,
        spec: &AttackSpec,
        examples: &Examples<T>,
        (attack, eps): (Attack, f64),
        outcomes: &[Outcome<T>],
    ) -> Result<()> {
        let images = examples.iter().zip(outcomes).flat_map(|(example, made)| last(example.image, made));
        let name = format!("{}/{}/eps{eps}/last", name(spec), attack.name());
        self.add([(name, pixels(examples, images.collect())?)]);
        Ok(())
    }

    pub(super) fn results<T: FloatDType>(
        &self,
        spec: &AttackSpec,
        examples: &Examples<T>,
        ledger: &Ledger<T>,
        certificates: Option<&Certificates>,
    ) -> Result<()> {
        let choose = |within: f64| -> Vec<T> {
            let entries = examples.iter().zip(ledger.entries());
            let image = |(example, entry): (Example<'_, T>, &Entry<T>)| {
                let inside = entry.row.distance <= within + TOLERANCE;
                entry.image.as_ref().filter(|_| inside).map_or_else(|| example.image.to_vec(), Clone::clone)
            };
            entries.flat_map(image).collect()
        };
        for eps in &spec.eps {
            self.add([(format!("{}/worst/eps{eps}", name(spec)), pixels(examples, choose(*eps))?)]);
        }
        self.add([(format!("{}/nearest", name(spec)), pixels(examples, choose(f64::INFINITY))?)]);
        if let Some(certificates) = certificates {
            let prefix = format!("{}/seed{}/radii", spec.arm, spec.seed.0);
            let tensor = |radii: Vec<f64>| Tensor::new(radii, &Device::Cpu);
            self.add([
                (format!("{prefix}/pair"), tensor(certificates.radii(|radii| radii.pair))?),
                (format!("{prefix}/rounded"), tensor(certificates.radii(|radii| radii.rounded))?),
            ]);
        }
        Ok(())
    }
}

/// What names of a run's tensors begin with.
fn name(spec: &AttackSpec) -> String {
    format!("{}/seed{}/{}", spec.arm, spec.seed.0, spec.norm.name())
}

/// Pixels of all images.
fn pixels<T: FloatDType>(examples: &Examples<T>, pixels: Vec<T>) -> Result<Tensor> {
    Ok(Tensor::from_vec(pixels, (examples.len(), ()), &Device::Cpu)?)
}

/// The last iterate of an attack; the image itself where none was needed.
fn last<T: FloatDType>(image: &[T], outcome: &Outcome<T>) -> Vec<T> {
    let made = !outcome.is_clean_error() && !outcome.last.is_empty();
    if made { outcome.last.clone() } else { image.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::DType;
    use std::fs;

    #[test]
    fn an_export_that_fails_leaves_the_old_file_and_nothing_else() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("images.npz");
        let tensor = |dtype| Tensor::zeros(3, dtype, &Device::Cpu).expect("zeros");
        let first = Export::new(&path).expect("a place to write to");
        first.add([("a".to_string(), tensor(DType::F32))]);
        first.write().expect("a file");
        let before = fs::read(&path).expect("the file");

        let second = Export::new(&path).expect("a place to write to");
        // numpy knows no such type: the file fails when its first array is written already.
        second.add([("a".to_string(), tensor(DType::F64)), ("b".to_string(), tensor(DType::BF16))]);
        let error = second.write().expect_err("no array of bf16");
        assert!(error.to_string().contains("--export-adversarial: cannot write"), "{error:#}");
        assert_eq!(fs::read(&path).expect("the file"), before);
        assert_eq!(fs::read_dir(directory.path()).expect("the directory").count(), 1);
    }
}
