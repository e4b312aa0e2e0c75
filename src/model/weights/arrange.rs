//! Orders of the layers of a file whose order is lost: which of them fit the model, and whether it is only one.
//!
//! Layers of a module run one after the other, and what is numbered runs by number: `blocks.2` before `blocks.10`, `fc1`
//! before `fc2`. How differently named modules follow each other is not known; shapes may tell.

use super::layer::Layer;
use super::tree::Node;
use anyhow::{Result, bail, ensure};
use std::cell::Cell;
use std::collections::HashMap;

/// Ways to go on, and states that they lead to, before the search is given up: some seconds' work. Twenty modules in any order
/// have as many states; a mixer with 16 blocks of each kind has a quarter.
const MOST_TRIES: usize = 1 << 20;

/// Layers of the model, in order, and the layers of a file that are looked for.
pub struct Arrangement<'s> {
    /// All layers of the model.
    pub wanted: &'s [Layer<'s>],
    /// The places that are to be filled.
    pub places: &'s [usize],
    /// All layers of the file.
    pub found: &'s [Layer<'s>],
    /// Names and paths of modules that run in a given order, with their places in it.
    order: HashMap<&'s str, usize>,
    tries: Cell<usize>,
}

/// Ways to arrange something: none, one, or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ways {
    None,
    One,
    Several,
}

impl Ways {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, _) | (_, Self::None) => Self::None,
            (Self::One, Self::One) => Self::One,
            _ => Self::Several,
        }
    }

    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, ways) | (ways, Self::None) => ways,
            _ => Self::Several,
        }
    }
}

/// Modules that run by number, and how many layers the first of them have.
struct Family<'n> {
    members: Vec<&'n Node>,
    /// Layers of the first 0, 1, .. members.
    lengths: Vec<usize>,
    /// The first place in the given order among the members from 0, 1, .. on.
    ranks: Vec<usize>,
}

/// The states of a search among siblings: how many members of each family have run.
struct Table<'n> {
    families: Vec<Family<'n>>,
    /// Ways to the end from each state.
    ways: Vec<Ways>,
}

impl<'s> Arrangement<'s> {
    /// `order` has names or paths of modules in the order in which they run.
    pub fn new(wanted: &'s [Layer<'s>], places: &'s [usize], found: &'s [Layer<'s>], order: &'s [String]) -> Self {
        let mut first = HashMap::new();
        for (place, name) in order.iter().enumerate() {
            first.entry(name.as_str()).or_insert(place);
        }
        Self { wanted, places, found, order: first, tries: Cell::new(0) }
    }

    /// The only order of the layers below these modules.
    ///
    /// # Errors
    /// When there is none that fits the model, or several.
    pub fn only(&self, siblings: &[&Node]) -> Result<Vec<usize>> {
        let mut order = Vec::with_capacity(self.places.len());
        self.walk(siblings, &mut order)?;
        Ok(order)
    }

    fn walk(&self, siblings: &[&Node], order: &mut Vec<usize>) -> Result<()> {
        let table = self.table(siblings, order.len())?;
        ensure!(table.ways[0] != Ways::None, "{}", self.nothing_fits());
        let mut state = 0;
        while state + 1 < table.ways.len() {
            let next = |(_, next): &(&Node, usize)| table.ways[*next] != Ways::None;
            let mut choices = Vec::new();
            for choice in self.choices(&table, state).into_iter().filter(next) {
                if self.ways(choice.0, order.len())? != Ways::None {
                    choices.push(choice);
                }
            }
            let [(node, after)] = choices[..] else { bail!("{}", self.undecided(&choices, order.len())) };
            match node.layer {
                Some(layer) => order.push(layer),
                None => self.walk(&node.children.iter().collect::<Vec<_>>(), order)?,
            }
            state = after;
        }
        Ok(())
    }

    /// Ways to arrange what is below a module from a place on.
    fn ways(&self, node: &Node, at: usize) -> Result<Ways> {
        self.count(1)?;
        if let Some(layer) = node.layer {
            let wanted = self.places.get(at).map(|place| &self.wanted[*place]);
            let fits = wanted.is_some_and(|wanted| wanted.problem(&self.found[layer]).is_none());
            return Ok(if fits { Ways::One } else { Ways::None });
        }
        Ok(self.table(&node.children.iter().collect::<Vec<_>>(), at)?.ways[0])
    }

    fn count(&self, tries: usize) -> Result<()> {
        self.tries.set(self.tries.get().saturating_add(tries));
        ensure!(self.tries.get() <= MOST_TRIES, "its layers can be ordered in too many ways; pass --order or --map");
        Ok(())
    }

