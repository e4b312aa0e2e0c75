//! Tables, figures and Markdown, all made from the CSV files of finished runs: they can be redrawn without a run.

pub mod checkerboard;
mod drawn;
pub mod gradients;
pub mod image;
mod markdown;
mod provenance;
pub mod robustness;
mod verdict;

use crate::config::gradients::ClaimsFile;
use crate::config::image::{ImageFile, ImageSpec};
use crate::config::robustness::{AttackSpec, RobustnessFile, TrainingSpec};
use crate::config::{ExperimentFile, Spec};
use crate::record::gradients::{Finished, chosen};
use crate::record::{FinishedRun, Store, statistics::Sample};
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::PathBuf;

/// What a command tells at its end.
#[derive(Debug)]
pub struct Report {
    /// The closing table, the expectations, and where things are.
    pub text: String,
    /// Expectations that were missed.
    pub missed: usize,
}

/// What `han-exp report` needs to know of the last command of an experiment.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remembered {
    /// Of the checkerboard, or another experiment of its kind.
    Checkerboard {
        /// Kind of device.
        device: String,
        /// The file, profile and flags applied.
        experiment: Box<ExperimentFile>,
    },
    /// Of a robustness experiment.
    Robustness {
        /// The file, profile and flags applied.
        experiment: Box<RobustnessFile>,
        /// The trainings.
        trainings: Vec<TrainingSpec>,
        /// The attacks.
        attacks: Vec<AttackSpec>,
    },
    /// Of a comparison of image classifiers.
    Image {
        /// The file, profile and flags applied.
        experiment: Box<ImageFile>,
        /// The trainings.
        runs: Vec<ImageSpec>,
    },
    /// Of the measurements of the layer's claims.
    Claims {
        /// Kind of device.
        device: String,
        /// The file, profile and flags applied.
        experiment: Box<ClaimsFile>,
    },
}

impl Remembered {
    fn name(&self) -> &str {
        match self {
            Self::Checkerboard { experiment, .. } => &experiment.experiment.name,
            Self::Robustness { experiment, .. } => &experiment.experiment.name,
            Self::Image { experiment, .. } => &experiment.experiment.name,
            Self::Claims { experiment, .. } => &experiment.experiment.name,
        }
    }

    fn path(store: &Store, name: &str) -> PathBuf {
        store.root().join("runs").join(name).join("experiment.toml")
    }

    /// Notes it in the store, so that [`redraw`] finds its runs.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, store: &Store) -> Result<()> {
        let path = Self::path(store, self.name());
        fs::write(&path, toml::to_string(self)?).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// Names of the experiments that the store holds.
pub fn remembered(store: &Store) -> Result<Vec<String>> {
    let runs = store.root().join("runs");
    let mut names: Vec<String> = fs::read_dir(&runs)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().join("experiment.toml").exists())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let root = store.root().display();
    ensure!(!names.is_empty(), "{root} holds no runs; run `han-exp reproduce` first, or see --out");
    Ok(names)
}

/// Writes tables, figures and Markdown of an experiment as it was run last anew.
///
/// # Errors
/// When it has no finished run, or a file is damaged.
pub fn redraw(store: &Store, name: &str) -> Result<Report> {
    let path = Remembered::path(store, name);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let root = store.root().display();
    let nothing = || format!("{root} has no run of {name} as it was set up last; nothing is redrawn");
    match toml::from_str(&text).with_context(|| path.display().to_string())? {
        Remembered::Checkerboard { device, experiment } => {
            let experiment = experiment.check()?;
            let runs = finished(store, &experiment.runs(&device))?;
            ensure!(!runs.is_empty(), nothing());
            checkerboard::write(store, &experiment, &runs)
        }
        Remembered::Robustness { experiment, trainings, attacks } => {
            let experiment = experiment.check()?;
            let planned = trainings.len() + attacks.len();
            let (trainings, attacks) = (finished(store, &trainings)?, finished(store, &attacks)?);
            ensure!(!attacks.is_empty(), nothing());
            robustness::write(store, &experiment, planned, &trainings, &attacks)
        }
        Remembered::Image { experiment, runs } => {
            let experiment = experiment.check()?;
            let found = finished(store, &runs)?;
            ensure!(!found.is_empty(), nothing());
            image::write(store, &experiment, runs.len(), &found)
        }
        Remembered::Claims { device, experiment } => {
            let claims = experiment.check()?;
            let runs = claims.runs(&device);
            let mut probes = finished(store, &runs.timings)?;
            probes.extend(finished(store, &runs.probes)?);
            let selections = finished(store, &runs.selections)?;
            let finals = finished(store, &chosen(&runs.selections, &selections)?)?;
            let found = Finished { probes, selections, finals };
            ensure!(!found.is_empty(), nothing());
            gradients::write(store, &claims, &runs, &found)
        }
    }
}

/// Those of the runs that are on disk.
fn finished<S: Spec>(store: &Store, specs: &[S]) -> Result<Vec<FinishedRun<S>>> {
    let found = specs.iter().map(|spec| store.find(spec)).collect::<Result<Vec<_>>>()?;
    Ok(found.into_iter().flatten().collect())
}

/// Writes `tables/<name>.csv`.
fn write_table<Row: Serialize>(store: &Store, name: &str, rows: &[Row]) -> Result<()> {
    let tables = store.root().join("tables");
    fs::create_dir_all(&tables).with_context(|| format!("--out: cannot make {}", tables.display()))?;
    crate::record::write_rows(&tables.join(format!("{name}.csv")), rows)
}

/// Writes the section of an experiment, and puts the sections of all experiments into `README.md`.
fn write_section(store: &Store, name: &str, section: &str) -> Result<()> {
    let path = store.root().join("tables").join(format!("{name}.md"));
    fs::write(&path, section).with_context(|| format!("cannot write {}", path.display()))?;
    let mut text =
        "# Results\n\nWritten by `han-exp`; `han-exp report` writes it anew from the CSV files.\n".to_string();
    let mut sections: Vec<_> = fs::read_dir(store.root().join("tables"))?.flatten().map(|entry| entry.path()).collect();
    sections.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    sections.sort();
    for section in sections {
        text += "\n";
        text += &fs::read_to_string(&section).with_context(|| format!("cannot read {}", section.display()))?;
    }
    let path = store.root().join("README.md");
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// The probability of a test; what is too small for a floating-point number is not nothing.
fn probability(p: f64) -> String {
    if p < 1e-300 { "< 1e-300".into() } else { format!("{p:.1e}") }
}

fn percent(value: Option<f64>) -> String {
    value.map_or("-".into(), |value| format!("{:.2}", 100.0 * value))
}

/// Mean and standard deviation in percent; the mean alone of a single value.
fn spread(sample: Option<Sample>) -> String {
    match sample.and_then(|sample| sample.deviation) {
        Some(deviation) => format!("{} +- {:.2}", percent(sample.map(|s| s.mean)), 100.0 * deviation),
        None => percent(sample.map(|s| s.mean)),
    }
}
