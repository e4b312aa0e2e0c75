//! Foreign weights: .safetensors files and PyTorch checkpoints, matched to a model.
//!
//! Names differ between programs (`feature.4.vector`, `4.vector`, `classifer.weight`); the order in which layers run does
//! not. So tensors are grouped by layer, the part of the name before its last dot, and inside a layer the last part of the
//! name tells the role. Layers with the model's own names are matched by name, others by the order in which they run. A
//! .safetensors file has lost that order: where numbers in names and shapes do not tell it, the file is refused and
//! [`Hints`] have to.

mod arrange;
mod content;
mod hints;
mod layer;
mod matching;
mod torch;
mod tree;
mod zip;

pub use content::Weights;
pub use hints::Hints;

use crate::console::shown;
use crate::nn::Parameters;
use crate::nn::params::{Stored, same_shape};
use anyhow::{Context, Result, bail, ensure};
use candle_core::{DType, Tensor};
use content::{Content, Section};
use layer::{Layer, Order, is_parameter, layers};
use matching::Matching;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

/// Names that a message lists.
const SHOWN: usize = 12;

/// Reads a file by its contents, not its name: safetensors, PyTorch's zip format or its legacy format.
///
/// # Errors
/// When the file cannot be read, is damaged, or holds no weights.
pub fn read(path: &Path) -> Result<Weights> {
    let bytes = crate::files::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(&bytes, path)
}

/// The weights of a run, given by its directory, or else the file itself.
pub fn file_at(path: &Path) -> PathBuf {
    if path.is_dir() { path.join("weights.safetensors") } else { path.to_path_buf() }
}

/// [`read`] of bytes that are in memory already; messages name the file.
///
/// Nothing in a pickle is executed, and no part of a file makes more of itself than its bytes.
///
/// # Errors
/// As [`read`].
pub fn parse(bytes: &[u8], path: &Path) -> Result<Weights> {
    let name = path.display();
    ensure!(!bytes.is_empty(), "{name} is empty");
    if bytes.get(8) == Some(&b'{') {
        let section = content::read_safetensors(bytes).and_then(Section::named_in_words);
        let section = section.with_context(|| format!("{name} is not a sound safetensors file"))?;
        return Ok(Weights { sections: vec![section], order: Order::Lost });
    }
    let sections = if bytes.starts_with(zip::MAGIC) {
        torch::read_zip(bytes)
    } else if torch::is_legacy(bytes) {
        torch::read_legacy(bytes)
    } else {
        bail!("{name} is neither a safetensors file nor a PyTorch state dict (torch.save of model.state_dict())");
    };
    let sections =
        sections.and_then(|sections| sections.into_iter().map(Section::named_in_words).collect::<Result<Vec<_>>>());
    let sections = sections.with_context(|| format!("{name} cannot be read as a PyTorch state dict"))?;
    Ok(Weights { sections, order: Order::Declared })
}

/// Reads a pickle without the archive around it, whose checksum would stop most damage; `storage` gives the bytes of a storage.
///
/// # Errors
/// As [`read`].
#[cfg(feature = "program")]
pub(crate) fn parse_pickle<'s>(bytes: &[u8], storage: impl Fn(&str) -> Result<&'s [u8]>) -> Result<Weights> {
    let sections =
        torch::read_pickle(bytes, storage)?.into_iter().map(Section::named_in_words).collect::<Result<_>>()?;
    Ok(Weights { sections, order: Order::Declared })
}

/// Where the tensors of a model came from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assignment {
    /// In the order in which layers run.
    pub placed: Vec<Placed>,
    /// Names of tensors in the file that are none of the model's.
    pub left_aside: Vec<String>,
}

/// Where a tensor of the model came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The model's name.
    pub name: String,
    /// The file's name.
    pub from: String,
    /// The shape that the model stores it in.
    pub shape: Vec<usize>,
}

/// Sets the parameters of a model.
///
/// # Errors
/// When layers are missing or too many, a tensor has the wrong shape or is not of finite numbers, or the order of layers is
/// not known: with its name, what was expected and what was found. The model is then unchanged.
pub fn load(parameters: &Parameters, weights: Weights) -> Result<()> {
    load_with(parameters, weights, &Hints::default()).map(drop)
}

/// [`load`] with what the file does not say about itself.
///
/// # Errors
/// As [`load`], and when a hint names what is not there.
pub fn load_with(parameters: &Parameters, weights: Weights, hints: &Hints) -> Result<Assignment> {
    let order = weights.order;
    let section = weights.section(hints.key.as_deref())?;
    let stored: Vec<&Stored> = parameters.iter().flat_map(|parameter| &parameter.stored).collect();
    let mut pairs = mapped(&stored, &section, &hints.map)?;
    pairs.extend(matched(&stored, &section, order, hints, &pairs)?);
    let dtype = parameters.iter().next().map_or(DType::F32, |parameter| parameter.var.dtype());
    let stored: HashMap<&str, &Stored> = stored.iter().map(|part| (part.name.as_str(), *part)).collect();
    let mut left: BTreeMap<&str, &Content> = section.named().collect();
    let (mut values, mut assignment) = (HashMap::new(), Assignment::default());
    for (name, from) in pairs {
        let part = stored.get(name).with_context(|| format!("the model has no {name}"))?;
        let content = left.remove(from).with_context(|| format!("{from} is taken twice"))?;
        let value = sound(content.tensor(from)?, from, name.ends_with("running_var"), dtype)?;
        values.insert(name.to_string(), value.reshape(part.shape.as_slice())?);
        assignment.placed.push(Placed { name: name.into(), from: from.into(), shape: part.shape.clone() });
    }
    assignment.left_aside = left.into_keys().map(String::from).collect();
    parameters.assign(&values)?;
    Ok(assignment)
}

