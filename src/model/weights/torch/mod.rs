//! Checkpoints of `torch.save`, in the zip format and in the one before it.
//!
//! Both are a pickle whose tensors name their storages, and the bytes of the storages behind it.

mod checkpoint;
mod described;
mod tensor;

use super::content::Section;
use super::zip::Archive;
use crate::pickle::{MOST_INSTRUCTIONS, Pickle, Value};
use anyhow::{Context, Result, bail, ensure};
use checkpoint::Checkpoint;
use std::collections::HashMap;
use tensor::sections;

/// The number in the first pickle of a file in the old format, little-endian.
const LEGACY_MAGIC: &[u8] = b"\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

/// The weights of a file in the zip format.
///
/// # Errors
/// When it is broken or holds no weights: with what it holds.
pub fn read_zip(bytes: &[u8]) -> Result<Vec<Section>> {
    let archive = Archive::open(bytes)?;
    let mut pickles = archive.names().filter(|name| *name == "data.pkl" || name.ends_with("/data.pkl"));
    let pickle = pickles.next().context("it is a zip archive without a data.pkl, not torch.save's")?;
    ensure!(pickles.next().is_none(), "it holds data.pkl twice");
    let root = pickle.strip_suffix("data.pkl").unwrap_or_default();
    if archive.names().any(|name| name.strip_prefix(root) == Some("byteorder")) {
        let order = archive.read(&format!("{root}byteorder"))?;
        ensure!(order != b"big", "its numbers are big-endian; save it on a little-endian machine");
    }
    read_pickle(archive.read(pickle)?, |key| archive.read(&format!("{root}data/{key}")))
}

/// The weights of a pickle whose storages are elsewhere.
///
/// # Errors
/// As [`read_zip`].
pub fn read_pickle<'s>(bytes: &[u8], storage: impl Fn(&str) -> Result<&'s [u8]>) -> Result<Vec<Section>> {
    let (pickle, _) = Pickle::read(bytes)?;
    let mut storages = HashMap::new();
    let checkpoint = Checkpoint { pickle: &pickle };
    let found = checkpoint.search()?;
    for (key, _) in checkpoint.used(&found) {
        storages.insert(key, storage(key)?);
    }
    sections(&found, &storages)
}

/// Whether the bytes begin like a file in the old format.
pub fn is_legacy(bytes: &[u8]) -> bool {
    let magic = |pickle: &Pickle| matches!(pickle.value(pickle.root()), Value::Long(number) if *number == LEGACY_MAGIC);
    Pickle::read(&bytes[..bytes.len().min(64)]).is_ok_and(|(pickle, _)| magic(&pickle))
}

/// The weights of a file in the old format. After the magic number come three pickles (version, machine, content), one
/// with the list of storages, then for each the number of its elements (8 bytes) and the elements, little-endian.
///
/// # Errors
/// As [`read_zip`].
pub fn read_legacy(bytes: &[u8]) -> Result<Vec<Section>> {
    let (mut at, mut left) = (0, MOST_INSTRUCTIONS);
    let mut next = || -> Result<Pickle> {
        let (pickle, length) = Pickle::read_within(&bytes[at..], &mut left)?;
        at += length;
        Ok(pickle)
    };
    let [_magic, _version, machine, content, list] = [next()?, next()?, next()?, next()?, next()?];
    let little = machine.entry(machine.root(), "little_endian").map(|id| machine.value(id));
    ensure!(
        !matches!(little, Some(Value::Bool(false))),
        "its numbers are big-endian; save it on a little-endian machine"
    );
    let checkpoint = Checkpoint { pickle: &content };
    let kinds = checkpoint.kinds()?;
    let Value::List(keys) = list.value(list.root()) else { bail!("its list of storages is missing") };
    let mut storages = HashMap::new();
    for key in keys {
        let key = list.text(*key).context("a storage has no name")?;
        let kind = kinds.get(key).with_context(|| format!("no tensor says what storage {key} holds"))?;
        let count = bytes.get(at..at + 8).and_then(|count| count.try_into().ok()).map(u64::from_le_bytes);
        let count = count.context("it ends before its storages")?;
        let length = usize::try_from(count).ok().and_then(|count| count.checked_mul(kind.width));
        let end = length.and_then(|length| (at + 8).checked_add(length));
        let data = end.and_then(|end| bytes.get(at + 8..end)).context("it ends within a storage")?;
        storages.insert(key, data);
        at += 8 + data.len();
    }
    sections(&checkpoint.search()?, &storages)
}
