//! Two contenders, figure by figure and seed by seed.

use super::contender::{Better, Config, Contender, Series, Unit};
use crate::engine::rows::{Paired, Sample, on_common};
use anyhow::{Result, bail, ensure};
use std::collections::{BTreeMap, BTreeSet};

/// A minus B.
pub struct Pair<'c> {
    pub sides: [&'c Contender; 2],
    pub figures: Vec<Comparison>,
    /// Seeds of one side alone.
    pub alone: [Vec<u64>; 2],
    /// Seeds of both that diverged on a side.
    pub diverged: [Vec<u64>; 2],
}

/// One figure of both over the seeds that have it on both sides.
pub struct Comparison {
    pub metric: String,
    pub norm: String,
    pub epsilon: Option<f64>,
    pub unit: Unit,
    pub better: Better,
    pub seeds: Vec<SeedPair>,
    pub difference: Sample,
    /// How many of the common seeds have no value on each side, because its run diverged.
    pub diverged: [usize; 2],
}

/// What one seed scored.
pub struct SeedPair {
    pub seed: u64,
    pub values: [f64; 2],
    /// Where single items are known; the values are over those that both have.
    pub items: Option<Paired>,
}

impl<'c> Pair<'c> {
    /// Compares what both have; `shown` are their names in messages.
    ///
    /// # Errors
    /// When they were measured on different data, or have no seed or figure in common.
    pub fn of(sides: [&'c Contender; 2], shown: &[String; 2]) -> Result<Self> {
        check_data(sides, shown)?;
        let [a, b] = sides;
        let seeds = sides.map(|side| side.series.iter().flat_map(|series| series.values.keys().copied()).collect());
        let [of_a, of_b]: &[BTreeSet<u64>; 2] = &seeds;
        ensure!(
            !of_a.is_disjoint(of_b),
            "{} has the seeds {}, {} has {}: none is common; run one of them with the other's --first-seed",
            shown[0],
            listed(of_a),
            shown[1],
            listed(of_b)
        );
        let both = a.series.iter().filter_map(|one| Some((one, b.series.iter().find(|other| one.is_like(other))?)));
        let figures: Vec<Comparison> = both.filter_map(|(one, other)| Comparison::of(one, other)).collect();
        let lost = |side: &Contender| {
            let lost = |seed: &&u64| side.series.iter().any(|series| series.values.get(*seed) == Some(&None));
            of_a.intersection(of_b).filter(lost).copied().collect::<Vec<u64>>()
        };
        let alone = [of_a.difference(of_b).copied().collect(), of_b.difference(of_a).copied().collect()];
        let pair = Self { sides, figures, alone, diverged: sides.map(lost) };
        ensure!(
            !pair.figures.is_empty(),
            "{} and {} have no figure in common for any seed that finished in both",
            shown[0],
            shown[1]
        );
        Ok(pair)
    }

    /// Keys of the runs' `config.toml` that have other values, with those of each side.
    pub fn settings(&self) -> Vec<(&'c str, [String; 2])> {
        differing(self.sides.map(|side| &side.config))
    }
}

impl Comparison {
    fn of(one: &Series, other: &Series) -> Option<Self> {
        let pair = |(seed, value): (&u64, &Option<f64>)| {
            let values = [(*value)?, (*other.values.get(seed)?)?];
            let Some((first, second)) = one.items.get(seed).zip(other.items.get(seed)) else {
                return Some(SeedPair { seed: *seed, values, items: None });
            };
            let (items, values) = on_common(first, second)?;
            Some(SeedPair { seed: *seed, values, items: Some(items) })
        };
        let seeds: Vec<SeedPair> = one.values.iter().filter_map(pair).collect();
        let common = |seed: &&u64| one.values.contains_key(*seed) && other.values.contains_key(*seed);
        let diverged =
            [one, other].map(|side| side.values.iter().filter(|(seed, value)| value.is_none() && common(seed)).count());
        let difference = Sample::of(&seeds.iter().map(|SeedPair { values: [a, b], .. }| a - b).collect::<Vec<_>>())?;
        let (metric, norm, epsilon) = (one.metric.clone(), one.norm.clone(), one.epsilon);
        Some(Self { metric, norm, epsilon, unit: one.unit, better: one.better, seeds, difference, diverged })
    }

    /// Mean of a side over the common seeds.
    pub fn mean(&self, side: usize) -> f64 {
        self.seeds.iter().map(|pair| pair.values[side]).sum::<f64>() / self.seeds.len() as f64
    }

