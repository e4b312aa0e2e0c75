//! Which contenders a command line means, and who is compared with whom.

use super::contender::Contender;
use crate::engine::settings::nearest;
use anyhow::{Result, ensure};
use std::collections::BTreeSet;

/// A contender, and what its name says beyond what was asked for.
type Match<'c> = (String, &'c Contender);

/// Pairs of the contenders of two sides. `patterns` are what was asked for of each: the name of a contender, its beginning
/// up to a slash, or nothing for all. What is left of their names has to be the same on both sides; where nothing is, and a
/// named side has a single rest, that is compared with all of the other.
///
/// # Errors
/// When a side has nothing of that name, with the nearest ones, or nothing fits.
pub fn pairs<'c>(
    contenders: [&'c [Contender]; 2],
    patterns: [&str; 2],
    shown: &[String; 2],
) -> Result<Vec<[&'c Contender; 2]>> {
    let [first, second] = [0, 1].map(|side| matching(contenders[side], patterns[side], &shown[side]));
    let (first, second) = (first?, second?);
    let like = pairs_where(&first, &second, |a, b| a.0 == b.0 && a.1.data == b.1.data);
    let rests = |side: &[Match<'c>]| side.iter().map(|matched| &*matched.0).collect::<BTreeSet<&str>>().len();
    let named = like.is_empty() && patterns.iter().all(|pattern| !pattern.is_empty());
    let single = named && (rests(&first) == 1 || rests(&second) == 1);
    let pairs = if single { pairs_where(&first, &second, |a, b| a.1.data == b.1.data) } else { like };
    // What was measured on other data is refused with both names of them.
    let pairs = if pairs.is_empty() { pairs_where(&first, &second, |a, b| a.0 == b.0 || single) } else { pairs };
    // Directories are asked for the same.
    let cure = if patterns[0] == patterns[1] {
        "to compare two different names, name both within one directory"
    } else {
        "name one setting on each side"
    };
    ensure!(
        !pairs.is_empty(),
        "{} has {}, {} has {}: no name is on both sides; {cure}",
        shown[0],
        names(&first),
        shown[1],
        names(&second)
    );
    Ok(pairs)
}

/// What of a side is in no pair, of all that was asked for, with its data.
///
/// # Errors
/// As [`pairs`].
pub fn alone(contenders: &[Contender], pattern: &str, shown: &str, paired: &[&Contender]) -> Result<Option<String>> {
    let in_a_pair = |one: &Contender| paired.iter().any(|other| std::ptr::eq(*other, one));
    let matching = matching(contenders, pattern, shown)?;
    let left_out = matching.iter().filter(|(_, one)| !in_a_pair(one));
    let names: BTreeSet<String> = left_out.map(|(_, one)| format!("{} ({})", one.name(), one.data)).collect();
    Ok((!names.is_empty()).then(|| names.into_iter().collect::<Vec<_>>().join(", ")))
}

fn pairs_where<'c>(
    first: &[Match<'c>],
    second: &[Match<'c>],
    fits: impl Fn(&Match<'c>, &Match<'c>) -> bool,
) -> Vec<[&'c Contender; 2]> {
    let of = |a: &Match<'c>| second.iter().filter(|b| fits(a, b)).map(|b| [a.1, b.1]).collect::<Vec<_>>();
    first.iter().flat_map(of).collect()
}

/// The contenders of that name; where there is none, those whose names go on after it, and of these first the ones that need
/// not be asked for.
fn matching<'c>(contenders: &'c [Contender], pattern: &str, shown: &str) -> Result<Vec<Match<'c>>> {
    let rest = |one: &Contender| -> Option<String> {
        let name = one.name();
        let rest = name.strip_prefix(pattern)?;
        let whole = pattern.is_empty() || rest.is_empty() || rest.starts_with('/');
        whole.then(|| rest.trim_start_matches('/').to_string())
    };
    let all: Vec<Match<'c>> = contenders.iter().filter_map(|one| Some((rest(one)?, one))).collect();
    let among = |wanted: &dyn Fn(&Match<'c>) -> bool| all.iter().filter(|one| wanted(one)).cloned().collect::<Vec<_>>();
    let exact = |one: &Match<'c>| one.0.is_empty();
    let choices = [among(&exact), among(&|one| !one.1.on_demand), all.clone()];
    let before = shown.strip_suffix(pattern).unwrap_or_default();
    let known: BTreeSet<String> = contenders.iter().map(|one| format!("{before}{}", one.name())).collect();
    let near = || nearest(shown, &known.iter().cloned().collect::<Vec<_>>()).join(", ");
    let chosen = choices.into_iter().find(|choice| !choice.is_empty()).unwrap_or_default();
    ensure!(!chosen.is_empty(), "there is no {shown}; the nearest names are {}", near());
    Ok(chosen)
}

fn names(side: &[Match<'_>]) -> String {
    let names: BTreeSet<String> = side.iter().map(|(_, contender)| contender.name()).collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contenders() -> Vec<Contender> {
        let one = |arm: &str, setting: &str, data: &str| {
            let on_demand = setting.contains("lr");
            Contender { on_demand, ..Contender::new(arm, setting, data) }
        };
        let of = |arm: &str| ["tuned", "paper", "tuned/lr0.1"].map(|setting| one(arm, setting, "board"));
        let mut all: Vec<Contender> = of("han").into_iter().chain(of("han-8")).collect();
        all.extend([one("ridge", "", "board"), one("trees", "", "table")]);
        all
    }

    fn found(a: &str, b: &str) -> String {
        let all = contenders();
        let shown = [a.to_string(), b.to_string()];
        let found = pairs([&all, &all], [a, b], &shown);
        found.map_or_else(
            |error| error.to_string(),
            |found| found.iter().map(|pair| pair.map(Contender::name).join(" ")).collect::<Vec<_>>().join("; "),
        )
    }

    #[test]
    fn settings_are_compared_with_their_like_and_a_single_one_with_all() {
        assert_eq!(found("han", "han-8"), "han/tuned han-8/tuned; han/paper han-8/paper");
        assert_eq!(found("han/tuned", "han/paper"), "han/tuned han/paper");
        assert_eq!(found("han/tuned/lr0.1", "han-8/tuned"), "han/tuned/lr0.1 han-8/tuned");
        assert_eq!(found("han", "ridge"), "han/tuned ridge; han/paper ridge");
        assert_eq!(found("ridge", "trees"), "ridge trees");
        assert_eq!(found("", "").matches(';').count(), 5);
    }

    #[test]
    fn what_is_in_no_pair_is_of_what_was_asked_for() -> Result<()> {
        let mut all = contenders();
        all.push(Contender::new("trees", "", "another table"));
        let left_out = |pattern: &str, paired: &[&Contender]| alone(&all, pattern, pattern, paired);
        assert_eq!(left_out("han", &[&all[0], &all[1]])?, None, "han-8 was not asked for, han/tuned/lr0.1 has to be");
        assert_eq!(left_out("han", &[&all[0]])?.as_deref(), Some("han/paper (board)"));
        assert_eq!(left_out("trees", &[&all[7]])?.as_deref(), Some("trees (another table)"));
        Ok(())
    }

    #[test]
    fn a_wrong_name_gets_the_nearest_ones() {
        let told = found("han/tunned", "han");
        assert!(told.starts_with("there is no han/tunned; the nearest names are han/tuned,"), "{told}");
        assert!(found("ha", "han").starts_with("there is no ha;"), "a beginning of a word is no name");
    }
}
