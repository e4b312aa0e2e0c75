//! Expectations of an experiment file, held against what was measured.

use crate::engine::rows::{self, Score};
use crate::engine::settings::Statistic;

/// An expectation held against what was measured.
pub struct Verdict {
    /// The expectation, what was measured, and whether it was met.
    pub text: String,
    pub met: bool,
}

/// What was measured of a network.
#[derive(Clone, Copy)]
pub struct Measured<'m> {
    /// Of its seeds.
    pub scores: &'m [Score],
    /// Seeds without a score, because training diverged.
    pub diverged: usize,
}

/// What is wanted: a least value, or to stay above another network, by the statistic and in every seed.
pub struct Wanted<'m> {
    /// Statistic, figure and network in words.
    pub what: String,
    /// Over the seeds.
    pub statistic: Statistic,
    /// 0 to 1.
    pub at_least: Option<f64>,
    /// The other network in words, and what was measured of it.
    pub above: Option<(String, Option<Measured<'m>>)>,
}

/// Holds a network against what is wanted of it.
pub fn judge(wanted: Wanted<'_>, measured: Option<Measured<'_>>) -> Verdict {
    let Wanted { what: mut text, statistic, at_least, above } = wanted;
    let value = |of: Option<Measured<'_>>| of.and_then(|of| apply(statistic, of.scores));
    let diverged = measured.map_or(0, |of| of.diverged);
    let own = value(measured);
    let mut met = diverged == 0;
    if let Some(least) = at_least {
        // A value within rounding of the bound counts as met: both are decimal fractions in binary.
        met &= own.is_some_and(|value| value >= least - 1e-9);
        text += &format!(" is at least {:.2} %", 100.0 * least);
    }
    if let Some((name, other)) = above {
        let others = value(other);
        met &= other.is_some_and(|other| other.diverged == 0);
        let in_every_seed = other.zip(measured).is_some_and(|(other, own)| ahead(own.scores, other.scores));
        met &= in_every_seed && others.zip(own).is_some_and(|(other, value)| value > other);
        text += &format!(" is above that of {name} in every seed ({})", percent(others));
    }
    let mut found = percent(own);
    if diverged > 0 {
        found += &format!(" with {diverged} seeds diverged");
    }
    let verdict = if met { "met" } else { "MISSED" };
    Verdict { text: format!("{text}: measured {found}: {verdict}"), met }
}

fn percent(value: Option<f64>) -> String {
    value.map_or("no value".into(), |value| format!("{:.2} %", 100.0 * value))
}

fn apply(statistic: Statistic, scores: &[Score]) -> Option<f64> {
    Some(rows::sample(scores)?.statistic(statistic))
}

/// Whether a network has the higher value in every seed; both have to have the same seeds.
fn ahead(own: &[Score], others: &[Score]) -> bool {
    let ahead = |score: &Score| others.iter().any(|other| other.seed == score.seed && score.value > other.value);
    !own.is_empty() && own.len() == others.len() && own.iter().all(ahead)
}
