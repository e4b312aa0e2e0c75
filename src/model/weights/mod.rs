//! Foreign weights: .safetensors files and PyTorch state dicts, matched to a model by the order and shape of layers.
//!
//! Names differ between programs (`feature.4.vector`, `4.vector`, `classifer.weight`), the order of layers does not. So
//! tensors are grouped by layer, the part of the name before its last dot, and the groups are matched to the model's
//! in order. Inside a layer the last part of the name tells the role.

mod pickle;

use crate::nn::Parameters;
use crate::nn::params::Stored;
use anyhow::{Context, Result, bail};
use candle_core::{Device, Tensor};
use std::collections::HashMap;
use std::path::Path;

/// The tensors of a weights file.
#[derive(Debug)]
pub struct Weights {
    tensors: Vec<(String, Tensor)>,
    order: Order,
}

/// What the order of the tensors in a file means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Nothing: .safetensors keys are sorted as text.
    Sorted,
    /// That of the layers, in a PyTorch state dict.
    Layers,
}

/// Reads a file by its contents, not its name: safetensors, PyTorch's zip format or its legacy format.
///
/// Nothing in a pickle is executed.
pub fn read(path: &Path) -> Result<Weights> {
    let name = path.display();
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {name}"))?;
    let tensors = if bytes.starts_with(b"PK") {
        pickle::read_zip(path)
    } else if bytes.starts_with(pickle::LEGACY_MAGIC) {
        pickle::read_legacy(&bytes)
    } else if bytes.get(8) == Some(&b'{') {
        let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu);
        let tensors = tensors.with_context(|| format!("{name} is not a sound safetensors file"))?;
        return Ok(Weights { tensors: tensors.into_iter().collect(), order: Order::Sorted });
    } else {
        bail!("{name} is neither a safetensors file nor a PyTorch state dict (torch.save of model.state_dict())");
    };
    let tensors = tensors.with_context(|| format!("{name} cannot be read as a PyTorch state dict"))?;
    Ok(Weights { tensors, order: Order::Layers })
}

/// Sets the parameters of a model.
///
/// # Errors
/// When layers are missing or too many, or a tensor has the wrong shape: with its name, what was expected and what was
/// found. The model is then unchanged.
pub fn load(parameters: &Parameters, weights: Weights) -> Result<()> {
    let mut wanted: Vec<Stored> = parameters.iter().flat_map(|p| p.stored.iter().cloned()).collect();
    // One parameter of the model may be several layers; the tensors of a layer keep their order.
    wanted.sort_by_key(|part| natural_key(layer_of(&part.name)));
    let wanted = wanted.iter().map(|part| (part.name.as_str(), part.shape.as_slice())).collect::<Vec<_>>();
    let Weights { mut tensors, order } = weights;
    tensors.retain(|(name, _)| is_parameter(name));
    if order == Order::Layers
        && let Ok(matched) = match_layers(&wanted, &tensors)
    {
        return Ok(parameters.assign(&matched)?);
    }
    tensors.sort_by_key(|(name, _)| (natural_key(layer_of(name)), name.clone()));
    Ok(parameters.assign(&match_layers(&wanted, &tensors)?)?)
}

/// Files that hold more than weights (inputs, gradients, counters) keep it under names that no layer has.
fn is_parameter(name: &str) -> bool {
    let named = name.rsplit_once('.').is_some_and(|(_, last)| Role::of(last).is_some());
    named && !name.starts_with("grad.")
}

/// What a tensor is to its layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Weight,
    Bias,
    RunningMean,
    RunningVar,
}

impl Role {
    fn of(last: &str) -> Option<Self> {
        match last {
            "weight" | "vector" | "normedvector" | "direction" | "u" => Some(Self::Weight),
            "bias" | "b" => Some(Self::Bias),
            "running_mean" => Some(Self::RunningMean),
            "running_var" => Some(Self::RunningVar),
            _ => None,
        }
    }

    fn of_name(name: &str) -> Option<Self> {
        Self::of(name.rsplit('.').next().unwrap_or(name))
    }
}

/// Tensors of one layer.
struct Layer<'a, T> {
    name: &'a str,
    parts: Vec<(&'a str, T)>,
}

