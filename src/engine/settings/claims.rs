//! The paper's claims and what a file expects itself, and which rows of the tables decide them.

use super::profile::ProfileName;
use crate::engine::cite::check_template;
use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

/// A claim of the paper, or what an experiment file expects itself. METHODOLOGY.md says how its evidence becomes a verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimFile {
    /// In a sentence.
    pub says: String,
    /// The paper's figure; nothing where it has none.
    #[serde(default)]
    pub paper: String,
    /// Whether the file expects it to hold; where it does not, an expectation is missed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub expected: bool,
    /// Profiles with a budget that can decide it; none where flags leave too few seeds or change what it is about.
    pub decided_in: Vec<ProfileName>,
    /// Whether flags, or weights of the user's, have changed what it is about.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub void: bool,
    pub evidence: Vec<Evidence>,
}

/// A figure of a table, and the side of a bound on which the claim puts it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Which table: `-differences` is `tables/<experiment>-differences.csv`; nothing the experiment's main one.
    #[serde(default)]
    pub table: String,
    /// One row of it, as in README's markers: `recipe=tuned arm=hannet`.
    pub row: String,
    /// A column of it. `mean` and `difference` count with the 95 % interval beside them, any other by itself.
    pub value: String,
    #[serde(default)]
    pub above: Option<f64>,
    #[serde(default)]
    pub below: Option<f64>,
    /// How the figure is written, as in README's markers.
    pub figure: String,
    /// The runs that it is made of, as rows of `tables/<experiment>-runs.csv`: `arm=hannet recipe=depth depth=20`. Not set, all of its
    /// networks; of two that are compared, the seeds that both have.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub runs: String,
}

impl Evidence {
    /// The claimed side in words.
    pub fn bounds(&self) -> String {
        let shown = |bound: f64| {
            let is_small = bound != 0.0 && bound.abs() < 1e-3;
            if is_small { format!("{bound:e}") } else { bound.to_string() }
        };
        match (self.above.map(shown), self.below.map(shown)) {
            (Some(above), Some(below)) => format!("between {above} and {below}"),
            (Some(above), None) => format!("above {above}"),
            (None, below) => below.map_or_else(String::new, |below| format!("below {below}")),
        }
    }

    /// Whether a value is on the claimed side.
    pub fn admits(&self, value: f64) -> bool {
        self.above.is_none_or(|bound| value > bound) && self.below.is_none_or(|bound| value < bound)
    }
}

/// Checks that evidence is about networks and the like that somebody knows: what names none would never be decided.
pub(super) fn check_names<'c>(
    origin: &str,
    claims: impl IntoIterator<Item = &'c ClaimFile>,
    knows: &dyn Fn(&str, &str) -> bool,
) -> Result<()> {
    for row in claims.into_iter().flat_map(|claim| &claim.evidence).map(|evidence| &evidence.row) {
        for (column, names) in row.split(' ').filter_map(|word| word.split_once('=')) {
            let column = match column {
                "against" => "arm",
                "against_recipe" => "recipe",
                column => column,
            };
            if let Some(unknown) = names.split(',').find(|name| !knows(column, name)) {
                bail!("{origin}: the evidence {row:?} names the unknown {column} {unknown:?}");
            }
        }
    }
    Ok(())
}

/// Checks the claims of a file.
pub fn check_claims(origin: &str, claims: &[ClaimFile]) -> Result<()> {
    for ClaimFile { says, evidence, .. } in claims {
        ensure!(!evidence.is_empty(), "{origin}: {says:?} has no evidence");
        for Evidence { row, above, below, figure, .. } in evidence {
            // Columns are known when all runs are made, which is late for a mistake.
            check_template(figure).with_context(|| format!("{origin}: the figure of the evidence {row:?}"))?;
            let bounds = [above, below].into_iter().flatten();
            ensure!(above.is_some() || below.is_some(), "{origin}: the evidence {row:?} lacks above and below");
            ensure!(bounds.clone().all(|bound| bound.is_finite()), "{origin}: a bound of {row:?} is not finite");
            let empty = above.zip(*below).is_some_and(|(above, below)| above >= below);
            ensure!(!empty, "{origin}: no number meets both bounds of {row:?}; above must be less than below");
        }
    }
    Ok(())
}
