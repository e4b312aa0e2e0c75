//! `han-exp rerun`

use super::data::ImageSource;
use super::{Exit, answer, stop_on_interrupt};
use crate::config::gradients::ProbeSpec;
use crate::config::image::ImageSpec;
use crate::config::robustness::{AttackSpec, ImageSet, TrainingSpec};
use crate::config::{RunSpec, Spec};
use crate::data::source::Dataset;
use crate::data::{self, images::ImageData};
use crate::device::DeviceChoice;
use crate::evaluate::attack::ROWS;
use crate::experiment::checkerboard::Checkerboard;
use crate::experiment::gradients::Prober;
use crate::experiment::image;
use crate::experiment::progress::Progress;
use crate::experiment::robustness::{Attacker, Trainer};
use crate::experiment::scheduler::{Batch, Scheduler};
use crate::files;
use crate::record::{Environment, Store};
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// config.toml of a run, or the directory that holds it
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Where tensors live: auto, cpu or cuda:N
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    device: DeviceChoice,
    /// Results directory; the run it came from is replaced if it lies there
    #[arg(long, default_value = "results", value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    source: ImageSource,
}

/// Images that a run needs.
struct Needed {
    dataset: Dataset,
    /// The data set's name, or `sample`.
    name: &'static str,
    /// SHA-256 of pixels and labels.
    sha256: String,
}

impl From<&ImageSet> for Needed {
    fn from(set: &ImageSet) -> Self {
        Self { dataset: set.dataset, name: set.name(), sha256: set.sha256.clone() }
    }
}

/// The kinds of runs, told apart by what only one of them has.
enum Kind {
    Checkerboard(RunSpec),
    Training(TrainingSpec),
    Attack(Box<AttackSpec>),
    Image(ImageSpec),
    Probe(ProbeSpec),
}

impl Kind {
    fn parse(text: &str) -> Result<Self> {
        let table: toml::Table = toml::from_str(text)?;
        let has = |key: &str| table.contains_key(key);
        Ok(if has("board") {
            Self::Checkerboard(toml::from_str(text)?)
        } else if has("probe") {
            Self::Probe(toml::from_str(text)?)
        } else if has("weights") {
            Self::Attack(Box::new(toml::from_str(text)?))
        } else if has("augment") {
            Self::Image(toml::from_str(text)?)
        } else {
            Self::Training(toml::from_str(text)?)
        })
    }

    fn problem(&self) -> Option<String> {
        match self {
            Self::Checkerboard(spec) => spec.problem(),
            Self::Training(spec) => spec.problem(),
            Self::Attack(spec) => spec.problem(),
            Self::Image(spec) => spec.problem(),
            Self::Probe(spec) => spec.problem(),
        }
    }

    /// Kind of device that the run was made on.
    fn device(&self) -> &str {
        match self {
            Self::Checkerboard(spec) => &spec.device,
            Self::Training(spec) => &spec.device,
            Self::Attack(spec) => &spec.device,
            Self::Image(spec) => &spec.device,
            Self::Probe(spec) => &spec.device,
        }
    }

    fn experiment(&self) -> &str {
        match self {
            Self::Checkerboard(spec) => spec.experiment(),
            Self::Training(spec) => spec.experiment(),
            Self::Attack(spec) => spec.experiment(),
            Self::Image(spec) => spec.experiment(),
            Self::Probe(spec) => spec.experiment(),
        }
    }

    /// The images that the run needs, if any.
    fn images(&self) -> Option<Needed> {
        match self {
            Self::Checkerboard(_) | Self::Probe(_) => None,
            Self::Training(TrainingSpec { data, .. }) => Some(data.into()),
            Self::Attack(spec) => Some((&spec.data).into()),
            Self::Image(ImageSpec { data, .. }) => {
                Some(Needed { dataset: data.dataset, name: data.name(), sha256: data.sha256.clone() })
            }
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit> {
    let path = if arguments.run.is_dir() { arguments.run.join("config.toml") } else { arguments.run.clone() };
    let name = path.display();
    let text = files::read_text(&path).with_context(|| format!("cannot read {name}"))?;
    let run = Kind::parse(&text).with_context(|| name.to_string())?;
    if let Some(problem) = run.problem() {
        bail!("{name}: {problem}");
    }
    let device = arguments.device.open()?;
    let kind = device.kind;
    ensure!(run.device() == kind, "{name}: the run was made on {}, this is {kind}; see --device", run.device());
    let data = run.images().map(|needed| images(needed, arguments)).transpose()?;

    let store = Store::new(&arguments.out);
    let _lock = store.lock(run.experiment())?;
    store.clean(run.experiment())?;
    let stop = stop_on_interrupt()?;
    let environment = Environment::here(format!("{:?}", device.device.location()), 1);
    let (store, environment, device, stop) = (&store, &environment, &device.device, &stop);
    let scheduler = Scheduler { store, device, environment, jobs: 1, force: true, stop };
    let progress = Progress::new(false);
    match (run, &data) {
        (Kind::Training(spec), Some((data, hash))) => {
            tell_of(scheduler.run(&Trainer { data, data_hash: hash }, &[spec], &progress)?)
        }
        (Kind::Attack(spec), Some((data, hash))) => {
            let attacker = Attacker { data, data_hash: hash, store, batch: ROWS, export: None };
            tell_of(scheduler.run(&attacker, &[*spec], &progress)?)
        }
        (Kind::Image(spec), Some((data, hash))) => {
            tell_of(scheduler.run(&image::Trainer { data, data_hash: hash }, &[spec], &progress)?)
        }
        (Kind::Probe(spec), _) => tell_of(scheduler.run(&Prober, &[spec], &progress)?),
        (Kind::Checkerboard(spec), _) => tell_of(scheduler.run(&Checkerboard, &[spec], &progress)?),
        (Kind::Training(_) | Kind::Attack(_) | Kind::Image(_), None) => bail!("{name}: the run needs images"),
    }
}

/// The images that a run was made on, and their hash.
fn images(needed: Needed, arguments: &Arguments) -> Result<(ImageData, String)> {
    let Needed { dataset, name, sha256 } = needed;
    let data = data::images::load(dataset, &arguments.source.options())?;
    let found = data.name();
    ensure!(found == name, "the run was made on {name}, here is {found}; see `han-exp data status`");
    let hash = data.hash();
    // Runs of versions before 0.6.0 do not say what they were made on.
    let same = sha256.is_empty() || hash == sha256;
    ensure!(same, "the run was made on other images of {name}: their SHA-256 is {sha256}, here it is {hash}");
    Ok((data, hash))
}

fn tell_of<S>(batch: Batch<S>) -> Result<Exit> {
    batch.finished.iter().for_each(|run| answer(&format!("{}\n", run.directory.display())));
    Ok(if batch.interrupted { Exit::Interrupted } else { Exit::Success })
}
