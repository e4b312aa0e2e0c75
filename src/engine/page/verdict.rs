//! Expectations of an experiment file, held against what was measured.

use crate::engine::rows::{Figure, Score, Scored};
use crate::engine::settings::Bound;
use serde::{Deserialize, Serialize};

/// An expectation held against what was measured.
#[derive(Debug, Serialize, Deserialize)]
pub struct Verdict {
    /// The expectation, what was measured, and whether it was met.
    pub text: String,
    pub met: bool,
}

impl Verdict {
    /// What is expected, with the words that end in "measured", and what was found. Over what diverged seeds have left no
    /// expectation is met.
    pub fn of(expected: &str, mut found: String, diverged: usize, met: bool) -> Self {
        if diverged > 0 {
            found += &format!(" with {diverged} seeds diverged");
        }
        let met = met && diverged == 0;
        Self { text: format!("{expected} {found}: {}", if met { "met" } else { "MISSED" }), met }
    }
}

/// Holds a network against a bound of a figure; `what` is the figure in words, before the network's name and after it.
pub fn judge<'m>(
    bound: Bound<'_>,
    (what, at): (&str, &str),
    figure: &Figure,
    label: impl Fn(&str) -> String,
    measured: impl Fn(&str) -> Option<&'m Scored>,
) -> Verdict {
    let Bound { arm, statistic, at_least, above } = bound;
    let value = |of: Option<&Scored>| Some(of?.sample(figure)?.statistic(statistic));
    let own = measured(arm);
    let found = value(own);
    let mut text = format!("{statistic} {what} of {}{at}", label(arm));
    let mut met = true;
    if let Some(least) = at_least {
        // A value within rounding of the bound counts as met: both are decimal fractions in binary.
        met &= found.is_some_and(|value| value >= least - 1e-9);
        text += &format!(" is at least {:.2} %", 100.0 * least);
    }
    if let Some(name) = above {
        let other = measured(name);
        let others = value(other);
        met &= other.is_some_and(|other| other.diverged.is_empty());
        met &= other.zip(own).is_some_and(|(other, own)| ahead(own.of(figure), other.of(figure)));
        met &= others.zip(found).is_some_and(|(other, value)| value > other);
        text += &format!(" is above that of {} in every seed ({})", label(name), percent(others));
    }
    Verdict::of(&format!("{text}: measured"), percent(found), own.map_or(0, |own| own.diverged.len()), met)
}

/// A value in a verdict.
pub fn percent(value: Option<f64>) -> String {
    value.map_or("no value".into(), |value| format!("{:.2} %", 100.0 * value))
}

/// Whether a network has the higher value in every seed; both have to have the same seeds.
fn ahead(own: &[Score], others: &[Score]) -> bool {
    let ahead = |score: &Score| others.iter().any(|other| other.seed == score.seed && score.value > other.value);
    !own.is_empty() && own.len() == others.len() && own.iter().all(ahead)
}
