//! Two networks compared image by image.

use super::proportion::Paired;
use std::collections::BTreeMap;

/// Whether each item, such as an image, came out right.
pub type Items = BTreeMap<usize, bool>;

/// Two networks on the items that both have, and the part that each got right of these; None without any.
pub fn on_common(first: &Items, second: &Items) -> Option<(Paired, [f64; 2])> {
    let common = first.iter().filter_map(|(item, right)| Some((*right, *second.get(item)?)));
    let (first, second): (Vec<bool>, Vec<bool>) = common.unzip();
    let part = |right: &[bool]| right.iter().filter(|right| **right).count() as f64 / right.len() as f64;
    Some((Paired::of(&first, &second)?, [part(&first), part(&second)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_both_have_is_compared() {
        let items = |right: &[(usize, bool)]| right.iter().copied().collect::<Items>();
        let (first, second) = (items(&[(7, true), (3, true), (9, false)]), items(&[(3, false), (7, true), (1, true)]));
        let paired = Paired { first_only: 1, second_only: 0, images: 2 };
        assert_eq!(on_common(&first, &second), Some((paired, [1.0, 0.5])));
        assert_eq!(on_common(&first, &items(&[(1, true)])), None);
    }
}
