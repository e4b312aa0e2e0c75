//! Bars on a terminal that can redraw, plain lines elsewhere, nothing with `--quiet`. Everything goes to standard error.

use crate::config::Spec;
use crate::console::note;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::ffi::OsStr;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Steps between two updates of a bar: a step takes a tenth of a millisecond, a redraw may not cost as much.
const UPDATE_EVERY: usize = 50;

/// Shows a batch of runs.
pub struct Progress {
    style: Style,
    total: AtomicUsize,
    done: AtomicUsize,
}

enum Style {
    Bars { bars: MultiProgress, overall: ProgressBar },
    Lines,
    Quiet,
}

impl Progress {
    /// Chooses by `quiet` and by whether standard error is a terminal.
    pub fn new(quiet: bool) -> Self {
        let style = if quiet {
            Style::Quiet
        } else if std::io::stderr().is_terminal() && redraws(std::env::var_os("TERM").as_deref()) {
            let bars = MultiProgress::new();
            let overall = bars.add(ProgressBar::no_length());
            overall.set_style(style("{bar:30} {pos}/{len} runs, {elapsed_precise} elapsed, {eta_precise} left"));
            Style::Bars { bars, overall }
        } else {
            Style::Lines
        };
        Self { style, total: AtomicUsize::new(0), done: AtomicUsize::new(0) }
    }

    pub(super) fn begin(&self, planned: usize, missing: usize) {
        self.total.store(missing, Ordering::Relaxed);
        let found = planned - missing;
        match &self.style {
            Style::Bars { overall, .. } => {
                overall.set_length(missing as u64);
                overall.enable_steady_tick(std::time::Duration::from_secs(1));
            }
            Style::Lines | Style::Quiet => {}
        }
        if found > 0 {
            self.say(&format!("{found} of {planned} runs are finished already; --force makes them again"));
        }
    }

    /// A line above the bars.
    fn say(&self, line: &str) {
        match &self.style {
            Style::Bars { overall, .. } => overall.println(line),
            Style::Lines => note(line),
            Style::Quiet => {}
        }
    }

    pub(super) fn end(&self) {
        if let Style::Bars { bars, overall } = &self.style {
            overall.finish_and_clear();
            // A terminal that went away takes the bars with it.
            let _ = bars.clear();
        }
    }

    pub(super) fn start(&self, spec: &impl Spec) -> RunProgress<'_> {
        let name = format!("{} {} seed {}", spec.arm(), spec.point(), spec.seed().0);
        let bar = match &self.style {
            Style::Bars { bars, overall } => {
                let bar = bars.insert_before(overall, ProgressBar::new(spec.steps() as u64));
                bar.set_style(style("{bar:20.cyan} {pos:>6}/{len} {prefix:44} {msg} {eta} left"));
                bar.set_prefix(name.clone());
                Some(bar)
            }
            Style::Lines | Style::Quiet => None,
        };
        RunProgress { progress: self, name, slow: spec.steps() <= 100, bar }
    }
}

/// Whether a terminal of that kind can go back to a line that it has written.
fn redraws(kind: Option<&OsStr>) -> bool {
    kind.is_some_and(|kind| !kind.is_empty() && kind != "dumb") || cfg!(windows)
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates in this file are valid")
}

/// Shows one run.
pub struct RunProgress<'a> {
    progress: &'a Progress,
    name: String,
    /// Whether a step takes seconds.
    slow: bool,
    bar: Option<ProgressBar>,
}

impl RunProgress<'_> {
    pub(super) fn step(&mut self, step: usize, words: &dyn Fn() -> String) {
        let Some(bar) = &self.bar else { return };
        if step.is_multiple_of(UPDATE_EVERY) || self.slow {
            bar.set_position(step as u64);
            bar.set_message(words());
        }
    }

    pub(super) fn abandon(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }

    pub(super) fn finish(self, headline: &str, seconds: f64) {
        let done = self.progress.done.fetch_add(1, Ordering::Relaxed) + 1;
        let total = self.progress.total.load(Ordering::Relaxed);
        let line = format!("[{done}/{total}] {}: {headline} in {seconds:.1} s", self.name);
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
        self.progress.say(&line);
        if let Style::Bars { overall, .. } = &self.progress.style {
            overall.inc(1);
        }
    }
}
