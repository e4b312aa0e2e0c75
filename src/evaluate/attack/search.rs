//! The loop under every attack: many searches, one for each example, share the passes through the network.
//!
//! A [`Search`] knows one example and asks one question after the other: the logits at a point, then the gradients of
//! some functions of them. [`run`] puts the questions of many examples into the rows of one pass. When a search ends,
//! its row is given to the next example, so passes stay full, and no search can notice in which company it was made:
//! neither the size of a batch nor the number of threads changes a result.

use super::ball::{is_zero, make_usable};
use super::classifier::{Classifier, Want};
use super::examples::{Example, Examples};
use super::goal::Goal;
use super::outcome::Outcome;
use super::record::{Record, Visit};
use crate::nn::kernels::threads;
use candle_core::{FloatDType, Result};
use rayon::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};

/// An attack on one example.
pub(super) trait Search<T>: Send {
    /// Whether it ever asks for gradients.
    const WANT: Want = Want::Gradients;

    /// Writes the first point, and after every [`Next::Restart`] that of the next run. The slice keeps what is written
    /// between the calls.
    fn begin(&mut self, point: &mut [T]);

    /// Takes the logits at the point, and appends dl/dz of every l whose gradient it wants there to `wanted`; none where a
    /// run ends.
    fn observe(&mut self, visit: &Visit<'_, T>, wanted: &mut Vec<f64>) -> Next;

    /// After [`Next::Step`]: takes the gradients that it asked for, and writes the next point over the last one.
    fn advance(&mut self, gradients: Gradients<'_, T>, point: &mut [T]);
}

/// How a search goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// With another point.
    Step,
    /// With the first point of another run; the last one was the end of a run.
    Restart,
    /// Not at all.
    End,
}

/// Gradients with respect to the image at one point, in the order in which they were asked for; each divided by the
/// largest entry of its dl/dz, see [`super::classifier::Pass::backward`].
#[derive(Clone, Copy)]
pub(super) struct Gradients<'a, T> {
    blocks: &'a [Vec<T>],
    row: usize,
    inputs: usize,
}

impl<'a, T> Gradients<'a, T> {
    /// The gradient asked for in a place, from 0.
    pub fn get(&self, place: usize) -> &'a [T] {
        &self.blocks[place][self.row * self.inputs..][..self.inputs]
    }
}

/// Makes a search for every example that is classified right, and tells what happened to all of them, in their order.
pub(super) fn run<'e, T: FloatDType, S: Search<T>>(
    classifier: &Classifier<'_, T>,
    examples: &'e Examples<T>,
    goal: Goal,
    make: impl Fn(Example<'e, T>) -> S + Sync,
) -> Result<Vec<Outcome<T>>> {
    examples.check(classifier)?;
    let queue = Queue { examples, next: AtomicUsize::new(0) };
    let workers = threads::count().min(examples.len().div_ceil(classifier.batch()));
    let work = || Worker::new(classifier, &queue, goal, &make).work();
    // Several runs at a time on one thread each would all wait for the pool's only thread.
    let mut outcomes = match workers {
        0 | 1 => work()?,
        _ => (0..workers).into_par_iter().map(|_| work()).collect::<Result<Vec<_>>>()?.concat(),
    };
    outcomes.sort_unstable_by_key(|(place, _)| *place);
    Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}

/// The examples that nobody has taken yet.
struct Queue<'e, T> {
    examples: &'e Examples<T>,
    next: AtomicUsize,
}

impl<'e, T: FloatDType> Queue<'e, T> {
    fn take(&self) -> Option<(usize, Example<'e, T>)> {
        let place = self.next.fetch_add(1, Ordering::Relaxed);
        (place < self.examples.len()).then(|| (place, self.examples.get(place)))
    }
}

/// A search in its row.
struct Lane<'e, T, S> {
    place: usize,
    search: S,
    record: Record<'e, T>,
    /// How it goes on from the point observed last.
    next: Next,
    /// dl/dz of what it asks for, one after the other.
    wanted: Vec<f64>,
}

