//! Verdicts on the paper's claims, from the rows of tables that their evidence names. METHODOLOGY.md has the rule.

use super::claim::{Claim, Decision};
use super::provenance::range;
use crate::engine::cite::{Results, Rows};
use crate::engine::runs::Walk;
use crate::engine::settings::{ClaimFile, Evidence, ProfileName};
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};

/// On which side of its bound a figure lies, with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Claimed,
    Other,
    /// The interval has both.
    Either,
}

/// A piece of evidence that was found.
struct Found {
    side: Side,
    figure: String,
    n: Option<usize>,
}

/// Decides a claim from the tables that were written for `experiment`.
///
/// # Errors
/// When evidence names a column that is not there, or more than one row.
pub(super) fn decide(
    claim: &ClaimFile,
    experiment: &str,
    profile: Option<ProfileName>,
    walk: &Walk<'_>,
) -> Result<Claim> {
    let results = Results { root: walk.store.root(), names: &BTreeMap::new() };
    let found = claim.evidence.iter().map(|evidence| {
        found(evidence, experiment, &results).with_context(|| format!("the evidence {:?}", evidence.row))
    });
    let found = found.collect::<Result<Option<Vec<_>>>>()?;
    let decisive = profile.is_some_and(|profile| claim.decided_in.contains(&profile));
    let decision = match &found {
        None => Decision::NotRun,
        Some(_) if !decisive => Decision::NotAtThisBudget,
        Some(found) => verdict(&found.iter().map(|found| found.side).collect::<Vec<_>>()),
    };
    let found = found.unwrap_or_default();
    let figures: Vec<&str> = found.iter().map(|found| found.figure.as_str()).collect();
    Ok(Claim {
        claim: claim.says.clone(),
        decision,
        figure: figures.join("; "),
        paper: claim.paper.clone(),
        seeds: if found.is_empty() { String::new() } else { seeds(claim, walk) },
        n: found.iter().filter_map(|found| found.n).min(),
    })
}

fn verdict(sides: &[Side]) -> Decision {
    let count = |side: Side| sides.iter().filter(|other| **other == side).count();
    match (count(Side::Claimed), count(Side::Other)) {
        (claimed, _) if claimed == sides.len() => Decision::Reproduced,
        (0, 0) => Decision::NotAtThisBudget,
        (0, _) => Decision::Contradicted,
        _ => Decision::Partly,
    }
}

/// None where there is no such table or row.
fn found(evidence: &Evidence, experiment: &str, results: &Results<'_>) -> Result<Option<Found>> {
    let table = format!("{experiment}{}", evidence.table);
    if !results.root.join("tables").join(format!("{table}.csv")).exists() {
        return Ok(None);
    }
    let source = format!("{table} {}", evidence.row);
    let rows = results.rows(&source)?;
    if rows.rows.is_empty() || rows.cell(&evidence.value)?.is_empty() {
        return Ok(None);
    }
    let side = match interval(evidence, &rows)? {
        Some(ends) => side(evidence, ends),
        None => Side::Either,
    };
    let n = ["pairs", "seeds", "n"].iter().find_map(|column| rows.cell(column).ok()?.parse().ok());
    Ok(Some(Found { side, figure: results.render(&source, &evidence.figure)?, n }))
}

/// The ends of the 95 % interval of a mean, or a value by itself twice; none of a mean without one, which a single seed has.
fn interval(evidence: &Evidence, rows: &Rows) -> Result<Option<[f64; 2]>> {
    let columns = match evidence.value.as_str() {
        "difference" => ["difference_low", "difference_high"],
        "mean" => ["ci95_low", "ci95_high"],
        alone => [alone, alone],
    };
    let [low, high] = columns.map(|column| rows.cell(column));
    let (low, high) = (low?, high?);
    if low.is_empty() || high.is_empty() {
        return Ok(None);
    }
    let number = |cell: &str| cell.parse::<f64>().with_context(|| format!("{cell:?} is no number"));
    Ok(Some([number(low)?, number(high)?]))
}

fn side(evidence: &Evidence, [low, high]: [f64; 2]) -> Side {
    let beyond = evidence.above.is_some_and(|bound| high <= bound) || evidence.below.is_some_and(|bound| low >= bound);
    match [low, high].map(|end| evidence.admits(end)) {
        [true, true] => Side::Claimed,
        _ if beyond => Side::Other,
        _ => Side::Either,
    }
}

/// The seeds of the networks that the evidence names.
fn seeds(claim: &ClaimFile, walk: &Walk<'_>) -> String {
    let words = claim.evidence.iter().flat_map(|evidence| evidence.row.split_whitespace());
    let arms: BTreeSet<&str> = words.filter_map(|word| word.strip_prefix("arm=")).collect();
    let entries = walk.entries.iter().filter(|entry| arms.contains(entry.arm.as_str()) && entry.manifest().is_some());
    range(&entries.map(|entry| entry.seed).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_decides_where_all_of_it_is_on_one_side() {
        let evidence = |above: Option<f64>, below: Option<f64>| Evidence {
            table: String::new(),
            row: String::new(),
            value: "difference".into(),
            above,
            below,
            figure: String::new(),
        };
        let above = evidence(Some(0.0), None);
        assert_eq!(side(&above, [0.1, 0.3]), Side::Claimed);
        assert_eq!(side(&above, [-0.1, 0.3]), Side::Either);
        assert_eq!(side(&above, [-0.3, 0.0]), Side::Other);
        let within = evidence(Some(-0.1), Some(0.1));
        assert_eq!(side(&within, [-0.05, 0.09]), Side::Claimed);
        assert_eq!(side(&within, [0.05, 0.2]), Side::Either);
        assert_eq!(side(&within, [-0.3, 0.2]), Side::Either);
        assert_eq!(side(&within, [0.1, 0.2]), Side::Other);
    }

    #[test]
    fn a_verdict_is_about_all_of_the_evidence() {
        use Side::{Claimed, Either, Other};
        for (sides, decision) in [
            (&[Claimed, Claimed][..], Decision::Reproduced),
            (&[Claimed, Either], Decision::Partly),
            (&[Claimed, Other], Decision::Partly),
            (&[Either, Either], Decision::NotAtThisBudget),
            (&[Either, Other], Decision::Contradicted),
            (&[Other], Decision::Contradicted),
        ] {
            assert_eq!(verdict(sides), decision, "{sides:?}");
        }
    }
}
