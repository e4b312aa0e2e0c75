//! Batches ahead of the training step, in the order of the steps.

use crate::data::TrainingSet;
use candle_core::{Result, Tensor};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Batches that wait or are being made, for each worker.
const AHEAD: usize = 2;

/// Inputs and targets.
pub(super) type Batch = (Tensor, Tensor);

/// The points of a batch.
pub(super) struct Draw {
    /// Which pass over the data.
    pub epoch: usize,
    /// Which points.
    pub rows: Vec<u32>,
}

/// A batch to make, and where to put it.
type Job = (Draw, Sender<Result<Batch>>);

/// Calls `train` with a function that gives the next batch. With workers, their threads make the batches that `draws` will
/// give next while `train` is busy, never more than a few; they have ended when this returns, however `train` ended.
///
/// # Errors
/// Those of `train`, which gets those of the batches.
pub(super) fn ahead<T>(
    data: &dyn TrainingSet,
    mut draws: impl Iterator<Item = Draw>,
    train: impl FnOnce(&mut dyn FnMut() -> Result<Batch>) -> Result<T>,
) -> Result<T> {
    let workers = data.workers();
    if workers == 0 {
        return train(&mut || match draws.next() {
            Some(draw) => data.batch(draw.epoch, &draw.rows),
            None => no_more(),
        });
    }
    let (jobs, queue) = channel::<Job>();
    let (queue, over) = (Mutex::new(queue), AtomicBool::new(false));
    thread::scope(|scope| {
        // Dropped in this order, also when `train` panics: no job is begun any more, and then none can come.
        let jobs = jobs;
        let _stop = Stop(&over);
        for worker in 0..workers {
            let name = format!("batches-{worker}");
            thread::Builder::new().name(name).spawn_scoped(scope, || work(data, &queue, &over))?;
        }
        let mut waiting = VecDeque::new();
        train(&mut || {
            while waiting.len() <= AHEAD * workers
                && let Some(draw) = draws.next()
            {
                let (sender, batch) = channel();
                // Workers end after this scope alone, or in a panic; then there is no batch to receive below.
                let _ = jobs.send((draw, sender));
                waiting.push_back(batch);
            }
            let Some(batch) = waiting.pop_front() else { return no_more() };
            let lost = |_| candle_core::Error::msg("the thread that prepares batches has failed");
            batch.recv().map_err(lost)?
        })
    })
}

/// Makes batches until there are no more jobs, or they are not wanted any more.
fn work(data: &dyn TrainingSet, queue: &Mutex<Receiver<Job>>, over: &AtomicBool) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((draw, sender)) = job else { return };
        if over.load(Ordering::Relaxed) {
            return;
        }
        // Whoever went away has no use for it.
        let _ = sender.send(data.batch(draw.epoch, &draw.rows));
    }
}

/// Tells the workers to stop when it goes out of scope.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn no_more() -> Result<Batch> {
    candle_core::bail!("there are no more batches")
}
