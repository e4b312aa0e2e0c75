//! Where in a checkpoint the weights are.

use super::super::layer::is_parameter;
use super::described::{Described, Found, Kind};
use crate::console::shown;
use crate::pickle::{Id, Pickle, Value};
use anyhow::{Context, Result, ensure};
use std::collections::{HashMap, HashSet};

/// Dictionaries within dictionaries that are searched for weights: `{"checkpoint": {"state_dict": ..}}`.
const DEPTH: usize = 2;
/// Axes that a tensor may have.
const MOST_AXES: usize = 8;
/// Three times the tensors of the deepest network here.
const MOST_TENSORS: usize = 1 << 16;
/// Bytes of the longest name of a tensor, a storage or a class. A pickle may use one name for any number of things, each of which
/// gets a copy.
const LONGEST_NAME: usize = 1 << 10;
/// Keys that a message lists.
const SHOWN: usize = 12;

/// The content of a file.
pub(super) struct Checkpoint<'p, 'a> {
    pub(super) pickle: &'p Pickle<'a>,
}

impl<'a> Checkpoint<'_, 'a> {
    /// The dictionaries that hold parameters: the outermost, or else those within.
    pub(super) fn search(&self) -> Result<Vec<Found<'a>>> {
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
                        let key = name(key)?;
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
        let keys: Vec<&str> = entries.iter().filter_map(|(key, _)| self.pickle.text(*key)).collect();
        let listed = keys.iter().take(SHOWN).map(|key| shown(key)).collect::<Vec<_>>().join(", ");
        match keys.len() {
            0 => "it holds no weights: its content is no dictionary of tensors".into(),
            1..=SHOWN => format!("it holds no weights; its keys are {listed}"),
            more => format!("it holds no weights; its {more} keys begin with {listed}"),
        }
    }

    /// The class of a module that was saved instead of its weights, alone or in a dictionary.
    fn saved_whole(&self) -> Option<String> {
        let root = self.pickle.root();
        let entries = self.pickle.dict(root).unwrap_or_default();
        // Many entries may be one object, whose attributes may be many.
        let mut seen = HashSet::new();
        let mut objects = std::iter::once(root).chain(entries.iter().map(|(_, value)| *value));
        objects.find_map(|object| self.module(object, &mut seen))
    }

    /// The class of an object that has the attributes of a module; None of attributes that have been seen.
    fn module(&self, object: Id, seen: &mut HashSet<Id>) -> Option<String> {
        let Value::Made { by, state: Some(state), .. } = self.pickle.value(object) else { return None };
        if !seen.insert(*state) {
            return None;
        }
        ["_parameters", "_modules", "training"].iter().find_map(|key| self.pickle.entry(*state, key))?;
        // The old format wraps the class to keep its source.
        let class = match self.pickle.value(*by) {
            Value::Outside(source) => *self.pickle.tuple(*source)?.get(1)?,
            _ => *by,
        };
        match self.pickle.value(class) {
            Value::Global { module, name } => Some(format!("{}.{}", shown(module), shown(name))),
            _ => Some("of an unknown class".into()),
        }
    }

    /// The tensors of a dictionary in its order.
    fn tensors(&self, dict: Id) -> Result<Vec<Described<'a>>> {
        let mut tensors = Vec::new();
        for (key, value) in self.pickle.dict(dict).unwrap_or_default() {
            let Some(key) = self.pickle.text(*key) else { continue };
            if let Some(arguments) = self.rebuilt(*value) {
                ensure!(tensors.len() < MOST_TENSORS, "it holds more than {MOST_TENSORS} tensors");
                let name = name(key)?;
                let described = self.described(name, arguments);
                tensors.push(described.with_context(|| format!("{}: its tensor is broken", shown(name)))?);
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
        let named = |name: &&str| name.len() <= LONGEST_NAME;
        let name = self.pickle.text(*name).filter(named)?;
        (self.pickle.text(*tag)? == "storage" && whole && named(class)).then_some((name, *class))
    }

    /// Kinds of all storages, those of an optimizer and of other things beside the weights included.
    pub(super) fn kinds(&self) -> Result<HashMap<&'a str, Kind>> {
        let mut kinds = HashMap::new();
        for value in self.pickle.values() {
            let Value::Outside(id) = value else { continue };
            if let Some((name, class)) = self.storage(*id) {
                let kind = Kind::of(class)
                    .with_context(|| format!("storage {} is a {}, which is not known", shown(name), shown(class)))?;
                kinds.insert(name, kind);
            }
        }
        Ok(kinds)
    }

    /// Storages of tensors that can be weights.
    pub(super) fn used(&self, found: &[Found<'a>]) -> HashMap<&'a str, Kind> {
        let tensors = found.iter().flat_map(|(_, tensors)| tensors);
        let kinds = tensors.filter_map(|tensor| Some((tensor.storage, Kind::of(tensor.class)?)));
        kinds.filter(|(_, kind)| kind.dtype.is_some()).collect()
    }
}

fn name(text: &str) -> Result<&str> {
    ensure!(text.len() <= LONGEST_NAME, "it holds a name of {} bytes; the longest may have {LONGEST_NAME}", text.len());
    Ok(text)
}
