//! `han-exp gradients`

use super::{Arguments, Chosen, Exit, Running, Workplace, answer, ending, stop_on_interrupt};
use crate::config::gradients::{Claims, ClaimsFile, Flags, Part, Runs};
use crate::experiment::checkerboard::Checkerboard;
use crate::experiment::gradients::Prober;
use crate::experiment::progress::Progress;
use crate::experiment::scheduler::Scheduler;
use crate::record::gradients::{Finished, chosen};
use crate::report::{self, Remembered};
use anyhow::Result;
use clap::Args;
use std::sync::atomic::AtomicBool;

/// Compiled in, so that the binary works anywhere.
pub(super) const EXPERIMENT: &str = include_str!("../../experiments/gradients.toml");

/// What to run: the experiment file, a profile, and flags over both.
#[derive(Debug, Clone, Args)]
pub(super) struct Setting {
    #[command(flatten)]
    pub(super) chosen: Chosen,
    /// Only these claims
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PART,..")]
    part: Option<Vec<Part>>,
    /// Networks to compare, by their names in the experiment file: hannet, fcnet, resnet and others
    #[arg(long, value_delimiter = ',', value_name = "MODEL,..")]
    models: Option<Vec<String>>,
    /// Width of all networks and stacks
    #[arg(long, value_name = "N", value_parser = positive)]
    width: Option<usize>,
    /// Largest depth of all networks and stacks; it takes the place of those from there on
    #[arg(long, value_name = "N", value_parser = positive)]
    max_depth: Option<usize>,
    /// Optimizer steps of every training of the depth part
    #[arg(long, value_name = "N", value_parser = positive)]
    iterations: Option<usize>,
    /// Independent repetitions
    #[arg(long, value_name = "N", value_parser = positive)]
    seeds: Option<usize>,
    /// Seed of the first repetition; the others follow
    #[arg(long, value_name = "N")]
    first_seed: Option<u64>,
}

fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("use a positive number".into()),
    }
}

impl Setting {
    /// The file with profile and flags applied.
    pub(super) fn resolve(&self) -> Result<ClaimsFile> {
        let (text, origin) = self.chosen.text(EXPERIMENT, "gradients")?;
        let flags = Flags {
            parts: self.part.clone(),
            models: self.models.clone(),
            width: self.width,
            max_depth: self.max_depth,
            iterations: self.iterations,
            seeds: self.seeds,
            first_seed: self.first_seed,
        };
        ClaimsFile::parse(&text, &origin)?.with_profile(self.chosen.profile)?.with_flags(&flags)
    }

    /// Checks everything, and lists the runs.
    pub(super) fn plan(&self, device: &str) -> Result<(Claims, Runs)> {
        let claims = self.resolve()?.check()?;
        let runs = claims.runs(device);
        Ok((claims, runs))
    }
}

pub(super) fn run(arguments: &Arguments<Setting>) -> Result<Exit> {
    let stop = stop_on_interrupt()?;
    execute(&arguments.setting, &arguments.running, arguments.strict, &stop)
}

/// The stages in order: check, plan, time, measure, train, write, draw, tell.
pub(super) fn execute(setting: &Setting, running: &Running, strict: bool, stop: &AtomicBool) -> Result<Exit> {
    let device = running.open_device()?;
    let kind = device.kind.to_string();
    let (claims, runs) = setting.plan(&kind)?;
    let workplace = Workplace::take(running, device, &claims.name)?;
    let store = &workplace.store;
    Remembered::Claims { device: kind, experiment: Box::new(claims.file().clone()) }.save(store)?;
    let progress = || Progress::new(running.quiet);
    let scheduler = workplace.scheduler(stop);
    // Times are taken alone: beside other runs they would be those of a busy machine.
    let alone = Scheduler { jobs: 1, ..workplace.scheduler(stop) };
    let mut finished =
        Finished { probes: alone.run(&Prober, &runs.timings, &progress())?.finished, ..Finished::default() };
    finished.probes.extend(scheduler.run(&Prober, &runs.probes, &progress())?.finished);
    finished.selections = scheduler.run(&Checkerboard, &runs.selections, &progress())?.finished;
    let finals = chosen(&runs.selections, &finished.selections)?;
    finished.finals = scheduler.run(&Checkerboard, &finals, &progress())?.finished;
    let report = report::gradients::write(store, &claims, &runs, &finished)?;
    answer(&report.text);
    Ok(ending(finished.len(), finished.planned(&runs), &report, strict))
}
