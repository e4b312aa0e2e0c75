//! Layers: the tensors whose names are the same up to the last dot. The last part of a name tells the role.

use crate::nn::params::same_shape;
use std::collections::HashMap;

/// Parts of a name; deeper ones are nobody's.
const MOST_PARTS: usize = 32;

/// What the order of the tensors in a file means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// That in which the modules were declared, in a PyTorch state dict.
    Declared,
    /// Nothing: .safetensors files sort their keys as text.
    Lost,
}

/// What a tensor is to its layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    Weight,
    /// The vector of a Han-layer.
    Direction,
    Bias,
    RunningMean,
    RunningVar,
}

impl Role {
    fn of(last: &str) -> Option<Self> {
        match last {
            "weight" => Some(Self::Weight),
            "vector" | "normedvector" | "direction" | "u" => Some(Self::Direction),
            "bias" | "b" => Some(Self::Bias),
            "running_mean" => Some(Self::RunningMean),
            "running_var" => Some(Self::RunningVar),
            _ => None,
        }
    }

    /// Whether it is the tensor that every layer has.
    fn is_main(self) -> bool {
        matches!(self, Self::Weight | Self::Direction)
    }
}

/// Files that hold more than weights (inputs, gradients, counters) keep it under names that no layer has.
pub fn is_parameter(name: &str) -> bool {
    let named = name.rsplit_once('.').is_some_and(|(_, last)| Role::of(last).is_some());
    named && !name.starts_with("grad.") && name.split('.').count() <= MOST_PARTS
}

/// A tensor of a layer.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    pub name: &'a str,
    pub dims: &'a [usize],
    role: Role,
}

impl<'a> Part<'a> {
    fn of(name: &'a str, dims: &'a [usize]) -> Option<Self> {
        Some(Self { name, dims, role: Role::of(last(name))? })
    }
}

/// Tensors of one layer.
#[derive(Debug, Clone)]
pub struct Layer<'a> {
    pub name: &'a str,
    pub parts: Vec<Part<'a>>,
}

impl<'a> Layer<'a> {
    /// The tensor of the same role; of several that of the same name.
    fn part(&self, wanted: &Part<'_>) -> Option<&Part<'a>> {
        let of_role = || self.parts.iter().filter(|part| part.role == wanted.role);
        of_role().find(|part| last(part.name) == last(wanted.name)).or_else(|| of_role().next())
    }

    /// Why another layer's tensors cannot be this layer's, if so.
    pub fn problem(&self, found: &Layer<'_>) -> Option<String> {
        for wanted in &self.parts {
            let Some(part) = found.part(wanted) else {
                let other = found.parts.iter().find(|part| part.role.is_main() && wanted.role.is_main());
                if let Some(Part { name, dims, .. }) = other.filter(|other| !same_shape(wanted.dims, other.dims)) {
                    return Some(format!("{name}: expected shape {:?}, found {dims:?}", wanted.dims));
                }
                return Some(format!(
                    "layer {:?}, the model's {:?}, lacks a {}",
                    found.name,
                    self.name,
                    last(wanted.name)
                ));
            };
            if !same_shape(wanted.dims, part.dims) {
                return Some(format!("{}: expected shape {:?}, found {:?}", part.name, wanted.dims, part.dims));
            }
        }
        let extra = found.parts.iter().find(|part| self.parts.iter().all(|wanted| wanted.role != part.role))?;
        Some(format!("{}: the model's layer {:?} has no {}", extra.name, self.name, last(extra.name)))
    }

    /// Whether it has the vector of a Han-layer, by its name.
    pub fn has_direction(&self) -> bool {
        self.parts.iter().any(|part| part.role == Role::Direction)
    }

    /// For files of programs that call every first tensor of a layer its weight.
    pub fn call_direction_weight(&mut self) {
        self.parts.iter_mut().filter(|part| part.role.is_main()).for_each(|part| part.role = Role::Weight);
    }

    /// Names of this layer's tensors with those of another's, which fit.
    pub fn pairs<'s>(&'s self, found: &'s Layer<'a>) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.parts.iter().filter_map(|wanted| Some((wanted.name, found.part(wanted)?.name)))
    }
}

/// Layers in the order in which their first tensors come.
pub fn layers<'a>(named: impl Iterator<Item = (&'a str, &'a [usize])>) -> Vec<Layer<'a>> {
    let (mut layers, mut places) = (Vec::new(), HashMap::new());
    for part in named.filter_map(|(name, dims)| Part::of(name, dims)) {
        let name = layer_of(part.name);
        let place = *places.entry(name).or_insert(layers.len());
        if place == layers.len() {
            layers.push(Layer { name, parts: Vec::new() });
        }
        layers[place].parts.push(part);
    }
    layers
}

/// The layer's part of a tensor's name.
pub fn layer_of(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(layer, _)| layer)
}

fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_parameter_is_left_aside() {
        let deep = "a.".repeat(40) + "weight";
        let names = ["x", "loss", "grad.0.weight", "0.num_batches_tracked", "param.0.weight", "4.vector", &deep];
        let kept: Vec<_> = names.into_iter().filter(|name| is_parameter(name)).collect();
        assert_eq!(kept, ["param.0.weight", "4.vector"]);
    }

    #[test]
    fn a_layer_fits_if_it_has_the_same_roles_in_the_same_shapes() {
        let layer = |names: &[&'static str]| {
            let named: Vec<_> = names.iter().map(|name| (*name, &[3_usize][..])).collect();
            layers(named.into_iter()).pop().expect("a layer")
        };
        let (wanted, both) = (layer(&["0.vector", "0.bias"]), layer(&["a.normedvector", "a.vector", "a.bias"]));
        assert!(wanted.problem(&both).is_none());
        assert_eq!(wanted.pairs(&both).next(), Some(("0.vector", "a.vector")));
        let problem = |names: &[&'static str]| wanted.problem(&layer(names)).expect("a problem");
        assert_eq!(problem(&["a.u"]), "layer \"a\", the model's \"0\", lacks a bias");
        assert!(problem(&["a.u", "a.b", "a.running_var"]).contains("the model's layer \"0\" has no running_var"));
    }
}
