//! One run that is being made: what its runner works with, and what of it survives a kill.
//!
//! A runner does nothing to be resumable but to use three things. Rows that come one by one go to [`Job::log`]. A training
//! is [`super::train`]. Everything else that takes time is cut into parts, each made by [`Job::part`]: when the run is
//! made again after a kill, those that were finished are given back instead.

use super::checkpoint::{Checkpoint, Header, Identity, Training, parse};
use super::desk::Desk;
use crate::model::Halt;
use crate::train::{Best, Control, Kept, State};
use anyhow::{Context, Result, bail, ensure};
use candle_core::{Device, Tensor};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ops::Range;
use std::time::{Duration, Instant};

/// What a run tells while it goes on: steps made, and a few words that are made only if somebody looks.
pub(super) type Tick<'a> = dyn Fn(usize, &dyn Fn() -> String) -> Control + 'a;

/// See the top of this file.
pub struct Job<'j> {
    pub device: &'j Device,
    pub halt: &'j Halt<'j>,
    tick: &'j Tick<'j>,
    /// Its name, as `--run` takes it.
    run: &'j str,
    pub(super) desk: RefCell<Desk>,
    /// That of the checkpoint from which this process went on, with how far the run is and the training as it was kept last.
    header: RefCell<Header>,
    /// Of that training, and of its best moment so far.
    tensors: RefCell<Tensors>,
    /// The finished parts.
    parts: RefCell<Vec<Part>>,
    /// How many of them were given back or made.
    given: Cell<usize>,
    /// Whether there is something to keep that no checkpoint has.
    unsaved: Cell<bool>,
    /// Of the last checkpoint, or the beginning of the work that it would keep.
    saved: Cell<Instant>,
    /// When a checkpoint could be written last, and the longest time between two such moments.
    asked: Cell<Instant>,
    longest_gap: Cell<Duration>,
    every: Duration,
    began: Instant,
    /// When it was last noted for others how far the run is.
    told: Cell<Instant>,
}

/// Blocks of a list that are made before anything is known of how long they take.
const FIRST_BLOCKS: usize = 2;
const MOST_BLOCKS: usize = 8;
/// Between two notes of how far a run is.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// Name and result of a finished part.
type Part = (String, Vec<u8>);
/// Tensors with their names.
type Tensors = Vec<(String, Tensor)>;

/// What is in a checkpoint: its header, the finished parts, the tensors of its training.
fn opened(Checkpoint { header, mut tensors }: Checkpoint) -> Result<(Header, Vec<Part>, Tensors)> {
    let mut bytes = match tensors.remove(PARTS) {
        Some(parts) => parts.to_vec1::<u8>()?,
        None => Vec::new(),
    };
    let mut parts = Vec::with_capacity(header.parts.len());
    for (name, len) in &header.parts {
        let rest = bytes.split_off((*len).min(bytes.len()));
        parts.push((name.clone(), std::mem::replace(&mut bytes, rest)));
    }
    Ok((header, parts, tensors.into_iter().collect()))
}

/// A training that was kept, to go on with; `latest` is what [`Best`] has.
fn restored(training: &Training, tensors: &[(String, Tensor)], latest: bool) -> Result<(Training, State, Best)> {
    let of = |beginning: &str| {
        let named = |(name, tensor): &(String, Tensor)| Some((name.strip_prefix(beginning)?.into(), tensor.clone()));
        tensors.iter().filter_map(named).collect::<HashMap<String, Tensor>>()
    };
    let state = State::from_parts(&training.position, of(STATE))?;
    let mut parameters: Tensors = of(BEST).into_iter().collect();
    parameters.sort_by(|(a, _), (b, _)| a.cmp(b));
    let kept = training.best.map(|(error, step, epoch)| Kept { error, step, epoch, parameters });
    Ok((training.clone(), state, Best { latest, kept }))
}

/// Opens a checkpoint as far as that goes without the run, for the tests of all readers of files; whether it was one.
pub(crate) fn opens(bytes: &[u8]) -> Result<bool> {
    let Some(checkpoint) = parse(bytes)? else { return Ok(false) };
    let (header, _, tensors) = opened(checkpoint)?;
    header.training.map(|training| restored(&training, &tensors, false)).transpose()?;
    Ok(true)
}

/// What the names of the best moment's tensors begin with in a checkpoint; those of the state have another beginning.
const BEST: &str = "best/";
const STATE: &str = "state/";
const PARTS: &str = "parts";

