//! Verdicts on claims and expectations, from the rows of tables that their evidence names. METHODOLOGY.md has the rule.

use super::claim::{Claim, Decision, Verdict};
use super::provenance::range;
use crate::engine::cite::{Results, Rows};
use crate::engine::runs::Store;
use crate::engine::settings::{ClaimFile, Evidence, ProfileName};
use anyhow::{Context, Result, ensure};
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
    seeds: BTreeSet<u64>,
}

/// What claims are decided by: the tables that were written for an experiment.
pub(super) struct Bench<'b> {
    pub experiment: &'b str,
    pub profile: Option<ProfileName>,
    pub store: &'b Store,
    /// Networks whose runs are not all there: of them nothing is decided.
    pub unfinished: &'b BTreeSet<&'b str>,
    /// Names of the tables, those without a row among them.
    pub tables: Vec<&'b str>,
}

impl Bench<'_> {
    fn results(&self) -> Results<'_> {
        static NAMES: BTreeMap<String, String> = BTreeMap::new();
        Results { root: &self.store.root, names: &NAMES }
    }

    /// The name of the table of some evidence.
    fn table(&self, evidence: &Evidence) -> Result<String> {
        let table = format!("{}{}", self.experiment, evidence.table);
        ensure!(self.tables.contains(&&*table), "there is no table {table}; there are {}", self.tables.join(", "));
        Ok(table)
    }
}

/// Decides a claim.
///
/// # Errors
/// When evidence names a table or a column that is not there, or more than one row.
pub(super) fn decide(claim: &ClaimFile, bench: &Bench<'_>) -> Result<Claim> {
    if claim.void {
        // What was measured is of other networks, data or trainings than those of the sentence.
        return Ok(Claim::without_figure(claim, Decision::Changed));
    }
    let &Bench { profile, unfinished, .. } = bench;
    let found = claim
        .evidence
        .iter()
        .map(|evidence| found(evidence, bench).with_context(|| format!("the evidence {:?}", evidence.row)));
    let found = found.collect::<Result<Option<Vec<_>>>>()?;
    let decisive = profile.is_some_and(|profile| claim.decided_in.contains(&profile));
    let decision = match &found {
        None => Decision::NotRun,
        Some(_) if !decisive => Decision::NotAtThisBudget,
        Some(found) => verdict(&found.iter().map(|found| found.side).collect::<Vec<_>>()),
    };
    // Runs that are still to come are those of the command itself.
    let elsewhere = found.is_none() && unfinished.is_empty();
    let found = found.unwrap_or_default();
    let figures: Vec<&str> = found.iter().map(|found| found.figure.as_str()).collect();
    Ok(Claim {
        claim: claim.says.clone(),
        decision,
        figure: figures.join("; "),
        paper: claim.paper.clone(),
        seeds: range(&found.iter().flat_map(|found| found.seeds.iter().copied()).collect()),
        n: found.iter().filter_map(|found| found.n).min(),
        instead: claim.decided_in.first().copied().filter(|_| elsewhere),
    })
}

/// Compares what a file expects with the tables, by the rule of claims. None where it is not about these runs.
pub(super) fn expected(expectation: &ClaimFile, bench: &Bench<'_>) -> Option<Verdict> {
    let decides = bench.profile.is_some_and(|profile| expectation.decided_in.contains(&profile));
    let asked = !expectation.void && expectation.evidence.iter().all(|evidence| is_asked(evidence, bench));
    if !(decides && asked) {
        return None;
    }
    let (found, met) = match decide(expectation, bench) {
        Ok(Claim { decision: Decision::NotRun, .. }) => ("there is no such row".into(), false),
        Ok(Claim { decision, figure, .. }) => (figure, decision == Decision::Reproduced),
        Err(error) => (format!("{error:#}"), false),
    };
    let mut bounds: Vec<String> = expectation.evidence.iter().map(Evidence::bounds).collect();
    bounds.dedup();
    let (says, bounds) = (expectation.says.trim_end_matches('.'), bounds.join("; "));
    Some(Verdict { text: format!("{says} ({bounds}): {found}: {}", if met { "met" } else { "MISSED" }), met })
}

