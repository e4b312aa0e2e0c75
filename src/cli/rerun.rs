//! `han-exp rerun`

use super::{Exit, Running, stop_on_signals};
use crate::device::DeviceChoice;
use crate::engine::runs::{RESULTS, Rerun};
use crate::engine::source::Source;
use crate::experiment::VERBS;
use crate::files;
use anyhow::{Context, Result, bail};
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// config.toml of a run, or the directory that holds it
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Where tensors live: auto, cpu or cuda:N
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    device: DeviceChoice,
    /// Results directory, for the run alone; the one it came from is replaced if it lies there [default: where that run lies,
    /// or else results]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    source: Source,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit> {
    let Arguments { run, device, out, source } = arguments;
    let path = if run.is_dir() { run.join("config.toml") } else { run.clone() };
    let name = path.display().to_string();
    let text = files::read_text(&path).with_context(|| {
        let cure = if path.exists() { "" } else { "; name the directory of a run" };
        format!("cannot read {name}{cure}")
    })?;
    let table = toml::from_str(&text).with_context(|| name.clone())?;
    let out = out.clone().or_else(|| home(&path)).unwrap_or_else(|| RESULTS.into());
    let running = Running { device: *device, out: Some(out.clone()), ..Running::alone() };
    let stop = stop_on_signals()?;
    let call = Rerun { name, text, table, source, running: &running, out: &out, stop: &stop };
    for verb in VERBS {
        if let Some(exit) = verb.kind.rerun(&call)? {
            return Ok(exit);
        }
    }
    bail!("{}: it is not a run of any experiment of this version; name a run's directory or its config.toml", call.name)
}

/// The results directory that a run lies in, `runs/<experiment>/<arm>/<run>/config.toml` below it.
fn home(config: &Path) -> Option<PathBuf> {
    let above = |config: &Path| {
        let home = config.ancestors().nth(4).filter(|runs| runs.ends_with("runs"))?.parent()?;
        Some(if home.as_os_str().is_empty() { PathBuf::from(".") } else { home.into() })
    };
    above(config).or_else(|| above(&config.canonicalize().ok()?))
}
