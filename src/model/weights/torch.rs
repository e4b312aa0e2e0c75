//! Checkpoints of `torch.save`, in the zip format and in the one before it.
//!
//! Both are a pickle whose tensors name their storages, and the bytes of the storages behind it.

use super::content::{Content, Section};
use super::layer::is_parameter;
use super::pickle::{Id, Pickle, Value};
use super::zip::Archive;
use anyhow::{Context, Result, bail, ensure};
use candle_core::{DType, Device, Tensor};
use std::collections::{HashMap, HashSet};

/// The number in the first pickle of a file in the old format, little-endian.
const LEGACY_MAGIC: &[u8] = b"\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
/// Dictionaries within dictionaries that are searched for weights: `{"checkpoint": {"state_dict": ..}}`.
const DEPTH: usize = 2;
/// Axes that a tensor may have.
const MOST_AXES: usize = 8;
/// Tensors may share storages, as tied weights do, but may not repeat one without end.
const SHARING: usize = 4;
/// Keys that a message lists.
const SHOWN: usize = 12;

/// The weights of a file in the zip format.
///
/// # Errors
/// When it is broken or holds no weights: with what it holds.
pub fn read_zip(bytes: &[u8]) -> Result<Vec<Section>> {
    let archive = Archive::open(bytes)?;
    let mut pickles = archive.names().filter(|name| *name == "data.pkl" || name.ends_with("/data.pkl"));
    let pickle = pickles.next().context("it is a zip archive without a data.pkl, not torch.save's")?;
    ensure!(pickles.next().is_none(), "it holds data.pkl twice");
    let root = pickle.trim_end_matches("data.pkl");
    if archive.names().any(|name| name.strip_prefix(root) == Some("byteorder")) {
        let order = archive.read(&format!("{root}byteorder"))?;
        ensure!(order != b"big", "its numbers are big-endian; save it on a little-endian machine");
    }
    let (pickle, _) = Pickle::read(archive.read(pickle)?)?;
    let mut storages = HashMap::new();
    let checkpoint = Checkpoint { pickle: &pickle };
    let found = checkpoint.search()?;
    for (key, _) in checkpoint.used(&found) {
        storages.insert(key, archive.read(&format!("{root}data/{key}"))?);
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
    let mut at = 0;
    let mut next = || -> Result<Pickle> {
        let (pickle, length) = Pickle::read(&bytes[at..])?;
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

/// How the elements of a storage are written.
#[derive(Debug, Clone, Copy)]
struct Kind {
    /// None of what no weights are made of.
    dtype: Option<DType>,
    width: usize,
}

impl Kind {
    fn of(class: &str) -> Option<Self> {
        let (dtype, width) = match class {
            "FloatStorage" => (Some(DType::F32), 4),
            "DoubleStorage" => (Some(DType::F64), 8),
            "HalfStorage" => (Some(DType::F16), 2),
            "BFloat16Storage" => (Some(DType::BF16), 2),
            "ByteStorage" | "CharStorage" | "BoolStorage" | "QInt8Storage" | "QUInt8Storage" => (None, 1),
            "ShortStorage" => (None, 2),
            "IntStorage" | "QInt32Storage" => (None, 4),
            "LongStorage" | "ComplexFloatStorage" => (None, 8),
            "ComplexDoubleStorage" => (None, 16),
            _ => return None,
        };
        Some(Self { dtype, width })
    }
}

/// A tensor as a pickle describes it.
struct Described<'a> {
    name: &'a str,
    class: &'a str,
    storage: &'a str,
    offset: usize,
    dims: Vec<usize>,
    strides: Vec<usize>,
}

/// The tensors of a dictionary, and the keys that lead to it.
type Found<'a> = (String, Vec<Described<'a>>);

/// The content of a file.
struct Checkpoint<'p, 'a> {
    pickle: &'p Pickle<'a>,
}

impl<'a> Checkpoint<'_, 'a> {
    /// The dictionaries that hold parameters: the outermost, or else those within.
    fn search(&self) -> Result<Vec<Found<'a>>> {
        let root = self.pickle.root();
        let mut seen = HashSet::from([root]);
        let mut level = vec![(String::new(), root)];
        let (mut found, mut nameless) = (Vec::new(), Vec::new());
        for _ in 0..=DEPTH {
            let mut below = Vec::new();
            for (path, dict) in level {
                let tensors = self.tensors(dict)?;
                if tensors.iter().any(|tensor| is_parameter(tensor.name)) {
                    found.push((path, tensors));
                    continue;
                }
                for (key, value) in self.pickle.dict(dict).unwrap_or_default() {
                    let Some(key) = self.pickle.text(*key) else { continue };
                    // Python may name one dictionary twice; it is one set of weights.
                    if self.pickle.dict(*value).is_some() && seen.insert(*value) {
                        below.push((if path.is_empty() { key.into() } else { format!("{path}.{key}") }, *value));
                    }
                }
                if !tensors.is_empty() {
                    nameless.push((path, tensors));
                }
            }
            level = below;
        }
        if !found.is_empty() {
            return Ok(found);
        }
        // Tensors under names of another kind are of use to who says which they are.
        ensure!(!nameless.is_empty() && self.saved_whole().is_none(), "{}", self.nothing());
        Ok(nameless)
    }

    /// Why there are no weights: with what there is.
    fn nothing(&self) -> String {
        if let Some(class) = self.saved_whole() {
            return format!(
                "it holds a whole module ({class}), not weights; save its state_dict: torch.save(model.state_dict(), FILE)"
            );
        }
        let entries = self.pickle.dict(self.pickle.root()).unwrap_or_default();
        let keys: Vec<_> = entries.iter().filter_map(|(key, _)| self.pickle.text(*key)).collect();
        match keys.len() {
            0 => "it holds no weights: its content is no dictionary of tensors".into(),
            1..=SHOWN => format!("it holds no weights; its keys are {}", keys.join(", ")),
            more => format!("it holds no weights; its {more} keys begin with {}", keys[..SHOWN].join(", ")),
        }
    }

    /// The class of a module that was saved instead of its weights, alone or in a dictionary.
    fn saved_whole(&self) -> Option<String> {
        let root = self.pickle.root();
        let entries = self.pickle.dict(root).unwrap_or_default();
        std::iter::once(root).chain(entries.iter().map(|(_, value)| *value)).find_map(|object| self.module(object))
    }

    /// The class of an object that has the attributes of a module.
    fn module(&self, object: Id) -> Option<String> {
        let Value::Made { by, state: Some(state), .. } = self.pickle.value(object) else { return None };
        ["_parameters", "_modules", "training"].iter().find_map(|key| self.pickle.entry(*state, key))?;
        // The old format wraps the class to keep its source.
        let class = match self.pickle.value(*by) {
            Value::Outside(source) => *self.pickle.tuple(*source)?.get(1)?,
            _ => *by,
        };
        match self.pickle.value(class) {
            Value::Global { module, name } => Some(format!("{module}.{name}")),
            _ => Some("of an unknown class".into()),
        }
    }

    /// The tensors of a dictionary in its order.
    fn tensors(&self, dict: Id) -> Result<Vec<Described<'a>>> {
        let mut tensors = Vec::new();
        for (key, value) in self.pickle.dict(dict).unwrap_or_default() {
            let Some(name) = self.pickle.text(*key) else { continue };
            if let Some(arguments) = self.rebuilt(*value) {
                let described = self.described(name, arguments);
                tensors.push(described.with_context(|| format!("{name}: its tensor is broken"))?);
            }
        }
        Ok(tensors)
    }

    /// The arguments from which a tensor is built again, through the wrappings of parameters and of subclasses.
    fn rebuilt(&self, value: Id) -> Option<&[Id]> {
        let Value::Made { by, from, .. } = self.pickle.value(value) else { return None };
        let Value::Global { module, name } = self.pickle.value(*by) else { return None };
        let arguments = self.pickle.tuple(*from)?;
        match (*module, *name) {
            ("torch._utils", "_rebuild_tensor_v2" | "_rebuild_tensor") => Some(arguments),
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => {
                let Value::Made { from, .. } = self.pickle.value(*arguments.first()?) else { return None };
                self.pickle.tuple(*from)
            }
            ("torch._tensor", "_rebuild_from_type_v2") => self.pickle.tuple(*arguments.get(2)?),
            _ => None,
        }
    }

    /// A tensor from storage, offset, dims and strides.
    fn described(&self, name: &'a str, arguments: &[Id]) -> Option<Described<'a>> {
        let [storage, offset, dims, strides, ..] = arguments else { return None };
        let Value::Outside(storage) = self.pickle.value(*storage) else { return None };
        let (storage, class) = self.storage(*storage)?;
        let counts =
            |id: Id| self.pickle.tuple(id)?.iter().map(|id| self.pickle.count(*id)).collect::<Option<Vec<_>>>();
        let (dims, strides) = (counts(*dims)?, counts(*strides)?);
        let offset = self.pickle.count(*offset)?;
        (dims.len() == strides.len() && dims.len() <= MOST_AXES).then_some(Described {
            name,
            class,
            storage,
            offset,
            dims,
            strides,
        })
    }

    /// Name and class of a storage from ("storage", class, name, device, elements) and, in the old format, what part of
    /// another storage it is; nobody has written such parts for long.
    fn storage(&self, id: Id) -> Option<(&'a str, &'a str)> {
        let [tag, class, name, rest @ ..] = self.pickle.tuple(id)? else { return None };
        let Value::Global { name: class, .. } = self.pickle.value(*class) else { return None };
        let whole = rest.get(2).is_none_or(|view| matches!(self.pickle.value(*view), Value::Other));
        (self.pickle.text(*tag)? == "storage" && whole).then_some((self.pickle.text(*name)?, *class))
    }

    /// Kinds of all storages, those of an optimizer and of other things beside the weights included.
    fn kinds(&self) -> Result<HashMap<&'a str, Kind>> {
        let mut kinds = HashMap::new();
        for value in self.pickle.values() {
            let Value::Outside(id) = value else { continue };
            if let Some((name, class)) = self.storage(*id) {
                let kind =
                    Kind::of(class).with_context(|| format!("storage {name} is a {class}, which is not known"))?;
                kinds.insert(name, kind);
            }
        }
        Ok(kinds)
    }

    /// Storages of tensors that can be weights.
    fn used(&self, found: &[Found<'a>]) -> HashMap<&'a str, Kind> {
        let tensors = found.iter().flat_map(|(_, tensors)| tensors);
        let kinds = tensors.filter_map(|tensor| Some((tensor.storage, Kind::of(tensor.class)?)));
        kinds.filter(|(_, kind)| kind.dtype.is_some()).collect()
    }
}

fn sections(found: &[Found<'_>], storages: &HashMap<&str, &[u8]>) -> Result<Vec<Section>> {
    let stored: usize = storages.values().map(|data| data.len()).sum();
    let mut left = stored.saturating_mul(SHARING);
    let mut sections = Vec::new();
    for (key, tensors) in found {
        let read = tensors.iter().map(|described| {
            let content = described.content(storages, &mut left).with_context(|| described.name.to_string())?;
            Ok((described.name.to_string(), content))
        });
        sections.push(Section { key: key.clone(), tensors: read.collect::<Result<_>>()? });
    }
    Ok(sections)
}

impl Described<'_> {
    fn content(&self, storages: &HashMap<&str, &[u8]>, left: &mut usize) -> Result<Content> {
        let Some(Kind { dtype: Some(dtype), width }) = Kind::of(self.class) else {
            let reason = format!("its numbers are those of a {}, not of weights", self.class);
            return Ok(Content::Refused { reason, dims: self.dims.clone() });
        };
        let data = *storages.get(self.storage).with_context(|| format!("its storage {} is missing", self.storage))?;
        let elements = data.len() / width;
        let count = self.dims.iter().try_fold(1_usize, |count, dim| count.checked_mul(*dim));
        let count = count.filter(|count| *count <= elements);
        let count = count.with_context(|| format!("shape {:?} is more than its storage of {elements}", self.dims))?;
        let last = self.dims.iter().zip(&self.strides).try_fold(self.offset, |last, (dim, stride)| {
            dim.saturating_sub(1).checked_mul(*stride).and_then(|step| last.checked_add(step))
        });
        ensure!(count == 0 || last.is_some_and(|last| last < elements), "it reaches beyond its storage of {elements}");
        *left = left.checked_sub(count * width).context("too many tensors share a storage")?;
        let mut gathered = Vec::with_capacity(count * width);
        for place in places(&self.dims, &self.strides, self.offset) {
            gathered.extend_from_slice(&data[place * width..(place + 1) * width]);
        }
        Ok(Content::Tensor(Tensor::from_raw_buffer(&gathered, dtype, &self.dims, &Device::Cpu)?))
    }
}

/// Where the elements of a strided tensor lie in its storage, in row-major order.
fn places(dims: &[usize], strides: &[usize], offset: usize) -> Vec<usize> {
    dims.iter().zip(strides).fold(vec![offset], |starts, (&dim, &stride)| {
        starts.iter().flat_map(|start| (0..dim).map(move |step| start + step * stride)).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(dims: &[usize], strides: &[usize], offset: usize) -> Result<Vec<f32>> {
        let data: Vec<u8> = (0..6).flat_map(|number| (number as f32).to_le_bytes()).collect();
        let (dims, strides) = (dims.to_vec(), strides.to_vec());
        let described = Described { name: "x", class: "FloatStorage", storage: "0", offset, dims, strides };
        match described.content(&HashMap::from([("0", &data[..])]), &mut 1000)? {
            Content::Tensor(tensor) => Ok(tensor.flatten_all()?.to_vec1()?),
            Content::Refused { reason, .. } => bail!(reason),
        }
    }

    #[test]
    fn strided_tensors_are_read_in_row_major_order() {
        assert_eq!(content(&[2, 3], &[3, 1], 0).expect("a matrix"), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(content(&[3, 2], &[1, 3], 0).expect("its transpose"), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert_eq!(content(&[2], &[2], 1).expect("a part"), [1.0, 3.0]);
        assert_eq!(content(&[], &[], 5).expect("a number"), [5.0]);
        assert_eq!(content(&[0, 9], &[9, 1], 0).expect("nothing"), [0.0; 0]);
    }

    #[test]
    fn tied_tensors_share_a_storage_but_not_without_end() {
        let data = [0; 4000];
        let tensor = |name| {
            let (dims, strides) = (vec![1000], vec![1]);
            Described { name, class: "FloatStorage", storage: "0", offset: 0, dims, strides }
        };
        let share = |count: usize| {
            let tensors = (0..count).map(|_| tensor("0.weight")).collect();
            sections(&[(String::new(), tensors)], &HashMap::from([("0", &data[..])]))
        };
        assert_eq!(share(2).expect("tied weights")[0].tensors.len(), 2);
        let told = format!("{:#}", share(500).expect_err("a file that makes more of itself"));
        assert!(told.contains("too many tensors share a storage"), "{told}");
    }

    #[test]
    fn no_tensor_is_larger_than_its_storage() {
        for (dims, strides, offset) in [
            (&[1_000_000_000][..], &[0][..], 0),
            (&[usize::MAX, 2], &[0, 0], 0),
            (&[6], &[1], 1),
            (&[2], &[usize::MAX], 2),
            (&[1], &[1], usize::MAX),
        ] {
            content(dims, strides, offset).expect_err("a tensor beyond its storage");
        }
    }
}