    fn table<'n>(&self, siblings: &[&'n Node], at: usize) -> Result<Table<'n>> {
        let families = self.families(siblings);
        let states = families.iter().try_fold(1_usize, |states, family| states.checked_mul(family.members.len() + 1));
        let states = states.unwrap_or(usize::MAX);
        // A table of modules within others is made anew for every place that they may begin at.
        self.count(states)?;
        let mut table = Table { families, ways: vec![Ways::None; states] };
        table.ways[states - 1] = Ways::One;
        for state in (0..states - 1).rev() {
            let place = at + table.length(state);
            for (node, after) in self.choices(&table, state) {
                if table.ways[after] != Ways::None {
                    table.ways[state] = table.ways[state].or(self.ways(node, place)?.and(table.ways[after]));
                }
            }
        }
        Ok(table)
    }

    fn families<'n>(&self, siblings: &[&'n Node]) -> Vec<Family<'n>> {
        let mut families: Vec<(String, Vec<&Node>)> = Vec::new();
        for node in siblings {
            // What has a place in the given order needs no number.
            let stem = if self.rank(node) < usize::MAX { format!("={}", node.path) } else { stem(&node.name) };
            match families.iter_mut().find(|(other, _)| *other == stem) {
                Some((_, members)) => members.push(node),
                None => families.push((stem, vec![node])),
            }
        }
        let family = |(_, mut members): (String, Vec<&'n Node>)| {
            members.sort_by_key(|node| numbers(&node.name));
            let lengths = members.iter().scan(0, |sum, node| {
                let before = *sum;
                *sum += node.len();
                Some(before)
            });
            let lengths = lengths.chain([members.iter().map(|node| node.len()).sum()]).collect();
            let mut ranks: Vec<usize> = members.iter().map(|node| self.rank(node)).collect();
            ranks.push(usize::MAX);
            for place in (1..ranks.len()).rev() {
                ranks[place - 1] = ranks[place - 1].min(ranks[place]);
            }
            Family { members, lengths, ranks }
        };
        families.into_iter().map(family).collect()
    }

    /// The place of a module in the given order; the last of all without one.
    fn rank(&self, node: &Node) -> usize {
        let place = |name: &str| self.order.get(name).copied().unwrap_or(usize::MAX);
        place(&node.path).min(place(&node.name))
    }

    /// The modules that may run in a state, each with the state after it.
    fn choices<'n>(&self, table: &Table<'n>, state: usize) -> Vec<(&'n Node, usize)> {
        let used = table.used(state);
        let remaining = table.families.iter().zip(&used).map(|(family, used)| family.ranks[*used]);
        let first = remaining.min().unwrap_or(usize::MAX);
        let (mut step, mut choices) = (1, Vec::new());
        for (family, used) in table.families.iter().zip(used) {
            if let Some(node) = family.members.get(used)
                && (self.rank(node) == usize::MAX || self.rank(node) == first)
            {
                choices.push((*node, state + step));
            }
            step *= family.members.len() + 1;
        }
        choices
    }

    fn nothing_fits(&self) -> String {
        let fits = |place: &usize| self.found.iter().any(|layer| self.wanted[*place].problem(layer).is_none());
        let Some(place) = self.places.iter().find(|place| !fits(place)) else {
            return "no order of its layers has the shapes of the model's".into();
        };
        let parts = &self.wanted[*place].parts;
        let expected: Vec<_> = parts.iter().map(|part| format!("{} {:?}", part.name, part.dims)).collect();
        format!("no layer of it has the expected shapes of {}", expected.join(" and "))
    }

    fn undecided(&self, choices: &[(&Node, usize)], at: usize) -> String {
        let wanted = self.places.get(at).map_or("", |place| self.wanted[*place].name);
        let paths: Vec<&str> = choices.iter().map(|(node, _)| node.path.as_str()).collect();
        let names: Vec<&str> = choices.iter().map(|(node, _)| node.name.as_str()).collect();
        let turned: Vec<&str> = names.iter().rev().copied().collect();
        format!(
            "the order of its layers is lost, and shapes do not tell it: the model's layer {wanted:?} may be {}; pass --order \
             {} (or {}, ..) or --map FILE",
            paths.join(" or "),
            names.join(","),
            turned.join(",")
        )
    }
}

impl Table<'_> {
    fn used(&self, mut state: usize) -> Vec<usize> {
        let digit = |family: &Family<'_>| {
            let radix = family.members.len() + 1;
            let digit = state % radix;
            state /= radix;
            digit
        };
        self.families.iter().map(digit).collect()
    }

    /// Layers that have run.
    fn length(&self, state: usize) -> usize {
        self.families.iter().zip(self.used(state)).map(|(family, used)| family.lengths[used]).sum()
    }
}

/// A name without its numbers.
fn stem(name: &str) -> String {
    let mut stem = String::new();
    for c in name.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }) {
        if !(c == '#' && stem.ends_with('#')) {
            stem.push(c);
        }
    }
    stem
}

/// The numbers in a name.
fn numbers(name: &str) -> Vec<u64> {
    let digits = name.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
    // A number too long for 64 bits is no index; any fixed order will do.
    digits.map(|digits| digits.parse().unwrap_or(u64::MAX)).collect()
}
