//! `han-exp rerun`

use super::{Exit, stop_on_interrupt, tell};
use crate::config::RunSpec;
use crate::device::DeviceChoice;
use crate::experiment::checkerboard::Checkerboard;
use crate::experiment::progress::Progress;
use crate::experiment::scheduler::Scheduler;
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
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit> {
    let path = if arguments.run.is_dir() { arguments.run.join("config.toml") } else { arguments.run.clone() };
    let name = path.display();
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {name}"))?;
    let spec: RunSpec = toml::from_str(&text).with_context(|| name.to_string())?;
    if let Some(problem) = spec.problem() {
        bail!("{name}: {problem}");
    }
    let device = arguments.device.open()?;
    let kind = device.kind;
    ensure!(spec.device == kind, "{name}: the run was made on {}, this is {kind}; see --device", spec.device);

    let store = Store::new(&arguments.out);
    let _lock = store.lock(&spec.experiment)?;
    let stop = stop_on_interrupt()?;
    let environment = Environment::here(format!("{:?}", device.device.location()), 1);
    let (store, environment, device, stop) = (&store, &environment, &device.device, &stop);
    let scheduler = Scheduler { store, device, environment, jobs: 1, force: true, stop };
    let batch = scheduler.run(&Checkerboard, &[spec], &Progress::new(false))?;
    batch.finished.iter().for_each(|run| tell(&format!("{}\n", run.directory.display())));
    Ok(if batch.interrupted { Exit::Interrupted } else { Exit::Success })
}
