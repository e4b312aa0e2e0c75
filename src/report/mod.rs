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
use crate::console;
use crate::files;
use crate::record::gradients::{Finished, chosen};
use crate::record::{FinishedRun, Search, Store, statistics::Sample};
use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::Path;

/// What a command tells at its end.
#[derive(Debug)]
pub struct Report {
    /// The closing table, the expectations, and where things are.
    pub text: String,
    /// Expectations that were missed.
    pub missed: usize,
}

/// What [`redraw`] made.
#[derive(Debug)]
pub struct Redrawn {
    /// The report.
    pub report: Report,
    /// Runs that the experiment asks for.
    pub planned: usize,
    /// Those of them that are not there, by directory, with what is wrong of one that is damaged.
    pub absent: Vec<String>,
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

    /// Notes it in the store, so that [`redraw`] finds its runs.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, store: &Store) -> Result<()> {
        write(&store.remembers(self.name()), toml::to_string(self)?.as_bytes())
    }
}

/// Names of the experiments that the store holds.
///
/// # Errors
/// When there is none.
pub fn remembered(store: &Store) -> Result<Vec<String>> {
    let names = store.experiments()?;
    let root = store.root().display();
    ensure!(!names.is_empty(), "{root} holds no runs; run `han-exp reproduce` first, or see --out");
    Ok(names)
}

/// Writes tables, figures and Markdown of an experiment as it was run last anew.
///
/// # Errors
/// When it has no finished run, or a file is damaged.
pub fn redraw(store: &Store, name: &str) -> Result<Redrawn> {
    let path = store.remembers(name);
    let text = files::read_text(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let root = store.root().display();
    let nothing = || format!("{root} has no run of {name} as it was set up last; nothing is redrawn");
    let mut search = Searching { store, planned: 0, absent: Vec::new() };
    let report = match toml::from_str(&text).with_context(|| path.display().to_string())? {
        Remembered::Checkerboard { device, experiment } => {
            let experiment = experiment.check()?;
            let runs = search.finished(&experiment.runs(&device))?;
            ensure!(!runs.is_empty(), nothing());
            checkerboard::write(store, &experiment, search.planned, &runs)
        }
        Remembered::Robustness { experiment, trainings, attacks } => {
            let experiment = experiment.check()?;
            let (trainings, attacks) = (search.finished(&trainings)?, search.finished(&attacks)?);
            ensure!(!attacks.is_empty(), nothing());
            robustness::write(store, &experiment, search.planned, &trainings, &attacks)
        }
        Remembered::Image { experiment, runs } => {
            let experiment = experiment.check()?;
            let found = search.finished(&runs)?;
            ensure!(!found.is_empty(), nothing());
            image::write(store, &experiment, runs.len(), &found)
        }
        Remembered::Claims { device, experiment } => {
            let claims = experiment.check()?;
            let runs = claims.runs(&device);
            let mut probes = search.finished(&runs.timings)?;
            probes.extend(search.finished(&runs.probes)?);
            let selections = search.finished(&runs.selections)?;
            let finals = search.finished(&chosen(&runs.selections, &selections)?)?;
            let found = Finished { probes, selections, finals };
            ensure!(!found.is_empty(), nothing());
            search.planned = found.planned(&runs);
            gradients::write(store, &claims, &runs, &found)
        }
    }?;
    Ok(Redrawn { report, planned: search.planned, absent: search.absent })
}

/// Looks for the runs of an experiment, and notes those that are not there.
struct Searching<'s> {
    store: &'s Store,
    planned: usize,
    absent: Vec<String>,
}

impl Searching<'_> {
    /// Those of the runs that are on disk.
    fn finished<S: Spec>(&mut self, specs: &[S]) -> Result<Vec<FinishedRun<S>>> {
        self.planned += specs.len();
        let mut found = Vec::with_capacity(specs.len());
        for spec in specs {
            match self.store.find(spec)? {
                Search::Finished(run) => found.push(*run),
                Search::Damaged(what) => self.absent.push(what),
                Search::Missing => {
                    let directory = self.store.root().join(spec.directory()?);
                    self.absent.push(format!("{} is missing", directory.display()));
                }
            }
        }
        Ok(found)
    }
}

/// Writes `tables/<name>.csv`.
fn write_table<Row: Serialize>(store: &Store, name: &str, rows: &[Row]) -> Result<()> {
    let tables = store.root().join("tables");
    fs::create_dir_all(&tables).with_context(|| format!("--out: cannot make {}", tables.display()))?;
    let path = tables.join(format!("{name}.csv"));
    if !rows.is_empty() {
        return write(&path, &crate::record::csv(rows)?);
    }
    // Readers take a file without a header for damaged, and one of earlier rows for this.
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => bail!("cannot remove {}: {error}", path.display()),
        _ => Ok(()),
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    files::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

/// Writes the section of an experiment, and puts the sections of all experiments into `README.md`.
fn write_section(store: &Store, name: &str, section: &str) -> Result<()> {
    let tables = store.root().join("tables");
    write(&tables.join(format!("{name}.md")), section.as_bytes())?;
    let mut text =
        "# Results\n\nWritten by `han-exp`; `han-exp report` writes it anew from the CSV files.\n".to_string();
    let mut sections: Vec<_> = fs::read_dir(&tables)?.flatten().map(|entry| entry.path()).collect();
    sections.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    sections.sort();
    for path in sections {
        match files::read_text(&path) {
            Ok(section) => text += &format!("\n{section}"),
            Err(error) => console::note(&format!("warning: {} is left out: {error}", path.display())),
        }
    }
    write(&store.root().join("README.md"), text.as_bytes())
}

/// How many of the planned runs are finished; None if all are.
fn missing(finished: usize, planned: usize) -> Option<String> {
    (finished < planned).then(|| format!("{finished} of {planned} runs are finished"))
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
