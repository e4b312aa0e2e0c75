//! What the runs of a command are made with: flags, the results directory, the device, Ctrl-C.

use super::manifest::Environment;
use super::part::Part;
use super::stop::Stop;
use super::store::{Store, check_directory};
use crate::console::note;
use crate::device::{ChosenDevice, DeviceChoice};
use crate::engine::settings::ProfileName;
use anyhow::Result;
use clap::Args;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How to run, whatever is run.
#[derive(Debug, Clone, Args)]
pub struct Running {
    /// Where tensors live: auto, cpu or cuda:N
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    pub device: DeviceChoice,
    /// Runs at a time [default: the number of CPU cores; 1 on a GPU]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub jobs: Option<u16>,
    /// Results directory [default: results; results/smoke for the profile smoke]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Repeat finished runs, and restart unfinished ones
    #[arg(long)]
    pub force: bool,
    /// Seconds between checkpoints of a run; after a kill the same command resumes from the last one
    #[arg(long, default_value = CHECKPOINT_EVERY, value_name = "SECONDS", value_parser = seconds)]
    pub checkpoint_every: Duration,
    /// An SVG beside every PNG
    #[arg(long)]
    pub svg: bool,
    /// No progress, only the closing table
    #[arg(long)]
    pub quiet: bool,
    /// Which of the runs.
    #[command(flatten)]
    pub part: Part,
}

/// As it would be typed.
const CHECKPOINT_EVERY: &str = "60";

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|error| format!("{error}"))?;
    Duration::try_from_secs_f64(seconds).map_err(|_| "use a number of seconds".into())
}

/// Cores that this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Results directories where `--out` names none. Smoke runs have their own: they would take the place of what took hours.
pub const RESULTS: &str = "results";
pub const SMOKE_RESULTS: &str = "results/smoke";

impl Running {
    /// How a run is made again by itself.
    pub fn alone() -> Self {
        Self {
            device: DeviceChoice::Auto,
            jobs: Some(1),
            out: None,
            force: false,
            checkpoint_every: seconds(CHECKPOINT_EVERY).unwrap_or_default(),
            svg: false,
            quiet: false,
            part: Part::default(),
        }
    }

    /// The results directory for runs of a profile.
    ///
    /// # Errors
    /// When a file has its name.
    pub fn out(&self, profile: ProfileName) -> Result<PathBuf> {
        let usual = if profile == ProfileName::Smoke { SMOKE_RESULTS } else { RESULTS };
        let out = self.out.clone().unwrap_or_else(|| usual.into());
        check_directory(&out)?;
        Ok(out)
    }

    /// Runs at a time. A GPU is shared badly by several processes' worth of small kernels, so there it is one.
    pub fn jobs(&self) -> usize {
        self.jobs.map_or(if self.device.expects_gpu() { 1 } else { cores() }, usize::from)
    }

    /// Kind of the device. A GPU that is named is not opened: a plan may be made on a machine that has none.
    pub fn device_kind(&self) -> Result<&'static str> {
        match self.device {
            DeviceChoice::Cuda(_) if cfg!(feature = "cuda") => Ok("cuda"),
            _ => Ok(self.open_device()?.kind),
        }
    }

    /// Opens the device, and tells what it could not be.
    pub fn open_device(&self) -> Result<ChosenDevice> {
        let device = self.device.open()?;
        if let Some(text) = &device.note {
            note(&format!("note: {text}"));
        }
        Ok(device)
    }
}

/// The results directory and the device of a command that makes runs.
pub struct Workplace<'r> {
    pub(super) running: &'r Running,
    pub store: Store,
    pub device: ChosenDevice,
    pub(super) environment: Environment,
    pub(super) stop: &'r Stop,
    /// When the command began, until its first runs do.
    pub(super) begun: Mutex<Option<Instant>>,
}

impl<'r> Workplace<'r> {
    /// Opens the results directory for an experiment, and removes what a killed process left half-written.
    pub fn open(
        running: &'r Running,
        out: &Path,
        device: ChosenDevice,
        experiment: &str,
        stop: &'r Stop,
    ) -> Result<Self> {
        let store = Store { svg: running.svg, ..Store::new(out) };
        store.clean(experiment)?;
        let environment = Environment::here(device.name(), running.jobs());
        Ok(Self { running, store, device, environment, stop, begun: Mutex::new(None) })
    }

    /// When the command has begun its work, if that was before.
    pub fn begun_at(self, begun: Instant) -> Self {
        Self { begun: Mutex::new(Some(begun)), ..self }
    }

    /// Whether somebody wants the command to stop.
    pub fn stopped(&self) -> bool {
        self.stop.is_wanted()
    }
}