    /// The side that is ahead by the interval of the difference; None where that contains 0.
    pub fn ahead(&self) -> Option<usize> {
        // Where all seeds differ alike, rounding is all that is left of the spread.
        self.difference.deviation.filter(|deviation| *deviation > 1e-12)?;
        let (low, high) = self.difference.confidence_interval()?;
        let first = match self.better {
            Better::Higher => low > 0.0,
            Better::Lower => high < 0.0,
        };
        (low > 0.0 || high < 0.0).then_some(usize::from(!first))
    }
}

/// Refuses what was not measured on the same data.
fn check_data(sides: [&Contender; 2], shown: &[String; 2]) -> Result<()> {
    let [a, b] = sides;
    let told = format!("{} and {} were not measured on the same data", shown[0], shown[1]);
    ensure!(a.data == b.data, "{told}: {} and {}", a.data, b.data);
    if let Some((key, [one, other])) = differing(sides.map(|side| &side.data_config)).first() {
        bail!("{told}: {key} is {one} and {other}; run both with the same");
    }
    let other_bytes =
        |(seed, hash): (&u64, &BTreeSet<String>)| b.data_hashes.get(seed).is_some_and(|of_b| of_b != hash);
    match a.data_hashes.iter().find(|entry| other_bytes(*entry)) {
        Some((seed, _)) => bail!("{told}: the hashes in the manifests of seed {seed} differ"),
        None => Ok(()),
    }
}

fn differing([a, b]: [&Config; 2]) -> Vec<(&str, [String; 2])> {
    let keys: BTreeMap<&str, ()> = a.keys().chain(b.keys()).map(|key| (key.as_str(), ())).collect();
    let values = |config: &Config, key: &str| {
        config.get(key).map_or("-".into(), |values| values.iter().cloned().collect::<Vec<_>>().join(", "))
    };
    let differs = |key: &&str| a.get(*key) != b.get(*key);
    keys.into_keys().filter(differs).map(|key| (key, [values(a, key), values(b, key)])).collect()
}

/// Seeds in words.
pub fn listed<'s>(seeds: impl IntoIterator<Item = &'s u64>) -> String {
    seeds.into_iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contender(arm: &str, values: &[(u64, Option<f64>)]) -> Contender {
        let mut contender = Contender::new(arm, "", "board");
        contender.series.push(Series::new("accuracy", values.iter().copied()));
        contender
    }

    fn told(a: &Contender, b: &Contender) -> String {
        let shown = [a.name(), b.name()];
        Pair::of([a, b], &shown).map_or_else(|error| error.to_string(), |_| "no error".into())
    }

    #[test]
    fn pairs_are_the_seeds_that_finished_on_both_sides() {
        let a = contender("a", &[(1, Some(0.5)), (2, Some(0.75)), (3, None), (4, Some(1.0))]);
        let b = contender("b", &[(2, Some(0.25)), (1, Some(0.25)), (3, Some(0.5)), (7, Some(0.1))]);
        let pair = Pair::of([&a, &b], &["a".into(), "b".into()]).expect("a pair");
        assert_eq!((&pair.alone, &pair.diverged), (&[vec![4], vec![7]], &[vec![3], vec![]]));
        let figure = &pair.figures[0];
        assert_eq!((figure.difference.n, figure.difference.mean), (2, 0.375));
        assert_eq!(figure.diverged, [1, 0]);
        assert_eq!((figure.mean(0), figure.mean(1), figure.ahead()), (0.625, 0.25, None));
    }

    #[test]
    fn what_is_better_lower_is_ahead_below() {
        let values = |level: f64, step: f64| [1, 2, 3].map(|seed| (seed, Some(level + step * seed as f64)));
        let (mut a, mut b) = (contender("a", &values(0.2, 1e-3)), contender("b", &values(0.5, 2e-3)));
        for (better, ahead) in [(Better::Higher, 1), (Better::Lower, 0)] {
            [&mut a, &mut b].into_iter().for_each(|side| side.series[0].better = better);
            assert_eq!(Pair::of([&a, &b], &["a".into(), "b".into()]).expect("a pair").figures[0].ahead(), Some(ahead));
        }
    }

    #[test]
    fn other_data_and_other_seeds_are_refused() {
        let (a, mut b) = (contender("a", &[(1, Some(0.5))]), contender("b", &[(2, Some(0.5))]));
        assert_eq!(
            told(&a, &b),
            "a has the seeds 1, b has 2: none is common; run one of them with the other's --first-seed"
        );
        b = contender("b", &[(1, Some(0.5))]);
        assert_eq!(told(&a, &b), "no error");
        b.data_config.insert("board.cells".into(), BTreeSet::from(["8".into()]));
        assert!(told(&a, &b).ends_with("data: board.cells is - and 8; run both with the same"), "{}", told(&a, &b));
        b.data = "table".into();
        assert_eq!(told(&a, &b), "a and b were not measured on the same data: board and table");
    }
}
