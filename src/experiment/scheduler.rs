//! Several runs at a time, on threads of their own. Which thread makes a run changes nothing about it.

use super::halt::Halt;
use super::progress::{Progress, RunProgress};
use crate::config::Spec;
use crate::console::note;
use crate::record::{Environment, FinishedRun, Record, Search, Store};
use crate::train::Control;
use anyhow::{Context, Result};
use candle_core::Device;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// candle walks and drops graphs by recursion; a composed stack of a thousand layers needs room.
const STACK_BYTES: usize = 64 << 20;

/// What a run tells while it goes on: steps made, and a few words that are made only if somebody looks.
pub type Tick<'a> = dyn FnMut(usize, &dyn Fn() -> String) -> Control + 'a;

/// How the runs of an experiment are made.
pub trait Runner: Sync {
    /// What determines a run.
    type Spec: Spec;
    /// What it produces.
    type Record: Record;

    /// Makes one run; None if `tick` asked to stop. What comes out after `halt` has
    /// stopped something is not used.
    fn run(
        &self,
        spec: &Self::Spec,
        device: &Device,
        tick: &mut Tick<'_>,
        halt: &Halt<'_>,
    ) -> Result<Option<Self::Record>>;
}

/// What a batch of runs came to.
#[derive(Debug)]
pub struct Batch<S> {
    /// Runs on disk, in the order of the plan.
    pub finished: Vec<FinishedRun<S>>,
    /// Whether the user stopped it before the end.
    pub interrupted: bool,
}

/// How to run a batch.
pub struct Scheduler<'a> {
    /// Where runs are kept.
    pub store: &'a Store,
    /// What tensors live on.
    pub device: &'a Device,
    /// For the manifests.
    pub environment: &'a Environment,
    /// Runs at a time.
    pub jobs: usize,
    /// Whether finished runs are made again.
    pub force: bool,
    /// Set from outside to stop.
    pub stop: &'a AtomicBool,
}

impl Scheduler<'_> {
    /// Makes every run that is not on disk yet.
    ///
    /// # Errors
    /// The first error of any run; the others then stop.
    pub fn run<R: Runner>(&self, runner: &R, plan: &[R::Spec], progress: &Progress) -> Result<Batch<R::Spec>> {
        let mut results = plan.iter().map(|spec| self.kept(spec)).collect::<Result<Vec<_>>>()?;
        let mut queue: Vec<usize> = (0..plan.len()).filter(|index| results[*index].is_none()).collect();
        // Longest first, so that no thread is left alone with a long run at the end.
        queue.sort_by_key(|index| std::cmp::Reverse(plan[*index].cost()));
        progress.begin(plan.len(), queue.len());

        let (failure, failed) = (Mutex::new(None), AtomicBool::new(false));
        let next = AtomicUsize::new(0);
        let made = Mutex::new(Vec::with_capacity(queue.len()));
        let work = || {
            while let Some(&index) = queue.get(next.fetch_add(1, Ordering::Relaxed)) {
                if self.stop.load(Ordering::Relaxed) || failed.load(Ordering::Relaxed) {
                    return;
                }
                let spec = &plan[index];
                let halt = || self.stop.load(Ordering::Relaxed) || failed.load(Ordering::Relaxed);
                match self
                    .run_one(runner, spec, progress, &halt)
                    .with_context(|| format!("run {} of {}", spec.point(), spec.arm()))
                {
                    Ok(Some(run)) => lock(&made).push((index, run)),
                    Ok(None) => return,
                    Err(error) => {
                        failed.store(true, Ordering::Relaxed);
                        lock(&failure).get_or_insert(error);
                    }
                }
            }
        };
        std::thread::scope(|scope| {
            for started in 0..self.jobs.min(queue.len()) {
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
        for (index, run) in lock(&made).drain(..) {
            results[index] = Some(run);
        }
        let finished: Vec<_> = results.into_iter().flatten().collect();
        Ok(Batch { interrupted: finished.len() < plan.len(), finished })
    }

    /// The finished run of a specification, unless all are to be made again. One that was damaged is made again as well.
    fn kept<S: Spec>(&self, spec: &S) -> Result<Option<FinishedRun<S>>> {
        if self.force {
            return Ok(None);
        }
        let found = self.store.find(spec)?;
        if let Search::Damaged(what) = &found {
            note(&format!("warning: {what}; the run is made again"));
        }
        Ok(found.finished())
    }

    fn run_one<R: Runner>(
        &self,
        runner: &R,
        spec: &R::Spec,
        progress: &Progress,
        halt: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<FinishedRun<R::Spec>>> {
        let mut bar: RunProgress = progress.start(spec);
        let mut tick = |step: usize, words: &dyn Fn() -> String| {
            bar.step(step, words);
            if halt() { Control::Stop } else { Control::Continue }
        };
        let checked = Halt::new(halt);
        let Some(record) = checked.whole(runner.run(spec, self.device, &mut tick, &checked))? else {
            bar.abandon();
            return Ok(None);
        };
        let run = self.store.save(spec, &record, self.environment)?;
        bar.finish(&record.headline(), run.manifest.seconds);
        Ok(Some(run))
    }
}

/// A thread that panicked while it held the lock has left a whole value: each critical section is one assignment.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
