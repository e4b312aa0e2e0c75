//! What a command would make, without making it: a list for people, for `parallel` and `xargs`, and for programs.

use super::invocation::{Invocation, quoted};
use super::page::{counted, following, terminal_width, wrapped};
use super::runs::{Entry, Look, Running, Walk, duration};
use super::settings::Heading;
use anyhow::{Result, bail};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// The format of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A line for each run, for people
    Text,
    /// A command for each run that can be made now, for parallel or xargs; when all have ended, the same plan has those
    /// that follow from them
    Commands,
    /// Every run with all that is known of it
    Json,
}

/// A command with its runs.
pub struct Outline {
    /// Of the experiment.
    pub name: String,
    pub title: String,
    pub invocation: Invocation,
    /// The command, with all flags that say where runs are kept and on what device they are made.
    pub command: Vec<String>,
    /// Where its runs are kept.
    pub out: PathBuf,
    pub runs: Vec<Planned>,
    /// Runs that follow from what is missing; they are of the last stage.
    pub pending: usize,
    pub stages: usize,
    /// Of the runs that are missing, on so many jobs.
    pub seconds: f64,
    pub jobs: usize,
    /// See [`super::Experiment::needs_all`].
    pub needs_all: Option<&'static str>,
}

/// A run of it.
#[derive(Debug, Serialize)]
pub struct Planned {
    /// Its name: the column `run` of every CSV file.
    pub run: String,
    /// From 1.
    pub stage: usize,
    pub arm: String,
    pub point: String,
    pub seed: u64,
    pub width: Option<usize>,
    pub depth: Option<usize>,
    pub work: String,
    /// finished, missing, damaged, failed, or waiting for runs that it builds on.
    pub state: &'static str,
    /// Below the results directory.
    pub directory: String,
    pub command: String,
}

impl Outline {
    /// `more` are flags that say nothing about results.
    pub(super) fn of(
        walk: &Walk<'_>,
        heading: &Heading,
        invocation: Invocation,
        running: &Running,
        more: Vec<String>,
    ) -> Self {
        let out = walk.store.root.clone();
        let command = invocation.words(&[more, flags(running, &out)].concat());
        let line = [&[program()], &command[1..]].concat().join(" ");
        let planned = |entry: &Entry| Planned {
            run: entry.key.clone(),
            stage: entry.stage,
            arm: entry.arm.clone(),
            point: entry.point.clone(),
            seed: entry.seed,
            width: entry.details.width,
            depth: entry.details.depth,
            work: entry.details.work.clone(),
            state: state(entry),
            directory: entry.directory.display().to_string(),
            command: format!("{line} --jobs 1{} --run {}", if running.quiet { "" } else { " --quiet" }, entry.key),
        };
        Self {
            name: heading.name.clone(),
            title: headline(heading),
            command,
            invocation,
            out,
            runs: walk.entries.iter().map(planned).collect(),
            pending: walk.pending,
            stages: walk.stages,
            seconds: walk.seconds_left(running.jobs()),
            jobs: running.jobs(),
            needs_all: None,
        }
    }

    /// Refuses to hand out its runs one by one.
    ///
    /// # Errors
    /// When a flag needs all of them in one command.
    pub fn ensure_parts(&self) -> Result<()> {
        self.needs_all.map_or(Ok(()), |flag| {
            bail!("{flag} needs all runs in one command; leave it out, or use the experiment's own command")
        })
    }

    /// The plan in a format.
    pub fn told(&self, format: Format) -> Result<String> {
        Ok(match format {
            Format::Text => self.text(),
            Format::Commands => {
                self.ensure_parts()?;
                let is_ready = |run: &&Planned| !["finished", "waiting"].contains(&run.state);
                self.runs.iter().filter(is_ready).map(|run| format!("{}\n", run.command)).collect()
            }
            Format::Json => serde_json::to_string_pretty(&self.runs)? + "\n",
        })
    }

    /// Missing runs of each stage, the first first.
    pub fn missing(&self) -> Vec<usize> {
        let known = |stage| self.runs.iter().filter(|run| run.stage == stage && run.state != "finished").count();
        (1..=self.stages).map(|stage| known(stage) + if stage == self.stages { self.pending } else { 0 }).collect()
    }

    fn text(&self) -> String {
        let finished = self.runs.iter().filter(|run| run.state == "finished").count();
        let planned = self.runs.len() + self.pending;
        let longest = |of: fn(&Planned) -> &str| self.runs.iter().map(|run| of(run).chars().count()).max().unwrap_or(0);
        let (arm, point) = (longest(|run| &run.arm), longest(|run| &run.point));
        let mut text = wrapped(&self.title, terminal_width());
        let profile = self.invocation.profile;
        text += &format!("{}, {finished} of them finished, profile {profile}", counted(planned, "run"));
        if finished < planned {
            text += &format!("; about {} left on {} at a time", duration(self.seconds), self.jobs);
        }
        text += "\n";
        for run in &self.runs {
            let size = match (run.depth, run.width) {
                (Some(depth), Some(width)) => format!("{depth} x {width}"),
                _ => String::new(),
            };
            let state = match run.state {
                "missing" | "waiting" => "",
                "damaged" => "DAMAGED",
                "failed" => "FAILED",
                other => other,
            };
            text += &format!(
                "{:arm$} {size:>9} {:point$} seed {:<3} {:24} {state:8} {}\n",
                run.arm, run.point, run.seed, run.work, run.directory
            );
        }
        if self.pending > 0 {
            text += &format!("{} from the results of these\n", following(self.pending));
        }
        text
    }
}

/// The title, and the paper's claim as long as flags have not changed what it is about.
fn headline(heading: &Heading) -> String {
    let claim =
        Some(&heading.claim).filter(|claim| !claim.is_empty() && heading.claims.iter().all(|claim| !claim.void));
    heading.title() + &claim.map_or_else(String::new, |claim| format!(": {claim}"))
}

fn state(entry: &Entry) -> &'static str {
    match (&entry.state, &entry.failure) {
        (Look::Whole(_), _) => "finished",
        (Look::Damaged(_), _) => "damaged",
        (Look::Missing, Some(_)) => "failed",
        (Look::Missing, None) if entry.waits => "waiting",
        (Look::Missing, None) => "missing",
    }
}

/// How a shell finds this program: by its name, or by the path by which it was called.
fn program() -> String {
    let called = std::env::args_os().next().unwrap_or_default();
    let by_path = Path::new(&called).components().count() > 1;
    if by_path { quoted(&called.to_string_lossy()) } else { "han-exp".into() }
}

/// The flags that a command for another machine needs beside those that change results.
fn flags(running: &Running, out: &Path) -> Vec<String> {
    let mut flags = vec!["--out".into(), quoted(&out.to_string_lossy())];
    let switches = [(running.quiet, "--quiet"), (running.force, "--force")];
    flags.extend(switches.into_iter().filter(|(is_on, _)| *is_on).map(|(_, flag)| flag.to_string()));
    if running.checkpoint_every != Running::alone().checkpoint_every {
        flags.extend(["--checkpoint-every".into(), running.checkpoint_every.as_secs_f64().to_string()]);
    }
    flags
}