/// Layers in the order in which their first tensors come.
fn layers<'a, T>(named: impl Iterator<Item = (&'a str, T)>) -> Vec<Layer<'a, T>> {
    let mut layers: Vec<Layer<T>> = Vec::new();
    for (name, part) in named {
        let layer_name = layer_of(name);
        match layers.iter_mut().find(|layer| layer.name == layer_name) {
            Some(layer) => layer.parts.push((name, part)),
            None => layers.push(Layer { name: layer_name, parts: vec![(name, part)] }),
        }
    }
    layers
}

fn match_layers(wanted: &[(&str, &[usize])], found: &[(String, Tensor)]) -> Result<HashMap<String, Tensor>> {
    let wanted = layers(wanted.iter().copied());
    let found = layers(found.iter().map(|(name, tensor)| (name.as_str(), tensor)));
    let mut matched = HashMap::new();
    for (place, layer) in wanted.iter().enumerate() {
        let Some(from) = found.get(place) else {
            bail!("the file has {} layers, the model needs {}", found.len(), wanted.len());
        };
        for (name, shape) in &layer.parts {
            let role = Role::of_name(name);
            let Some((foreign_name, tensor)) = from.parts.iter().find(|(n, _)| Role::of_name(n) == role) else {
                let last = name.rsplit('.').next().unwrap_or(name);
                bail!("layer {:?}, the model's layer {}, lacks a {last}", from.name, place + 1);
            };
            if !same_shape(shape, tensor.dims()) {
                bail!("{foreign_name}: expected shape {shape:?}, found {:?}", tensor.dims());
            }
            matched.insert((*name).to_string(), (*tensor).clone());
        }
    }
    if let Some(extra) = found.get(wanted.len()) {
        let (needed, layers) = (wanted.len(), found.len());
        bail!("the file has {layers} layers, the model needs {needed}; the first one too many is {:?}", extra.name);
    }
    Ok(matched)
}

/// A vector may come as [d], [d, 1] or [1, d]; otherwise shapes are equal.
fn same_shape(wanted: &[usize], found: &[usize]) -> bool {
    let squeezed = |dims: &[usize]| dims.iter().copied().filter(|d| *d != 1).collect::<Vec<_>>();
    let vector = wanted.len() <= 1 || wanted[1..] == [1];
    wanted == found || (vector && found.len() <= 2 && squeezed(wanted) == squeezed(found))
}

/// The layer's part of a tensor's name.
fn layer_of(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(layer, _)| layer)
}

/// Orders numbers in names of layers as numbers; a layer without any number (a head, `classifer`) comes after those with.
fn natural_key(layer: &str) -> (bool, Vec<(u64, String)>) {
    let numberless = !layer.contains(|c: char| c.is_ascii_digit());
    let mut pieces = Vec::new();
    for part in layer.split('.') {
        let mut rest = part;
        while !rest.is_empty() {
            let text_end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
            let (text, tail) = rest.split_at(text_end);
            let digits_end = tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len());
            let (digits, tail) = tail.split_at(digits_end);
            pieces.push((0, text.to_string()));
            // A number too long for 64 bits is no index; any fixed order will do.
            pieces.push((digits.parse().unwrap_or(u64::MAX), String::new()));
            rest = tail;
        }
    }
    (numberless, pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_are_ordered_as_numbers_and_heads_come_last() {
        let mut layers = ["classifer", "feature.10", "feature.2", "feature.2.1"];
        layers.sort_by_key(|layer| natural_key(layer));
        assert_eq!(layers, ["feature.2", "feature.2.1", "feature.10", "classifer"]);
    }

    #[test]
    fn vectors_may_be_columns_rows_or_flat_but_matrices_may_not_be_transposed() {
        assert!(same_shape(&[30, 1], &[30]) && same_shape(&[30], &[30, 1]) && same_shape(&[30, 1], &[1, 30]));
        assert!(!same_shape(&[30, 2], &[2, 30]) && !same_shape(&[30, 1], &[31]) && !same_shape(&[2, 30], &[60]));
    }

    #[test]
    fn what_is_no_parameter_is_left_aside() {
        let names = ["x", "loss", "grad.0.weight", "0.num_batches_tracked", "param.0.weight", "4.vector"];
        let kept: Vec<_> = names.into_iter().filter(|name| is_parameter(name)).collect();
        assert_eq!(kept, ["param.0.weight", "4.vector"]);
    }
}
