//! Bars on a terminal that can redraw; elsewhere a line for the start and the end of a run and one every minute, so that a log
//! shows life; nothing with `--quiet`. Everything goes to standard error.

use super::spec::Spec;
use crate::console::note;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::ffi::OsStr;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Steps between two updates of a bar: a step takes a tenth of a millisecond, a redraw may not cost as much.
const UPDATE_EVERY: usize = 50;
/// Between two lines about a run.
const TOLD_EVERY: Duration = Duration::from_secs(60);
/// Characters of a run's name beside its bar.
const NAME: usize = 30;

/// Shows a batch of runs.
pub struct Progress {
    /// Hidden where nothing can be redrawn, and with `--quiet`.
    bars: MultiProgress,
    overall: ProgressBar,
    /// Whether lines take the place of the bars.
    lines: bool,
    total: AtomicUsize,
    done: AtomicUsize,
    waits: AtomicBool,
}

impl Progress {
    /// Chooses by `quiet` and by whether standard error is a terminal.
    pub fn new(quiet: bool) -> Self {
        let redraws = std::io::stderr().is_terminal() && redraws(std::env::var_os("TERM").as_deref());
        let target = if redraws && !quiet { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bars = MultiProgress::with_draw_target(target);
        let overall = bars.add(ProgressBar::no_length());
        overall.set_style(style("{bar:20} {pos}/{len} runs, {elapsed_precise} elapsed, {eta_precise} left"));
        let (total, done, waits) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
        Self { bars, overall, lines: !redraws && !quiet, total, done, waits }
    }

    pub(super) fn begin(&self, planned: usize, missing: usize) {
        self.total.store(missing, Ordering::Relaxed);
        self.overall.set_length(missing as u64);
        if !self.overall.is_hidden() {
            self.overall.enable_steady_tick(Duration::from_secs(1));
        }
        let found = planned - missing;
        if found > 0 {
            self.say(&format!("{found} of {planned} runs are finished already; --force makes them again"));
        }
    }

    /// A line above the bars, or in their place.
    fn say(&self, line: &str) {
        if self.lines {
            note(line);
        } else {
            self.overall.println(line);
        }
    }

    /// Says once that the runs that are left are made by another process.
    pub(super) fn waiting(&self) {
        if !self.waits.swap(true, Ordering::Relaxed) {
            self.say("another han-exp is making the remaining runs; waiting for it");
        }
    }

    pub(super) fn end(&self) {
        self.overall.finish_and_clear();
        // A terminal that went away takes the bars with it.
        let _ = self.bars.clear();
    }

    /// A run that begins, or goes on from a step.
    pub(super) fn start(&self, spec: &impl Spec, step: usize) -> RunProgress<'_> {
        let (name, steps) = (name(spec), spec.steps());
        if self.lines {
            let from = if step > 0 { format!(", from step {step} on") } else { String::new() };
            note(&format!("{name}: {}{from}", spec.details().work));
        }
        let bar = self.bars.insert_before(&self.overall, ProgressBar::new(steps as u64));
        bar.set_style(style("{bar:8.cyan} {percent:>3} % {prefix} {eta:>4} left {wide_msg}"));
        bar.set_prefix(fitted(&name, NAME));
        bar.set_position(step as u64);
        bar.reset_eta();
        RunProgress { progress: self, name, steps, told: Instant::now(), bar }
    }

    /// A run that another process has made.
    pub(super) fn found(&self, spec: &impl Spec) {
        self.count(&name(spec), "made by another han-exp");
    }

    /// A run that cannot be made: told whether or not anybody wants to see progress.
    pub(super) fn failed(&self, spec: &impl Spec, why: &str) {
        let line = format!("error: {} cannot be made: {why}", name(spec));
        if self.overall.is_hidden() {
            note(&line);
        } else {
            self.say(&line);
        }
        self.done.fetch_add(1, Ordering::Relaxed);
        self.overall.inc(1);
    }

    fn count(&self, name: &str, what: &str) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        let total = self.total.load(Ordering::Relaxed);
        self.say(&format!("[{done}/{total}] {name}: {what}"));
        self.overall.inc(1);
    }
}

fn name(spec: &impl Spec) -> String {
    format!("{} {} seed {}", spec.arm(), spec.point(), spec.seed().0)
}

/// A text of so many characters: what is too much goes from its middle, since names differ at both ends.
fn fitted(text: &str, width: usize) -> String {
    let characters: Vec<char> = text.chars().collect();
    if characters.len() <= width {
        return format!("{text:width$}");
    }
    let head = (width - 2) / 2;
    let tail = width - 2 - head;
    let (begin, end) = (&characters[..head], &characters[characters.len() - tail..]);
    format!("{}..{}", begin.iter().collect::<String>(), end.iter().collect::<String>())
}

/// Whether a terminal of that kind can go back to a line that it has written.
fn redraws(kind: Option<&OsStr>) -> bool {
    kind.is_some_and(|kind| !kind.is_empty() && kind != "dumb") || cfg!(windows)
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates in this file are valid")
}

/// Shows one run. Its bar goes when it is dropped, whatever became of the run.
pub struct RunProgress<'a> {
    progress: &'a Progress,
    name: String,
    steps: usize,
    told: Instant,
    bar: ProgressBar,
}

impl RunProgress<'_> {
    pub(super) fn step(&mut self, step: usize, words: &dyn Fn() -> String) {
        // Where there are few steps, each takes seconds.
        if !step.is_multiple_of(UPDATE_EVERY) && self.steps > 100 {
            return;
        }
        if !self.bar.is_hidden() {
            self.bar.set_position(step as u64);
            self.bar.set_message(words());
        } else if self.progress.lines && self.told.elapsed() >= TOLD_EVERY {
            self.told = Instant::now();
            note(&format!("{}: {} of {}, {}", self.name, step, self.steps, words()));
        }
    }

    pub(super) fn finish(self, headline: &str, seconds: f64) {
        self.bar.finish_and_clear();
        self.progress.count(&self.name, &format!("{headline} in {seconds:.1} s"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_loses_its_middle() {
        assert_eq!(fitted("abc", 5), "abc  ");
        assert_eq!(fitted("hannet tuned-lr0.01-full seed 100", 21), "hannet tu..l seed 100");
        assert_eq!(fitted(&"é".repeat(50), 30).chars().count(), 30);
    }
}