/// Names of the model with names of a file.
type Pairs<'p> = Vec<(&'p str, &'p str)>;

/// What a map says, tensor by tensor.
fn mapped<'p>(stored: &[&'p Stored], section: &'p Section, map: &[(String, String)]) -> Result<Pairs<'p>> {
    let mut pairs = Vec::new();
    let parts: HashMap<&str, &Stored> = stored.iter().map(|part| (part.name.as_str(), *part)).collect();
    let tensors: HashMap<&str, (&str, &Content)> = section.named().map(|named| (named.0, named)).collect();
    let our_layers = by_name(stored.iter().map(|part| (part.name.as_str(), part.shape.as_slice())));
    let their_layers = by_name(section.named().map(|(name, content)| (name, content.dims())));
    for (model, file) in map {
        let (part, tensor) = (parts.get(model.as_str()).copied(), tensors.get(file.as_str()).copied());
        let mut ours = our_layers.get(model.as_str()).cloned();
        let theirs = their_layers.get(file.as_str()).cloned();
        if theirs.as_ref().is_some_and(|theirs| !theirs.has_direction()) {
            ours.iter_mut().for_each(Layer::call_direction_weight);
        }
        ensure!(part.is_some() || ours.is_some(), "--map: the model has no tensor or layer {model}");
        ensure!(tensor.is_some() || theirs.is_some(), "--map: the file has no tensor or layer {file}");
        match (part, tensor, ours, theirs) {
            (Some(part), Some((name, content)), ..) => {
                let (shape, found) = (&part.shape, content.dims());
                ensure!(same_shape(shape, found), "--map: {name}: expected shape {shape:?}, found {found:?}");
                pairs.push((part.name.as_str(), name));
            }
            (_, _, Some(ours), Some(theirs)) => {
                let problem = ours.problem(&theirs);
                ensure!(problem.is_none(), "--map: {}", problem.unwrap_or_default());
                pairs.extend(ours.pairs(&theirs));
            }
            _ => bail!("--map: {model} = {file}: one is a tensor, the other a layer"),
        }
    }
    Ok(pairs)
}

/// Layers by their names.
fn by_name<'a>(named: impl Iterator<Item = (&'a str, &'a [usize])>) -> HashMap<&'a str, Layer<'a>> {
    layers(named).into_iter().map(|layer| (layer.name, layer)).collect()
}

/// The other tensors, layer by layer.
fn matched<'p>(
    stored: &[&'p Stored],
    section: &'p Section,
    order: Order,
    hints: &Hints,
    mapped: &Pairs<'p>,
) -> Result<Pairs<'p>> {
    let (ours, theirs): (HashSet<&str>, HashSet<&str>) = mapped.iter().copied().unzip();
    let wanted = stored.iter().map(|part| (part.name.as_str(), part.shape.as_slice()));
    let mut wanted = layers(wanted.filter(|(name, _)| !ours.contains(name)));
    let found = section.named().filter(|(name, _)| is_parameter(name) && !theirs.contains(name));
    let found = layers(found.map(|(name, content)| (name, content.dims())));
    // Who has named every tensor has chosen among those of the file.
    if wanted.is_empty() && !mapped.is_empty() {
        return Ok(Vec::new());
    }
    if found.is_empty() {
        let names: Vec<String> = section.named().map(|(name, _)| shown(name)).take(SHOWN).collect();
        ensure!(!names.is_empty(), "it holds no tensor");
        bail!(
            "no tensor of it is named like a layer's (NAME.weight, NAME.bias); it holds {}; pass --map FILE",
            names.join(", ")
        );
    }
    if !found.iter().any(Layer::has_direction) {
        wanted.iter_mut().for_each(Layer::call_direction_weight);
    }
    let matching = Matching { wanted: &wanted, found: &found, order, given: &hints.order };
    let pairs = matching.pairs()?.into_iter().flat_map(|(ours, theirs)| wanted[ours].pairs(&found[theirs]));
    Ok(pairs.collect())
}

/// The tensor in the model's type of numbers; `name` is the file's.
fn sound(tensor: &Tensor, name: &str, is_variance: bool, dtype: DType) -> Result<Tensor> {
    let tensor = tensor.to_dtype(dtype)?;
    let numbers: Vec<f64> = tensor.flatten_all()?.to_dtype(DType::F64)?.to_vec1()?;
    ensure!(numbers.iter().all(|number| number.is_finite()), "{name}: a weight is not a finite number");
    ensure!(!is_variance || numbers.iter().all(|number| *number >= 0.0), "{name}: a variance is negative");
    Ok(tensor)
}
