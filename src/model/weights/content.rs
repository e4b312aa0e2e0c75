//! What a file holds before anybody knows which of it is wanted.

use super::layer::Order;
use crate::console::shown;
use anyhow::{Context, Result, bail};
use candle_core::{DType, Device, Tensor};

/// Bytes that the list of tensors of a .safetensors file may have.
const LONGEST_HEADER: u64 = 1 << 24;

/// The tensors of a weights file.
#[derive(Debug)]
pub struct Weights {
    pub(super) sections: Vec<Section>,
    pub(super) order: Order,
}

/// Tensors that were saved together.
#[derive(Debug)]
pub(super) struct Section {
    /// The keys that lead to them, joined by dots; empty for the whole file.
    pub key: String,
    /// By name, in the order of the file.
    pub tensors: Vec<(String, Content)>,
}

/// A tensor, or why it can be no weight.
#[derive(Debug)]
pub(super) enum Content {
    Tensor(Tensor),
    Refused { reason: String, dims: Vec<usize> },
}

impl Content {
    pub fn dims(&self) -> &[usize] {
        match self {
            Self::Tensor(tensor) => tensor.dims(),
            Self::Refused { dims, .. } => dims,
        }
    }

    /// # Errors
    /// When it is no tensor of weights.
    pub fn tensor(&self, name: &str) -> Result<&Tensor> {
        match self {
            Self::Tensor(tensor) => Ok(tensor),
            Self::Refused { reason, .. } => bail!("{name}: {reason}"),
        }
    }
}

impl Section {
    /// The same; no program names a tensor in control characters, which in a message would steer the terminal.
    pub fn named_in_words(self) -> Result<Self> {
        let mut names = std::iter::once(&self.key).chain(self.tensors.iter().map(|(name, _)| name));
        match names.find(|name| name.contains(char::is_control)) {
            Some(name) => bail!("the name {} has control characters", shown(name)),
            None => Ok(self),
        }
    }

    pub fn named(&self) -> impl Iterator<Item = (&str, &Content)> {
        self.tensors.iter().map(|(name, content)| (name.as_str(), content))
    }
}

impl Weights {
    /// The only tensors, or those that a key leads to: into a dictionary, or to names that begin with it.
    pub(super) fn section(self, key: Option<&str>) -> Result<Section> {
        let Self { mut sections, .. } = self;
        let keys: Vec<String> = sections.iter().map(|section| section.key.clone()).collect();
        let Some(key) = key else {
            let [_] = sections[..] else {
                bail!("it holds weights under {}; choose one with --key", keys.join(" and "));
            };
            return sections.pop().context("there is a section");
        };
        if let Some(place) = keys.iter().position(|known| known == key) {
            return Ok(sections.swap_remove(place));
        }
        let prefix = format!("{key}.");
        sections.retain_mut(|section| {
            section.tensors.retain(|(name, _)| name.starts_with(&prefix));
            !section.tensors.is_empty()
        });
        let known: Vec<_> = keys.iter().filter(|key| !key.is_empty()).map(String::as_str).collect();
        let known = if known.is_empty() { "none".into() } else { known.join(", ") };
        let [_] = sections[..] else {
            bail!("--key {key}: it holds no weights under that key; its keys of weights: {known}")
        };
        sections.pop().context("there is a section")
    }
}

/// The tensors of a .safetensors file.
pub(super) fn read_safetensors(bytes: &[u8]) -> Result<Section> {
    let length = bytes.get(..8).and_then(|length| length.try_into().ok()).map(u64::from_le_bytes);
    if length.is_some_and(|length| length > LONGEST_HEADER) {
        bail!("its list of tensors has more than {LONGEST_HEADER} bytes");
    }
    let file = candle_core::safetensors::SliceSafetensors::new(bytes)?;
    let mut tensors = Vec::new();
    for (name, view) in file.tensors() {
        let tensor = entries(view.shape()).and_then(|_| file.load(&name, &Device::Cpu).ok());
        let content = match tensor {
            Some(tensor) if is_of_weights(tensor.dtype()) => Content::Tensor(tensor),
            _ => {
                let reason = format!("its numbers are of type {:?}, not those of weights", view.dtype());
                Content::Refused { reason, dims: view.shape().to_vec() }
            }
        };
        tensors.push((name, content));
    }
    // The file has no order; messages have one.
    tensors.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(Section { key: String::new(), tensors })
}

/// Entries of a tensor; None if it has none, but would have too many for a number along its other axes: nobody can tell its
/// strides.
pub(super) fn entries(dims: &[usize]) -> Option<usize> {
    let others = dims.iter().filter(|dim| **dim > 0).try_fold(1_usize, |entries, dim| entries.checked_mul(*dim))?;
    Some(if dims.contains(&0) { 0 } else { others })
}

fn is_of_weights(dtype: DType) -> bool {
    matches!(dtype, DType::F16 | DType::BF16 | DType::F32 | DType::F64)
}
