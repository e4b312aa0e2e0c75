//! One number of every seed, and figures over them.

use super::statistics::Sample;
use serde::Serialize;
use std::collections::{BTreeMap, btree_map};

/// A number of every seed; none where training diverged.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seeds(BTreeMap<u64, Option<f64>>);

impl FromIterator<(u64, Option<f64>)> for Seeds {
    fn from_iter<I: IntoIterator<Item = (u64, Option<f64>)>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

impl IntoIterator for Seeds {
    type Item = (u64, Option<f64>);
    type IntoIter = btree_map::IntoIter<u64, Option<f64>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Seeds {
    /// Adds a seed.
    pub fn add(&mut self, seed: u64, value: Option<f64>) {
        self.0.insert(seed, value);
    }

    /// The number of every seed, in their order.
    pub fn values(&self) -> impl Iterator<Item = Option<f64>> {
        self.0.values().copied()
    }

    /// Over the seeds that did not diverge.
    pub fn sample(&self) -> Option<Sample> {
        Sample::of(&self.values().flatten().collect::<Vec<_>>())
    }

    /// How many diverged.
    pub fn diverged(&self) -> usize {
        self.values().filter(Option::is_none).count()
    }

    /// What these had minus what others had, for every seed with a number on both sides.
    pub fn differences(&self, others: &Self) -> Vec<f64> {
        self.0.iter().filter_map(|(seed, value)| Some((*value)? - (*others.0.get(seed)?)?)).collect()
    }

    /// The same over these seeds; None without one.
    pub fn less(&self, others: &Self) -> Option<Sample> {
        Sample::of(&self.differences(others))
    }

    /// The columns of a table.
    pub fn statistics(&self) -> Statistics {
        let sample = self.sample();
        let interval = sample.and_then(|sample| sample.confidence_interval());
        Statistics {
            seeds: sample.map_or(0, |sample| sample.n),
            diverged: self.diverged(),
            mean: sample.map(|sample| sample.mean),
            std: sample.and_then(|sample| sample.deviation),
            min: sample.map(|sample| sample.min),
            median: sample.map(|sample| sample.median),
            max: sample.map(|sample| sample.max),
            ci95_low: interval.map(|(low, _)| low),
            ci95_high: interval.map(|(_, high)| high),
        }
    }
}

/// Columns of a table over all runs: statistics over seeds. A row may be a tuple of structs, of which this is one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Statistics {
    /// Seeds with a value.
    seeds: usize,
    /// Seeds without, because training diverged.
    diverged: usize,
    /// None without a value, as all that follow.
    mean: Option<f64>,
    /// With n - 1 in the denominator.
    std: Option<f64>,
    min: Option<f64>,
    /// The middle seed, or the mean of the two middle ones.
    median: Option<f64>,
    max: Option<f64>,
    /// 95 % interval of the mean over seeds, Student's t.
    ci95_low: Option<f64>,
    ci95_high: Option<f64>,
}

impl Statistics {
    /// With an interval that is cut where no fraction can be.
    #[must_use]
    pub fn of_fractions(self) -> Self {
        let within = |end: Option<f64>| end.map(|end| end.clamp(0.0, 1.0));
        Self { ci95_low: within(self.ci95_low), ci95_high: within(self.ci95_high), ..self }
    }
}

/// Columns of a difference over seeds. A row may be a tuple of structs, of which this is one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Differences {
    /// Seeds that both have.
    pairs: usize,
    /// Mean over those seeds of the one's value minus the other's.
    difference: Option<f64>,
    difference_std: Option<f64>,
    /// 95 % interval of the mean difference, Student's t.
    difference_low: Option<f64>,
    difference_high: Option<f64>,
}

impl From<Option<Sample>> for Differences {
    fn from(sample: Option<Sample>) -> Self {
        let interval = sample.and_then(|sample| sample.confidence_interval());
        Self {
            pairs: sample.map_or(0, |sample| sample.n),
            difference: sample.map(|sample| sample.mean),
            difference_std: sample.and_then(|sample| sample.deviation),
            difference_low: interval.map(|(low, _)| low),
            difference_high: interval.map(|(_, high)| high),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seeds(values: &[(u64, f64)]) -> Seeds {
        values.iter().map(|(seed, value)| (*seed, Some(*value))).collect()
    }

    #[test]
    fn only_what_both_have_is_compared() {
        let mut one = seeds(&[(1, 0.5), (2, 0.75), (4, 0.9)]);
        let other = seeds(&[(2, 0.25), (1, 0.25), (3, 0.1)]);
        let sample = one.less(&other);
        assert_eq!(sample.map(|sample| (sample.n, sample.mean)), Some((2, 0.375)));
        one.add(2, None);
        assert_eq!(one.less(&other).map(|sample| (sample.n, sample.mean)), Some((1, 0.25)));
        assert_eq!(seeds(&[(1, 0.5)]).less(&seeds(&[(2, 0.5)])), None);
    }

    #[test]
    fn seeds_that_diverged_are_counted_beside_the_others() {
        let mut some = seeds(&[(3, 0.25), (1, 0.75)]);
        some.add(2, None);
        let Statistics { seeds, diverged, mean, median, max, .. } = some.statistics();
        assert_eq!((seeds, diverged, mean, median, max), (2, 1, Some(0.5), Some(0.5), Some(0.75)));
        let lost: Seeds = [(1, None)].into_iter().collect();
        let Statistics { ci95_low: Some(low), ci95_high: Some(high), .. } = some.statistics() else {
            panic!("two seeds")
        };
        assert!(low < -2.0 && high > 3.0, "{low} to {high}");
        let Statistics { ci95_low, ci95_high, .. } = some.statistics().of_fractions();
        assert_eq!((ci95_low, ci95_high), (Some(0.0), Some(1.0)));
        let Statistics { seeds, diverged, mean, ci95_high, .. } = lost.statistics();
        assert_eq!((seeds, diverged, mean, ci95_high), (0, 1, None, None));
    }

    #[test]
    fn a_row_without_a_pair_is_a_row() {
        let none = Differences::from(None);
        assert_eq!((none.pairs, none.difference, none.difference_std, none.difference_low), (0, None, None, None));
        let one = Differences::from(seeds(&[(1, 0.75)]).less(&seeds(&[(1, 0.5)])));
        assert_eq!((one.pairs, one.difference, one.difference_std, one.difference_high), (1, Some(0.25), None, None));
    }
}
