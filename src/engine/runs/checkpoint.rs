//! Checkpoints of a run: everything that it needs to go on, in a file of tensors (.safetensors) that other programs can read.
//!
//! A file is written beside, synced and renamed; its name holds its number and the beginning of its SHA-256, and the one
//! before it stays until the next is whole. So at every moment one of them is what was written, and what is not is found.

use super::directory::{entries, make};
use super::inventory::Contents;
use super::spec::Spec;
use super::unwritable::Unwritable;
use crate::console::note;
use crate::files;
use anyhow::{Context, Result, ensure};
use candle_core::{Device, Tensor};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Raised when the files change.
const FORMAT: u32 = 1;
/// Where the header is among the metadata of the file.
const HEADER: &str = "han-exp";
const END: &str = ".safetensors";
/// Hexadecimal digits of the hash in a name.
const DIGITS: usize = 16;

/// The numbers and names of a checkpoint.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Header {
    pub format: u32,
    pub identity: Identity,
    /// When the run began, UTC.
    pub start: String,
    /// How far the run has told that it is.
    pub step: usize,
    /// Of work until now, over all processes that have made a part of it.
    pub seconds: f64,
    /// Of the files that grow with the run, what they held.
    pub logs: BTreeMap<String, Contents>,
    /// How far its training is.
    pub training: Option<Training>,
    /// Name and bytes of each finished part, one after the other in the tensor of that name.
    pub parts: Vec<(String, usize)>,
}

/// Of a training: what is no tensor.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Training {
    /// See [`crate::train::State::numbers`]; JSON.
    pub position: String,
    /// Error, step and epoch of the parameters that scored best.
    pub best: Option<(f64, usize, f64)>,
    pub diverged_at_step: Option<usize>,
    /// Whether all steps and all reports are made.
    pub over: bool,
    pub reports: usize,
    /// Of training, scores not counted.
    pub seconds: f64,
}

/// What a run must have in common with the checkpoint that it goes on from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Identity {
    /// The whole specification.
    pub config: String,
    /// Of its kind.
    pub revision: String,
    /// SHA-256 of the data.
    pub data: String,
    /// SHA-256 of the files of other runs that it reads.
    pub inputs: BTreeMap<PathBuf, String>,
    /// Vector instruction set of the kernels: others round differently.
    pub simd: String,
}

impl Identity {
    /// Of a run on this machine.
    pub fn of<S: Spec>(spec: &S, data: String, inputs: BTreeMap<PathBuf, String>, simd: &str) -> Result<Self> {
        // What the result does not depend on may differ.
        let config = spec.essence().to_toml()?;
        Ok(Self { config, revision: S::REVISION.into(), data, inputs, simd: simd.into() })
    }

    /// What differs, in words; empty if nothing does.
    fn differences(&self, here: &Self) -> Vec<String> {
        let mut told = Vec::new();
        let mut tell = |what: &str, there: &str, here: &str| {
            if there != here {
                told.push(format!("{what} {there} there, {here} here"));
            }
        };
        let lines = |text: &str| text.lines().map(str::to_string).collect::<Vec<_>>();
        let (there_lines, here_lines) = (lines(&self.config), lines(&here.config));
        let line = |of: &[String], place: usize| of.get(place).cloned().unwrap_or_else(|| "nothing".into());
        if let Some(place) =
            (0..there_lines.len().max(here_lines.len())).find(|place| there_lines.get(*place) != here_lines.get(*place))
        {
            tell("specification", &line(&there_lines, place), &line(&here_lines, place));
        }
        tell("revision", &self.revision, &here.revision);
        tell("data", &self.data, &here.data);
        tell("instruction set", &self.simd, &here.simd);
        for (path, hash) in &here.inputs {
            tell(&path.display().to_string(), self.inputs.get(path).map_or("nothing", String::as_str), hash);
        }
        told
    }
}

/// The checkpoints of one run.
#[derive(Debug)]
pub(super) struct Checkpoints(pub PathBuf);

/// One of them.
pub(super) struct Checkpoint {
    pub header: Header,
    pub tensors: HashMap<String, Tensor>,
}

impl Checkpoints {
    /// Writes the next one; all but the last before it then go.
    pub fn write(&self, header: &Header, tensors: &[(String, Tensor)]) -> Result<()> {
        let directory = &self.0;
        let mut before = self.numbered()?;
        let number = before.last().map_or(1, |(number, _)| number.saturating_add(1));
        let header = Header { format: FORMAT, ..header.clone() };
        let metadata = HashMap::from([(HEADER.to_string(), serde_json::to_string(&header)?)]);
        let bytes = safetensors::serialize(tensors.iter().map(|(name, tensor)| (name, tensor)), Some(metadata))?;
        let path = directory.join(format!("{number:06}-{}{END}", &files::sha256(&bytes)[..DIGITS]));
        make(directory)?;
        files::write(&path, &bytes).with_context(|| Unwritable(path.clone()))?;
        before.pop();
        for (_, old) in before {
            fs::remove_file(&old).with_context(|| Unwritable(old.clone()))?;
        }
        Ok(())
    }

