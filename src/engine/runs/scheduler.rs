//! Several runs at a time, on threads of their own and in other processes. Who makes a run changes nothing about it.

use super::desk;
use super::job::{Job, Tick};
use super::manifest::Look;
use super::progress::Progress;
use super::record::{FinishedRun, Record};
use super::spec::Spec;
use super::unwritable::is_unwritable;
use super::workplace::Workplace;
use crate::console::{note, one_line};
use crate::model::Halt;
use crate::train::Control;
use anyhow::{Context, Result, anyhow};
use std::any::Any;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// candle walks and drops graphs by recursion; a composed stack of a thousand layers needs room.
const STACK_BYTES: usize = 64 << 20;
/// Between two looks at a run that another process makes: at first, and at most. A server of files has enough to do.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
const LOOK_SELDOM: Duration = Duration::from_secs(2);

/// How the runs of an experiment are made.
pub trait Runner: Sync {
    /// What determines a run.
    type Spec: Spec;

    /// SHA-256 of the data that a run reads; empty for none.
    ///
    /// # Errors
    /// When the data cannot be made or read.
    fn data_hash(&self, spec: &Self::Spec) -> Result<String>;

    /// Makes one run; None if it has to stop. What comes out after [`Job::halt`] has stopped something is not used.
    ///
    /// # Errors
    /// Its own: the other runs are made all the same.
    fn run(&self, spec: &Self::Spec, job: &Job<'_>) -> Result<Option<Record>>;
}

/// How the runs of a stage are made.
#[derive(Debug, Clone, Copy, Default)]
pub struct Way {
    /// One at a time, with nothing else going on: times are taken.
    pub alone: bool,
    /// Again even if they are finished.
    pub force: bool,
}

/// What became of a run that was tried.
enum Tried<S> {
    Finished(Box<FinishedRun<S>>),
    Stopped,
    /// Another process is making it, or looks whether anybody does; with what an earlier attempt noted, if it failed.
    Elsewhere(String),
    /// It cannot be made; why is noted beside its place.
    Failed(String),
    /// What it builds on is not there.
    Waits,
}

impl Workplace<'_> {
    /// Makes every run that is not on disk yet; None in the place of one that was not made because of a stop, or because it
    /// failed. What another process is making is waited for.
    ///
    /// # Errors
    /// When the results directory cannot be read or written; all runs then stop.
    pub(super) fn make<R: Runner>(
        &self,
        way: Way,
        runner: &R,
        plan: &[R::Spec],
    ) -> Result<Vec<Option<FinishedRun<R::Spec>>>> {
        let (jobs, force) = (if way.alone { 1 } else { self.running.jobs() }, way.force || self.running.force);
        let progress = &Progress::new(self.running.quiet);
        let results = plan.iter().map(|spec| self.kept(spec, force)).collect::<Result<Vec<_>>>()?;
        let mut queue: Vec<usize> = (0..plan.len()).filter(|index| results[*index].is_none()).collect();
        // Seed by seed, so that a command that is stopped has compared all networks on its first seeds; within a seed the longest first,
        // so that no thread is left alone with a long run at the end.
        queue.sort_by_key(|index| (plan[*index].seed().0, std::cmp::Reverse(plan[*index].cost())));
        let missing = queue.len();
        progress.begin(plan.len(), missing);

        let (failure, failed) = (Mutex::new(None), AtomicBool::new(false));
        let halt = || self.stopped() || failed.load(Ordering::Relaxed);
        let queue = Mutex::new(VecDeque::from(queue));
        let others = Mutex::new(BTreeMap::<usize, String>::new());
        let results = Mutex::new(results);
        // Until the first checkpoint a kill loses what came before the runs as well: reading the data.
        let begun = lock(&self.begun).take();
        let work = || {
            let (mut elsewhere, mut pause, mut begun) = (0, LOOK_AGAIN, begun);
            while !halt() {
                let Some(index) = lock(&queue).pop_front() else { return };
                let spec = &plan[index];
                let seen = lock(&others).get(&index).cloned();
                let since = begun.take().unwrap_or_else(Instant::now);
                let tried = self.try_run(runner, spec, (force, seen, since), progress, &halt);
                match tried.with_context(|| format!("run {} of {}", spec.point(), spec.arm())) {
                    Ok(Tried::Finished(run)) => {
                        (elsewhere, pause) = (0, LOOK_AGAIN);
                        lock(&results)[index] = Some(*run);
                    }
                    Ok(Tried::Stopped) => return,
                    Ok(Tried::Waits) => elsewhere = 0,
                    Ok(Tried::Failed(why)) => {
                        elsewhere = 0;
                        progress.failed(spec, &why);
                    }
                    Ok(Tried::Elsewhere(noted)) => {
                        // All others first; when only such runs are left, there is nothing to do but to wait.
                        lock(&others).entry(index).or_insert(noted);
                        lock(&queue).push_back(index);
                        elsewhere += 1;
                        if elsewhere > lock(&queue).len() {
                            progress.waiting();
                            std::thread::sleep(pause);
                            (elsewhere, pause) = (0, (2 * pause).min(LOOK_SELDOM));
                        }
                    }
                    Err(error) => {
                        failed.store(true, Ordering::Relaxed);
                        lock(&failure).get_or_insert(error);
                    }
                }
            }
        };
        std::thread::scope(|scope| {
            for started in 0..jobs.min(missing) {
                match std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work) {
                    Ok(_) => {}
                    // Those that run already make all runs, only later.
                    Err(_) if started > 0 => break,
                    Err(error) => {
                        return Err(error)
                            .context("cannot start a thread; allow more processes or memory, or use --jobs 1");
                    }
                }
            }
            Ok(())
        })?;
        progress.end();
        if let Some(error) = lock(&failure).take() {
            return Err(error);
        }
        Ok(std::mem::take(&mut *lock(&results)))
    }

    /// The finished run of a specification, unless all are to be made again. One that was damaged is made again as well.
    fn kept<S: Spec>(&self, spec: &S, force: bool) -> Result<Option<FinishedRun<S>>> {
        if force {
            return Ok(None);
        }
        let found = self.store.find(spec)?;
        match &found {
            Look::Whole(_) => self.store.forget_attempt(spec)?,
            Look::Damaged(what) => note(&format!("warning: {what}; the run is made again")),
            Look::Missing => {}
        }
        Ok(found.finished())
    }

    /// Makes a run, if nobody else does; `seen` is what [`Tried::Elsewhere`] had noted where it was that before.
    fn try_run<R: Runner>(
        &self,
        runner: &R,
        spec: &R::Spec,
        (force, seen, since): (bool, Option<String>, Instant),
        progress: &Progress,
        halt: &(dyn Fn() -> bool + Sync),
    ) -> Result<Tried<R::Spec>> {
        let place = self.store.root.join(spec.directory()?);
        let Some(_lock) = self.store.lock(spec)? else {
            return Ok(Tried::Elsewhere(desk::failure(&place).unwrap_or_default()));
        };
        // Another process may have made it since it was looked for.
        if let (false, Look::Whole(run)) = (force, self.store.find(spec)?) {
            progress.found(spec);
            return Ok(Tried::Finished(run));
        }
        if self.store.inputs(&spec.inputs()?)?.is_none() {
            return Ok(Tried::Waits);
        }
        // What was noted before is of an earlier command: the process that was at the run has not failed.
        if let (Some(before), Some(why)) = (seen, desk::failure(&place))
            && before != why
        {
            return Ok(Tried::Failed(why));
        }
        let key = spec.key()?;
        // The outer error is the run's, if the disk is not to blame; the inner one, of the last checkpoint before a stop, is the
        // command's.
        let attempt = || -> Result<Result<Tried<R::Spec>>> {
            let begun = self.store.desk(spec, runner.data_hash(spec)?, &self.environment.simd, self.running.force)?;
            let shown = RefCell::new(progress.start(spec, begun.2.as_ref().map_or(0, |found| found.header.step)));
            let tick = |step: usize, words: &dyn Fn() -> String| {
                shown.borrow_mut().step(step, words);
                if halt() { Control::Stop } else { Control::Continue }
            };
            let checked = Halt::new(halt);
            let with = (&self.device.device, &checked, &tick as &Tick<'_>);
            let job = Job::new(with, begun, (self.running.checkpoint_every, since), &key)?;
            let made = catch_unwind(AssertUnwindSafe(|| checked.whole(runner.run(spec, &job))));
            let made = made.unwrap_or_else(|panic| Err(anyhow!("it panicked: {}", words(&*panic))))?;
            let Some(record) = made else { return Ok(job.save_rest().map(|()| Tried::Stopped)) };
            let run = self.store.save((spec, &record), job.into_whole(), &self.environment)?;
            shown.into_inner().finish(&record.headline, run.manifest.seconds);
            Ok(Ok(Tried::Finished(Box::new(run))))
        };
        attempt().unwrap_or_else(|error| failed(&place, error))
    }
}

/// Notes why a run cannot be made. What has to do with the disk is no failure of a run.
fn failed<S>(place: &Path, error: anyhow::Error) -> Result<Tried<S>> {
    if is_unwritable(&error) {
        return Err(error);
    }
    let why = one_line(&error);
    desk::fail(place, &why)?;
    Ok(Tried::Failed(why))
}

/// What a panic says.
fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

/// A thread that panicked while it held the lock has left a whole value: each critical section is one assignment.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