/// What of a row depends on what is run: networks, recipes and parts that were left out have no rows, nor has another data set.
const SELECTED: [&str; 6] = ["arm", "against", "data", "part", "recipe", "norm"];

/// Whether rows of that sort were asked for: the table has all networks and the like of the row, if not together.
fn is_asked(evidence: &Evidence, bench: &Bench<'_>) -> bool {
    // A table that there never is, or a column that it lacks, has been asked for by mistake.
    let Ok(table) = bench.table(evidence) else { return true };
    if !bench.results().has_table(&table) {
        return false;
    }
    let is_there = |word: &str| {
        let rows = bench.results().rows(&format!("{table} {word}"));
        rows.map_or(true, |rows| !rows.rows.is_empty())
    };
    let is_selected = |word: &&str| word.split_once('=').is_some_and(|(key, _)| SELECTED.contains(&key));
    evidence.row.split(' ').filter(is_selected).all(is_there)
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

/// None where there is no such table or row, or a run of one of its networks is not there.
fn found(evidence: &Evidence, bench: &Bench<'_>) -> Result<Option<Found>> {
    let (table, results, unfinished) = (bench.table(evidence)?, bench.results(), bench.unfinished);
    if !results.has_table(&table) {
        return Ok(None);
    }
    let source = format!("{table} {}", evidence.row);
    let rows = results.rows(&source)?;
    if rows.rows.is_empty() {
        return Ok(None);
    }
    let networks = networks(&rows);
    // Of rows that name no network, or other runs than those of their networks, all might be.
    let is_whole = match evidence.runs.is_empty() && !networks.is_empty() {
        true => networks.iter().all(|network| !unfinished.contains(network)),
        false => unfinished.is_empty(),
    };
    if !is_whole {
        return Ok(None);
    }
    let seeds = seeds(evidence, bench.experiment, &networks, &results)?;
    let count = |column: &str| rows.cell(column).ok().and_then(|cell| cell.parse::<usize>().ok());
    let compared = evidence.value == "difference";
    let lost = if compared { count("pairs").map(|pairs| seeds.len().saturating_sub(pairs)) } else { count("diverged") };
    let lost = lost.unwrap_or_default();
    if rows.cell(&evidence.value)?.is_empty() {
        let side = if compared { Side::Either } else { Side::Other };
        return Ok((lost > 0).then(|| Found { side, figure: "all seeds diverged".into(), n: Some(0), seeds }));
    }
    let side = match interval(evidence, &rows)?.map(|ends| side(evidence, ends)) {
        // A figure of those that are left says nothing of the others.
        Some(Side::Claimed) if lost > 0 => Side::Either,
        Some(side) => side,
        None => Side::Either,
    };
    let mut figure = results.render(&source, &evidence.figure)?;
    if lost > 0 {
        figure += &format!(", {lost} of {} seeds diverged", seeds.len());
    }
    let n = count("pairs").filter(|_| compared).or_else(|| count("seeds")).or_else(|| count("n"));
    Ok(Some(Found { side, figure, n, seeds }))
}

/// The networks that a row is about.
fn networks(row: &Rows) -> Vec<&str> {
    let networks = ["arm", "against"].into_iter().filter_map(|column| row.cell(column).ok());
    networks.filter(|name| !name.is_empty()).collect()
}

/// The seeds of the runs that a piece of evidence is made of.
fn seeds(evidence: &Evidence, experiment: &str, networks: &[&str], results: &Results<'_>) -> Result<BTreeSet<u64>> {
    let of = |runs: &str| -> Result<BTreeSet<u64>> {
        let rows = results.rows(&format!("{experiment}-runs {runs}"))?;
        rows.column("seed")?.into_iter().map(|seed| seed.parse().context("a seed is not a number")).collect()
    };
    if !evidence.runs.is_empty() {
        let seeds = of(&evidence.runs)?;
        ensure!(!seeds.is_empty(), "its figure is there, but no run is of {:?}", evidence.runs);
        return Ok(seeds);
    }
    let networks = networks.iter().map(|name| of(&format!("arm={name}")));
    let common = networks.reduce(|all, seeds| Ok(&all? & &seeds?));
    common.unwrap_or_else(|| Ok(BTreeSet::new()))
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
    let number = |cell: &str| cell.parse::<f64>().with_context(|| format!("{cell:?} is not a number"));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_decides_where_all_of_it_is_on_one_side() {
        let evidence = |above: Option<f64>, below: Option<f64>| Evidence { above, below, ..Evidence::default() };
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

    /// A results directory with the tables of an experiment `x`.
    fn results(rows: &[(&str, &str)]) -> Result<tempfile::TempDir> {
        let root = tempfile::tempdir()?;
        std::fs::create_dir(root.path().join("tables"))?;
        for (ending, rows) in rows {
            std::fs::write(root.path().join(format!("tables/x{ending}.csv")), rows)?;
        }
        Ok(root)
    }

    fn of(root: &tempfile::TempDir, table: &str, row: &str, value: &str) -> Result<Option<Found>> {
        let (figure, above) = (format!("{{{value}:.2}}"), Some(0.5));
        let (table, row, value) = (table.into(), row.into(), value.into());
        let evidence = Evidence { table, row, value, figure, above, ..Evidence::default() };
        let (store, unfinished) = (Store::new(root.path()), BTreeSet::from(["e"]));
        found(&evidence, &bench(&store, ProfileName::Quick, &unfinished))
    }

    fn bench<'b>(store: &'b Store, profile: ProfileName, unfinished: &'b BTreeSet<&'b str>) -> Bench<'b> {
        let tables = vec!["x", "x-differences", "x-mean", "x-runs"];
        Bench { experiment: "x", profile: Some(profile), store, unfinished, tables }
    }

    #[test]
    fn seeds_that_diverged_leave_a_claim_open() -> Result<()> {
        let runs = "arm,seed\na,1\na,2\nb,1\nb,2\nb,3\nc,1\ne,1\n";
        let rows = "arm,n,diverged,min\na,2,0,0.9\nb,2,1,0.9\nc,0,1,\ne,1,0,0.9\n";
        let pairs = "arm,against,pairs,difference,difference_low,difference_high\n\
                     a,b,2,0.9,0.8,1\nb,a,1,0.9,0.8,1\na,c,0,,,\na,e,1,0.9,0.8,1\n";
        let mean = "arm,seeds,diverged,mean,ci95_low,ci95_high\nc,1,0,0.9,,\n";
        let root = results(&[("-runs", runs), ("", rows), ("-differences", pairs), ("-mean", mean)])?;
        let shown = |found: Option<Found>| found.map(|found| (found.side, found.figure, found.n, found.seeds.len()));
        let min = |arm: &str| of(&root, "", &format!("arm={arm}"), "min").map(shown);
        assert_eq!(min("a")?, Some((Side::Claimed, "0.90".into(), Some(2), 2)));
        assert_eq!(min("b")?, Some((Side::Either, "0.90, 1 of 3 seeds diverged".into(), Some(2), 3)));
        assert_eq!(min("c")?, Some((Side::Other, "all seeds diverged".into(), Some(0), 1)));
        assert_eq!(min("d")?, None);
        let single = of(&root, "-mean", "arm=c", "mean").map(shown)?;
        assert_eq!(single, Some((Side::Either, "0.90".into(), Some(1), 1)), "one seed has no interval");
        let pair = |one: &str, other: &str| {
            of(&root, "-differences", &format!("arm={one} against={other}"), "difference").map(shown)
        };
        assert_eq!(pair("a", "b")?, Some((Side::Claimed, "0.90".into(), Some(2), 2)));
        assert_eq!(pair("b", "a")?, Some((Side::Either, "0.90, 1 of 2 seeds diverged".into(), Some(1), 2)));
        assert_eq!(pair("a", "c")?, Some((Side::Either, "all seeds diverged".into(), Some(0), 1)));
        // A run of e is not there.
        assert_eq!((min("e")?, pair("a", "e")?), (None, None));
        Ok(())
    }

    #[test]
    fn an_expectation_is_left_out_only_where_nobody_asked_for_its_rows() -> Result<()> {
        let rows = "data,arm,recipe,metric,seeds,diverged,min\nmnist,a,tuned,accuracy,1,0,0.9\n\
                    mnist,b,paper,accuracy,1,0,0.4\nmnist,b,paper,loss,1,0,0.4\n";
        let root = results(&[("-runs", "arm,seed\na,1\nb,1\n"), ("", rows)])?;
        let store = Store::new(root.path());
        let of_table = |table: &str, row: &str, profile: ProfileName| {
            let evidence = Evidence {
                table: table.into(),
                row: row.into(),
                value: "min".into(),
                figure: "{min:.2}".into(),
                above: Some(0.5),
                ..Evidence::default()
            };
            let (says, decided_in) = ("It learns".into(), vec![ProfileName::Quick]);
            let paper = String::new();
            let expectation =
                ClaimFile { says, paper, expected: true, decided_in, void: false, evidence: vec![evidence] };
            let verdict = expected(&expectation, &bench(&store, profile, &BTreeSet::new()));
            verdict.map(|verdict| (verdict.text, verdict.met))
        };
        let told = |row: &str, profile| of_table("", row, profile);
        let quick = |row: &str| told(row, ProfileName::Quick);
        let (text, met) = of_table("-paired", "arm=a", ProfileName::Quick).expect("a verdict");
        assert!(!met && text.contains("there is no table x-paired; there are x, x-differences"), "{text}");
        assert_eq!(quick("arm=a metric=accuracy"), Some(("It learns (above 0.5): 0.90: met".into(), true)));
        assert_eq!(quick("arm=b metric=accuracy"), Some(("It learns (above 0.5): 0.40: MISSED".into(), false)));
        for (row, words) in [
            ("arm=a metric=acuracy", "there is no such row"),
            ("arm=b", "2 rows"),
            ("part=depth arm=a metric=accuracy", "has no column \"part\""),
        ] {
            let (text, met) = quick(row).expect("a verdict");
            assert!(!met && text.contains(words), "{text}");
        }
        for row in ["arm=c metric=accuracy", "arm=a recipe=other metric=accuracy", "data=cifar10 arm=a metric=accuracy"]
        {
            assert_eq!(quick(row), None, "{row}");
        }
        assert_eq!(told("arm=a metric=accuracy", ProfileName::Smoke), None);
        Ok(())
    }

    #[test]
    fn a_claim_that_a_command_does_not_run_names_the_profile_that_does() -> Result<()> {
        let root = results(&[("-runs", "arm,seed\na,1\n"), ("", "arm,seeds,value\na,1,0.9\n")])?;
        let store = Store::new(root.path());
        let decided = |arm: &str, unfinished: &BTreeSet<&str>| -> Result<_> {
            let (value, figure) = ("value".into(), "{value}".into());
            let evidence =
                Evidence { row: format!("arm={arm}"), value, figure, above: Some(0.5), ..Evidence::default() };
            let (says, paper, decided_in) = ("It learns.".into(), String::new(), vec![ProfileName::Paper]);
            let claim = ClaimFile { says, paper, expected: false, decided_in, void: false, evidence: vec![evidence] };
            let claim = decide(&claim, &bench(&store, ProfileName::Quick, unfinished))?;
            Ok((claim.decision, claim.instead))
        };
        assert_eq!(decided("a", &BTreeSet::new())?, (Decision::NotAtThisBudget, None));
        assert_eq!(decided("b", &BTreeSet::new())?, (Decision::NotRun, Some(ProfileName::Paper)));
        assert_eq!(
            decided("b", &BTreeSet::from(["b"]))?,
            (Decision::NotRun, None),
            "the command itself goes on with it"
        );
        Ok(())
    }
}