    /// The newest that is whole. Damaged ones are set aside with a warning.
    ///
    /// # Errors
    /// When it is of another run, or cannot be read.
    pub fn newest(&self, here: &Identity, run: &str) -> Result<Option<Checkpoint>> {
        for (_, path) in self.numbered()?.into_iter().rev() {
            match read(&path)? {
                Some(checkpoint) => {
                    let differences = checkpoint.header.identity.differences(here);
                    ensure!(
                        differences.is_empty(),
                        "{} belongs to another run: {}; start it anew with --run {run} --force",
                        path.display(),
                        differences.join("; ")
                    );
                    return Ok(Some(checkpoint));
                }
                None => self.set_aside(&path, "is damaged or was written by another version")?,
            }
        }
        Ok(None)
    }

    /// For one whose rows are not what they were.
    pub fn set_aside_newest(&self) -> Result<()> {
        match self.numbered()?.last() {
            Some((_, path)) => self.set_aside(path, "does not match the rows on disk"),
            None => Ok(()),
        }
    }

    fn set_aside(&self, path: &Path, why: &str) -> Result<()> {
        let aside = path.with_extension("damaged");
        note(&format!("warning: {} {why}; it was set aside", path.display()));
        fs::rename(path, &aside).with_context(|| Unwritable(aside.clone()))
    }

    /// Removes what a kill has left of one that was being written.
    pub fn clean(&self) -> Result<()> {
        let is_partial =
            |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(files::PARTIAL));
        for left in entries(&self.0)?.into_iter().filter(is_partial) {
            fs::remove_file(&left).with_context(|| Unwritable(left.clone()))?;
        }
        Ok(())
    }

    /// Removes them all.
    pub fn remove(&self) -> Result<()> {
        files::if_there(fs::remove_dir_all(&self.0)).with_context(|| Unwritable(self.0.clone()))?;
        Ok(())
    }

    /// Files by their numbers.
    fn numbered(&self) -> Result<Vec<(u64, PathBuf)>> {
        let mut found = Vec::new();
        for path in entries(&self.0)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let number = name.strip_suffix(END).and_then(|name| name.split_once('-')?.0.parse().ok());
            found.extend(number.map(|number| (number, path)));
        }
        found.sort();
        Ok(found)
    }
}

/// How far a run was at its newest checkpoint: steps and seconds. The tensors, which may be gigabytes, are not read.
pub(super) fn progress(directory: &Path) -> Option<(usize, f64)> {
    /// The beginning of a .safetensors file.
    #[derive(Deserialize)]
    struct Described {
        #[serde(rename = "__metadata__")]
        metadata: HashMap<String, String>,
    }
    let (_, path) = Checkpoints(directory.to_path_buf()).numbered().ok()?.pop()?;
    let mut file = files::open(&path).ok()?;
    let (mut length, mut json) = ([0; 8], Vec::new());
    file.read_exact(&mut length).ok()?;
    file.take(u64::from_le_bytes(length).min(files::LONGEST_TEXT)).read_to_end(&mut json).ok()?;
    let Described { metadata } = serde_json::from_slice(&json).ok()?;
    let header: Header = serde_json::from_str(metadata.get(HEADER)?).ok()?;
    Some((header.step, header.seconds))
}

/// A checkpoint, or None if it is not what was written.
fn read(path: &Path) -> Result<Option<Checkpoint>> {
    let bytes = files::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    if name.split_once('-').is_none_or(|(_, hash)| files::sha256(&bytes)[..DIGITS] != *hash) {
        return Ok(None);
    }
    // What has its hash was written by this program, perhaps by another version.
    parse(&bytes).with_context(|| format!("cannot read {}", path.display()))
}

/// A checkpoint of these bytes, or None if it is of another version.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<Checkpoint>> {
    let header = || {
        let (_, metadata) = SafeTensors::read_metadata(bytes).ok()?;
        serde_json::from_str::<Header>(metadata.metadata().as_ref()?.get(HEADER)?).ok()
    };
    let Some(header) = header().filter(|header| header.format == FORMAT) else { return Ok(None) };
    let tensors = candle_core::safetensors::load_buffer(bytes, &Device::Cpu)?;
    Ok(Some(Checkpoint { header, tensors }))
}
