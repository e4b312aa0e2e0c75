//! Where a run is made: `.running-<run>` beside its place, in which rows appear as they come, and `.checkpoints-<run>`.
//! When the run is done, the first becomes its directory and the second goes.

use super::checkpoint::{Checkpoint, Checkpoints, Identity};
use super::directory::{entries, make, remove};
use super::inventory::Contents;
use super::record::with_field;
use super::unwritable::Unwritable;
use crate::files;
use anyhow::{Context, Result};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const RUNNING: &str = ".running-";
const CHECKPOINTS: &str = ".checkpoints-";
/// Why a run has failed, until it is made again.
const FAILURE: &str = "error.txt";
/// How far a run is that is under way, for whoever looks.
const PROGRESS: &str = "progress.json";
/// The specification.
pub(super) const CONFIG: &str = "config.toml";

/// See the top of this file.
#[derive(Debug)]
pub(super) struct Desk {
    pub directory: PathBuf,
    pub checkpoints: Checkpoints,
    logs: BTreeMap<String, Log>,
    /// The column `run` of its rows.
    run: String,
}

/// A CSV file that grows.
#[derive(Debug)]
struct Log {
    path: PathBuf,
    file: File,
    bytes: u64,
    digest: Sha256,
}

/// Lengths of all logs.
pub(super) type Marks = BTreeMap<String, (u64, Sha256)>;

fn beside(run: &Path, prefix: &str) -> PathBuf {
    let name = run.file_name().unwrap_or_default().to_string_lossy();
    run.with_file_name(format!("{prefix}{name}"))
}

/// Where a run is made, by its own directory.
pub(super) fn running(run: &Path) -> PathBuf {
    beside(run, RUNNING)
}

/// Where its checkpoints are.
pub(super) fn checkpoints(run: &Path) -> PathBuf {
    beside(run, CHECKPOINTS)
}

/// Why a run could not be made the last time, if that was so.
pub(super) fn failure(run: &Path) -> Option<String> {
    let text = files::read_text(&running(run).join(FAILURE)).ok()?;
    Some(text.trim_end().to_string())
}

/// How far a run is that somebody is making: steps and seconds.
pub(super) fn progress(run: &Path) -> Option<(usize, f64)> {
    serde_json::from_str(&files::read_text(&running(run).join(PROGRESS)).ok()?).ok()
}

/// Notes why a run cannot be made, until it is tried again.
pub(super) fn fail(run: &Path, why: &str) -> Result<()> {
    let directory = running(run);
    fs::create_dir_all(&directory).with_context(|| Unwritable(directory.clone()))?;
    let path = directory.join(FAILURE);
    files::write(&path, format!("{why}\n").as_bytes()).with_context(|| Unwritable(path.clone()))
}