impl<'j> Job<'j> {
    pub(super) fn new(
        (device, halt, tick): (&'j Device, &'j Halt<'j>, &'j Tick<'j>),
        (desk, identity, found): (Desk, Identity, Option<Checkpoint>),
        (every, since): (Duration, Instant),
        run: &'j str,
    ) -> Result<Self> {
        let (mut header, parts, tensors) = match found {
            Some(checkpoint) => opened(checkpoint)?,
            None => (Header { start: jiff::Timestamp::now().to_string(), ..Header::default() }, Vec::new(), Vec::new()),
        };
        header.identity = identity;
        let began = Instant::now();
        Ok(Self {
            device,
            halt,
            tick,
            run,
            desk: RefCell::new(desk),
            header: RefCell::new(header),
            tensors: RefCell::new(tensors),
            parts: RefCell::new(parts),
            given: Cell::new(0),
            unsaved: Cell::new(false),
            saved: Cell::new(since),
            asked: Cell::new(began),
            longest_gap: Cell::new(Duration::ZERO),
            every,
            began,
            told: Cell::new(Instant::now()),
        })
    }

    /// Tells how far the run is; whether to go on.
    pub fn tick(&self, step: usize, words: &dyn Fn() -> String) -> Control {
        self.header.borrow_mut().step = step;
        if self.told.get().elapsed() >= TELL_EVERY {
            self.told.set(Instant::now());
            self.desk.borrow().tell(step, self.seconds());
        }
        (self.tick)(step, words)
    }

    /// Adds a row to a CSV file of the run, which everybody can read from now on.
    pub fn log(&self, file: &'static str, row: &impl Serialize) -> Result<()> {
        self.desk.borrow_mut().log(file, row)
    }

    /// Makes a part of the run, or gives back what it came to before a kill. Parts must be asked for in the same order
    /// in every process. Rows that it logs are taken back where it fails or is stopped.
    pub fn part<T: Serialize + DeserializeOwned>(&self, name: &str, make: impl FnOnce() -> Result<T>) -> Result<T> {
        let place = self.given.replace(self.given.get() + 1);
        if let Some((kept, bytes)) = self.parts.borrow().get(place) {
            let rest = postcard::take_from_bytes(bytes).ok().filter(|(_, rest)| kept == name && rest.is_empty());
            let told = || {
                format!("its checkpoint was written by another version; start it anew with --run {} --force", self.run)
            };
            return Ok(rest.with_context(told)?.0);
        }
        let marks = self.desk.borrow().marks();
        // What a pass that was stopped has left may look like a result.
        let whole = |made| if self.halt.obeyed() { bail!("the run was stopped") } else { Ok(made) };
        let made = match make().and_then(whole) {
            Ok(made) => made,
            Err(error) => {
                self.desk.borrow_mut().cut_back(&marks)?;
                return Err(error);
            }
        };
        let bytes = postcard::to_stdvec(&made).context("a part of a run cannot be kept")?;
        self.parts.borrow_mut().push((name.into(), bytes));
        self.unsaved.set(true);
        if self.is_due() {
            self.save()?;
        }
        Ok(made)
    }

    /// Makes a list of `count` entries in parts of whole blocks, as many as take a quarter of the time between two
    /// checkpoints, and at most [`MOST_BLOCKS`]. How the list is cut must change nothing about its entries.
    pub fn list<T: Serialize + DeserializeOwned>(
        &self,
        name: &str,
        (count, block): (usize, usize),
        make: impl Fn(Range<usize>) -> Result<Vec<T>>,
    ) -> Result<Vec<T>> {
        let (mut all, mut blocks) = (Vec::with_capacity(count), FIRST_BLOCKS);
        while all.len() < count {
            let range = all.len()..count.min(all.len() + blocks * block);
            let began = Instant::now();
            let is_kept = self.given.get() < self.parts.borrow().len();
            let part = self.part(name, || make(range))?;
            ensure!(!part.is_empty(), "a part of a list is empty");
            if !is_kept {
                let pace = part.len() as f64 / began.elapsed().as_secs_f64();
                blocks = (pace * self.every.as_secs_f64() / 4.0 / block as f64) as usize;
                blocks = blocks.clamp(1, MOST_BLOCKS);
            }
            all.extend(part);
        }
        Ok(all)
    }

    /// Whether it is time for a checkpoint: at the next chance it may be too late. Where chances are far apart, every fourth
    /// part of the time is often enough.
    fn is_due(&self) -> bool {
        let now = Instant::now();
        let gap = (now - self.asked.replace(now)).max(self.longest_gap.get());
        self.longest_gap.set(gap);
        now - self.saved.get() + gap.min(self.every / 4 * 3) >= self.every
    }

    /// Whether a training should be kept now.
    pub(super) fn wants_keeping(&self) -> bool {
        self.is_due() || self.halt.is_wanted()
    }

    /// The training that was under way, with the best moment so far; `latest` is what [`Best`] has.
    pub(super) fn training(&self, latest: bool) -> Result<Option<(Training, State, Best)>> {
        let (header, tensors) = (self.header.borrow(), self.tensors.borrow());
        header.training.as_ref().map(|training| restored(training, &tensors, latest)).transpose()
    }

    /// Keeps a training as it is now, without writing it yet.
    pub(super) fn keep(&self, training: Training, state: State, best: &Best) {
        let mut tensors = Vec::new();
        tensors.extend(state.tensors.into_iter().map(|(name, tensor)| (format!("{STATE}{name}"), tensor)));
        let kept = best.kept.iter().flat_map(|kept| &kept.parameters);
        tensors.extend(kept.map(|(name, tensor)| (format!("{BEST}{name}"), tensor.clone())));
        *self.tensors.borrow_mut() = tensors;
        self.header.borrow_mut().training = Some(training);
        self.unsaved.set(true);
    }

    /// Writes a checkpoint.
    pub(super) fn save(&self) -> Result<()> {
        let (mut header, desk) = (self.header.borrow().clone(), self.desk.borrow());
        header.logs = desk.contents()?;
        header.seconds = self.seconds();
        let mut tensors = self.tensors.borrow().clone();
        let parts = self.parts.borrow();
        if !parts.is_empty() {
            header.parts = parts.iter().map(|(name, bytes)| (name.clone(), bytes.len())).collect();
            let bytes: Vec<u8> = parts.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect();
            tensors.push((PARTS.to_string(), Tensor::from_slice(&bytes, bytes.len(), &Device::Cpu)?));
        }
        desk.checkpoints.write(&header, &tensors)?;
        self.saved.set(Instant::now());
        self.unsaved.set(false);
        Ok(())
    }

    /// Writes a checkpoint of a run that is long enough to have some.
    pub(super) fn save_if_long(&self) -> Result<()> {
        if self.began.elapsed() >= self.every { self.save() } else { Ok(()) }
    }

    /// Writes a checkpoint of what no other has, before the process ends.
    pub(super) fn save_rest(&self) -> Result<()> {
        if self.unsaved.get() { self.save() } else { Ok(()) }
    }

    /// Of work on the run, over all processes.
    pub(super) fn seconds(&self) -> f64 {
        self.header.borrow().seconds + self.began.elapsed().as_secs_f64()
    }

    /// What becomes the finished run: its place, when it began, how long it took, what it was made of.
    pub(super) fn into_whole(self) -> (Desk, String, f64, Identity) {
        let seconds = self.seconds();
        let Header { start, identity, .. } = self.header.into_inner();
        (self.desk.into_inner(), start, seconds, identity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// Works with a job at a place.
    fn at<T>(place: &Path, every: Duration, work: impl FnOnce(&Job<'_>) -> T) -> T {
        let identity = Identity::default();
        let (desk, found) = Desk::open(place, "key".into(), "", &identity, false).expect("an empty directory");
        let go_on = || false;
        let (halt, tick) = (Halt::new(&go_on), |_: usize, _: &dyn Fn() -> String| Control::Continue);
        let since = (every, Instant::now());
        let job = Job::new((&Device::Cpu, &halt, &tick), (desk, identity, found), since, "key").expect("a job");
        work(&job)
    }

    /// Makes a list in a job at a place, as far as `until`; with the beginnings of the parts that were made.
    fn list(place: &Path, every: Duration, until: usize) -> (Result<Vec<usize>>, Vec<usize>) {
        let begun = RefCell::new(Vec::new());
        let made = at(place, every, |job| {
            job.list("list", (1000, 10), |range| {
                ensure!(range.start < until, "it is cut short");
                begun.borrow_mut().push(range.start);
                Ok(range.collect())
            })
        });
        (made, begun.into_inner())
    }

    #[test]
    fn a_list_is_the_same_however_it_is_cut_and_goes_on_after_a_kill() {
        let directory = tempfile::tempdir().expect("a directory");
        let all: Vec<usize> = (0..1000).collect();
        for (name, every) in [("often", Duration::ZERO), ("seldom", Duration::from_secs(3600))] {
            let (made, begun) = list(&directory.path().join(name), every, 1000);
            assert_eq!(made.expect("a list"), all);
            let blocks: Vec<usize> = begun.windows(2).map(|pair| (pair[1] - pair[0]) / 10).collect();
            // Two at first; then one where there is no time at all, and the most where there is enough.
            let then = if every.is_zero() { 1 } else { MOST_BLOCKS };
            assert!(blocks[0] == FIRST_BLOCKS && blocks[1..].iter().all(|of| *of == then), "{blocks:?}");
        }
        let place = directory.path().join("killed");
        assert!(list(&place, Duration::ZERO, 500).0.is_err());
        let (made, begun) = list(&place, Duration::ZERO, 1000);
        assert_eq!((made.expect("a list"), begun[0]), (all, 500));
    }

    #[test]
    fn a_part_of_another_version_is_refused_and_its_run_alone_is_to_begin_anew() {
        let directory = tempfile::tempdir().expect("a directory");
        let place = directory.path().join("killed");
        assert!(list(&place, Duration::ZERO, 500).0.is_err());
        let told = at(&place, Duration::ZERO, |job| job.part("another", || Ok(0_usize))).expect_err("another part");
        assert!(told.to_string().ends_with("; start it anew with --run key --force"), "{told:#}");
    }
}
