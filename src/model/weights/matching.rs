//! Which layer of a file is which of the model.
//!
//! Modules that have the model's own names are matched by name; others by the order in which they run.

use super::arrange::Arrangement;
use super::layer::{Layer, Order};
use super::tree::{Node, executed};
use crate::console::shown;
use anyhow::{Context, Result, bail, ensure};
use std::collections::HashSet;

/// The layers of the model and those of a file.
pub struct Matching<'m> {
    pub wanted: &'m [Layer<'m>],
    pub found: &'m [Layer<'m>],
    pub order: Order,
    /// Names or paths of modules of the file in the order in which they run.
    pub given: &'m [String],
}

impl Matching<'_> {
    /// Places of the model's layers with the file's, in the order of execution.
    ///
    /// # Errors
    /// When layers are missing or too many, a tensor has another shape, or the order of the file's is not known.
    pub fn pairs(&self) -> Result<Vec<(usize, usize)>> {
        let (wanted, found) = (Node::of(self.wanted), Node::of(self.found));
        let mut known = HashSet::new();
        names(&found, &mut known);
        for name in self.given {
            ensure!(known.contains(name.as_str()), "--order {}: the file has no such layer or module", shown(name));
        }
        // All names may begin with what holds the network: `module.`, `model.net.`.
        let mut root = &found;
        while let [only] = &root.children[..]
            && only.layer.is_none()
            && wanted.named(&only.name).is_none()
        {
            root = only;
        }
        let mut pairs = Vec::with_capacity(self.wanted.len());
        self.modules(&wanted, root, &mut pairs)?;
        let mut execution = vec![0; self.wanted.len()];
        wanted.executed().into_iter().enumerate().for_each(|(rank, place)| execution[place] = rank);
        pairs.sort_by_key(|(wanted, _)| execution[*wanted]);
        Ok(pairs)
    }

    fn modules(&self, wanted: &Node, found: &Node, pairs: &mut Vec<(usize, usize)>) -> Result<()> {
        if let (Some(wanted), Some(found)) = (wanted.layer, found.layer) {
            return self.layers(wanted, found, pairs);
        }
        let (of_model, of_file) = (&wanted.children, &found.children);
        let same = of_model.len() == of_file.len() && of_model.iter().all(|node| found.named(&node.name).is_some());
        // Numbers are the model's own only together: those of another program may count other modules.
        let by_name = |node: &Node| same || !node.is_numbered();
        for node in of_model.iter().filter(|node| by_name(node)) {
            if let Some(own) = found.named(&node.name) {
                self.modules(node, own, pairs)?;
            }
        }
        let left = |node: &&Node, other: &Node| !by_name(node) || other.named(&node.name).is_none();
        let rest = executed(of_model.iter().filter(|node| left(node, found)));
        let rest: Vec<usize> = wanted.layer.into_iter().chain(rest).collect();
        let mut of_file: Vec<&Node> = of_file.iter().filter(|node| left(node, wanted)).collect();
        if found.layer.is_some() {
            of_file.push(found);
        }
        self.in_order(&rest, &of_file, pairs)
    }

    fn layers(&self, wanted: usize, found: usize, pairs: &mut Vec<(usize, usize)>) -> Result<()> {
        if let Some(problem) = self.wanted[wanted].problem(&self.found[found]) {
            bail!(problem);
        }
        pairs.push((wanted, found));
        Ok(())
    }

    /// Matches layers of the model to those below modules of the file by the order in which they run.
    fn in_order(&self, wanted: &[usize], modules: &[&Node], pairs: &mut Vec<(usize, usize)>) -> Result<()> {
        let mut listed = executed(modules.iter().copied());
        if self.order == Order::Declared {
            listed.sort_unstable();
        }
        let arrangement = Arrangement::new(self.wanted, wanted, self.found, self.given);
        let order = if self.order == Order::Declared && self.given.is_empty() {
            match (self.first_problem(wanted, &listed), listed.len() == wanted.len()) {
                (None, _) => listed,
                // Modules may be declared in another order than they run in; shapes may tell.
                (Some(problem), true) => arrangement.only(modules).ok().context(problem)?,
                (Some(problem), false) => bail!(problem),
            }
        } else if listed.len() == wanted.len() {
            arrangement.only(modules)?
        } else {
            bail!("{}", self.first_problem(wanted, &listed).unwrap_or_default());
        };
        wanted.iter().zip(order).try_for_each(|(wanted, found)| self.layers(*wanted, found, pairs))
    }

    /// The first layer that does not fit, one after the other.
    fn first_problem(&self, wanted: &[usize], found: &[usize]) -> Option<String> {
        let misfit = wanted.iter().zip(found).find_map(|(w, f)| self.wanted[*w].problem(&self.found[*f]));
        let (layers, needed) = (found.len(), wanted.len());
        misfit.or_else(|| match (found.get(needed), wanted.get(layers)) {
            (Some(extra), _) => Some(format!(
                "the file has {layers} layers, the model needs {needed}; the first one too many is {:?}",
                self.found[*extra].name
            )),
            (_, Some(missing)) => Some(format!(
                "the file has {layers} layers, the model needs {needed}; nothing is left for {:?}",
                self.wanted[*missing].name
            )),
            (None, None) => None,
        })
    }
}

/// Names and paths of all modules below one.
fn names<'n>(node: &'n Node, known: &mut HashSet<&'n str>) {
    for child in &node.children {
        known.extend([child.path.as_str(), child.name.as_str()]);
        names(child, known);
    }
}