impl Desk {
    /// Opens the place of a run, and finds the checkpoint from which it goes on, if there is one.
    ///
    /// # Errors
    /// When the checkpoint is of another run, or something cannot be read or written.
    pub fn open(
        run: &Path,
        key: String,
        config: &str,
        here: &Identity,
        force: bool,
    ) -> Result<(Self, Option<Checkpoint>)> {
        let directory = running(run);
        let checkpoints = Checkpoints(checkpoints(run));
        if force {
            checkpoints.remove()?;
        }
        checkpoints.clean()?;
        let mut desk = Self { directory, checkpoints, logs: BTreeMap::new(), run: key };
        make(&desk.directory)?;
        let found = loop {
            let Some(found) = desk.checkpoints.newest(here, &desk.run)? else { break None };
            if desk.holds(&found.header.logs)? {
                break Some(found);
            }
            desk.checkpoints.set_aside_newest()?;
        };
        let marks = found.as_ref().map(|found| found.header.logs.clone()).unwrap_or_default();
        // What is not known to be whole is written again.
        for path in entries(&desk.directory)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match marks.get(&name) {
                Some(mark) => drop(desk.logs.insert(name, Log::open(path, mark.bytes)?)),
                None => remove(&path).with_context(|| Unwritable(path.clone()))?,
            }
        }
        let path = desk.directory.join(CONFIG);
        fs::write(&path, config).with_context(|| Unwritable(path.clone()))?;
        Ok((desk, found))
    }

    /// Whether every file begins with what it held at a checkpoint.
    fn holds(&self, marks: &BTreeMap<String, Contents>) -> Result<bool> {
        for (name, mark) in marks {
            let path = self.directory.join(name);
            let found =
                files::if_there(files::read(&path)).with_context(|| format!("cannot read {}", path.display()))?;
            let Some(bytes) = found else { return Ok(false) };
            let kept = usize::try_from(mark.bytes).ok().and_then(|len| bytes.get(..len));
            if kept.is_none_or(|kept| files::sha256(kept) != mark.sha256) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Adds a row to a file, where `tail -f` sees it.
    pub fn log(&mut self, file: &str, row: &impl Serialize) -> Result<()> {
        if !self.logs.contains_key(file) {
            self.logs.insert(file.to_string(), Log::open(self.directory.join(file), 0)?);
        }
        let Some(log) = self.logs.get_mut(file) else { return Ok(()) };
        let is_first = log.bytes == 0;
        let mut writer = csv::WriterBuilder::new().has_headers(is_first).from_writer(Vec::new());
        writer.serialize(row)?;
        let named = |place| if is_first && place == 0 { "run" } else { &self.run };
        log.write(&with_field(&writer.into_inner()?, named)?)
    }

    /// Where every file ends now.
    pub fn marks(&self) -> Marks {
        self.logs.iter().map(|(name, log)| (name.clone(), (log.bytes, log.digest.clone()))).collect()
    }

    /// Takes back the rows since then.
    pub fn cut_back(&mut self, marks: &Marks) -> Result<()> {
        for (name, log) in &mut self.logs {
            let (bytes, digest) = marks.get(name).cloned().unwrap_or_default();
            log.cut(bytes, digest)?;
        }
        Ok(())
    }

    /// What the files hold, on the disk.
    pub fn contents(&self) -> Result<BTreeMap<String, Contents>> {
        let mut contents = BTreeMap::new();
        for (name, log) in self.logs.iter().filter(|(_, log)| log.bytes > 0) {
            log.file.sync_data().with_context(|| Unwritable(log.path.clone()))?;
            let sha256 = files::hexadecimal(log.digest.clone().finalize().as_ref());
            contents.insert(name.clone(), Contents { bytes: log.bytes, sha256 });
        }
        files::sync_directory(&self.directory).with_context(|| Unwritable(self.directory.clone()))?;
        Ok(contents)
    }

    /// Notes how far the run is.
    pub fn tell(&self, step: usize, seconds: f64) {
        // Nothing depends on it; a full disk is reported by the files that matter.
        let _ = fs::write(self.directory.join(PROGRESS), format!("[{step}, {seconds:.1}]\n"));
    }

    /// Closes the files that grow; those without a row go.
    pub fn close(&mut self) -> Result<()> {
        // There is none in a short run.
        let _ = fs::remove_file(self.directory.join(PROGRESS));
        for log in std::mem::take(&mut self.logs).into_values().filter(|log| log.bytes == 0) {
            fs::remove_file(&log.path).with_context(|| Unwritable(log.path.clone()))?;
        }
        Ok(())
    }
}

impl Log {
    /// Opens a file, and cuts it to so many bytes.
    fn open(path: PathBuf, bytes: u64) -> Result<Self> {
        let open = || -> std::io::Result<Self> {
            let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path)?;
            file.set_len(bytes)?;
            let digest = Sha256::new().chain_update(files::read(&path)?);
            let mut log = Self { path: path.clone(), file, bytes, digest };
            log.file.seek(SeekFrom::Start(bytes))?;
            Ok(log)
        };
        open().with_context(|| Unwritable(path.clone()))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).with_context(|| Unwritable(self.path.clone()))?;
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn cut(&mut self, bytes: u64, digest: Sha256) -> Result<()> {
        let cut = self.file.set_len(bytes).and_then(|()| self.file.seek(SeekFrom::Start(bytes)));
        cut.with_context(|| Unwritable(self.path.clone()))?;
        (self.bytes, self.digest) = (bytes, digest);
        Ok(())
    }
}
