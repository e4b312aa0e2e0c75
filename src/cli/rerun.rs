//! `han-exp rerun`

use super::{Exit, stop_on_interrupt};
use crate::config::RunSpec;
use crate::device::DeviceChoice;
use crate::experiment::checkerboard;
use crate::record::{Environment, Store};
use crate::train::Control;
use anyhow::{Context, Result, ensure};
use clap::Args;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

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
    let device = arguments.device.open()?;
    let kind = device.kind;
    ensure!(spec.device == kind, "{name}: the run was made on {}, this is {kind}; see --device", spec.device);

    let store = Store::new(&arguments.out);
    let _lock = store.lock(&spec.experiment)?;
    let stop = stop_on_interrupt()?;
    let mut step = |_| if stop.load(Ordering::Relaxed) { Control::Stop } else { Control::Continue };
    let Some(record) = checkerboard::run(&spec, &device.device, &mut step)? else {
        return Ok(Exit::Interrupted);
    };
    let environment = Environment::here(format!("{:?}", device.device.location()), 1);
    let finished = store.save(&spec, &record, &environment)?;
    println!("{}", finished.directory.display());
    Ok(Exit::Success)
}
