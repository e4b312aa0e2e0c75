//! Two networks compared: seed by seed, and image by image.

use super::proportion::Paired;
use super::statistics::Sample;
use serde::Serialize;
use std::collections::BTreeMap;

/// Whether each item, such as an image, came out right.
pub type Items = BTreeMap<usize, bool>;

/// What one had minus what the other had, over the seeds that both have; None without one.
pub fn differences(
    of: impl IntoIterator<Item = (u64, f64)>,
    less: impl IntoIterator<Item = (u64, f64)>,
) -> Option<Sample> {
    let less: BTreeMap<u64, f64> = less.into_iter().collect();
    let pairs = of.into_iter().filter_map(|(seed, value)| Some(value - less.get(&seed)?));
    Sample::of(&pairs.collect::<Vec<_>>())
}

/// Two networks on the items that both have, and the part that each got right of these; None without any.
pub fn on_common(first: &Items, second: &Items) -> Option<(Paired, [f64; 2])> {
    let common = first.iter().filter_map(|(item, right)| Some((*right, *second.get(item)?)));
    let (first, second): (Vec<bool>, Vec<bool>) = common.unzip();
    let part = |right: &[bool]| right.iter().filter(|right| **right).count() as f64 / right.len() as f64;
    Some((Paired::of(&first, &second)?, [part(&first), part(&second)]))
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

    #[test]
    fn only_what_both_have_is_compared() {
        let sample = differences([(1, 0.5), (2, 0.75), (4, 0.9)], [(2, 0.25), (1, 0.25), (3, 0.1)]);
        assert_eq!(sample.map(|sample| (sample.n, sample.mean)), Some((2, 0.375)));
        assert_eq!(differences([(1, 0.5)], [(2, 0.5)]), None);
        let items = |right: &[(usize, bool)]| right.iter().copied().collect::<Items>();
        let (first, second) = (items(&[(7, true), (3, true), (9, false)]), items(&[(3, false), (7, true), (1, true)]));
        let paired = Paired { first_only: 1, second_only: 0, images: 2 };
        assert_eq!(on_common(&first, &second), Some((paired, [1.0, 0.5])));
        assert_eq!(on_common(&first, &items(&[(1, true)])), None);
    }

    #[test]
    fn a_row_without_a_pair_is_a_row() {
        let none = Differences::from(differences([(1, 0.5)], [(2, 0.5)]));
        assert_eq!((none.pairs, none.difference, none.difference_std, none.difference_low), (0, None, None, None));
        let one = Differences::from(differences([(1, 0.75)], [(1, 0.5)]));
        assert_eq!((one.pairs, one.difference, one.difference_std, one.difference_high), (1, Some(0.25), None, None));
    }
}