/// A thread's block of rows.
struct Worker<'w, 'e, T, S, F> {
    classifier: &'w Classifier<'w, T>,
    queue: &'w Queue<'e, T>,
    goal: Goal,
    make: &'w F,
    lanes: Vec<Option<Lane<'e, T, S>>>,
    /// `[ROWS, inputs]`
    points: Vec<T>,
    finished: Vec<(usize, Outcome<T>)>,
}

impl<'w, 'e, T: FloatDType, S: Search<T>, F: Fn(Example<'e, T>) -> S> Worker<'w, 'e, T, S, F> {
    fn new(classifier: &'w Classifier<'w, T>, queue: &'w Queue<'e, T>, goal: Goal, make: &'w F) -> Self {
        let lanes = (0..classifier.batch()).map(|_| None).collect();
        let points = vec![T::zero(); super::classifier::ROWS * classifier.inputs()];
        Self { classifier, queue, goal, make, lanes, points, finished: Vec::new() }
    }

    fn work(mut self) -> Result<Vec<(usize, Outcome<T>)>> {
        loop {
            self.fill();
            if self.lanes.iter().all(Option::is_none) {
                return Ok(self.finished);
            }
            let pass = self.classifier.forward(&self.points, S::WANT)?;
            self.observe(&pass.logits);
            let asked = self.lanes.iter().flatten().map(|lane| lane.wanted.len()).max().unwrap_or(0);
            let asked = asked / self.classifier.classes();
            let mut blocks =
                (0..asked).map(|place| pass.backward(&self.cotangents(place))).collect::<Result<Vec<_>>>()?;
            self.advance(&mut blocks);
        }
    }

    /// Gives every free row to the next example.
    fn fill(&mut self) {
        let inputs = self.classifier.inputs();
        for (lane, point) in self.lanes.iter_mut().zip(self.points.chunks_exact_mut(inputs)) {
            while lane.is_none() {
                let Some((place, example)) = self.queue.take() else { return };
                let record = Record::new(example, self.goal);
                if record.is_open() {
                    let mut search = (self.make)(example);
                    search.begin(point);
                    *lane = Some(Lane { place, search, record, next: Next::Step, wanted: Vec::new() });
                } else {
                    self.finished.push((place, record.finish(example.image)));
                }
            }
        }
    }

    fn observe(&mut self, logits: &[f64]) {
        let (inputs, classes) = (self.classifier.inputs(), self.classifier.classes());
        let rows = self.points.chunks_exact(inputs).zip(logits.chunks_exact(classes));
        for (slot, (point, logits)) in self.lanes.iter_mut().zip(rows) {
            let Some(lane) = slot else { continue };
            let visit = lane.record.visit(point, logits);
            lane.wanted.clear();
            lane.next = lane.search.observe(&visit, &mut lane.wanted);
            let over = lane.next == Next::End || lane.record.is_settled(&visit);
            if over || lane.next == Next::Restart {
                lane.record.end_run();
            }
            if over && let Some(lane) = slot.take() {
                self.finished.push((lane.place, lane.record.finish(point)));
            }
        }
    }

    /// dl/dz of what every search asks for in a place: `[ROWS, classes]`, zeros where nothing is asked.
    fn cotangents(&self, place: usize) -> Vec<f64> {
        let classes = self.classifier.classes();
        let mut all = vec![0.0; super::classifier::ROWS * classes];
        for (lane, c) in self.lanes.iter().zip(all.chunks_exact_mut(classes)) {
            if let Some(wanted) = lane.as_ref().and_then(|lane| lane.wanted.get(place * classes..(place + 1) * classes))
            {
                c.copy_from_slice(wanted);
            }
        }
        all
    }

    fn advance(&mut self, blocks: &mut [Vec<T>]) {
        let (inputs, classes) = (self.classifier.inputs(), self.classifier.classes());
        let points = self.points.chunks_exact_mut(inputs);
        for (row, (lane, point)) in self.lanes.iter_mut().zip(points).enumerate() {
            let Some(lane) = lane else { continue };
            if lane.next == Next::Restart {
                lane.search.begin(point);
                continue;
            }
            for block in blocks.iter_mut().take(lane.wanted.len() / classes) {
                let gradient = &mut block[row * inputs..][..inputs];
                make_usable(gradient);
                lane.record.gradient(is_zero(gradient));
            }
            lane.search.advance(Gradients { blocks, row, inputs }, point);
        }
    }
}
