//! Batches ahead of the training step, in the order of the steps.

use crate::data::TrainingSet;
use candle_core::{Result, Tensor};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
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
/// Where not all of the threads can be started, those that can do the work, or this one.
///
/// # Errors
/// Those of `train`, which gets those of the batches.
pub(super) fn ahead<T>(
    data: &dyn TrainingSet,
    draws: impl Iterator<Item = Draw>,
    train: impl FnOnce(&mut dyn FnMut() -> Result<Batch>) -> Result<T>,
) -> Result<T> {
    ahead_on(thread::Builder::new, data, draws, train)
}

/// [`ahead`] on threads from a builder of the caller's.
fn ahead_on<T>(
    builder: impl Fn() -> thread::Builder,
    data: &dyn TrainingSet,
    mut draws: impl Iterator<Item = Draw>,
    train: impl FnOnce(&mut dyn FnMut() -> Result<Batch>) -> Result<T>,
) -> Result<T> {
    let (jobs, queue) = channel::<Job>();
    let (queue, over) = (Mutex::new(queue), AtomicBool::new(false));
    thread::scope(|scope| {
        // Dropped in this order, also when `train` panics: no job is begun any more, and then none can come.
        let jobs = jobs;
        let _stop = Stop(&over);
        let (queue, over) = (&queue, &over);
        let start = |worker: usize| {
            let thread = builder().name(format!("batches-{worker}"));
            thread.spawn_scoped(scope, move || work(data, queue, over)).is_ok()
        };
        // No result depends on their number.
        let workers = (0..data.workers()).take_while(|worker| start(*worker)).count();
        if workers == 0 {
            return train(&mut || match draws.next() {
                Some(draw) => data.batch(draw.epoch, &draw.rows),
                None => no_more(),
            });
        }
        let mut waiting = VecDeque::new();
        train(&mut || {
            while waiting.len() < AHEAD * workers
                && let Some(draw) = draws.next()
            {
                let (sender, batch) = channel();
                // It arrives: workers end only after this scope.
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
        // A panic drops the sender, so that whoever waits for the batch gets an error. Uncaught, it would end the scope, and the
        // program with it.
        if let Ok(batch) = catch_unwind(AssertUnwindSafe(|| data.batch(draw.epoch, &draw.rows))) {
            // Whoever went away has no use for it.
            let _ = sender.send(batch);
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    /// A set whose batches say what was asked for, and take different times.
    struct Slow {
        workers: usize,
        made: AtomicUsize,
        /// The row at which a batch fails.
        broken: Option<u32>,
        /// The row at which making a batch panics.
        panics: Option<u32>,
    }

    impl Slow {
        fn new(workers: usize) -> Self {
            Self { workers, made: AtomicUsize::new(0), broken: None, panics: None }
        }
    }

    impl TrainingSet for Slow {
        fn len(&self) -> usize {
            100
        }

        fn workers(&self) -> usize {
            self.workers
        }

        fn batch(&self, epoch: usize, rows: &[u32]) -> Result<Batch> {
            self.made.fetch_add(1, Ordering::Relaxed);
            assert_ne!(rows.first(), self.panics.as_ref());
            if rows.first() == self.broken.as_ref() {
                candle_core::bail!("row {} is broken", rows[0]);
            }
            thread::sleep(Duration::from_millis(u64::from(rows[0] * 7 % 4)));
            Ok((Tensor::new(&[epoch as u32], &Device::Cpu)?, Tensor::new(rows, &Device::Cpu)?))
        }
    }

    fn draws(count: u32) -> impl Iterator<Item = Draw> {
        (0..count).map(|row| Draw { epoch: row as usize / 10, rows: vec![row, 2 * row] })
    }

    #[test]
    fn batches_come_in_order_for_any_number_of_workers() {
        for workers in [0, 1, 2, 5] {
            let set = Slow::new(workers);
            ahead(&set, draws(30), |next| {
                for row in 0..30 {
                    let (epoch, rows) = next()?;
                    assert_eq!((epoch.to_vec1::<u32>()?, rows.to_vec1::<u32>()?), (vec![row / 10], vec![row, 2 * row]));
                }
                assert!(next().expect_err("an end").to_string().contains("no more batches"));
                Ok(())
            })
            .expect("30 batches");
            assert_eq!(set.made.into_inner(), 30);
        }
    }

    #[test]
    fn threads_that_cannot_be_started_are_done_without() {
        let set = Slow::new(3);
        // No machine has room for such a stack.
        let unstartable = || thread::Builder::new().stack_size(1 << 60);
        let rows = ahead_on(unstartable, &set, draws(5), |next| (0..5).map(|_| next()?.1.to_vec1::<u32>()).collect());
        let rows: Vec<Vec<u32>> = rows.expect("five batches");
        assert_eq!(rows, (0..5).map(|row| vec![row, 2 * row]).collect::<Vec<_>>());
    }

    #[test]
    fn workers_are_never_more_than_a_few_batches_ahead() {
        let set = Slow::new(2);
        ahead(&set, draws(1000), |next| {
            for taken in 1..=20 {
                next()?;
                let made = set.made.load(Ordering::Relaxed);
                assert!(made <= taken + 2 * AHEAD, "{made} made, {taken} taken");
            }
            Ok(())
        })
        .expect("20 batches");
        // Whoever stops early has waited for what was being made, and for nothing more.
        assert!(set.made.into_inner() <= 20 + 2 * AHEAD);
    }

    #[test]
    fn a_batch_that_fails_ends_the_training_with_its_error() {
        for workers in [0, 1, 3] {
            let set = Slow { broken: Some(4), ..Slow::new(workers) };
            let mut taken = 0;
            let ended: Result<()> = ahead(&set, draws(1000), |next| {
                loop {
                    next()?;
                    taken += 1;
                }
            });
            assert!(ended.expect_err("a broken batch").to_string().contains("row 4 is broken"));
            assert_eq!(taken, 4);
        }
    }

    #[test]
    fn a_batch_that_panics_ends_the_training_with_an_error() {
        for workers in [1, 3] {
            let set = Slow { panics: Some(4), ..Slow::new(workers) };
            let mut taken = 0;
            let ended: Result<()> = ahead(&set, draws(1000), |next| {
                loop {
                    next()?;
                    taken += 1;
                }
            });
            let told = ended.expect_err("a batch that was never made").to_string();
            assert!(told.contains("the thread that prepares batches has failed"), "{told}");
            assert_eq!(taken, 4);
        }
    }

    #[test]
    fn an_error_in_the_training_ends_the_workers() {
        let set = Slow::new(3);
        let ended: Result<()> = ahead(&set, draws(1000), |next| {
            next()?;
            candle_core::bail!("the step failed")
        });
        assert!(ended.expect_err("an error").to_string().contains("the step failed"));
        assert!(set.made.into_inner() <= 1 + 3 * AHEAD);
    }
}
